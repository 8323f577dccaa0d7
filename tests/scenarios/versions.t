#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# dom0 on Xen 4.14 and 4.20; the other scenarios use 4.17, except for a PV shim on QEMU 9.1 or newer. The code
# that builds dom0's P2M list and serves its hypercalls changed between these releases. The boot report
# is compared with the size, and all self-tests must succeed. Without this test the kernel could depend
# on what one release happens to do.

use strict;
use warnings;
use Test::More;

use FindBin;
use lib $FindBin::Bin;
use Host;
use Run;

# TITLE, memory of the host, option --mem of scripts/boot, expected size of dom0
my @sizes = (
    ['dom0 of 512 MiB',                                '1G',  '512M',        '512M'],
    ['dom0 of 6 GiB, across the hole below 4 GiB',     '8G',  '6G',          '6G'],
    ['dom0 of 64 GiB with max:64G: no room to grow',   '72G', '64G,max:64G', '64G'],
);

for my $version ('4.14', '4.20') {
    subtest "Xen $version" => sub {
        my ($code, undef, $err) = run(script('fetch/xen'), 'hypervisor', $version);
        if ($code == 3) {
            my ($sentence) = (split /\n/, $err)[-1] =~ /^xen: (.*)/;
            plan skip_all => $sentence;
        }
        is $code, 0, "scripts/fetch/xen hypervisor $version exits with 0" or diag $err;
        dom0_of($version, @$_) for @sizes;
    };
}

sub dom0_of {
    my ($version, $name, $host, $mem, $size) = @_;
    boots $name, ['--xen', $version, '--host-mem', $host, '--mem', $mem], sub {
        my ($r) = @_;
        like $r->{xen}, qr/^\Q$version\E\./, "the kernel reports Xen $version";
        is $r->{kind}, 'dom0', 'kind of the domain is dom0';
        is $r->{nr_pages}, pages($size), "nr_pages is $size";
        is $r->{list}{found}, 'slot', 'the P2M list is at the address of the note INIT_P2M';
    };
    return;
}

done_testing;
