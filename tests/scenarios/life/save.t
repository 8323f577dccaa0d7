#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# Save and restore, in the long form: twenty times in a row, then ten checkpoints and ten saves that
# fail. PFN ranges, pattern pages and page counts are compared with those before. Without this test
# a page that is lost at each suspend could pass unnoticed: the three cycles of life.t are too few
# to exhaust memory.

use strict;
use warnings;
use Test::More;

use FindBin;
use lib "$FindBin::Bin/..", "$FindBin::Bin/../../scripts";
use Host;
use Life;

my $cycles = $ENV{XENOLITH_CYCLES} // 20;

# Steps that compare xl dump-core and xen-mfndump with what the guest prints of its P2M.
my @inspect = (['guest_command', 'p2m_list'], ['guest_command', 'pattern_pages'], ['dump'], ['mfndump']);

life ['--xen', xen],
    whole => {
    title  => '64 MiB, most of it pattern pages, up to the last PFN: save, checkpoint and failing save',
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
    title  => '64 MiB with maxmem=256: save and restore',
    memory => 64,
    args   => 'pattern_pages=64',
    config => ['maxmem=256'],
    steps  => [['create'], ['counts'], cycle($cycles, ['save_restore']), ['counts'], ['shutdown']],
    },
    out => {
    title  => '64 MiB, a third of it ballooned out: save and restore',
    memory => 64,
    args   => 'pattern_pages=64',
    steps  => [
        ['create'], ['counts'], ['mem_set', 43],
        cycle($cycles, ['save_restore']), ['counts'],
        ['mem_set', 64], ['tests'], ['counts'], ['shutdown'],
    ],
    },
    legacy => {
    title  => 'legacy image (P2M list in the kernel mapping): save, checkpoint and dump',
    kernel => kernel . '-legacy',
    memory => 64,
    args   => 'pattern_pages=64',
    steps  => [['create'], cycle(3, ['save_restore']), ['checkpoint'], @inspect, ['shutdown']],
    },
    (map { (
        "p2m_$_" => {
        title  => "p2m=$_: save, restore and dump, three times",
        memory => 16,
        args   => "pattern_pages=64 p2m=$_",
        steps  => [
            ['create'], ['save_restore'], @inspect, ['save_restore'], ['save_restore'],
            ['mem_set', 10], @inspect, ['checkpoint'], ['save_restore'], @inspect, ['counts'],
            ['shutdown'],
        ],
        }
    ) } qw(both list tree));

done_testing;
