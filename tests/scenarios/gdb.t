#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# scripts/gdb: gdb on the kernel, under real Xen. The output of gdb is compared with the kernel's
# boot report. Without this test it could go unnoticed that a breakpoint is never reached, that a
# pretty-printer uses a field that no longer exists, or that QEMU still runs after gdb has ended.
# gdb runs without a terminal here, so the test sends the signal that a terminal sends for Ctrl-C.

use strict;
use warnings;
use Test::More;

use FindBin;
use lib $FindBin::Bin, "$FindBin::Bin/../scripts";
use Host;
use Run;

plan skip_all => 'gdb with Python is not installed'
    if system('gdb -nx -batch -ex "python 1" >/dev/null 2>&1') != 0;

my $dir = tempdir;
mkdir "$dir/tmp";

# Returns the command line of a session of scripts/gdb with these commands of gdb and arguments of
# the kernel.
sub session {
    my ($commands, @arguments) = @_;
    write_file("$dir/commands", join '', map { "$_\n" } @$commands);
    return (script('gdb'), '--commands', "$dir/commands", '--xen', xen, '--timeout', 120, '--quiet',
        '--mem', '64M', '--log', "$dir/log", kernel, '--', @arguments);
}

# Checks that no process with this TMPDIR, or with a directory in it, runs, and that the directory is empty.
sub leaves_nothing {
    my ($when) = @_;
    my @left;
    soon(sub {
        @left = grep { (eval { read_file("$_/environ") } // '') =~ /\0TMPDIR=\Q$dir\E\/tmp[\/\0]/ } glob '/proc/[0-9]*';
        return !@left;
    });
    is_deeply [map { read_file("$_/comm") } @left], [],
        "$when: list of processes that still run is empty";
    is_deeply [glob "$dir/tmp/*"], [], "$when: the temporary directory is empty";
    return;
}

# Formats the PFN ranges of the boot report as xenolith.py does.
sub ranges_text {
    my ($report) = @_;
    return join ', ', map { sprintf '[0x%x, 0x%x) %s', @$_ } @{$report->{ranges}};
}

subtest 'breakpoint, pretty-printers and command xenolith-p2m' => sub {
    my ($code, $out, $err) = run({env => {TMPDIR => "$dir/tmp"}}, session([
        'hbreak tests_run', 'continue', 'bt',
        'p domain.p2m.ranges', 'p domain.p2m.ranges.r[0]', 'p domain.pt.root',
        'p *(mfn_t *)&domain.p2m.list[0x9f]', 'p *(pfn_t *)&domain.p2m.nr', 'p/x domain.p2m.list[0x9e]',
        'xenolith-p2m 0x9e 2', 'xenolith-p2m domain.p2m.nr', 'delete', 'continue',
    ], 'test=p2m'));
    is $code, 0, 'scripts/gdb exits with 0: the kernel continues and reports success' or diag $err, $out;
    like $out, qr/^Temporary breakpoint 1, kernel_main \(start_info=0x[0-9a-f]+\)/m,
        'gdb stops in kernel_main';
    like $out, qr/^Breakpoint 2, tests_run .*^#0  tests_run .*^#\d  .* kernel_main .*^#\d  .* _start /ms,
        'the backtrace at the breakpoint leads from tests_run to _start';

    my ($json) = read_file("$dir/log") =~ /^(\{"report":"boot".*\})$/m;
    my $report = JSON::PP::decode_json($json);
    my $ranges = ranges_text($report);
    like $out, qr/^\$1 = 4 ranges, beyond: identity = \{\Q$ranges\E\}$/m,
        'pretty-printer of struct ranges';
    like $out, qr/^\$2 = \[0x0, 0x9f\) ram$/m, 'pretty-printer of struct range';
    my $nr = sprintf '0x%x', $report->{max_pfn};
    like $out, qr/^\$3 = MFN 0x[0-9a-f]+\n\$4 = MFN none\n\$5 = PFN $nr$/m,
        'pretty-printers of mfn_t, of mfn_t without a frame, and of pfn_t';
    my ($mfn) = $out =~ /^\$6 = (0x[0-9a-f]+)$/m;
    like $out, qr/^PFN 0x9e: MFN \Q$mfn\E; \[0x0, 0x9f\) ram\nPFN 0x9f: no frame; \[0x9f, 0x100\) identity$/m,
        'xenolith-p2m 0x9e 2 prints a PFN with a frame and a PFN without';
    like $out, qr/^PFN $nr: past the P2M list, which has $nr entries; \[/m,
        'xenolith-p2m with a PFN past the P2M list prints the number of entries';
};
leaves_nothing('after the guest has ended');

subtest 'a gdb command that fails ends the session' => sub {
    my ($code, $out, $err) = run({env => {TMPDIR => "$dir/tmp"}}, session(['xenolith-p2m 0', 'continue']));
    is $code, 1, 'scripts/gdb exits with 1, the exit code of gdb';
    like $err, qr/^domain\.p2m is empty: the kernel has not read start_info yet$/m,
        'xenolith-p2m before start_info is read names the reason of the failure';
    unlike read_file("$dir/log"), qr/^Test result/m, 'the guest did not continue to its result';
};
leaves_nothing('after a gdb command that fails');

subtest 'Ctrl-C stops a kernel that hangs' => sub {
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
    soon(sub { -e "$dir/log" && read_file("$dir/log") =~ /hangs from now on/ });
    kill INT => -$pid; # the signal of Ctrl-C
    waitpid $pid, 0;
    is $? >> 8, 0, 'scripts/gdb exits with 0: gdb ran all commands' or diag read_file("$dir/err");
    like read_file("$dir/out"), qr/^Program received signal SIGINT.*^#0  .*hang.*^#\d  .* kernel_main /ms,
        'the backtrace leads from hang to kernel_main';
    unlike read_file("$dir/log"), qr/Watchdog timer fired/, "Xen's watchdog did not fire";
};
leaves_nothing('after Ctrl-C');

done_testing;
