#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# Machines whose RAM stops early and goes on above 4 GiB: up to all but 64 MiB of a dom0 lies in
# the hole, its unused memory, its list and its tables with it. Without this the renumbering of
# whole leaves, and of what the kernel itself uses, would hardly be seen.

use strict;
use warnings;
use Test::More;

use FindBin;
use lib $FindBin::Bin;
use Host;

# The hole begins 32 pages below the limit, with ACPI's tables; a low hole of 97 comes to it.
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
    boots "RAM below 4 GiB ends at $limit, dom0 of $mem",
        ['--host-mem', $host, '--machine', "max-ram-below-4g=$limit", '--mem', $mem], sub {
        my ($r) = @_;
        is $r->{renumbered}, in_holes($mem, $limit), 'all frames in holes are renumbered';
        my ($hole) = grep { $_->[2] eq 'identity' && $_->[1] == pages('4G') } @{$r->{ranges}};
        is $hole->[0], pages($limit) - 32, 'the hole is identity from its first page';
        cmp_ok $r->{list}{shared_pages}, '>=', int((pages('4G') - $hole->[0]) / 512) - 1,
            'and takes no pages of the list';
        };
}

done_testing;
