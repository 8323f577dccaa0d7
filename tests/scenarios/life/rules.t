#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# A guest whose self-tests include the rules of Xen's interface (TEST_RULE of kernel/selftest/test.h;
# test=full) while the toolstack saves, restores, checkpoints, resizes and migrates the guest. Without
# this test a rule could leave the guest in a state that the tools cannot save, or fail in a domain
# that a suspend has changed: once such a test freed a page table that was in use, and the kernel
# stopped.

use strict;
use warnings;
use Test::More;

BEGIN { $ENV{XENOLITH_XEN} //= '4.17-debug' }

use FindBin;
use lib "$FindBin::Bin/..", "$FindBin::Bin/../../scripts";
use Host;
use Life;

life ['--xen', xen, '--timeout', 600],
    rules => {
    title  => '64 MiB with maxmem=96 and two vCPUs, all self-tests',
    memory => 64,
    args   => 'pattern_pages=64 test=full',
    config => ['maxmem=96', 'vcpus=2'],
    steps  => [
        ['create'], ['counts'],
        ['save_restore'], ['checkpoint'], ['save_fails'],
        ['mem_set', 48], ['tests'], ['mem_set', 96], ['tests'],
        ['save_restore'], ['migrate'], ['counts'], ['shutdown'],
    ],
    };

done_testing;
