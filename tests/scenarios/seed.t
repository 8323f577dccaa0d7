#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# The case that this kernel comes from, "Boot PV guests with more than 128GB" on xen-devel in 2012:
# a domU of 128 GiB with a ramdisk of 0x10784 pages, built as kernels were then. Ramdisk and list
# lie behind the kernel and reach into the addresses from 0xffffffffa0000000 on, where Linux wants
# its modules. After boot nothing of it may be there, and nothing of it be lost.

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
    title   => '128 GiB, legacy image, 263 MiB of ramdisk',
    options => ['--mem', '128G', '--initrd', "$dir/ramdisk", '--timeout', 240],
    check   => sub {
        my ($r, $reports, $log) = @_;
        is $r->{nr_pages},    128 << 18,        'of 128 GiB';
        is $r->{list}{found}, 'kernel mapping', 'the list was mapped with the kernel';
        cmp_ok hex($r->{list}{builder_va}) + 8 * $r->{nr_pages}, '>', $module_area,
            'and reached past 0xffffffffa0000000';
        is $reports->{ramdisk}{bytes}, $pages * 4096, 'the ramdisk is read through its frames';
        is $reports->{ramdisk}{sum}, sprintf('0x%016x', sum()), 'and is what it was';
        like $log, qr/^ok \d+ - kernel_mapping: (?!.*# SKIP)/m,
            'nothing past the image is mapped there';
        },
    };

# As tests/guest/ramdisk.c does: each page is 512 times its number, times its number.
sub sum {
    use integer;
    my $sum = 0;
    $sum += $_ * $_ * 512 for 1 .. $pages;
    return $sum;
}

done_testing;
