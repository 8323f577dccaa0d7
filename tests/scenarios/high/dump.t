#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# A domU whose first frames, those of its rings among them, lie below 4 GiB, and the others above 2^46. xl creates it
# and dumps it, and the tools read its P2M. Without this test the published P2M would never have had such frames in
# the hands of the tools. save.t saves a domU with frames at 2^44 instead, because xl save and xl restore map the complete
# M2P, 128 GiB here, which takes ten minutes in QEMU (docs/scaling.md).

use strict;
use warnings;
use Test::More;

use FindBin;
use lib "$FindBin::Bin/..", "$FindBin::Bin/../../scripts";
use Host;
use Life;
use Run;

my $high = 1 << (46 - 12);

# dom0 takes all low RAM but 150 MiB; dma_bits: Xen keeps no low RAM for devices. The guest runs in the node of low
# RAM, and gets frames of the others when this node has none.
life ['--e820', script('../tests/maps/made-up-domu-46u.map'), '--xen-args', 'dom0_nodes=0 dma_bits=16', '--dom0-mem', '3300M'],
    high => {
    title  => '400 MiB: dump of frames above 2^46',
    memory => 400,
    args   => 'pattern_pages=64',
    config => ['cpus="0"'],
    steps  => [
        ['create'], ['guest_command', 'p2m_list'], ['guest_command', 'pattern_pages'], ['dump'], ['mfndump'], ['tests'],
        ['mem_set', 300], ['mem_set', 400], ['guest_command', 'p2m_list'], ['shutdown'],
    ],
    check => sub {
        my ($life) = @_;
        my $nr = grep { $_ >= $high } values %{$life->{list}};
        cmp_ok $nr, '>', pages('100M'), 'number of frames above 2^46 is more than 100 MiB of pages';
    },
    };

done_testing;
