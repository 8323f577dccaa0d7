#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# The kernel as the guest of Xen's PV shim, which runs in a PVH domain. The shim builds its guest as
# Xen builds a dom0, but as a domU; it shares console and xenstore rings with the guest, and keeps a
# part of the memory that xl gave. The boot report and the self-tests are compared with this.
# Without this test the kernel could unmap the xenstore ring together with the builder's mapping, or
# rely on what only libxenguest does.

use strict;
use warnings;
use Test::More;

use FindBin;
use lib $FindBin::Bin, "$FindBin::Bin/../scripts";
use Host;
use Run;

my $dir     = tempdir;
my $bytes   = (12 << 20) - 1;
my $ramdisk = write_file("$dir/ramdisk", substr pack('Q*', map { $_ * 0x9e3779b1 } 1 .. 12 << 17), 0, $bytes);

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

# With QEMU from 9.1 on, each read of a control register by the shim is a VM exit (default_xen in
# scripts/host/DomUs.pm): 131,072 page faults of the self-tests take much longer than with QEMU 7.2.
domus ['--builder', 'shim', '--timeout', 240],
    small => {
    title   => 'guest of 64 MiB: kernel arguments with blanks, commas and quotes',
    options => ['--mem', '64M', '--args', 'x=$y,{z}  "q  r" it\'s\\'],
    check   => sub {
        my ($r, undef, $log) = @_;
        in_shim('64M', 'slot', $r, $log);
        my @unknown = $log =~ /^warning: kernel argument "(.*)" is unknown and ignored/mg;
        is_deeply \@unknown, ['x=$y,{z}', '"q', 'r"', 'it\'s\\'],
            'the kernel gets its arguments unchanged';
        },
    },
    large => {
    title   => 'guest of 512 MiB with two vCPUs',
    options => ['--mem', '512M', '--vcpus', '2'],
    check   => sub {
        my ($r, undef, $log) = @_;
        in_shim('512M', 'slot', $r, $log);
        is $r->{vcpus}, 2, 'number of vCPUs is 2';
        },
    },
    legacy => {
    title   => 'legacy image with a ramdisk',
    options => ['--mem', '64M', '--kernel', kernel . '-legacy', '--initrd', $ramdisk],
    check   => sub {
        my ($r, $reports, $log) = @_;
        in_shim('64M', 'kernel mapping', $r, $log);
        is $reports->{ramdisk}{bytes}, $bytes, 'size of the ramdisk is that of the file';
        is $reports->{ramdisk}{sum}, ramdisk_sum($ramdisk), 'checksum of the ramdisk is that of the file';
        },
    };

done_testing;
