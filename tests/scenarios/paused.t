#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# Guests that a tool of dom0 stops for longer than the 15 seconds of Xen's watchdog, whose time runs
# on meanwhile: by xl pause, while the guest is idle and while it runs its self-tests; by xl
# dump-core; and by xl save -c. Without this test the watchdog could end a guest that did not hang.

use strict;
use warnings;
use Test::More;

use FindBin;
use lib $FindBin::Bin, "$FindBin::Bin/../scripts";
use Host;
use Life;

my $seconds = 18;

life ['--xen', xen],
    paused => {
    title  => "64 MiB: stopped for $seconds seconds",
    memory => 64,
    args   => 'pattern_pages=64',
    steps  => [
        ['create'], ['pause_idle', $seconds], ['tests'], ['pause_tests', $seconds],
        ['slow_dump', $seconds], ['tests'], ['slow_checkpoint', $seconds],
        ['save_restore'], ['pause_tests', $seconds], ['counts'], ['shutdown'],
    ],
    };

done_testing;
