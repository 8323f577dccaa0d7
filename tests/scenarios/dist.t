#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# scripts/matrix --xen-dist on Xen and its toolstack as "make dist" leaves them, built from Debian's source of 4.20,
# or of 4.17 if the mirror lacks that. A boot by each domain builder must succeed. Without this test only packages
# would be tested, whose directories are not those of make install.

use strict;
use warnings;
use Test::More;

use FindBin;
use lib $FindBin::Bin, "$FindBin::Bin/../scripts";
use Host;
use Run;

my ($code, undef, $err) = run(script('fetch/deps'), 'dist');
plan skip_all => "the packages to build Xen are missing: $err" if $code;

my ($path, $version);
for (qw(4.20 4.17)) {
    ($code, $path, $err) = run(script('fetch/xen'), 'dist', $version = $_);
    last if $code != 3;
    diag $err;
}
plan skip_all => "no source of Xen can be fetched: $err" if $code == 3;
is $code, 0, "scripts/fetch/xen dist $version exits with 0" or BAIL_OUT($err);
chomp $path;

my ($exit, $out) = run(script('matrix'), '-j2', '--xen-dist', $path, qw(dom0 dom0-uefi domU domU-shim domU-grub));
is $exit, 0, "scripts/matrix --xen-dist $path exits with 0" or diag $out;
like $out, qr/^$_ .* ok$/m, "Xen $version of make dist: the row $_ is ok" for qw(dom0 domU domU-shim domU-grub);
like $out, qr/^dom0-uefi .* (?:ok|skipped)$/m, "Xen $version of make dist: the row dom0-uefi is ok, or skipped for want of xen.efi";

done_testing;
