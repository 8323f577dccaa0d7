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

boots 'dom0_mem=64M without max: on 8 GiB: room for ten times as much, no more',
    ['--host-mem', '8G', '--mem', '64M', '--', 'balloon=max'], sub {
    my ($r) = @_;
    cmp_ok $r->{max_pages}, '>', pages('8G'), 'Xen names no limit';
    cmp_ok $r->{max_pfn}, '<=', 10 * pages('64M') + 97 + 512, 'the list stops at 640 MiB';
    cmp_ok $r->{nr_pages} + $r->{ballooned}, '>=', 10 * pages('64M'), 'and all of it was used';
    };

done_testing;
