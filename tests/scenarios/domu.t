#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# The kernel as a domU, which xl starts in a Linux dom0: of several sizes, with room to grow, with
# holes inside its memory, and as the legacy image, for which the builder maps ramdisk and P2M list
# behind the kernel, as for kernels of 2012. The boot report, the self-tests and the end of the
# domain are compared with what the configuration implies. Without this test only Xen's own builder
# of dom0 would be tested, and not libxenguest.
#
# The last guest is the case for which this kernel was written, "Boot PV guests with more than 128GB" on
# xen-devel in 2012: a domU of 128 GiB with a ramdisk of 0x10784 pages, as the legacy image. Ramdisk and
# P2M list reach past 0xffffffffa0000000, where Linux places its modules. After boot no mapping may be left
# there, and the checksum of the ramdisk must be that of the file. Without it the kernel could leave the
# list in the area of the modules, or lose frames when it moves the list.

use strict;
use warnings;
no warnings 'portable';    # 64-bit addresses
use Test::More;

use FindBin;
use lib $FindBin::Bin, "$FindBin::Bin/../scripts";
use Host;
use Run;

my $dir     = tempdir;
my $ramdisk = write_file("$dir/ramdisk", join '', map { pack 'Q', $_ } 1 .. 20 << 17);

my $sum = ramdisk_sum($ramdisk);

my $module_area = 0xffffffffa0000000;
my $seed_pages  = 0x10784;
open my $file, '>:raw', "$dir/seed" or die $!;
print $file pack('Q', $_ + 1) x 512 for 0 .. $seed_pages - 1;
close $file or die $!;

# Computes the checksum of tests/guest/ramdisk.c: each page holds 512 times its number, multiplied
# by its number.
sub seed_sum {
    use integer;
    my $sum = 0;
    $sum += $_ * $_ * 512 for 1 .. $seed_pages;
    return sprintf '0x%016x', $sum;
}

sub of_size {
    my ($pages) = @_;
    return sub {
        my ($r, undef, $log) = @_;
        is $r->{kind},     'domU',     'kind of the domain is domU';
        is $r->{builder},  'libxenguest', 'builder of the domain is libxenguest';
        is $r->{nr_pages}, $pages,     "nr_pages is $pages";
        is $r->{renumbered}, 0,        'number of renumbered frames is 0';
        is $r->{beyond},   'missing',  'PFNs beyond the memory are of kind missing';
        is $r->{list}{found}, 'slot',  'the P2M list is at the address of the note INIT_P2M';
        is $r->{list}{old_2m} + $r->{list}{old_1g}, 0,
            'the builder mapped the P2M list by pages of 4 KiB only';
        like $log, qr/\AXenolith /, 'the console starts with the first line of the kernel';
    };
}

