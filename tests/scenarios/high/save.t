#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# A domU whose rings lie below 4 GiB, and most of its other frames at 2^44, past the 32-bit numbers of version 1 grant
# entries. xl saves and restores it. Without this test no P2M with such frames would ever have been written by xl save,
# and rebuilt by xl restore. Both map the complete M2P, which is four times as large with RAM at 2^46 (docs/scaling.md).

use strict;
use warnings;
use Test::More;

use FindBin;
use lib "$FindBin::Bin/..", "$FindBin::Bin/../../scripts";
use Host;
use Life;
use Run;

my $high = 1 << (44 - 12);

# As in dump.t
life ['--e820', script('../tests/maps/made-up-domu-44u.map'), '--xen-args', 'dom0_nodes=0 dma_bits=16', '--dom0-mem', '3300M'],
    high => {
    title  => '400 MiB: save and restore of frames at 2^44',
    memory => 400,
    args   => 'pattern_pages=64',
    config => ['cpus="0"'],
    steps  => [
        ['create'], ['guest_command', 'pattern_pages'], ['save_restore'], ['guest_command', 'pattern_pages'],
        ['guest_command', 'p2m_list'], ['shutdown'],
    ],
    check => sub {
        my ($life) = @_;
        my $nr = grep { $_ >= $high } values %{$life->{list}};
        cmp_ok $nr, '>', pages('100M'), 'number of frames at 2^44 and above, after the restore, is more than 100 MiB of pages';
    },
    };

done_testing;
