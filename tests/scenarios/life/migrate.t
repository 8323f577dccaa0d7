#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# Live migration to the same host, while the guest rewrites its pattern pages and moves its balloon
# (command churn); and migrations that must fail, because the guest changes
# shared_info.p2m_generation meanwhile. The self-tests, PFN ranges and pattern pages are compared
# with those before. Without this test the tools could meet a P2M entry that is half written, or a
# PFN that lost its frame after it was sent.
#
# The test needs a debug build of Xen: Debian's build has no shadow page tables, which find dirty
# pages.

use strict;
use warnings;
use Test::More;

BEGIN { $ENV{XENOLITH_XEN} //= '4.17-debug' }

use FindBin;
use lib "$FindBin::Bin/..", "$FindBin::Bin/../../scripts";
use Host;
use Life;

my $cycles = $ENV{XENOLITH_CYCLES} // 5;

life ['--xen', xen],
    map { (
        $_ => {
        title  => "p2m=$_: live migration",
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
