#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# dom0 on a debug build of Xen. Its assertions check page types and reference counts that a release
# build does not check, and it gives dom0 its frames in reverse order, so that consecutive PFNs have
# no consecutive MFNs. All self-tests must succeed there. Without this test the kernel could depend
# on what a release build happens to do. (make check-full runs all dom0 scenarios on the debug
# build.)

use strict;
use warnings;
use Test::More;

BEGIN { $ENV{XENOLITH_XEN} = '4.17-debug' }

use FindBin;
use lib $FindBin::Bin;
use Host;

sub is_debug {
    my ($name, $arguments) = @_;
    boots $name, $arguments, sub {
        like $_[2], qr/^\(XEN\) Xen version .* debug=y/m, 'this Xen is a debug build';
    };
    return;
}

is_debug('dom0 of 1000001 KiB', ['--host-mem', '2G', '--mem', '1000001K']);
is_debug('dom0 of 6 GiB, across the hole below 4 GiB', ['--host-mem', '8G', '--mem', '6G']);
is_debug('dom0 of 1 GiB, most of it in a hole',
    ['--host-mem', '4G', '--mem', '1G', '--machine', 'max-ram-below-4g=64M']);

done_testing;
