#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# A guest that lives, and the real toolstack: saved, restored, checkpointed, sent to its own host,
# made smaller and larger, dumped, rebooted. Without this only the kernel itself would say that the
# tools understand it, and that it has lost nothing on the way. (life/ has the long forms.)
#
# On a debug build: its assertions are on, and Debian's own cannot migrate a PV guest, since it is
# built without the shadow page tables that see what becomes dirty.

use strict;
use warnings;
use Test::More;

BEGIN { $ENV{XENOLITH_XEN} = '4.17-debug' }

use FindBin;
use lib $FindBin::Bin, "$FindBin::Bin/../scripts";
use Host;
use Life;

my $cycles = 3;

life ['--xen', xen, '--timeout', 400],
    idle => {
    title     => 'a guest that has nothing to do',
    memory    => 8,
    args      => 'pattern_pages=1',
    meanwhile => 1,
    steps     => [['create'], ['idle', 10], ['counts']],
    },
    whole => {
    title  => '32 MiB, most of it marked, up to its very last PFN',
    memory => 32,
    args   => 'pattern_pages=7000',
    steps  => [
        ['create'], ['counts'],
        cycle($cycles, ['save_restore']),
        ['typed'],
        cycle($cycles, ['checkpoint']),
        cycle($cycles, ['save_fails']),
        ['counts'], ['shutdown'],
    ],
    },
    roomy => {
    title  => '32 MiB with room for four times as much',
    memory => 32,
    args   => 'pattern_pages=64',
    config => ['maxmem=128'],
    steps  => [
        ['create'], ['counts'],
        random_targets($cycles, 16, 128), ['tests'],
        ['mem_set', 20], cycle($cycles, ['save_restore']),
        ['mem_set', 32], ['counts'],
        ['guest_command', 'churn'], cycle($cycles, ['migrate']), ['guest_command', 'churn_end'],
        ['mem_set', 33], ['tests'],
        ['migrate_fails'], ['tests'],
        ['mem_max', 64], ['counts'], ['mem_set', 32], ['counts'],
    ],
    },
    (map { (
        $_ => {
        title  => "p2m=$_: saved, restored and dumped",
        memory => 8,
        args   => "pattern_pages=16 p2m=$_",
        steps  => [
            ['create'], ['save_restore'],
            ['guest_command', 'p2m_list'], ['guest_command', 'pattern_pages'], ['dump'], ['mfndump'],
            ['save_restore'], ['tests'],
        ],
        }
    ) } qw(list tree)),
    end => {
    title  => 'a new beginning, and the end in the middle of a beginning',
    memory => 8,
    args   => 'pattern_pages=1',
    steps  => [
        ['create'], ['reboot_guest'], ['tests'], ['shutdown'], ['gone'],
        ['destroy_at', 'map:'],
    ],
    };

done_testing;
