#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# The balloon, in the long form: fifty pseudo-random sizes, a new limit by xl mem-max, reboots, and
# xl destroy during boot. An idle guest is watched for half a minute. The guest's page count is
# compared with Xen's. Without this test a frame that is lost at each change of the size could pass
# unnoticed, or a guest that polls instead of sleeping.

use strict;
use warnings;
use Test::More;

use FindBin;
use lib "$FindBin::Bin/..", "$FindBin::Bin/../../scripts";
use Host;
use Life;

my $cycles = $ENV{XENOLITH_CYCLES} // 50;

life ['--xen', xen],
    idle => {
    title     => '64 MiB: an idle guest uses at most 1 % of a processor',
    memory    => 64,
    args      => 'pattern_pages=1',
    meanwhile => 1,
    steps     => [['create'], ['idle', 30], ['idle', 30], ['tests'], ['counts']],
    },
    balloon => {
    title  => "64 MiB with maxmem=256: $cycles sizes",
    memory => 64,
    args   => 'pattern_pages=64',
    config => ['maxmem=256'],
    steps  => [
        ['create'], ['counts'],
        random_targets($cycles, 16, 256), ['tests'], ['counts'],
        ['mem_set', 100], ['mem_max', 128], ['counts'], ['mem_set', 128], ['tests'],
        ['mem_set', 64], ['tests'], ['counts'], ['shutdown'],
    ],
    },
    end => {
    title  => '64 MiB with maxmem=128: reboot, shutdown, and xl destroy during boot',
    memory => 64,
    args   => 'pattern_pages=1',
    config => ['maxmem=128'],
    steps  => [
        ['create'], (['reboot_guest'], ['mem_set', 100], ['tests']) x 3, ['shutdown'], ['gone'],
        map { ['destroy_at', $_] } qw(Xenolith map: P2M.move: TAP p2m),
    ],
    };

done_testing;
