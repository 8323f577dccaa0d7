#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# Daemons of the toolstack that stand still: xenstored and xenconsoled are stopped for 5, 27 and 120
# seconds, while the guest is idle, tests itself, is saved and moves its balloon; xenconsoled is
# killed. The kernel waits 20 seconds for a reply of xenstored, and 10 for a reader of its console.
# After each pause the guest must obey: xl mem-set, xl save, xl restore, xl shutdown and the command
# test. Without this test a pause could take the toolstack its control over the guest: a guest that
# takes a late reply for a broken connection never looks at xenstore again.
#
# tests/unit/test_store_late.c has the same for each single request of the kernel.

use strict;
use warnings;
use Test::More;

use FindBin;
use lib $FindBin::Bin, "$FindBin::Bin/../scripts";
use Host;
use Life;

life ['--xen', xen],
    store => {
    title  => 'xenstored is stopped: idle, during self-tests, during a save, while ballooning',
    memory => 16,
    args   => 'pattern_pages=64',
    config => ['maxmem=32'],
    steps  => [
        ['create'],
        (map { (['stopped_idle', 'xenstored', $_], ['mem_set', 14 + $_ % 7]) } 5, 27, 120),
        (map { (['stopped_tests', 'xenstored', @$_], ['mem_set', 16 + $_->[0] % 5]) }
            [5, 0.3], [27, 0.1], [27, 0.2], [120, 0.2]),
        (map { ['stopped_mem_set', 'xenstored', @$_] } [5, 24], [27, 20], [120, 26]),
        ['tests'],
        (map { ['stopped_save', 'xenstored', @$_] } [5, 0.5], [27, 0.5], [27, 1], [120, 0.8]),
        ['event_storm', 60], ['paused_storm', 60, 25],
        ['stopped_idle', 'daemons', 27], ['stopped_tests', 'daemons', 5, 0.2],
        ['counts'], ['save_restore'], ['mem_set', 16], ['tests'], ['shutdown'],
    ],
    check => sub { ok $_[0]{timed_out}, 'requests of self-tests timed out in at least one of the pauses' },
    },
    console => {
    title  => 'xenconsoled is stopped, and killed',
    memory => 16,
    args   => 'pattern_pages=64',
    config => ['maxmem=32'],
    steps  => [
        ['create'],
        ['stopped_idle', 'xenconsoled', 27], ['tests'],
        ['stopped_tests', 'xenconsoled', 5, 0.3],
        ['console_lost', 27], ['tests_after_loss'], ['mem_set', 20],
        ['console_killed', 24], ['tests'], ['save_restore'], ['counts'], ['shutdown'],
    ],
    };

done_testing;
