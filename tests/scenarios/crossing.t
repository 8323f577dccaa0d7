#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# A guest that is saved on one host, and restored on another one: under the next release of Xen with its
# toolstack, on a host of another size whose memory has a hole in another place, with fewer features of the
# processor, and with hardly any free memory. After each restore the self-tests must succeed, the pattern
# pages be unchanged, and the guest reach a memory target. Without this test only hosts that never change
# would be tested: real ones are upgraded while their guests are saved.

use strict;
use warnings;
use Test::More;

use FindBin;
use lib $FindBin::Bin, "$FindBin::Bin/../scripts";
use Host;
use Life;
use Run;

my @arrive = (['restore_here'], ['counts'], ['mem_set', 20], ['tests'], ['mem_set', 32], ['counts']);

# Xen's own tree, if one is given, comes after the releases
my @releases = (
    (map { ["Xen $_", ['--xen', $_]] } '4.14', '4.17', '4.20'),
    map { ["Xen in $_", ['--xen-dist', $_]] } grep { length } $ENV{XENOLITH_XEN_DIST} // ''
);

# As many of these releases as can be had
sub available {
    my @available;
    for my $release (@releases) {
        my ($title, $options) = @$release;
        my ($code, undef, $err) = $options->[0] eq '--xen' ? run(script('fetch/xen'), 'toolstack', $options->[1]) : 0;
        if ($code == 3) { diag "$title: left out: $err" }
        else            { push @available, $release }
    }
    return @available;
}

# The steps of the first host, of those between, and of the last one
sub way {
    my (@hosts) = @_;
    my ($first, @others) = map { [@$_] } @hosts;
    push @$first, ['create'], ['counts'];
    push @$_, @arrive for @others;
    push @$_, ['save_to_leave'] for $first, @others[0 .. $#others - 1];
    push @{($others[-1])}, ['save_restore'], ['shutdown'];
    return [$first, @others];
}

life_on_hosts guest => {
    title  => '32 MiB: from each release of Xen to the next one',
    memory => 32,
    args   => 'pattern_pages=4000',
    hosts  => way(available()),
};

# -avx: the processor lacks what the guest may have seen before.
life_on_hosts guest => {
    title  => '32 MiB: hosts of one release with other memory, another processor, and hardly any free memory',
    memory => 32,
    args   => 'pattern_pages=4000',
    hosts  => way(
        ['4 GiB', ['--xen', xen]],
        ['6 GiB, with a hole from 1 GiB on', ['--xen', xen, qw(--host-mem 6G --machine max-ram-below-4g=1G)]],
        ['a processor without AVX', ['--xen', xen, qw(--cpu max,-smap,-smep,-avx,-avx2)]],
        ['1 GiB and a little more, most of it for dom0', ['--xen', xen, qw(--host-mem 1144M)]],
    ),
};

# A domain with e820_host=1 has the holes of its host, whose RAM goes on at 4 GiB.
my @hole = ('--xen', xen, qw(--host-mem 6G --dom0-mem 1536M --machine));
my @resize = (['counts'], ['mem_set', 200], ['tests'], ['mem_set', 300], ['counts']);
life_on_hosts guest => {
    title  => '300 MiB with e820_host=1: the hole of the new host is in another place',
    memory => 300,
    args   => 'pattern_pages=4000',
    config => ['e820_host=1'],
    hosts  => [
        ['a hole from 256 MiB on', [@hole, 'max-ram-below-4g=256M'], ['create'], ['counts'], ['save_to_leave']],
        ['a hole from 128 MiB on, where the guest has frames', [@hole, 'max-ram-below-4g=128M'],
            ['restore_on_new_map'], @resize, ['save_to_leave']],
        ['a hole from 512 MiB on', [@hole, 'max-ram-below-4g=512M'],
            ['restore_on_new_map'], @resize, ['save_restore'], ['shutdown']],
    ],
    check  => sub {
        my ($at) = sort { $a <=> $b } map { $_->[0] } grep { $_->[2] eq 'identity' && $_->[0] >= pages('1M') }
            @{$_[0]{first}{boot}{ranges}};
        cmp_ok $at, '>', pages('511M'), 'the first identity range above 1 MiB begins where the RAM of the last host ends';
        cmp_ok $at, '<=', pages('512M'), 'it does not begin later';
    },
};

done_testing;
