#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# The long form of grants.t: 256 MiB by tables of both versions and in batches of all sizes, ten
# thousand rounds, all self-tests after each suspend, and a save that is refused while the tool waits.

use strict;
use warnings;
use Test::More;

use FindBin;
use lib $FindBin::Bin, "$FindBin::Bin/..", "$FindBin::Bin/../../scripts";
use Host;
use Scenes;
use Sharing;

my $all = 65536;

for my $version (1, 2) {
    subtest "version $version" => sub {
        sharing ['--xen', xen, '--xen-args', 'gnttab_max_frames=257'],
            {
            lender   => guest(300, "grants=$version", $version == 1 ? 129 : 257),
            borrower => guest(32,  'grants=1', 1),
            third    => guest(8,   'grants=2', 1),
            },
            'they begin'                => [map { put($_ => 'begin') } qw(borrower third lender)],
            'batches'                   => [large('lender', $version, $all, 512, 32, 1)],
            'both are restored'         => [restored('lender', $all)],
            'references that are none'  => [wrong('lender')],
            'too much'                  => [too_much()],
            'read-only'                 => [readonly('lender')],
            '10,000 rounds'             => [rounds('lender', 10_000)],
            'a save is refused'         => [refused('lender')],
            'the borrower is suspended' => [carried('lender')],
            'access ends, 64 pages'     => [late('lender', 64)],
            'access ends, all pages'    => [late('lender', $all)],
            'the borrower is destroyed' => [borrower_gone('lender')],
            'the lender is destroyed'   => [lender_gone('lender')],
            'the end'                   => [put(borrower => 'gone')];
    };
}

done_testing;