domus ['--machine', 'max-ram-below-4g=1G'],
    tiny => {
    title   => 'domU of 8 MiB',
    options => ['--mem', '8M'],
    check   => of_size(pages('8M')),
    },
    small => {
    title   => 'domU of 64 MiB',
    options => ['--mem', '64M'],
    check   => of_size(pages('64M')),
    },
    odd => {
    title   => 'domU of 2049 MiB: a few entries of the third page table of the P2M list are used',
    options => ['--mem', '2049M'],
    check   => of_size(pages('2049M')),
    },
    grow => {
    title   => 'domU of 256 MiB with maxmem=1024: the P2M list has entries for 1024 MiB',
    options => ['--mem', '256M', '--maxmem', '1024M'],
    check   => sub {
        my ($r) = @_;
        is $r->{nr_pages}, pages('256M'), 'nr_pages is 256 MiB';
        is $r->{max_pfn}, pages('1024M'), 'max_pfn is 1024 MiB';
        },
    },
    holes => {
    title   => 'domU of 1280 MiB with e820_host=1 on a host with a hole above 1 GiB: a hole inside its memory',
    options => ['--mem', '1280M', '--guest-config', 'e820_host=1'],
    check   => sub {
        my ($r) = @_;
        cmp_ok $r->{renumbered}, '>', 0, 'number of renumbered frames is not 0';
        ok +(grep { $_->[2] eq 'identity' && $_->[0] < pages('1280M') && $_->[1] <= pages('4G') } @{$r->{ranges}}),
            'an identity range begins inside its memory, and ends at or below 4 GiB';
        is $r->{ranges}[0][2], 'ram', 'the first PFN range is RAM';
        },
    },
    vcpus => {
    title   => 'domU of two vCPUs',
    options => ['--mem', '64M', '--vcpus', '2'],
    check   => sub {
        my ($r, undef, $log) = @_;
        is $r->{vcpus}, 2, 'number of vCPUs is 2';
        like $log, qr/^host: this domain has 2 vCPUs; the kernel runs on vCPU 0/m,
            'the kernel prints which of the two vCPUs it uses';
        like $log, qr/^ok \d+ - second_vcpu: (?!.*# SKIP)/m, 'self-test second_vcpu is not skipped';
        like $log, qr/^ok \d+ - abi_foreign_frame: (?!.*# SKIP)/m,
            'self-test abi_foreign_frame is not skipped';
        },
    },
    ramdisk => {
    title   => 'ramdisk of 20 MiB, passed by PFN',
    options => ['--mem', '256M', '--initrd', $ramdisk],
    check   => sub {
        my (undef, $reports) = @_;
        is $reports->{ramdisk}{sum}, $sum, 'checksum of the ramdisk is that of the file';
        },
    },
    legacy => {
    title   => 'legacy image with a ramdisk of 20 MiB: ramdisk and P2M list behind the kernel',
    options => ['--kernel', kernel . '-legacy', '--mem', '256M', '--initrd', $ramdisk],
    check   => sub {
        my ($r, $reports) = @_;
        is $r->{list}{found}, 'kernel mapping', 'the builder placed the P2M list in the kernel mapping';
        is $reports->{ramdisk}{sum}, $sum, 'checksum of the ramdisk is that of the file';
        cmp_ok $r->{teardown_pages}, '<', 2048,
            'the kernel freed less than 2048 pages: not those of the ramdisk';
        },
    },
    scattered => {
    title   => 'domU of 8 MiB with 64 holes of one page',
    options => ['--mem', '8M', '--args', 'inject=map:holes:64'],
    check   => sub {
        my ($r) = @_;
        is $r->{renumbered}, 64, 'number of renumbered frames is 64';
        },
    },
    over_kernel => {
    title   => 'a hole over the kernel image',
    options => ['--mem', '64M', '--args', 'inject=map:image'],
    check   => sub { cmp_ok $_[0]->{renumbered}, '>', 20, 'more than 20 frames are renumbered' },
    },
    over_list => {
    title   => 'a hole over the P2M list, legacy image',
    options =>
        ['--kernel', kernel . '-legacy', '--mem', '64M', '--args', 'inject=map:list'],
    check => sub { is $_[0]->{renumbered}, 32, 'all 32 frames of the P2M list are renumbered' },
    },
    panic => {
    title   => 'start_info with a wrong magic: the kernel panics',
    options => ['--mem', '64M', '--args', 'inject=magic'],
    end     => 'crash',
    check   => sub {
        like $_[2], qr/^Bail out! start_info\.magic is "nen-3\.0-x86_64", expected "xen-/m,
            'the console has the panic message with the magic';
        },
    },
    trap => {
    title   => 'a trap in early boot: the kernel prints the registers and crashes',
    options => ['--mem', '64M', '--args', 'inject=trap'],
    end     => 'crash',
    check   => sub {
        like $_[2], qr/^trap: vector 14, .*\nrax /m, 'the console has the trap and the registers';
        },
    },
    hang => {
    title   => 'a hang: the watchdog of Xen ends the domain',
    options => ['--mem', '64M', '--args', 'inject=hang', '--timeout', '40'],
    end     => 'watchdog',
    },
    large => {
    title   => 'p2m=tree: the balloon grows by the pages that xl allows beyond memory=',
    options => ['--mem', '128M', '--maxmem', '512M', '--args', 'p2m=tree balloon=max'],
    check   => sub { cmp_ok $_[0]->{ballooned}, '>', 0, 'the balloon grew' },
    },
    seed => {
    title   => 'domU of 128 GiB, legacy image, ramdisk of 263 MiB',
    options => ['--kernel', kernel . '-legacy', '--mem', '128G', '--initrd', "$dir/seed", '--timeout', 240],
    check   => sub {
        my ($r, $reports, $log) = @_;
        is $r->{nr_pages},    128 << 18,        'nr_pages is 128 GiB';
        is $r->{list}{found}, 'kernel mapping', 'the builder placed the P2M list in the kernel mapping';
        cmp_ok hex($r->{list}{builder_va}) + 8 * $r->{nr_pages}, '>', $module_area,
            'the P2M list of the builder ends past 0xffffffffa0000000';
        is $reports->{ramdisk}{bytes}, $seed_pages * 4096, 'size of the ramdisk is that of the file';
        is $reports->{ramdisk}{sum}, seed_sum(), 'checksum of the ramdisk is that of the file';
        like $log, qr/^ok \d+ - kernel_mapping: (?!.*# SKIP)/m,
            'self-test kernel_mapping is not skipped';
        },
    };

done_testing;
