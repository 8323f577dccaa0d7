#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# dom0 on a host with the memory map tests/maps/NAME.map: with most of the host's memory, and with sizes
# whose last page lies one before, at, and one after the first and the last PFN of a hole. The expected
# values are computed from the map: the PFNs of RAM and of identity, to the page, and the number of
# renumbered frames. XENOLITH_EDGES is the number of those sizes (6). Without this test the kernel would be
# known to work only on QEMU's own maps.

use strict;
use warnings;
use List::Util 'sum';
use Test::More;

use FindBin;
use lib $FindBin::Bin;
use Host;
use MapRam;
use Run;

# All boots of a map: maps.t NAME, or maps.t random:FROM-TO for random maps, each with all memory
my ($name) = @ARGV;
defined $name or BAIL_OUT('expected the NAME of a map of tests/maps, or random:FROM-TO');
if (my ($from, $to) = $name =~ /^random:(\d+)-(\d+)$/) {
    for my $seed ($from .. $to) {
        my ($lines) = map_lines("random:$seed");
        boots "random map $seed: dom0 with all memory that Xen has", ['--e820', "random:$seed"],
            agrees([ram_of(entries($lines))]);
    }
    done_testing;
    exit;
}
my $file = script("../tests/maps/$name.map");
-e $file or BAIL_OUT("$file: no such map");
my ($printed, $said) = map_lines($file);
diag $said if $said ne '';
my $ram         = [ram_of(entries($printed))];
my $as_expected = agrees($ram);
boots "$name: dom0 with all memory that Xen has", ['--e820', $file, '--e820-fit'], sub {
    my ($r, $reports, $log) = @_;
    $as_expected->($r, $reports, $log);
    my (undef, $by_xen) = run(script('boot'), '--print', '--e820', write_file(tempdir . '/log', $log));
    is joined($by_xen), joined($printed), 'the map that Xen prints is the map of the host';
};

# The largest hole below three quarters of usable RAM, above the 16 MiB that a dom0 needs at least
my $limit = 3 / 4 * sum(map { $_->[2] eq 'usable' ? $_->[1] - $_->[0] : () } entries($printed)) / 4096;
my @holes = grep { $_->[0] >= pages('16M') && $_->[1] < $limit } map { [$ram->[$_ - 1][1], $ram->[$_][0]] } 1 .. $#$ram;
my ($hole) = sort { $b->[1] - $b->[0] <=> $a->[1] - $a->[0] } @holes;
my @edges = map { ($_, $_ + 1, $_ - 1) } @{$hole // []};
splice @edges, $ENV{XENOLITH_EDGES} if ($ENV{XENOLITH_EDGES} // 6) < @edges;
for my $edge (@edges) {
    boots "$name: dom0 of $edge pages; a hole is [$hole->[0], $hole->[1])",
        ['--e820', $file, '--e820-fit', '--mem', 4 * $edge . 'K'], agrees($ram, $edge);
}

done_testing;

# Plain lines of a map, in which neighbouring ranges of one type are one range, as Xen joins them.
sub joined {
    my ($lines) = @_;
    1 while $lines =~ s/^(0x\w+) (0x\w+) (.*)\n\2 (0x\w+) \3$/$1 $4 $3/m;
    return $lines;
}

sub agrees {
    my ($ram, $nr) = @_;
    return sub {
        my ($r, $reports, $log) = @_;
        my $end = $r->{ranges}[-1][1];
        is $r->{nr_pages}, $nr, "nr_pages is $nr" if defined $nr;
        is_deeply [reported(qr/^(?!identity)/, @{$r->{ranges}})], [map { [$_->[0], $_->[1] < $end ? $_->[1] : $end] } grep { $_->[0] < $end } @$ram],
            'the PFNs that are not identity are the pages of RAM in the map';
        is $r->{beyond}, 'identity', 'PFNs beyond the ranges are identity';
        is $r->{renumbered}, $r->{nr_pages} - ram_below($ram, $r->{nr_pages}),
            'number of renumbered frames is the number of PFNs below nr_pages that are not RAM';
        };
}
