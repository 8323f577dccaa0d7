#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# A dom0 past the 512 GiB that the tree of the P2M reaches, on a host of 700 GiB whose memory is
# made only where it is touched: the list in pages of 1 GiB, 2 MiB and 4 KiB, and every sweep of
# every test over all of it. It takes 10 GiB of real memory.

use strict;
use warnings;
use Test::More;

use FindBin;
use lib $FindBin::Bin;
use Host;

boots '650 GiB on 700 GiB',
    ['--host-mem', '700G', '--cpu', 'max,phys-bits=46', '--mem', '650G,max:650G'], sub {
    my ($r, undef, $log) = @_;
    is $r->{nr_pages},     pages('650G'), 'of 650 GiB';
    is $r->{list}{old_1g}, 1,             'whose list began with a page of 1 GiB';
    has_list_alone($r, $log);
    };

done_testing;
