#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# Fifty times smaller and larger, at random; a new limit; ends and new beginnings; and nothing to do
# for half a minute. Without this a frame lost at each turn could pass, or a guest that asks again
# and again whether there is something to do.

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
    title     => 'a guest that has nothing to do',
    memory    => 64,
    args      => 'pattern_pages=1',
    meanwhile => 1,
    steps     => [['create'], ['idle', 30], ['idle', 30], ['tests'], ['counts']],
    },
    balloon => {
    title  => 'up and down',
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
    title  => 'new beginnings, and the end in the middle of one',
    memory => 64,
    args   => 'pattern_pages=1',
    config => ['maxmem=128'],
    steps  => [
        ['create'], (['reboot_guest'], ['mem_set', 100], ['tests']) x 3, ['shutdown'], ['gone'],
        map { ['destroy_at', $_] } qw(Xenolith map: revector: TAP p2m),
    ],
    };

done_testing;
