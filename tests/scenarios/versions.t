#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# Xen 4.14 and 4.20, older and newer than the 4.17 of all other scenarios: three releases build
# dom0's list and answer its requests with code that changed in between. Without this the kernel
# could lean on what one release happens to do.

use strict;
use warnings;
use Test::More;

use FindBin;
use lib $FindBin::Bin;
use Host;
use Run;

# Each with the host's memory, dom0's as scripts/boot takes it, and its size in the end
my @sizes = (
    ['512M',                      '1G',  '512M',        '512M'],
    ['6G, over the hole',         '8G',  '6G',          '6G'],
    ['64G, and room for no more', '72G', '64G,max:64G', '64G'],
);

for my $version ('4.14', '4.20') {
    subtest "Xen $version" => sub {
        my ($code, undef, $err) = run(script('xen'), 'hypervisor', $version);
        if ($code == 3) {
            my ($sentence) = (split /\n/, $err)[-1] =~ /^xen: (.*)/;
            plan skip_all => $sentence;
        }
        is $code, 0, 'it is in the cache' or diag $err;
        dom0_of($version, @$_) for @sizes;
    };
}

sub dom0_of {
    my ($version, $name, $host, $mem, $size) = @_;
    boots $name, ['--xen', $version, '--host-mem', $host, '--mem', $mem], sub {
        my ($r) = @_;
        like $r->{xen}, qr/^\Q$version\E\./, 'on this Xen';
        is $r->{kind}, 'dom0', 'a dom0';
        is $r->{nr_pages}, pages($size), "of $size";
        is $r->{list}{found}, 'slot', 'the list is where INIT_P2M asked for it';
    };
    return;
}

done_testing;
