#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# A CPU with all 52 bits of machine address that a page-table entry can hold, as the MAXPHYS_SIZE
# note promises to handle. Elsewhere the kernel's own test of it is skipped.

use strict;
use warnings;
use Test::More;

use FindBin;
use lib $FindBin::Bin;
use Host;

boots 'phys-bits=52', ['--mem', '64M', '--cpu', 'max,phys-bits=52'], sub {
    my ($r, undef, $log) = @_;
    is $r->{cpu_bits}, 52, 'the CPU has 52 bits';
    cmp_ok $r->{xen_bits}, '<', 52, 'Xen needs fewer';
    like $log, qr/^ok \d+ - maxphys: (?!.*# SKIP)/m, 'addresses up to 2^51 were mapped';
};

done_testing;
