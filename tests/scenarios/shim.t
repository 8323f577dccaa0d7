#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# The kernel as the one guest of Xen's PV shim, itself in a PVH domain: built as a dom0 is, told
# that it is a domU, with rings that the shim shares with it, and with less memory than xl gave.
# Without this a kernel could give the store's ring away with the builder's mapping of it, or take
# for its own whatever no builder but libxenguest promises.

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

# The shim keeps for itself a 16th of the memory, but 10 to 128 MiB, and what it needs to start.
sub in_shim {
    my ($size, $found, $r, $log) = @_;
    like $log, qr/^\(XEN\) Command line: pv-shim /m, 'there is a shim';
    is $r->{kind}, 'domU', 'whose guest is a domU';
    is $r->{builder}, 'PV shim', 'built by the shim';
    like $log, qr/^start_info: domU of \d+ pages, P2M list at 0x\w+, flags 0x200$/m,
        'with flags that xl never gives';
    cmp_ok $r->{nr_pages}, '<=', pages($size) - pages('10M'), 'the shim keeps some memory';
    cmp_ok $r->{nr_pages}, '>=', pages($size) - pages('28M'), 'and leaves the most';
    is $r->{max_pages}, $r->{nr_pages}, 'and there will never be more';
    is $r->{renumbered}, 0, 'nothing lies in a hole';
    is $r->{list}{found}, $found, "the list is where it should be: $found";
    like $log, qr/^ok \d+ - $_: (?!.*# SKIP)/m, "$_ is tested, and not skipped"
        for qw(events p2m published_list store accounting);
    return;
}

domus ['--builder', 'shim'],
    small => {
    title   => '64 MiB, and arguments with blanks, commas and quotes',
    options => ['--mem', '64M', '--args', 'x=$y,{z}  "q  r" it\'s\\'],
    check   => sub {
        my ($r, undef, $log) = @_;
        in_shim('64M', 'slot', $r, $log);
        my @unknown = $log =~ /^warning: argument "(.*)" is unknown and ignored/mg;
        is_deeply \@unknown, ['x=$y,{z}', '"q', 'r"', 'it\'s\\'], 'they come as they are';
        },
    },
    large => {
    title   => '512 MiB and two vCPUs',
    options => ['--mem', '512M', '--vcpus', '2'],
    check   => sub {
        my ($r, undef, $log) = @_;
        in_shim('512M', 'slot', $r, $log);
        is $r->{vcpus}, 2, 'both are seen';
        },
    },
    legacy => {
    title   => 'the legacy image, with a ramdisk',
    options => ['--mem', '64M', '--kernel', kernel . '-legacy', '--initrd', $ramdisk],
    check   => sub {
        my ($r, $reports, $log) = @_;
        in_shim('64M', 'kernel mapping', $r, $log);
        is $reports->{ramdisk}{bytes}, $bytes, 'it has all its bytes';
        is $reports->{ramdisk}{sum}, ramdisk_sum($ramdisk), 'and the right ones';
        },
    };

done_testing;
