#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# The cost of a boot of this kernel in instructions. The kernel with test=none is compared with an
# empty guest (empty.S), which shuts down at its first instructions, on the same Xen. With -icount,
# QEMU's clock advances one nanosecond per instruction, and Xen prints the time with each line. Both
# runs end with the same line of Xen. Without this comparison the kernel could become slow in code that no
# benchmark measures: before kernel_main, in printing, at the end. A boot of the benchmark at 1 GiB is
# compared with bench/results.tsv. Without this comparison the figures in the tree could be those of an
# older kernel.

use strict;
use warnings;
use Test::More;

use FindBin;
use lib $FindBin::Bin, "$FindBin::Bin/../scripts";
use Figures;
use Host;
use Run;

my (undef, $headers) = run(script('fetch/xen'), 'headers');
chomp $headers;
my $xen   = xen_file;
my $dir   = tempdir;
my $empty = "$dir/empty";
my ($code, undef, $err) = run($ENV{CC} // 'gcc', '-nostdlib', '-static', '-o', $empty,
    '-isystem', $headers, '-Wl,-Ttext-segment=0xffffffff80100000',
    '-Wl,--build-id=none', '-Wl,-z,noexecstack', "$FindBin::Bin/empty.S");
is $code, 0, 'the compiler of the empty guest exits with 0' or diag $err;

# Boots Xen with a dom0, and returns when dom0 ended, in millions of instructions since Xen began.
sub end_of {
    my ($initrd) = @_;
    my $pid = open my $console, '-|', 'qemu-system-x86_64', qw(-no-reboot -nographic -monitor none),
        qw(-cpu max,-x2apic -serial stdio -m 1G), '-icount', 'shift=0,sleep=off', '-rtc',
        'base=2020-01-01,clock=vm', '-kernel', $xen, '-initrd', $initrd, '-append',
        'dom0_mem=512M loglvl=all console_timestamps=boot console=com1'
        or die "qemu: $!";
    my $ticks;
    local $SIG{ALRM} = sub { kill 'TERM', $pid };
    alarm 200;
    while (!$ticks && defined(my $line = <$console>)) {
        $ticks = $1 * 1e3 + $2 / 1e3
            if $line =~ /\[\s*(\d+)\.(\d{6})\] Hardware Dom0 (?:shutdown|halted)/;
    }
    alarm 0;
    kill 'TERM', $pid;
    close $console;
    return $ticks;
}

my $empty_end  = end_of($empty);
my $kernel_end = end_of(kernel . ' test=none');
ok $empty_end,  'Xen reports the end of the empty guest';
ok $kernel_end, 'Xen reports the end of the kernel';
cmp_ok $kernel_end - $empty_end, '<=', 200,
    'the kernel takes at most 200 million instructions more than the empty guest';
cmp_ok $kernel_end - $empty_end, '>', 1,
    'the kernel takes more than a million instructions more than the empty guest';
diag sprintf 'Xen and the empty guest: %.1f million instructions; the kernel: %.1f million more',
    $empty_end, $kernel_end - $empty_end;

($code, my $out, $err) =
    run(script('../bench/run'), '--kernel', kernel, '--out', "$dir/results.tsv", '1G');
is $code, 0, 'bench/run of a dom0 of 1 GiB exits with 0' or diag $out, $err;
my @fresh = rows("$dir/results.tsv");
is_deeply [map { $_->{verdict} } @fresh], ['PASS'], 'bench/run: its table has one row, with verdict PASS';
same_figures('results.tsv', ['dom0'], ['total'], @fresh);

done_testing;
