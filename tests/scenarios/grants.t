#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# Grants between two guests, as between backend and frontend: the granter grants pages, and the
# grantee maps them in its foreign window, with grant tables of version 1 and 2. The contents of the
# pages, the grant status, and the numbers of frames, page tables, foreign ranges and grants are
# compared with what each step must bring. Without this test, foreign window and grant table would
# only be tested under the fake Xen of the unit tests, and with a domain that grants to itself;
# never with a peer that ends the grants, is suspended or is destroyed while pages are mapped.
# (grants/ has the long form.)

use strict;
use warnings;
use Test::More;

use FindBin;
use lib $FindBin::Bin, "$FindBin::Bin/grants", "$FindBin::Bin/../scripts";
use Host;
use Scenes;
use GrantPair;

my $tests = 'test=p2m,accounting,pattern_pages,published_list';

grant_pair_scenes ['--xen', xen, '--xen-args', 'gnttab_max_frames=257'],
    {
    large   => guest(300, "grants=1 $tests", 129),
    small   => guest(16,  "grants=2 $tests", 2),
    grantee => guest(32,  "grants=2 $tests", 1),
    third   => guest(8,   "grants=1 $tests", 1),
    },
    'all guests boot'                                  =>
        [map { put($_ => 'begin') } qw(grantee third small large)],
    '256 MiB are granted and mapped at once'           => [large('large', 1, 512)],
    'grant table v1: grants end while mapped'          => [deferred('large', 64)],
    'the granter is destroyed while pages are mapped'  => [granter_gone('large')],
    'invalid references cannot be mapped'              => [invalid('small')],
    'too many pages or grants are refused'             => [too_many()],
    'read-only grants cannot be written'               => [readonly('small')],
    '64 pages are mapped 200 times'                    => [rounds('small', 200)],
    'the grantee is suspended while pages are mapped'  => [suspended('small')],
    'granter and grantee are saved and restored'       => [restored('small', 64)],
    'grant table v2: grants end while mapped'          => [deferred('small', 64)],
    'the grantee is destroyed while pages are mapped'  => [grantee_gone('small')],
    'the remaining guests are destroyed'               => [put(grantee => 'gone'), put(small => 'gone')];

done_testing;
