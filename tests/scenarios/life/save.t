#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# Saved and restored twenty times in a row, checkpointed and not saved ten times. Without this a
# page or a frame lost at each suspend could pass: three are too few to miss it, or to run out.

use strict;
use warnings;
use Test::More;

use FindBin;
use lib "$FindBin::Bin/..", "$FindBin::Bin/../../scripts";
use Host;
use Life;

my $cycles = $ENV{XENOLITH_CYCLES} // 20;

# A dump and xen-mfndump, held against what the guest says of itself.
my @looked_at = (['guest_command', 'p2m_list'], ['guest_command', 'pattern_pages'], ['dump'], ['mfndump']);

life ['--xen', xen],
    whole => {
    title  => '64 MiB, most of it marked, up to its very last PFN',
    memory => 64,
    args   => 'pattern_pages=15000',
    steps  => [
        ['create'], ['counts'],
        cycle($cycles, ['save_restore']), ['typed'], ['counts'],
        cycle($cycles / 2, ['checkpoint']), ['typed'], ['counts'],
        cycle($cycles / 2, ['save_fails']), ['counts'],
        ['save_restore'], ['counts'], ['shutdown'],
    ],
    },
    roomy => {
    title  => '64 MiB with room for four times as much',
    memory => 64,
    args   => 'pattern_pages=64',
    config => ['maxmem=256'],
    steps  => [['create'], ['counts'], cycle($cycles, ['save_restore']), ['counts'], ['shutdown']],
    },
    out => {
    title  => '64 MiB, and a third of it given back',
    memory => 64,
    args   => 'pattern_pages=64',
    steps  => [
        ['create'], ['counts'], ['mem_set', 43],
        cycle($cycles, ['save_restore']), ['counts'],
        ['mem_set', 64], ['tests'], ['counts'], ['shutdown'],
    ],
    },
    legacy => {
    title  => 'the legacy image, whose list was in the kernel mapping',
    kernel => kernel . '-legacy',
    memory => 64,
    args   => 'pattern_pages=64',
    steps  => [['create'], cycle(3, ['save_restore']), ['checkpoint'], @looked_at, ['shutdown']],
    },
    (map { (
        "p2m_$_" => {
        title  => "p2m=$_: saved, restored, dumped, and that again",
        memory => 16,
        args   => "pattern_pages=64 p2m=$_",
        steps  => [
            ['create'], ['save_restore'], @looked_at, ['save_restore'], ['save_restore'],
            ['mem_set', 10], @looked_at, ['checkpoint'], ['save_restore'], @looked_at, ['counts'],
            ['shutdown'],
        ],
        }
    ) } qw(both list tree));

done_testing;
