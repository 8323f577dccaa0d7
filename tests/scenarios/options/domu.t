#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# The rows of tests/options for arguments of Xen, as domU. Without this test the kernel could depend on a default
# of Xen or on a feature of the test machine's processor.

use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Sweep;
use Test::More;

sweep_boots(qw(domu));
done_testing;
