#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# A CPU with machine addresses of 52 bits, the most that a page-table entry can hold: the note
# MAXPHYS_SIZE says that the kernel handles them. Without this test self-test maxphys, which other
# hosts skip, would never run.

use strict;
use warnings;
use Test::More;

use FindBin;
use lib $FindBin::Bin;
use Host;

boots 'CPU with phys-bits=52', ['--mem', '64M', '--cpu', 'max,phys-bits=52'], sub {
    my ($r, undef, $log) = @_;
    is $r->{cpu_bits}, 52, 'the kernel reports 52 bits of machine address for the CPU';
    cmp_ok $r->{xen_bits}, '<', 52, 'the kernel reports fewer bits of machine address for Xen';
    like $log, qr/^ok \d+ - maxphys: (?!.*# SKIP)/m, 'self-test maxphys is not skipped';
};

done_testing;
