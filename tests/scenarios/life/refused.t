#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# A suspend that the tools could not carry out, since the guest maps a frame that is not its own: it
# is refused by the kernel, with the reason where the toolstack can read it, and not found out by the
# tool when the guest is stopped already. When the obstacle is gone, the next save works. (The tool
# waits for a minute before it gives up.)

use strict;
use warnings;
use Test::More;

use FindBin;
use lib "$FindBin::Bin/..", "$FindBin::Bin/../../scripts";
use Host;
use Life;

life ['--xen', xen],
    refused => {
    title  => 'refused, and then not',
    memory => 32,
    args   => 'pattern_pages=64',
    steps  => [
        ['create'], ['guest_command', 'block_suspend'], ['save_refused'],
        ['guest_command', 'unblock_suspend'], ['tests'], ['save_restore'], ['counts'], ['shutdown'],
    ],
    };

done_testing;
