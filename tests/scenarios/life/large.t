#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# Larger guests: one of 2049 MiB, whose list has a last table that is hardly used, and one with the
# host's holes inside its memory. Without this, identity PFNs, which a restore makes empty, could
# stay so, and a leaf of the list past the first tables could be lost.

use strict;
use warnings;
use Test::More;

use FindBin;
use lib "$FindBin::Bin/..", "$FindBin::Bin/../../scripts";
use Host;
use Life;

my $cycles = $ENV{XENOLITH_CYCLES} // 5;

life ['--xen', xen, '--host-mem', '12G', '--dom0-mem', '5120M'],
    two => {
    title  => '2049 MiB',
    memory => 2049,
    args   => 'pattern_pages=5000',
    steps  => [['create'], ['counts'], cycle($cycles, ['save_restore']), ['counts'], ['shutdown']],
    };

# RAM ends at 256 MiB and goes on at 4 GiB, and so does that of the guest.
life ['--xen', xen, '--host-mem', '6G', '--dom0-mem', '1536M', '--machine', 'max-ram-below-4g=256M'],
    holes => {
    title  => '400 MiB with e820_host=1, and holes inside',
    memory => 400,
    args   => 'pattern_pages=5000',
    config => ['e820_host=1'],
    steps  => [['create'], ['counts'], cycle($cycles, ['save_restore']), ['counts'], ['shutdown']],
    check  => sub {
        my $r = $_[0]{first}{boot};
        cmp_ok $r->{renumbered}, '>', 0, 'frames in holes are renumbered';
        ok +(grep { $_->[2] eq 'identity' && $_->[0] < pages('400M') } @{$r->{ranges}}),
            'there is a hole among its first PFNs';
    },
    };

done_testing;
