#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# The kernel's arguments, and what becomes of them in the runner's exit code. Without this an
# argument could be ignored, or a run that tested nothing pass for a success.

use strict;
use warnings;
use Test::More;

use FindBin;
use lib $FindBin::Bin;
use Host;

boots 'p2m=list', ['--mem', '64M', '--', 'p2m=list'], sub {
    my ($r, undef, $log) = @_;
    is $r->{tree_pages}, 0, 'no tree is built';
    like $log, qr/^ok \d+ - published_list: /m,         'the list is read back';
    like $log, qr/^ok \d+ - published_tree: .*# SKIP/m, 'and no tree';
};

boots 'p2m=tree', ['--mem', '64M', '--', 'p2m=tree'], sub {
    my ($r, undef, $log) = @_;
    like $log, qr/^ok \d+ - published_list: .*# SKIP/m,    'no list is read back';
    like $log, qr/^ok \d+ - published_tree: (?!.*# SKIP)/m, 'but the tree is';
};

boots 'test=p2m,acpi runs these two', ['--mem', '64M', '--', 'test=p2m,acpi'], sub {
    my (undef, undef, $log) = @_;
    like $log, qr/^1\.\.2$/m, 'a plan of two';
};

boots 'loglevel=error says less, done=poweroff ends it too',
    ['--mem', '64M', '--', 'loglevel=error', 'done=poweroff'], sub {
    my (undef, undef, $log) = @_;
    unlike $log, qr/^revector:/m, 'no log of the stages';
    like $log, qr/Hardware Dom0 halted|Hardware Dom0 shutdown: halting/, 'Xen halts the machine';
    };

boots 'an unknown argument is reported', ['--mem', '64M', '--', 'colour=red'], sub {
    my (undef, undef, $log) = @_;
    like $log, qr/^warning: argument "colour=red" is unknown and ignored: expected test=/m, 'by name';
};

boot_fails 'test=none is a skip', 3, ['--mem', '64M', '--', 'test=none'],
    qr/^1\.\.0 # SKIP no test asked for$/m, qr/skip/;
boot_fails 'a test that does not exist is an error', 4,
    ['--mem', '64M', '--', 'test=p2m,nonsense'], qr/^error: argument test=: "nonsense" is not the name of a self-test$/m,
    qr/error/;
boot_fails 'done=crash is a crash', 6, ['--mem', '64M', '--', 'done=crash'],
    qr/^Test result: SUCCESS$/m, qr/crash/;
boots 'done=wait leaves the domain there; the runner ends it',
    ['--mem', '64M', '--', 'done=wait'], sub {
    unlike $_[2], qr/Hardware Dom0 /, 'it has not shut down';
    };

boot_fails 'test=none,p2m names no test called none', 4, ['--mem', '64M', '--', 'test=none,p2m'],
    qr/^error: argument test=: "none" is not the name of a self-test$/m, qr/error/;

boots 'an argument of 600 characters is cut, and the next line is whole',
    ['--mem', '64M', '--', 'loglevel=' . 'A' x 600], sub {
    like $_[2], qr/^warning: argument loglevel=A+\.\.\.$/m, 'and says that it is cut';
    };

done_testing;
