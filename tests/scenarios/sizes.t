#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# dom0 of many sizes, so that Xen builds the P2M list in all its shapes: with pages of 4 KiB and of
# 2 MiB, and with a last page that is not full. The boot report is compared with the size and the
# layout of the host. Without this test the kernel could be correct for only one page size of the
# list, or only for lists that fill their last page.

use strict;
use warnings;
use Test::More;

use FindBin;
use lib $FindBin::Bin;
use Host;

# On QEMU's machine type pc, PFNs [0x9f, 0x100) belong to the BIOS: a hole of 97 pages.
my $low_hole = 97;

sub builder_list {
    my ($r, $nr_pages, $nr_2m) = @_;
    is $r->{kind}, 'dom0', 'kind of the domain is dom0';
    is $r->{builder}, 'Xen', 'builder of the domain is Xen';
    is $r->{nr_pages}, $nr_pages, "nr_pages is $nr_pages";
    is $r->{list}{found}, 'slot', 'the P2M list is at the address of the note INIT_P2M';
    is $r->{list}{old_2m}, $nr_2m, "the builder mapped the P2M list with $nr_2m pages of 2 MiB";
    return;
}

boots 'dom0 of 64 MiB: the P2M list is smaller than 4 MiB', ['--mem', '64M'], sub {
    my ($r) = @_;
    builder_list($r, pages('64M'), 0);
    is $r->{renumbered}, $low_hole, 'number of renumbered frames is the size of the low hole';
    is $r->{tree_pages}, 2, 'the P2M tree has two pages';
};

boots 'dom0 of 512 MiB', ['--host-mem', '1G', '--mem', '512M'], sub {
    builder_list($_[0], pages('512M'), 0);
};

boots 'dom0 of 1000001 KiB: the last page of the P2M list is not full',
    ['--host-mem', '2G', '--mem', '1000001K'],
    sub {
    my ($r) = @_;
    builder_list($r, pages('1000001K'), 0);
    isnt $r->{nr_pages} % 512, 0, 'nr_pages is not a multiple of 512';
    };

boots 'dom0 of 3 GiB: P2M list of 2 MiB pages, memory up to the hole below 4 GiB',
    ['--host-mem', '4G', '--mem', '3G'], sub {
    my ($r) = @_;
    builder_list($r, pages('3G'), 3);
    is $r->{renumbered}, $low_hole + 32,
        'number of renumbered frames is the low hole and 32 pages of ACPI data';
    };

boots 'dom0 of 6 GiB, across the hole below 4 GiB', ['--host-mem', '8G', '--mem', '6G'], sub {
    my ($r) = @_;
    builder_list($r, pages('6G'), 6);
    is $r->{renumbered}, $low_hole + 32 + pages('1G'),
        'number of renumbered frames is the low hole, 32 pages of ACPI data and 1 GiB';
    is $r->{list}{shared_pages}, 512, 'leaves of the P2M list inside the hole share one page';
};

boots 'mem=300001K: Xen truncates RAM inside a page', ['--host-mem', '1G', '--mem', '64M',
    '--xen-args', 'mem=300001K'];

boots 'dom0 of 4200 KiB: too few free frames for a P2M list with room to grow', ['--mem', '4200K'], sub {
    like $_[2], qr/^warning: plan: a P2M list with room for 0x\w+ pages takes more than a quarter of the free frames/m,
        'the kernel warns that a P2M list with room to grow takes too many frames';
};

boots 'mem=3G on a host of 8 GiB: RAM that Xen does not use is address space for growth',
    ['--host-mem', '8G', '--xen-args', 'mem=3G'], sub {
    my ($r) = @_;
    ok !(grep { $_->[2] eq 'missing' } @{$r->{ranges}}), 'no PFN range is of kind missing';
    is $r->{ranges}[-1][2], 'identity', 'the last PFN range is identity';
    cmp_ok $r->{ram_pages}, '>', pages('6G'), 'the PFN ranges of kind RAM have more than 6 GiB';
    };

done_testing;
