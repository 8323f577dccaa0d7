#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# A debugger on the kernel, under real Xen. Without this test nobody would notice that a breakpoint
# is never reached, that a printer does not know a field any more, or that leaving gdb leaves a QEMU
# behind. gdb runs without a terminal here; Ctrl-C is the signal that a terminal would send.

use strict;
use warnings;
use Test::More;

use FindBin;
use lib $FindBin::Bin, "$FindBin::Bin/../scripts";
use Host;
use Run;

plan skip_all => 'no gdb here' if system('gdb -nx -batch -ex "python 1" >/dev/null 2>&1') != 0;

my $dir = tempdir;
mkdir "$dir/tmp";

# The boot options and the kernel with its arguments, behind those of every session here.
sub session {
    my ($commands, @arguments) = @_;
    write_file("$dir/commands", join '', map { "$_\n" } @$commands);
    return (script('gdb'), '--commands', "$dir/commands", '--xen', xen, '--timeout', 120, '--quiet',
        '--mem', '64M', '--log', "$dir/log", kernel, '--', @arguments);
}

# No process that was told of this directory, and nothing in it.
sub leaves_nothing {
    my ($when) = @_;
    my @left;
    for (1 .. 50) {
        @left = grep { (eval { read_file("$_/environ") } // '') =~ /\0TMPDIR=\Q$dir\E\/tmp\0/ } glob '/proc/[0-9]*';
        last if !@left;
        select undef, undef, undef, 0.1;
    }
    is_deeply [map { read_file("$_/comm") } @left], [], "$when: no process is left";
    is_deeply [glob "$dir/tmp/*"], [], "$when: no file is left";
    return;
}

# The ranges of the boot report in the form of xenolith.py.
sub ranges_text {
    my ($report) = @_;
    return join ', ', map { sprintf '[0x%x, 0x%x) %s', @$_ } @{$report->{ranges}};
}

subtest 'a breakpoint, printers and xenolith-p2m' => sub {
    my ($code, $out, $err) = run({env => {TMPDIR => "$dir/tmp"}}, session([
        'hbreak tests_run', 'continue', 'bt',
        'p domain.p2m.ranges', 'p domain.p2m.ranges.r[0]', 'p domain.pt.root',
        'p *(mfn_t *)&domain.p2m.list[0x9f]', 'p *(pfn_t *)&domain.p2m.nr', 'p/x domain.p2m.list[0x9e]', 'xenolith-p2m 0x9e 2',
        'xenolith-p2m domain.p2m.nr', 'delete', 'continue',
    ], 'test=p2m'));
    is $code, 0, 'the kernel goes on to its end, and reports success' or diag $err, $out;
    like $out, qr/^Temporary breakpoint 1, kernel_main \(start_info=0x[0-9a-f]+\)/m, 'gdb stops in kernel_main';
    like $out, qr/^Breakpoint 2, tests_run .*^#0  tests_run .*^#\d  .* kernel_main .*^#\d  .* _start /ms,
        'gdb stops in tests_run, and shows who called it';

    my ($json) = read_file("$dir/log") =~ /^(\{"report":"boot".*\})$/m;
    my $report = JSON::PP::decode_json($json);
    my $ranges = ranges_text($report);
    like $out, qr/^\$1 = 4 ranges, beyond: identity = \{\Q$ranges\E\}$/m, 'struct ranges';
    like $out, qr/^\$2 = \[0x0, 0x9f\) ram$/m, 'struct range';
    my $nr = sprintf '0x%x', $report->{max_pfn};
    like $out, qr/^\$3 = MFN 0x[0-9a-f]+\n\$4 = MFN none\n\$5 = PFN $nr$/m, 'mfn_t, mfn_t of no frame, pfn_t';
    my ($mfn) = $out =~ /^\$6 = (0x[0-9a-f]+)$/m;
    like $out, qr/^PFN 0x9e: MFN \Q$mfn\E; \[0x0, 0x9f\) ram\nPFN 0x9f: no frame; \[0x9f, 0x100\) identity$/m,
        'xenolith-p2m: a frame, and a PFN without one';
    like $out, qr/^PFN $nr: past the P2M list, which has $nr entries; \[/m, 'xenolith-p2m: past the list';
};
leaves_nothing('after the end of the guest');

subtest 'a command of gdb that fails ends QEMU' => sub {
    my ($code, $out, $err) = run({env => {TMPDIR => "$dir/tmp"}}, session(['xenolith-p2m 0', 'continue']));
    is $code, 1, 'the exit code is that of gdb';
    like $err, qr/^domain\.p2m is empty: the kernel has not read start_info yet$/m,
        'xenolith-p2m says why there is nothing to show';
    unlike read_file("$dir/log"), qr/^Test result/m, 'the guest did not go on';
};
leaves_nothing('after a command that fails');

subtest 'a kernel that hangs can be interrupted' => sub {
    unlink "$dir/log";
    my @command = session(['continue', 'bt'], 'inject=hang');
    my $pid     = fork // die "fork: $!";
    if (!$pid) {
        setpgrp;
        $ENV{TMPDIR} = "$dir/tmp";
        open STDOUT, '>', "$dir/out" or die $!;
        open STDERR, '>', "$dir/err" or die $!;
        exec @command;
    }
    for (1 .. 300) {
        last if -e "$dir/log" && read_file("$dir/log") =~ /^Xenolith /m;
        select undef, undef, undef, 0.1;
    }
    sleep 1;           # by then it hangs; Xen waits for 15 seconds
    kill INT => -$pid; # as Ctrl-C does
    waitpid $pid, 0;
    is $? >> 8, 0, 'gdb has run its commands, and is left' or diag read_file("$dir/err");
    like read_file("$dir/out"), qr/^Program received signal SIGINT.*^#0  .*hang.*^#\d  .* kernel_main /ms,
        'gdb shows where the kernel hangs';
    unlike read_file("$dir/log"), qr/Watchdog timer fired/, "before Xen's watchdog does";
};
leaves_nothing('after leaving gdb');

done_testing;
