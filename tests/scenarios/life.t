#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# Guests under the real toolstack: xl saves, restores, checkpoints, migrates (to the same host),
# resizes, dumps and reboots them. After each step the guest's self-tests, its report and its
# pattern pages are compared with those before, and its page counts with those of Xen. Without this
# test only the kernel's own self-tests would show that the tools can read its P2M and that a
# suspend loses no page. A guest also ends while no program reads its console, and a guest that xl
# destroys while it boots counts as a failure. (life/ has the long forms.)
#
# The test needs a debug build of Xen: its assertions are on. Debian's build cannot migrate a PV
# guest, since it lacks shadow page tables, which find the dirty pages.

use strict;
use warnings;
use Test::More;

BEGIN { $ENV{XENOLITH_XEN} //= '4.17-debug' }

use FindBin;
use lib $FindBin::Bin, "$FindBin::Bin/../scripts";
use Host;
use Life;

my $cycles = 2; # life/ has more

life ['--xen', xen, '--timeout', 400],
    idle => {
    title     => '8 MiB: an idle guest uses at most 1 % of a processor',
    memory    => 8,
    args      => 'pattern_pages=1',
    meanwhile => 1,
    steps     => [['create'], ['idle', 10], ['counts']],
    },
    whole => {
    title  => '32 MiB, most of it pattern pages, up to the last PFN: save, checkpoint and failing save',
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
    title  => '32 MiB with maxmem=128: balloon, save and migration',
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
        title  => "p2m=$_: save, restore and dump",
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
    title  => '8 MiB: reboot, shutdown, and xl destroy during boot',
    memory => 8,
    args   => 'pattern_pages=1',
    steps  => [
        ['create'], ['reboot_guest'], ['tests'], ['shutdown'], ['gone'],
        ['destroy_at', 'map:'],
    ],
    },
    victim => {
    title  => '8 MiB: xl destroys a guest that hangs',
    memory => 8,
    args   => 'inject=hang',
    steps  => [['destroy_at', '^Xenolith']],
    },
    mute => {
    title  => '8 MiB: the kernel ends by poweroff although no program reads its console',
    memory => 8,
    args   => 'done=poweroff',
    steps  => [['mute']],
    };

done_testing;
