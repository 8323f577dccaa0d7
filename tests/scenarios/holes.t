#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# Hosts whose RAM below 4 GiB ends early and continues above 4 GiB: of the frames of a dom0, all but
# the first 64 MiB may lie in the hole, including its P2M list, its page tables and its free memory.
# The number of renumbered frames (frames that get a new PFN) and the range of the hole are compared
# with the host's layout. Without this test the renumbering of whole leaves of the P2M list, and of
# frames that the kernel itself uses, would hardly be tested.

use strict;
use warnings;
use Test::More;

use FindBin;
use lib $FindBin::Bin;
use Host;

# Returns the number of dom0's frames whose PFN is in a hole. The hole starts 32 pages below the
# limit, with the ACPI tables; the low hole of the BIOS has 97 pages.
sub in_holes {
    my ($mem, $limit) = @_;
    my $end = pages($mem) < pages('4G') ? pages($mem) : pages('4G');
    return 97 + $end - (pages($limit) - 32);
}

for my $case (
    ['64M',  '1G', '4G'], ['64M',  '4G', '8G'], ['64M', '6G', '8G'],
    ['128M', '1G', '4G'], ['128M', '4G', '8G'],
    ['1G',   '2G', '4G'], ['1G',   '6G', '8G'],
    ) {
    my ($limit, $mem, $host) = @$case;
    boots "dom0 of $mem on a host of $host whose low RAM ends at $limit",
        ['--host-mem', $host, '--machine', "max-ram-below-4g=$limit", '--mem', $mem], sub {
        my ($r) = @_;
        is $r->{renumbered}, in_holes($mem, $limit),
            'number of renumbered frames is the number of frames in holes';
        my ($hole) = grep { $_->[2] eq 'identity' && $_->[1] == pages('4G') } @{$r->{ranges}};
        is $hole->[0], pages($limit) - 32, 'the identity range of the hole starts with the ACPI tables';
        cmp_ok $r->{list}{shared_pages}, '>=', int((pages('4G') - $hole->[0]) / 512) - 1,
            'leaves of the P2M list inside the hole share one page';
        };
}

done_testing;
