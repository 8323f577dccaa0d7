#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# Runs that must not pass. Without these nobody would know whether a broken kernel, a dead guest or
# a torn run is ever called one: each of them has to be caught, by its own exit code.

use strict;
use warnings;
use Test::More;

use FindBin;
use lib $FindBin::Bin, "$FindBin::Bin/../scripts";
use Host;
use Run;

boot_fails 'two entries of the P2M change places: a self-test fails', 5,
    ['--mem', '64M', '--', 'inject=entry'], qr/^not ok \d+ - p2m: /m, qr/failure: .*p2m/;

boot_fails 'the list of tests is cut short, and claims success', 5,
    ['--mem', '64M', '--', 'inject=tap-plan'], qr/^Test result: SUCCESS$/m, qr/failure: .*[Pp]lan/;

# Lines of a call trace: "S" and the function, with its place, for each name.
sub trace {
    my @lines = map { qr/ \[<f{8}\w{8}>\] S $_ \(\S+:\d+\)[^\n]*\n/ } @_;
    return join '', @lines;
}

my $boot_trace = trace(qw(stages_start kernel_main _start));
boot_fails 'a panic prints the call trace', 6, ['--mem', '64M', '--', 'inject=nr_pages'],
    qr/^Call trace:\n@{[trace('check_list')]}(?: \[[^\n]*\n)*${boot_trace}Bail out! start_info.nr_pages/m,
    qr/crash/;

my $frame = qr/^trap: vector 14, error code 0x2, at e03[03]:\w{16}, flags \w+, events masked, in (parse \(.*)$/m;
boot_fails 'a trap in early boot prints the registers, the walk and the call trace', 6,
    ['--mem', '64M', '--', 'inject=trap'],
    qr/$frame.*^rax .*^0x\w+: level 4 entry .*^Call trace:\n \[<\w+>\] R \1\n${boot_trace}Bail out! unexpected trap: vector 14/ms,
    qr/crash/;

boot_fails 'a stack overflow: Xen ends the domain with a dump', 6, ['--mem', '64M', '--', 'inject=stack'],
    qr/^\(XEN\) Domain 0 \(vcpu#0\) crashed .*^\(XEN\) RIP: .* in use_stack \(kernel\/selftest\/inject\.c:\d+\)$/ms,
    qr/crash: Xen says: Domain 0 \(vcpu#0\) crashed/;

boot_fails 'a hang: Xen\'s watchdog ends it', 6,
    ['--mem', '64M', '--timeout', '60', '--', 'inject=hang'],
    qr/Watchdog timer fired for domain 0/, qr/crash: .*watchdog/;

boot_fails 'a host with too little memory', 6, ['--host-mem', '16M'],
    qr/^\(XEN\) Panic on CPU 0:/m, qr/crash: .*[Pp]anic/;

# The process of that name whose parent is $pid.
sub child_of {
    my ($pid, $name) = @_;
    for my $stat (glob '/proc/[0-9]*/stat') {
        my $text = eval { read_file($stat) } // next;
        return $1 if $text =~ /^(\d+) \(\Q$name\E[^)]*\) \S+ $pid /;
    }
    return;
}

# QEMU is ended from outside while the guest runs.
subtest 'QEMU is killed' => sub {
    my $dir = tempdir;
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        open STDERR, '>', "$dir/err" or die $!;
        exec script('boot'), '--quiet', '--mem', '64M', '--log', "$dir/log", kernel, '--',
            'inject=hang';
    }
    for (1 .. 300) {
        last if -e "$dir/log" && read_file("$dir/log") =~ /^Xenolith /m;
        select undef, undef, undef, 0.1;
    }
    my $qemu = child_of($pid, 'qemu-system');
    ok $qemu && kill('KILL', $qemu), 'QEMU was there, and is no more';
    waitpid $pid, 0;
    is $? >> 8, 5, 'a failure';
    like read_file("$dir/err"), qr/failure/, 'which is said';
};

# One Linux dom0 for a guest that is destroyed while it runs, and one that xl cannot start.
subtest 'a guest that xl destroys' => sub {
    my $dir = tempdir;
    write_file("$dir/guest.cfg", "kernel=\"/job/xenolith\"\nmemory=64\nextra=\"inject=hang\"\n");
    write_file("$dir/job", <<'END');
domu_start victim create /job/guest.cfg
domu_says victim "^Xenolith"
xl destroy victim
domu_end victim
END
    symlink kernel, "$dir/xenolith" or die $!;
    my ($code, $out, $err) = run(script('dom0'), '--quiet', '--out', "$dir/out", "$dir/job",
        "$dir/guest.cfg", "$dir/xenolith");
    is $code, 0, 'the job ran' or diag $err;
    is read_file("$dir/out/victim.end"), "destroyed\n", 'and saw how the guest ended';
    ($code) = run(script('verdict'), "$dir/out/victim.log");
    is $code, 5, 'whose console, which stops early, is a failure';
};

my ($code, undef, $err) = run(script('boot'), '--xen', kernel, '--mem', '64M');
is $code, 2, 'a Xen file that is none is bad usage';
like $err, qr/expected a plain multiboot ELF/, 'which is said';

done_testing;
