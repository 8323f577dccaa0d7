#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# The rows of tests/options for models of the processor. Without this test the kernel could depend on a default
# of Xen or on a feature of the test machine's processor.

use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Sweep;
use Test::More;

sweep_boots(qw(cpu));
done_testing;
