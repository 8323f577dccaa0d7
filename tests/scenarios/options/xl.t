#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# The rows of tests/options for keys of xl's configuration. Without this test the kernel could depend on
# a default of xl.

use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Sweep;
use Test::More;

sweep_guests();
done_testing;
