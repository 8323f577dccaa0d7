#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# xl suspend and xl resume, which are new in Xen 4.20: the guest suspends itself (control/shutdown) and
# stays in memory; xl resume makes its suspend hypercall return 1. The guest takes that for a cancelled
# suspend, however long it was suspended, and whatever the toolstack wrote meanwhile. Without this test
# a guest could take the resume for a new domain and give up its ports, or miss a request that came
# while it was suspended: xenstored drops a watch event that it could not write for 20 seconds.

use strict;
use warnings;
use Test::More;

use FindBin;
use lib "$FindBin::Bin/..", "$FindBin::Bin/../../scripts";
use Host;
use Life;
use Run;

for my $part ('hypervisor', 'toolstack') {
    my ($code, undef, $err) = run(script('fetch/xen'), $part, '4.20');
    if ($code == 3) {
        my ($sentence) = (split /\n/, $err)[-1] =~ /^xen: (.*)/;
        plan skip_all => $sentence;
    }
    is $code, 0, "scripts/fetch/xen $part 4.20 exits with 0" or diag $err;
}

life ['--xen', '4.20'],
    suspended => {
    title  => 'xl suspend, and xl resume after 0, 5 and 30 seconds',
    memory => 16,
    args   => 'pattern_pages=64',
    config => ['maxmem=32'],
    steps  => [
        ['create'], ['counts'],
        (map { (['suspend_resume', $_], ['mem_set', 14 + $_ % 7], ['counts']) } 0, 5, 30),
        ['suspend_storm', 60, 25], ['save_restore'], ['suspend_resume', 1], ['typed'], ['shutdown'],
    ],
    };

done_testing;
