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
use GrantPair;

my $all = 65536;

for my $version (1, 2) {
    subtest "version $version" => sub {
        grant_pair_scenes ['--xen', xen, '--xen-args', 'gnttab_max_frames=257'],
            {
            granter   => guest(300, "grants=$version", $version == 1 ? 129 : 257),
            grantee => guest(32,  'grants=1', 1),
            third    => guest(8,   'grants=2', 1),
            },
            'they begin'                => [map { put($_ => 'begin') } qw(grantee third granter)],
            'batches'                   => [large('granter', $version, $all, 512, 32, 1)],
            'both are restored'         => [restored('granter', $all)],
            'references that are none'  => [wrong('granter')],
            'too much'                  => [too_much()],
            'read-only'                 => [readonly('granter')],
            '10,000 rounds'             => [rounds('granter', 10_000)],
            'a save is refused'         => [refused('granter')],
            'the grantee is suspended' => [carried('granter')],
            'access ends, 64 pages'     => [late('granter', 64)],
            'access ends, all pages'    => [late('granter', $all)],
            'the grantee is destroyed' => [grantee_gone('granter')],
            'the granter is destroyed'   => [granter_gone('granter')],
            'the end'                   => [put(grantee => 'gone')];
    };
}

done_testing;
