#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# The case for which this kernel was written, "Boot PV guests with more than 128GB" on xen-devel in
# 2012: a domU of 128 GiB with a ramdisk of 0x10784 pages, as the legacy image. The builder maps
# ramdisk and P2M list behind the kernel, and they reach past 0xffffffffa0000000, where Linux places
# its modules. After boot no mapping may be left there, and the checksum of the ramdisk must be that
# of the file. Without this test the kernel could leave the list in the area of the modules, or lose
# frames when it moves the list.

use strict;
use warnings;
no warnings 'portable';    # 64-bit addresses
use Test::More;

use FindBin;
use lib $FindBin::Bin, "$FindBin::Bin/../scripts";
use Host;
use Run;

my $module_area = 0xffffffffa0000000;
my $pages       = 0x10784;

my $dir = tempdir;
open my $file, '>:raw', "$dir/ramdisk" or die $!;
print $file pack('Q', $_ + 1) x 512 for 0 .. $pages - 1;
close $file or die $!;

domus ['--kernel', kernel . '-legacy'],
    seed => {
    title   => 'domU of 128 GiB, legacy image, ramdisk of 263 MiB',
    options => ['--mem', '128G', '--initrd', "$dir/ramdisk", '--timeout', 240],
    check   => sub {
        my ($r, $reports, $log) = @_;
        is $r->{nr_pages},    128 << 18,        'nr_pages is 128 GiB';
        is $r->{list}{found}, 'kernel mapping', 'the builder placed the P2M list in the kernel mapping';
        cmp_ok hex($r->{list}{builder_va}) + 8 * $r->{nr_pages}, '>', $module_area,
            'the P2M list of the builder ends past 0xffffffffa0000000';
        is $reports->{ramdisk}{bytes}, $pages * 4096, 'size of the ramdisk is that of the file';
        is $reports->{ramdisk}{sum}, sprintf('0x%016x', sum()),
            'checksum of the ramdisk is that of the file';
        like $log, qr/^ok \d+ - kernel_mapping: (?!.*# SKIP)/m,
            'self-test kernel_mapping is not skipped';
        },
    };

# Computes the checksum of tests/guest/ramdisk.c: each page holds 512 times its number, multiplied
# by its number.
sub sum {
    use integer;
    my $sum = 0;
    $sum += $_ * $_ * 512 for 1 .. $pages;
    return $sum;
}

done_testing;
