#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# A suspend that the tools could not save, since the guest maps a frame that is not in its P2M: the
# kernel must refuse the suspend and write the reason to xenstore. After the mapping is removed, a
# save must succeed. Without this test the kernel could suspend with such a mapping, and the tools
# would fail when the guest is already stopped. (xl waits for a minute before it gives up.)

use strict;
use warnings;
use Test::More;

use FindBin;
use lib "$FindBin::Bin/..", "$FindBin::Bin/../../scripts";
use Host;
use Life;

life ['--xen', xen],
    refused => {
    title  => 'a suspend is refused while a foreign frame is mapped',
    memory => 32,
    args   => 'pattern_pages=64',
    steps  => [
        ['create'], ['guest_command', 'block_suspend'], ['save_refused'],
        ['guest_command', 'unblock_suspend'], ['tests'], ['save_restore'], ['counts'], ['shutdown'],
    ],
    };

done_testing;
