#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# Save and restore of larger guests: one of 2049 MiB, where only a few entries of the last page
# table of the P2M list are in use, and one with the host's holes inside its memory. The PFN ranges
# and pattern pages after each restore are compared with those before. Without this test a restore,
# which makes identity PFNs empty, could leave them so, or a leaf of the P2M list behind the first
# page tables could be lost.

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
    title  => '2049 MiB: save and restore',
    memory => 2049,
    args   => 'pattern_pages=5000',
    steps  => [['create'], ['counts'], cycle($cycles, ['save_restore']), ['counts'], ['shutdown']],
    };

# The host's RAM ends at 256 MiB and continues at 4 GiB; e820_host=1 gives the guest the same
# layout.
life ['--xen', xen, '--host-mem', '6G', '--dom0-mem', '1536M', '--machine', 'max-ram-below-4g=256M'],
    holes => {
    title  => '400 MiB with e820_host=1, a hole inside: save and restore',
    memory => 400,
    args   => 'pattern_pages=5000',
    config => ['e820_host=1'],
    steps  => [['create'], ['counts'], cycle($cycles, ['save_restore']), ['counts'], ['shutdown']],
    check  => sub {
        my $r = $_[0]{first}{boot};
        cmp_ok $r->{renumbered}, '>', 0, 'frames in holes are renumbered';
        ok +(grep { $_->[2] eq 'identity' && $_->[0] < pages('400M') } @{$r->{ranges}}),
            'an identity range starts below PFN 400 MiB';
    },
    };

done_testing;
