#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# dom0 of many sizes on hosts that fit: the list in all the shapes that Xen gives it. Without this
# a kernel could be right for one page size, or for sizes that fill their last page, and no other.

use strict;
use warnings;
use Test::More;

use FindBin;
use lib $FindBin::Bin;
use Host;

# On QEMU's pc, PFNs [0x9f, 0x100) are the BIOS's: 97 frames of any dom0.
my $low_hole = 97;

sub builder_list {
    my ($r, $nr_pages, $nr_2m) = @_;
    is $r->{kind}, 'dom0', 'a dom0';
    is $r->{builder}, 'Xen', 'built by Xen';
    is $r->{nr_pages}, $nr_pages, "of $nr_pages pages";
    is $r->{list}{found}, 'slot', 'the list is where INIT_P2M asked for it';
    is $r->{list}{old_2m}, $nr_2m, "mapped by $nr_2m pages of 2 MiB";
    return;
}

boots '64M: less than 4 MiB of list', ['--mem', '64M'], sub {
    my ($r) = @_;
    builder_list($r, pages('64M'), 0);
    is $r->{renumbered}, $low_hole, 'only the low hole is renumbered';
    is $r->{tree_pages}, 2, 'a tree of two pages';
};

boots '512M', ['--host-mem', '1G', '--mem', '512M'], sub {
    builder_list($_[0], pages('512M'), 0);
};

boots '1000001K: the last page of the list is not full', ['--host-mem', '2G', '--mem', '1000001K'],
    sub {
    my ($r) = @_;
    builder_list($r, pages('1000001K'), 0);
    isnt $r->{nr_pages} % 512, 0, 'nr_pages is not a multiple of 512';
    };

boots '3G: 2 MiB pages, up to where the hole below 4 GiB begins',
    ['--host-mem', '4G', '--mem', '3G'], sub {
    my ($r) = @_;
    builder_list($r, pages('3G'), 3);
    is $r->{renumbered}, $low_hole + 32, 'the low hole and 32 pages of ACPI data';
    };

boots '6G, across the hole below 4 GiB', ['--host-mem', '8G', '--mem', '6G'], sub {
    my ($r) = @_;
    builder_list($r, pages('6G'), 6);
    is $r->{renumbered}, $low_hole + 32 + pages('1G'), 'the hole of 1 GiB is renumbered';
    is $r->{list}{shared_pages}, 512, 'and takes no page of the list';
};

boots 'mem=300001K: Xen clips RAM inside a page', ['--host-mem', '1G', '--mem', '64M',
    '--xen-args', 'mem=300001K'];

boots 'dom0_mem=4200K: no frames to spare for growth', ['--mem', '4200K'], sub {
    like $_[2], qr/^warning: plan: a P2M list for 0x\w+ pages takes too many free frames/m, 'which is said';
};

boots 'mem=3G on an 8 GiB host: RAM that Xen was told to leave alone',
    ['--host-mem', '8G', '--xen-args', 'mem=3G'], sub {
    my ($r) = @_;
    ok !(grep { $_->[2] eq 'missing' } @{$r->{ranges}}), 'is address space for RAM, not identity';
    is $r->{ranges}[-1][2], 'identity', 'and past it lies the rest of the machine';
    cmp_ok $r->{ram_pages}, '>', pages('6G'), 'as RAM: all 8 GiB but the holes';
    };

done_testing;
