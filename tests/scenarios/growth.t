#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# dom0 grows to its limit by the balloon (balloon=max), next to holes and across them: the cases in
# which a patch series on xen-devel in January 2011 first failed, when a domain that grew up to a
# hole met P2M entries that had become identity entries together with the hole. The page counts of
# the boot report are compared with the limit, and all self-tests run after the growth. Without this
# test the P2M could be correct only for a domain that never grows.

use strict;
use warnings;
use Test::More;

use FindBin;
use lib $FindBin::Bin;
use Host;

my @hole_2416 = ('--host-mem', '4G', '--machine', 'max-ram-below-4g=2416M');
my @hole_2560 = ('--host-mem', '5G', '--machine', 'max-ram-below-4g=2560M');

boots 'dom0_mem=1G,max:2364M, low RAM up to 2416M: grows up to the hole',
    [@hole_2416, '--mem', '1G,max:2364M', '--', 'balloon=max'], sub {
    my ($r) = @_;
    is $r->{nr_pages},  pages('1G'),                   'nr_pages is 1 GiB';
    is $r->{ballooned}, pages('2364M') - pages('1G'), 'the balloon grew to 2364 MiB';
    };

boots 'dom0_mem=max:2G, low RAM up to 2416M', [@hole_2416, '--mem', 'max:2G', '--', 'balloon=max'],
    sub {
    my ($r) = @_;
    is $r->{nr_pages} + $r->{ballooned}, pages('2G'), 'nr_pages + ballooned is 2 GiB';
    };

boots 'dom0_mem=max:3G, low RAM up to 2560M', [@hole_2560, '--mem', 'max:3G', '--', 'balloon=max'],
    sub {
    my ($r) = @_;
    is $r->{nr_pages} + $r->{ballooned}, pages('3G'), 'nr_pages + ballooned is 3 GiB';
    cmp_ok $r->{renumbered}, '>', 97,
        'number of renumbered frames is more than 97, the size of the low hole';
    };

boots 'dom0_mem=1G,max:3G, low RAM up to 2560M: grows across the hole',
    [@hole_2560, '--mem', '1G,max:3G', '--', 'balloon=max'], sub {
    my ($r) = @_;
    is $r->{ballooned}, pages('2G'), 'the balloon grew by 2 GiB';
    };

# A dom0 without max: may grow to all memory of its host, and a P2M list for that may need more
# memory than the dom0 has. The kernel makes a list for PLAN_GROWTH_RATIO times the initial pages.
# Its metadata (new pages of the list, page tables, P2M tree) must take at most 2 % of the initial
# pages.
my $growth_ratio = 10; # PLAN_GROWTH_RATIO of mm/plan.h

# Returns the number of PFNs of kind RAM for which the P2M list has an entry.
sub listed_ram {
    my ($r) = @_;
    my $nr = 0;
    for (grep { $_->[2] eq 'ram' && $_->[0] < $r->{max_pfn} } @{$r->{ranges}}) {
        my ($start, $end) = @$_;
        $nr += ($end < $r->{max_pfn} ? $end : $r->{max_pfn}) - $start;
    }
    return $nr;
}

sub stays_in_ratio {
    my ($size) = @_;
    my $nr = pages($size);
    return sub {
        my ($r)      = @_;
        my $room     = $growth_ratio * $nr;
        my $list     = $r->{list};
        my $metadata = $list->{tables} + $list->{new_pages} + $r->{tree_pages};
        my $used     = $nr + $r->{ballooned} - $r->{free_pages};
        is $r->{nr_pages}, $nr, "nr_pages is $size";
        cmp_ok $r->{max_pages}, '>', pages('64G'), 'max_pages is above 64 GiB: Xen sets no limit';
        cmp_ok listed_ram($r), '>=', $room, 'the P2M list has entries for ten times nr_pages';
        cmp_ok listed_ram($r), '<', $room + 512, 'the P2M list has less than one page of entries more';
        cmp_ok $nr + $r->{ballooned}, '>=', $room, 'the balloon grew to all entries of the P2M list';
        cmp_ok $list->{new_pages}, '<=', ceil_div($room - $nr, 512) + 1,
            'the P2M list has one new page for each 512 PFNs, and one more';
        cmp_ok $metadata, '<=', 0.02 * $nr,
            'new pages of the P2M list, page tables and P2M tree take at most 2 % of nr_pages';
        cmp_ok $used, '<=', ceil_div($nr, 512) + $metadata + image_pages() + 17,
            "pages in use are the builder's P2M list, the metadata, the kernel's image and at most 17 pages";
    };
}

for my $size (qw(64M 1G)) {
    boots "dom0_mem=$size without max: on a host of 64 GiB", ['--host-mem', '64G', '--mem', $size, '--',
        'balloon=max'], stays_in_ratio($size);
}

# Nearly all of 4200 KiB is mapped with the kernel, so the free frames do not suffice for a P2M list
# for ten times nr_pages.
boots 'dom0_mem=4200K without max: the P2M list takes at most a quarter of the free frames',
    ['--mem', '4200K', '--', 'balloon=max'], sub {
    my ($r, undef, $log) = @_;
    my ($free) = $log =~ /^frame_pool: (\d+) of \d+ pages of this domain are free$/m;
    ok $free, 'the kernel prints the number of free frames' or return;
    cmp_ok $r->{list}{new_pages}, '>', 0, 'number of new pages of the P2M list is not 0';
    cmp_ok $r->{list}{new_pages}, '<=', $free / 4,
        'new pages of the P2M list are at most a quarter of the free frames';
};

done_testing;
