#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# The kernel as a domU that is not built by libxenguest: by Xen's PV shim and by GRUB, in one Linux dom0. The
# boot report, the self-tests and the ramdisk are compared with what these builders do.
#
# The PV shim runs in a PVH domain. It builds its guest as Xen builds a dom0, but as a domU; it shares
# console and xenstore rings with the guest, and keeps a part of the memory that xl gave. Without this test
# the kernel could unmap the xenstore ring together with the builder's mapping, or rely on what only
# libxenguest does.
#
# GRUB is itself a PV guest, and builds the kernel's memory from inside the domain: it makes no promise to
# the tools about the P2M list, leaves its relocator mapped at address 0, with page tables of its own, and
# passes on console and xenstore rings that it has used. Without this test the kernel could use GRUB's page
# tables as free memory, or treat a used ring as empty.

use strict;
use warnings;
use Test::More;

use FindBin;
use lib $FindBin::Bin, "$FindBin::Bin/../scripts";
use Host;
use Run;

my $dir   = tempdir;
my $small = write_file("$dir/small", substr pack('Q*', map { $_ * 0x9e3779b1 } 1 .. 12 << 17), 0, (12 << 20) - 1);
my $large = write_file("$dir/large", pack('Q*', map { $_ * 0x9e3779b1 } 1 .. 3 << 20) . 'x');
my $text  = write_file("$dir/text", "no kernel\n");

sub has_ramdisk {
    my ($reports, $file) = @_;
    is $reports->{ramdisk}{bytes}, -s $file, 'size of the ramdisk is that of the file';
    is $reports->{ramdisk}{sum}, ramdisk_sum($file), 'checksum of the ramdisk is that of the file';
    return;
}

