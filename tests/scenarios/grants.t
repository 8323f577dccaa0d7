#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# Two guests that share pages, as backend and frontend do: one grants them, the other maps them in its
# foreign window, by grant tables of version 1 and 2. Without this the window and the grant table were
# only seen to work by the fake Xen and by a domain that grants to itself: not with a peer that ends
# access, is suspended or destroyed while pages are mapped. (grants/ has the long form.)

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
    large    => guest(300, "grants=1 $tests", 129),
    small    => guest(16,  "grants=2 $tests", 2),
    grantee => guest(32,  "grants=2 $tests", 1),
    third    => guest(8,   "grants=1 $tests", 1),
    },
    'they begin'                => [map { put($_ => 'begin') } qw(grantee third small large)],
    '256 MiB'                   => [large('large', 1, 512)],
    'access ends while mapped'  => [late('large', 64)],
    'the granter is destroyed'   => [granter_gone('large')],
    'references that are none'  => [wrong('small')],
    'too much'                  => [too_much()],
    'read-only'                 => [readonly('small')],
    '200 rounds'                => [rounds('small', 200)],
    'the grantee is suspended' => [carried('small')],
    'both are restored'         => [restored('small', 64)],
    'version 2: access ends'    => [late('small', 64)],
    'the grantee is destroyed' => [grantee_gone('small')],
    'the end'                   => [put(grantee => 'gone'), put(small => 'gone')];

done_testing;
