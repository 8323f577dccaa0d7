#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# A ramdisk that nobody mapped, in the middle of the domain's PFNs: one byte, a page less a byte,
# one of many pages, and one just below a hole that most of the domain lies in. The kernel sums it
# up through the P2M; the sum must be that of the file.

use strict;
use warnings;
use Test::More;

use FindBin;
use lib $FindBin::Bin, "$FindBin::Bin/../scripts";
use Host;
use Run;

my $dir = tempdir;

# Text that never repeats, so that no two pages are alike.
sub make_file {
    my ($bytes) = @_;
    my $path = "$dir/$bytes";
    my $text = '';
    my $n    = 0;
    open my $file, '>:raw', $path or die "$path: $!";
    for (my $left = $bytes; $left; $left -= length $text) {
        $text = join '', map { pack 'Q', ++$n * 0x9e3779b1 } 1 .. 1 << 16;
        $text = substr $text, 0, $left if length $text > $left;
        print $file $text;
    }
    close $file or die "$path: $!";
    return $path;
}

sub reads {
    my ($name, $bytes, @boot) = @_;
    my $file = make_file($bytes);
    boots $name, ['--initrd', $file, @boot], sub {
        my (undef, $reports) = @_;
        is $reports->{ramdisk}{bytes}, $bytes,        "$bytes bytes";
        is $reports->{ramdisk}{sum},   ramdisk_sum($file), 'with the right sum';
    };
    unlink $file;
    return;
}

reads('one byte',                1,         '--mem',      '64M');
reads('4095 bytes',              4095,      '--mem',      '64M');
reads('200 MiB',                 200 << 20, '--host-mem', '2G', '--mem', '1G');
reads('56 MiB, all but filling the 64 MiB of RAM below a hole', 56 << 20,
    '--host-mem', '4G', '--mem', '1G', '--machine', 'max-ram-below-4g=64M');

reads('100 MiB, legacy image: mapped with the kernel', 100 << 20,
    '--host-mem', '2G', '--mem', '512M', '--kernel', kernel . '-legacy');

done_testing;
