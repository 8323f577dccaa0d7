#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# scripts/dom0 runs what tests the kernel as a domU. Without this, a job that
# failed, or never ran, could pass for one that succeeded.

use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Dom0;
use Run;
use Test::More;

my $job = write_file("$dir/job.sh", 'echo hello');
write_file("$dir/a file", 'a');
write_file("$dir/other/a file", 'b');

# Bad input

my @bad = (
    [[], qr/^dom0: a SCRIPT is missing/],
    [['--foo', $job], qr/^dom0: unknown option --foo/],
    [['--timeout'], qr/--timeout needs a value/],
    [['--host-mem', '4', $job], qr/--host-mem 4: expected a number followed by K, M, G or T/],
    [['--dom0-mem', '1', $job], qr/--dom0-mem 1: expected/],
    [['--smp', '0', $job], qr/--smp 0: expected a number from 1/],
    [["$dir/none"], qr/none: no such file/],
    [[$job, "$dir/none"], qr/none: no such file/],
    [[$job, "$dir/a file", "$dir/other/a file"], qr/other\/a file: another file of this name is there already/],
    [['--xen', $job, $job], qr/expected a plain multiboot ELF/],
    [['--toolstack', '4.14', $job], qr/^xen: no toolstack 4\.14 to be had: expected 4\.17/],
    [['--out', "$job/x", $job], qr/--out .*: cannot be made/],
    [['--log', "$dir/none/log", $job], qr/none\/log: cannot be written/],
);
for my $case (@bad) {
    my ($args, $sentence) = @$case;
    my $name = join(' ', @$args) =~ s/\Q$dir\E\///gr;
    my ($exit, $out, $err) = with_dom0('', 'dom0', @$args);
    is $exit, 2, "'$name': exit code";
    like $err, $sentence, "'$name': sentence";
    is $err =~ tr/\n//, 1, "'$name': one line";
    ok !-e "$dir/pid", "'$name': QEMU was not started";
    leaves_nothing("'$name'");
}

# What Xen, Linux and the job are given

my ($exit, $out, $err) = with_dom0('echo up; echo result >$out/r; echo 7 >$job/.exit', 'dom0', '--out', "$dir/out",
    '--log', "$dir/log", '--xen-args', 'noreboot', '--qemu-args', '-d int', $job, "$dir/a file");
is_deeply [$exit, $out, $err], [7, "up\n", ''], "the job's exit code is ours";
leaves_nothing('success');
is read_file("$dir/log"),        "up\n",       'log';
is read_file("$dir/out/r"),      "result\n",   'what the job wrote is kept';
is read_file("$dir/job/.script"), 'echo hello', 'the script';
is read_file("$dir/job/a file"),  'a',          'and its file';
like qemu_arg('-append'), qr/ dom0_mem=1024M,max:1024M dom0_max_vcpus=1 noreboot$/, "Xen's line";
like qemu_arg('-initrd'), qr{^\S+/vmlinux console=hvc0 [^,]*,\S+/ramdisk$}, "Linux's line";
is qemu_arg('-cpu'), 'max,-smap,-smep', 'cpu';
is qemu_arg('-smp'), 2, 'smp';
is qemu_arg('-d'), 'int', 'qemu-args';

(undef, $out) = with_dom0('cpio -t --quiet <"$(sed -n "s/.*,\(.*ramdisk\)$/\1/p" "$FAKE/args")"; echo 0 >$job/.exit',
    'dom0', $job);
like $out, qr/^$_$/m, "$_ is in the ramdisk" for qw(init lib/xenolith.sh etc/xen/xl.conf);
is((with_dom0('echo up; echo 0 >$job/.exit', 'dom0', '--quiet', $job))[1], '', 'quiet');

# Endings

my @ends = (
    ['QEMU does not start', 'exit 1', 4, qr/^dom0: QEMU did not start \(exit 1\)$/],
    ['time runs out', 'echo up; exec sleep 60', 124, qr/^dom0: timeout: 2 s ran out after: up$/],
    ['dom0 ends early', 'echo up', 6, qr/^dom0: crash: Xen or its dom0 ended before the script did: up$/],
    ['Linux panics', 'echo "[ 1.0] Kernel panic - not syncing: x"; echo "(XEN) Hardware Dom0 crashed: rebooting"', 6,
        qr/did: \[ 1\.0\] Kernel panic - not syncing: x$/],
    ['Xen panics and stays', 'echo "(XEN) Panic on CPU 0:"; exec sleep 60', 6, qr/did: \(XEN\) Panic on CPU 0:$/],
    ['dom0 is done and Xen stays', 'echo 3 >$job/.exit; echo "(XEN) Hardware Dom0 halted: halting machine"; exec sleep 60',
        3, qr/^$/],
    ['a guest that speaks like Xen', 'echo "a| (XEN) Panic on CPU 0:"; sleep 1; echo 0 >$job/.exit', 0, qr/^$/],
    ['another Xen', 'echo "(XEN) Xen version 4.14.6 (Debian)"; exec sleep 60', 2,
        qr/^dom0: this Xen is 4\.14\.6, and the toolstack of 4\.17 speaks only to its own Xen$/],
    ['a Xen whose version only begins alike', 'echo "(XEN) Xen version 4.170.0"; exec sleep 60', 2, qr/this Xen is 4\.170/],
    ['the right Xen', 'echo "(XEN) Xen version 4.17.7 (Debian)"; echo 0 >$job/.exit', 0, qr/^$/],
);
for my $case (@ends) {
    my ($name, $dom0, $code, $sentence) = @$case;
    my $timeout = $name eq 'time runs out' ? 2 : 20;
    my ($exit, undef, $err) = with_dom0($dom0, 'dom0', '--timeout', $timeout, $job);
    is $exit, $code, "$name: exit code";
    like $err, $sentence, "$name: sentence";
    leaves_nothing($name);
}

for my $signal (qw(INT TERM HUP)) {
    is((with_dom0("kill -$signal \$PPID; exec sleep 60", 'dom0', $job))[0], 130, "SIG$signal: exit code");
    leaves_nothing("SIG$signal");
}

is((run(script('dom0'), '--help'))[0], 0, '--help');

done_testing;
