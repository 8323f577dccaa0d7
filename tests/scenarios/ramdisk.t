#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# A ramdisk that the builder loads without a mapping, among the domain's PFNs: of one byte, of a
# page less one byte, of many pages, and one that ends just below a hole in which most of the domain
# lies. The kernel computes the checksum of the ramdisk through the P2M, and it is compared with the
# checksum of the file. Without this test the kernel could lose or overwrite frames of the ramdisk
# when it takes over memory and renumbers frames.

use strict;
use warnings;
use Test::More;

use FindBin;
use lib $FindBin::Bin, "$FindBin::Bin/../scripts";
use Host;
use Run;

my $dir = tempdir;

# Writes a file whose content never repeats, so that no two of its pages are equal.
sub make_file {
    my ($bytes) = @_;
    my $path = "$dir/$bytes";
    my $text = '';
    my $n    = 0;
    open my $file, '>:raw', $path or die "cannot write $path: $!";
    for (my $left = $bytes; $left; $left -= length $text) {
        $text = join '', map { pack 'Q', ++$n * 0x9e3779b1 } 1 .. 1 << 16;
        $text = substr $text, 0, $left if length $text > $left;
        print $file $text;
    }
    close $file or die "cannot write $path: $!";
    return $path;
}

sub reads {
    my ($name, $bytes, @boot) = @_;
    my $file = make_file($bytes);
    boots $name, ['--initrd', $file, @boot], sub {
        my (undef, $reports) = @_;
        is $reports->{ramdisk}{bytes}, $bytes,             "the ramdisk has $bytes bytes";
        is $reports->{ramdisk}{sum},   ramdisk_sum($file), 'checksum of the ramdisk is that of the file';
    };
    unlink $file;
    return;
}

reads('ramdisk of one byte',   1,         '--mem',      '64M');
reads('ramdisk of 4095 bytes', 4095,      '--mem',      '64M');
reads('ramdisk of 200 MiB',    200 << 20, '--host-mem', '2G', '--mem', '1G');
reads('ramdisk of 52 MiB in the 64 MiB of RAM below a hole', 52 << 20,
    '--host-mem', '4G', '--mem', '1G', '--machine', 'max-ram-below-4g=64M');

reads('ramdisk of 100 MiB, legacy image: the builder maps it behind the kernel', 100 << 20,
    '--host-mem', '2G', '--mem', '512M', '--kernel', kernel . '-legacy');

done_testing;
