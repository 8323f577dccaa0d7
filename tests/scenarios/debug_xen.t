#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# A debug build of Xen: its assertions see page types and counts that a release build lets pass,
# and it hands dom0 its frames in reverse order, so that neighbours by PFN are no neighbours in the
# machine. Without this a kernel could live on the luck of a release build. (make check-full runs
# all dom0 scenarios on it.)

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

is_debug('1000001K', ['--host-mem', '2G', '--mem', '1000001K']);
is_debug('6G across the hole below 4 GiB', ['--host-mem', '8G', '--mem', '6G']);
is_debug('1G, most of it in a hole',
    ['--host-mem', '4G', '--mem', '1G', '--machine', 'max-ram-below-4g=64M']);

done_testing;
