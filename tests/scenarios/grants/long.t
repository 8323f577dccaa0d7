#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# The long form of grants.t: 256 MiB with grant tables of both versions and in batches of several
# sizes, ten thousand rounds of mapping, all self-tests after each suspend, and an xl save that the
# guest refuses. Without this test an error could pass that needs a full grant table, or a leak of
# less than one frame in 200 rounds.

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
    subtest "grant table of version $version" => sub {
        grant_pair_scenes ['--xen', xen, '--smp', 2, '--xen-args', 'gnttab_max_frames=257'],
            {
            granter => guest(300, "grants=$version", $version == 1 ? 129 : 257),
            grantee => guest(32,  'grants=1', 1),
            third   => guest(8,   'grants=2', 1),
            },
            'all guests boot'                                 =>
                [map { put($_ => 'begin') } qw(grantee third granter)],
            '256 MiB are granted and mapped, by four batch sizes' =>
                [large('granter', $version, $all, 512, 32, 1)],
            'granter and grantee are saved and restored'      => [restored('granter', $all)],
            'invalid references cannot be mapped'             => [invalid('granter')],
            'too many pages or grants are refused'            => [too_many()],
            'read-only grants cannot be written'              => [readonly('granter')],
            '64 pages are mapped 10,000 times'                => [rounds('granter', 10_000)],
            'the granter refuses xl save'                     => [refused('granter')],
            'the grantee is suspended while pages are mapped' => [suspended('granter')],
            '64 grants end while mapped'                      => [deferred('granter', 64)],
            "$all grants end while mapped"                    => [deferred('granter', $all)],
            'the grantee is destroyed while pages are mapped' => [grantee_gone('granter')],
            'the granter is destroyed while pages are mapped' => [granter_gone('granter')],
            'the grantee is destroyed'                        => [put(grantee => 'gone')];
    };
}

done_testing;
