#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# The kernel's arguments: the console and the exit code of scripts/boot are compared with what each
# argument must bring. Without this test an argument could be ignored, or a run without any
# self-test could count as a success.

use strict;
use warnings;
use Test::More;

use FindBin;
use lib $FindBin::Bin;
use Host;

boots 'p2m=list: the kernel publishes only the P2M list', ['--mem', '64M', '--', 'p2m=list'], sub {
    my ($r, undef, $log) = @_;
    is $r->{tree_pages}, 0, 'the P2M tree has no page';
    like $log, qr/^ok \d+ - published_list: /m,         'self-test published_list is not skipped';
    like $log, qr/^ok \d+ - published_tree: .*# SKIP/m, 'self-test published_tree is skipped';
};

boots 'p2m=tree: the kernel publishes only the P2M tree', ['--mem', '64M', '--', 'p2m=tree'], sub {
    my ($r, undef, $log) = @_;
    like $log, qr/^ok \d+ - published_list: .*# SKIP/m,    'self-test published_list is skipped';
    like $log, qr/^ok \d+ - published_tree: (?!.*# SKIP)/m, 'self-test published_tree is not skipped';
};

boots 'test=p2m,acpi runs only these two self-tests', ['--mem', '64M', '--', 'test=p2m,acpi'], sub {
    my (undef, undef, $log) = @_;
    like $log, qr/^1\.\.2$/m, 'the TAP plan has two tests';
};

boots 'loglevel=error with done=poweroff',
    ['--mem', '64M', '--', 'loglevel=error', 'done=poweroff'], sub {
    my (undef, undef, $log) = @_;
    unlike $log, qr/^revector:/m, 'loglevel=error: the stage revector logs no line';
    like $log, qr/Hardware Dom0 halted|Hardware Dom0 shutdown: halting/,
        'done=poweroff: Xen halts the machine';
    };

boots 'the kernel reports an unknown argument', ['--mem', '64M', '--', 'colour=red'], sub {
    my (undef, undef, $log) = @_;
    like $log, qr/^warning: kernel argument "colour=red" is unknown and ignored: expected one of test=/m,
        'the message quotes the unknown argument';
};

boot_fails 'test=none: the verdict is skip', 3, ['--mem', '64M', '--', 'test=none'],
    qr/^1\.\.0 # SKIP no test asked for$/m, qr/skip/;
boot_fails 'test= with an unknown name: the verdict is error', 4,
    ['--mem', '64M', '--', 'test=p2m,nonsense'],
    qr/^error: argument test=: "nonsense" is not the name of a self-test$/m,
    qr/error/;
boot_fails 'done=crash: the verdict is crash', 6, ['--mem', '64M', '--', 'done=crash'],
    qr/^Test result: SUCCESS$/m, qr/crash/;
boots 'done=wait: the domain stays until scripts/boot ends QEMU',
    ['--mem', '64M', '--', 'done=wait'], sub {
    unlike $_[2], qr/Hardware Dom0 /, 'Xen reports no shutdown of dom0';
    };

boot_fails 'test=none,p2m: "none" in a list is an unknown name', 4, ['--mem', '64M', '--', 'test=none,p2m'],
    qr/^error: argument test=: "none" is not the name of a self-test$/m, qr/error/;

boots 'the message about an argument of 600 characters is truncated',
    ['--mem', '64M', '--', 'loglevel=' . 'A' x 600], sub {
    like $_[2], qr/^warning: kernel argument loglevel=A+\.\.\.$/m, 'the truncated message ends with "..."';
    };

done_testing;
