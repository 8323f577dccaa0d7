#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# A dom0 of 520 GiB, more than the 512 GiB that the P2M tree reaches. The builder maps its P2M list
# with pages of 1 GiB, 2 MiB and 4 KiB, and the self-tests sweep all of it. Without this test the
# kernel could publish a P2M tree that misses the PFNs above 512 GiB. QEMU allocates only the memory
# of the host of 540 GiB that is touched: 8 GiB.

use strict;
use warnings;
use Test::More;

use FindBin;
use lib $FindBin::Bin;
use Host;

boots 'dom0 of 520 GiB on a host of 540 GiB',
    ['--host-mem', '540G', '--cpu', 'max,phys-bits=46', '--mem', '520G,max:520G'], sub {
    my ($r, undef, $log) = @_;
    is $r->{nr_pages},     pages('520G'), 'nr_pages is 520 GiB';
    is $r->{list}{old_1g}, 1,             'the builder mapped the P2M list with one page of 1 GiB';
    has_list_alone($r, $log);
    };

done_testing;
