#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# Runs with a fault, which must not pass: a broken P2M, a truncated list of tests, panic, trap,
# stack overflow, hang, a killed QEMU. The console, the exit code and the verdict of scripts/boot
# are compared with those of the fault. Without this test a kernel or a runner that reports every
# run as a success would go unnoticed.

use strict;
use warnings;
use Test::More;

use FindBin;
use lib $FindBin::Bin, "$FindBin::Bin/../scripts";
use Host;
use Run;

boot_fails 'self-test p2m fails if two P2M entries are exchanged', 5,
    ['--mem', '64M', '--', 'inject=entry'], qr/^not ok \d+ - p2m: /m, qr/failure: .*p2m/;

boot_fails 'a TAP plan with missing tests is a failure, in spite of "Test result: SUCCESS"', 5,
    ['--mem', '64M', '--', 'inject=tap-plan'], qr/^Test result: SUCCESS$/m, qr/failure: .*[Pp]lan/;

# Matches lines of a call trace, one per name: "S", the function, and its file and line.
sub trace {
    my @lines = map { qr/ \[<f{8}\w{8}>\] S $_ \(\S+:\d+\)[^\n]*\n/ } @_;
    return join '', @lines;
}

# Lines between: a function that has returned, whose return address is still in an unused part of a frame
my $stale = qr/(?: \[[^\n]*\n)/;

my $boot_trace = trace(qw(stages_start kernel_main _start));
boot_fails 'a panic prints the call trace', 6, ['--mem', '64M', '--', 'inject=nr_pages'],
    qr/^Call trace:\n@{[trace('check_list')]}$stale*${boot_trace}Bail out! start_info.nr_pages/m,
    qr/crash/;

my $frame =
    qr/^trap: vector 14, error code 0x2, at e03[03]:\w{16}, flags \w+, events masked, in (parse \(.*)$/m;
my $panic = qr/Bail out! unexpected trap: vector 14/;
boot_fails 'a trap in early boot prints registers, page walk and call trace', 6,
    ['--mem', '64M', '--', 'inject=trap'],
    qr/$frame.*^rax .*^0x\w+: level 4 entry .*^Call trace:\n \[<\w+>\] R \1\n$stale*$boot_trace$panic/ms,
    qr/crash/;

my $rip = qr{^\(XEN\) RIP: .* in use_stack \(kernel/selftest/inject\.c:\d+\)$}m;
boot_fails 'a stack overflow: Xen ends the domain with a register dump', 6,
    ['--mem', '64M', '--', 'inject=stack'],
    qr/^\(XEN\) Domain 0 \(vcpu#0\) crashed .*$rip/ms,
    qr/crash: Xen printed: Domain 0 \(vcpu#0\) crashed/;

boot_fails 'a hang: Xen\'s watchdog ends the domain', 6,
    ['--mem', '64M', '--timeout', '60', '--', 'watchdog=2', 'inject=hang'],
    qr/Watchdog timer fired for domain 0/, qr/crash: .*watchdog/;

boot_fails 'a hang: scripts/boot ends the boot long before its time limit', 6,
    ['--mem', '64M', '--timeout', '60', '--', 'inject=hang'],
    qr/hangs from now on/, qr/crash: the guest hangs: it printed no line for 15 seconds after the line: .*hangs from now on/;

boot_fails 'a host of 16 MiB: Xen panics', 6, ['--host-mem', '16M'],
    qr/^\(XEN\) Panic on CPU 0:/m, qr/crash: .*[Pp]anic/;

# Returns the process ID of the child of $pid whose name begins with $name.
sub child_of {
    my ($pid, $name) = @_;
    for my $stat (glob '/proc/[0-9]*/stat') {
        my $text = eval { read_file($stat) } // next;
        return $1 if $text =~ /^(\d+) \(\Q$name\E[^)]*\) \S+ $pid /;
    }
    return;
}

# QEMU is killed while the guest runs.
subtest 'a killed QEMU is a failure' => sub {
    my $dir = tempdir;
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        open STDERR, '>', "$dir/err" or die $!;
        exec script('boot'), '--quiet', '--mem', '64M', '--log', "$dir/log", kernel, '--',
            'inject=hang';
    }
    soon(sub { -e "$dir/log" && read_file("$dir/log") =~ /hangs from now on/ });
    my $qemu = child_of($pid, 'qemu-system');
    ok $qemu && kill('KILL', $qemu), 'QEMU runs and gets a KILL signal';
    waitpid $pid, 0;
    is $? >> 8, 5, 'scripts/boot exits with 5';
    like read_file("$dir/err"), qr/failure/, 'scripts/boot prints the verdict "failure"';
};

my ($code, undef, $err) = run(script('boot'), '--xen', kernel, '--mem', '64M');
is $code, 2, 'scripts/boot --xen with a file that is not Xen exits with 2';
like $err, qr/expected a plain multiboot ELF/, 'scripts/boot names the expected format of the --xen file';

done_testing;
