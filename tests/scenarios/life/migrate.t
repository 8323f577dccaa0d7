#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# Sent to its own host, live, while it writes its marks and moves its balloon; and kept from it by a
# list that is said to have changed. Without this the tools could find an entry half written, or a
# PFN that had a frame when it was sent and has none any more.
#
# On a debug build, since Debian's own Xen has no shadow page tables, which find what becomes dirty.

use strict;
use warnings;
use Test::More;

BEGIN { $ENV{XENOLITH_XEN} = '4.17-debug' }

use FindBin;
use lib "$FindBin::Bin/..", "$FindBin::Bin/../../scripts";
use Host;
use Life;

my $cycles = $ENV{XENOLITH_CYCLES} // 5;

life ['--xen', xen],
    map { (
        $_ => {
        title  => "p2m=$_",
        memory => 64,
        args   => "pattern_pages=256 p2m=$_",
        config => ['maxmem=128'],
        steps  => [
            ['create'], ['counts'],
            ['migrate'],
            ['guest_command', 'churn'], cycle($cycles, ['migrate']), ['guest_command', 'churn_end'],
            ['mem_set', 65], ['tests'],
            $_ eq 'tree' ? () : cycle($cycles, ['migrate_fails'], ['tests']),
            ['migrate'], ['mem_set', 64], ['counts'],
        ],
        }
    ) } qw(both list tree);

done_testing;