# The shim keeps a 16th of the memory, at least 10 MiB and at most 128 MiB, and what it needs to
# start.
sub in_shim {
    my ($size, $found, $r, $log) = @_;
    like $log, qr/^\(XEN\) Command line: pv-shim /m, 'the console has the command line of the shim';
    is $r->{kind}, 'domU', 'kind of the domain is domU';
    is $r->{builder}, 'PV shim', 'builder of the domain is the PV shim';
    like $log, qr/^start_info: domU of \d+ pages, P2M list at 0x\w+, flags 0x200$/m,
        'flags of start_info are 0x200, which xl never sets';
    cmp_ok $r->{nr_pages}, '<=', pages($size) - pages('10M'), 'the shim keeps at least 10 MiB';
    cmp_ok $r->{nr_pages}, '>=', pages($size) - pages('28M'), 'the shim keeps at most 28 MiB';
    is $r->{max_pages}, $r->{nr_pages}, 'max_pages is nr_pages';
    is $r->{renumbered}, 0, 'number of renumbered frames is 0';
    is $r->{list}{found}, $found, "place of the builder's P2M list is \"$found\"";
    like $log, qr/^ok \d+ - $_: (?!.*# SKIP)/m, "self-test $_ is not skipped"
        for qw(events p2m published_list store accounting);
    return;
}

# The first digits of the P2M list's address: at the address of the note INIT_P2M, or in the kernel
# mapping.
my %place = (slot => '0xffffc9', 'kernel mapping' => '0xffffffff8');

sub by_grub {
    my ($size, $found, $flags, $r, $log) = @_;
    like $log, qr/Welcome to GRUB!/, 'the console has the greeting of GRUB';
    is $r->{kind},     'domU',       'kind of the domain is domU';
    is $r->{builder},  'GRUB',       'builder of the domain is GRUB';
    is $r->{nr_pages}, pages($size), "nr_pages is $size";
    like $log, qr/^start_info: domU of \d+ pages, P2M list at $place{$found}\w+, flags $flags$/m,
        "flags of start_info are $flags: GRUB does not tell the tools that there is a P2M list";
    is $r->{list}{found}, $found, "place of the builder's P2M list is \"$found\"";
    is $r->{renumbered}, 0, 'number of renumbered frames is 0';
    like $log, qr/^ok \d+ - $_: (?!.*# SKIP)/m, "self-test $_ is not skipped"
        for qw(guards p2m published_list store accounting);
    return;
}

# Checks that GRUB refuses the kernel or the ramdisk. xl itself reports no error: it has started
# GRUB.
sub refused {
    my ($why) = @_;
    return sub {
        my (undef, undef, $log) = @_;
        like $log, qr/error: \Q$why\E\.$/m, "GRUB prints the error: $why";
        unlike $log, qr/Xenolith/, 'the kernel does not start';
    };
}

# With QEMU from 9.1 on, each read of a control register by the shim is a VM exit (default_xen in
# scripts/host/DomUs.pm): 131,072 page faults of the self-tests take much longer than with QEMU 7.2.
domus ['--timeout', 240],
    shim_small => {
    title   => 'PV shim: guest of 64 MiB: kernel arguments with blanks, commas and quotes',
    options => ['--builder', 'shim', '--mem', '64M', '--args', 'x=$y,{z}  "q  r" it\'s\\'],
    check   => sub {
        my ($r, undef, $log) = @_;
        in_shim('64M', 'slot', $r, $log);
        my @unknown = $log =~ /^warning: kernel argument "(.*)" is unknown and ignored/mg;
        is_deeply \@unknown, ['x=$y,{z}', '"q', 'r"', 'it\'s\\'],
            'the kernel gets its arguments unchanged';
        },
    },
    shim_large => {
    title   => 'PV shim: guest of 512 MiB with two vCPUs',
    options => ['--builder', 'shim', '--mem', '512M', '--vcpus', '2'],
    check   => sub {
        my ($r, undef, $log) = @_;
        in_shim('512M', 'slot', $r, $log);
        is $r->{vcpus}, 2, 'number of vCPUs is 2';
        },
    },
    shim_legacy => {
    title   => 'PV shim: legacy image with a ramdisk',
    options => ['--builder', 'shim', '--mem', '64M', '--kernel', kernel . '-legacy', '--initrd', $small],
    check   => sub {
        my ($r, $reports, $log) = @_;
        in_shim('64M', 'kernel mapping', $r, $log);
        has_ramdisk($reports, $small);
        },
    },
    grub_small => {
    title   => 'GRUB: domU of 64 MiB: kernel arguments with blanks, commas and quotes',
    options => ['--builder', 'grub', '--mem', '64M', '--args', 'x=$y,{z};  "q  r" #&|<'],
    check   => sub {
        my ($r, undef, $log) = @_;
        by_grub('64M', 'slot', '0x0', $r, $log);
        my @unknown = $log =~ /^warning: kernel argument "(.*)" is unknown and ignored/mg;
        is_deeply \@unknown, ['x=$y,{z};', '"q', 'r"', '#&|<'], 'the kernel gets its arguments unchanged';
        },
    },
    grub_large => {
    title   => 'GRUB: domU of 512 MiB with a ramdisk, passed by PFN',
    options => ['--builder', 'grub', '--mem', '512M', '--initrd', $large],
    check   => sub {
        my ($r, $reports, $log) = @_;
        by_grub('512M', 'slot', '0x8', $r, $log);
        has_ramdisk($reports, $large);
        },
    },
    grub_legacy => {
    title   => 'GRUB: legacy image with a ramdisk: ramdisk and P2M list behind the kernel',
    options => ['--builder', 'grub', '--mem', '128M', '--kernel', kernel . '-legacy', '--initrd', $large],
    check   => sub {
        my ($r, $reports, $log) = @_;
        by_grub('128M', 'kernel mapping', '0x0', $r, $log);
        has_ramdisk($reports, $large);
        },
    },
    no_kernel => {
    title   => 'GRUB refuses a file that is not a kernel',
    options => ['--builder', 'grub', '--kernel', $text],
    end     => 'failed',
    check   => refused('not xen image'),
    },
    no_room => {
    title   => 'GRUB refuses a ramdisk that does not fit into its memory',
    options => ['--builder', 'grub', '--mem', '40M', '--initrd', $large],
    end     => 'failed',
    check   => refused('out of memory'),
    };

done_testing;
