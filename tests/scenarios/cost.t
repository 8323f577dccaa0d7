#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# What this kernel adds to a CI's boot: from the same Xen, to the result of an empty list of tests,
# beside a guest that ends at its first instruction. QEMU counts instructions, Xen stamps its lines
# with the time that passed by that clock, a nanosecond each, and both runs end with the same line.
# Without this the kernel could grow slow where nobody looks: before main, in printing, at the end.

use strict;
use warnings;
use Test::More;

use FindBin;
use lib $FindBin::Bin, "$FindBin::Bin/../scripts";
use Host;
use Run;

sub path_of {
    my ($code, $path, $err) = run(script('xen'), @_);
    is $code, 0, "there is: @_" or diag $err;
    chomp $path;
    return $path;
}

my $xen   = path_of('hypervisor', xen);
my $dir   = tempdir;
my $empty = "$dir/empty";
my ($code, undef, $err) = run($ENV{CC} // 'gcc', '-nostdlib', '-static', '-o', $empty,
    '-isystem', path_of('headers'), '-Wl,-Ttext-segment=0xffffffff80100000',
    '-Wl,--build-id=none', '-Wl,-z,noexecstack', "$FindBin::Bin/empty.S");
is $code, 0, 'the empty guest is built' or diag $err;

# When the domain ended, in millions of ticks since Xen began.
sub end_of {
    my ($initrd) = @_;
    my $pid = open my $console, '-|', 'qemu-system-x86_64', qw(-no-reboot -nographic -monitor none),
        qw(-cpu max -serial stdio -m 1G), '-icount', 'shift=0,sleep=off', '-rtc',
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

my $least = end_of($empty);
my $ours  = end_of(kernel . ' test=none');
ok $least, 'the empty guest ended';
ok $ours,  'ours ended';
cmp_ok $ours - $least, '<=', 200, 'it costs at most 200 million ticks more';
cmp_ok $ours - $least, '>',  1,   'and some: both figures are real';
diag sprintf 'Xen and an empty guest: %.1f million ticks; ours: %.1f more', $least, $ours - $least;

done_testing;
