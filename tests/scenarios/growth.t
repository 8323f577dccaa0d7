#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# Room to grow, used: the cases in which the P2M's holes were first got wrong on xen-devel in
# January 2011, when a domain that grew up to the edge of a hole met entries that had become
# identity with it. Every other self-test runs after the growing.

use strict;
use warnings;
use Test::More;

use FindBin;
use lib $FindBin::Bin;
use Host;

my @hole_2416 = ('--host-mem', '4G', '--machine', 'max-ram-below-4g=2416M');
my @hole_2560 = ('--host-mem', '5G', '--machine', 'max-ram-below-4g=2560M');

boots 'dom0_mem=1G,max:2364M, RAM up to 2416M',
    [@hole_2416, '--mem', '1G,max:2364M', '--', 'balloon=max'], sub {
    my ($r) = @_;
    is $r->{nr_pages},  pages('1G'),                   'begins with 1 GiB';
    is $r->{ballooned}, pages('2364M') - pages('1G'), 'and grows to 2364 MiB';
    };

boots 'dom0_mem=max:2G, RAM up to 2416M', [@hole_2416, '--mem', 'max:2G', '--', 'balloon=max'],
    sub {
    my ($r) = @_;
    is $r->{nr_pages} + $r->{ballooned}, pages('2G'), 'has 2 GiB';
    };

boots 'dom0_mem=max:3G, RAM up to 2560M', [@hole_2560, '--mem', 'max:3G', '--', 'balloon=max'],
    sub {
    my ($r) = @_;
    is $r->{nr_pages} + $r->{ballooned}, pages('3G'), 'has 3 GiB';
    cmp_ok $r->{renumbered}, '>', 97, 'some of it renumbered past the hole';
    };

boots 'dom0_mem=1G,max:3G, RAM up to 2560M: grows across the hole',
    [@hole_2560, '--mem', '1G,max:3G', '--', 'balloon=max'], sub {
    my ($r) = @_;
    is $r->{ballooned}, pages('2G'), 'by 2 GiB';
    };

# A dom0 without max: may one day have all of its host, and a list for that would be larger than
# the dom0. It has room for ten times what the dom0 begins with, and all that comes with it (pages
# of list, tables, tree) takes 2 % of that beginning.
my $growth_ratio = 10; # PLAN_GROWTH_RATIO of mm/plan.h

# The PFNs of RAM that the list reaches.
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
        is $r->{nr_pages}, $nr, "begins with $size";
        cmp_ok $r->{max_pages}, '>', pages('64G'), 'Xen names no limit';
        cmp_ok listed_ram($r), '>=', $room, 'the list has room for ten times as much';
        cmp_ok listed_ram($r), '<', $room + 512, 'and, but for the rest of its last page, no more';
        cmp_ok $nr + $r->{ballooned}, '>=', $room, 'all of which was used';
        cmp_ok $list->{new_pages}, '<=', ceil_div($room - $nr, 512) + 1, 'a page for 512 more';
        cmp_ok $metadata, '<=', 0.02 * $nr, 'list, tables and tree take 2 % of what it began with';
        cmp_ok $used, '<=', ceil_div($nr, 512) + $metadata + 100,
            "beside the builder's list and 400 KiB of kernel nothing else is in use";
    };
}

for my $size (qw(64M 1G)) {
    boots "dom0_mem=$size without max: on 64 GiB", ['--host-mem', '64G', '--mem', $size, '--',
        'balloon=max'], stays_in_ratio($size);
}

# Of 4200 KiB nearly all is mapped with the kernel, and room for ten times as much is not to be had.
boots 'dom0_mem=4200K without max: a quarter of its free frames', ['--mem', '4200K', '--', 'balloon=max'], sub {
    my ($r, undef, $log) = @_;
    my ($free) = $log =~ /^frame_pool: (\d+) of \d+ pages are free$/m;
    ok $free, 'it says how many are free' or return;
    cmp_ok $r->{list}{new_pages}, '>', 0, 'buys some room';
    cmp_ok $r->{list}{new_pages}, '<=', $free / 4, 'and no more';
};

done_testing;
