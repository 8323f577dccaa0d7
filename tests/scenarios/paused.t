#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# Guests that a tool of dom0 stops for longer than the 15 seconds of Xen's watchdog, whose time runs
# on meanwhile: by xl pause, while the guest is idle and while it runs its self-tests; by xl
# dump-core; and by xl save -c. Without this test the watchdog could end a guest that did not hang.
#
# And guests whose limit is changed before xl save: xl restore makes a domain with another memory map.
# Without this test a self-test could compare that map with the old domain's, and fail from then on.

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
    },
    limit => {
    title  => '64 MiB with maxmem=128: restored with a limit of 256 MiB, then of 96 MiB',
    memory => 64,
    args   => 'pattern_pages=64',
    config => ['maxmem=128'],
    steps  => [
        ['create'], ['mem_max', 256], ['restore_elsewhere'], ['aim', 256, 32768], ['counts'],
        ['mem_set', 64], ['mem_max', 96], ['restore_elsewhere'], ['counts'], ['mem_set', 96],
        ['save_restore'], ['shutdown'],
    ],
    };

done_testing;
