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
no warnings 'portable'; # hex() of 64-bit numbers
use List::Util 'sum';
use Test::More;

use FindBin;
use lib $FindBin::Bin;
use Host;
use Run;

# All boots of a map: maps.t NAME, or maps.t random:FROM-TO for random maps, each with all memory
my ($name) = @ARGV;
defined $name or BAIL_OUT('expected the NAME of a map of tests/maps, or random:FROM-TO');
if (my ($from, $to) = $name =~ /^random:(\d+)-(\d+)$/) {
    for my $seed ($from .. $to) {
        my ($ram) = read_ram("random:$seed");
        boots "random map $seed: dom0 with all memory that Xen has", ['--e820', "random:$seed"], agrees($ram);
    }
    done_testing;
    exit;
}
my $file = script("../tests/maps/$name.map");
-e $file or BAIL_OUT("$file: no such map");
my ($ram, $said, $printed) = read_ram($file);
diag $said if $said ne '';
my $as_expected = agrees($ram);
boots "$name: dom0 with all memory that Xen has", ['--e820', $file, '--e820-fit'], sub {
    my ($r, $reports, $log) = @_;
    $as_expected->($r, $reports, $log);
    my (undef, $by_xen) = run(script('boot'), '--print', '--e820', write_file(tempdir . '/log', $log));
    is joined($by_xen), joined($printed), 'the map that Xen prints is the map of the host';
};

# The largest hole below three quarters of usable RAM, above the 16 MiB that a dom0 needs at least
my $limit = 3 / 4 * sum(map { /^0x(\S+) 0x(\S+) usable$/ ? hex($2) - hex($1) : () } split /\n/, $printed) / 4096;
my @holes = grep { $_->[0] >= pages('16M') && $_->[1] < $limit } map { [$ram->[$_ - 1][1], $ram->[$_][0]] } 1 .. $#$ram;
my ($hole) = sort { $b->[1] - $b->[0] <=> $a->[1] - $a->[0] } @holes;
my @edges = map { ($_, $_ + 1, $_ - 1) } @{$hole // []};
splice @edges, $ENV{XENOLITH_EDGES} if ($ENV{XENOLITH_EDGES} // 6) < @edges;
for my $edge (@edges) {
    boots "$name: dom0 of $edge pages; a hole is [$hole->[0], $hole->[1])",
        ['--e820', $file, '--e820-fit', '--mem', 4 * $edge . 'K'], agrees($ram, $edge);
}

done_testing;

# The RAM of a map as Xen gets it, and what scripts/boot says
sub read_ram {
    my ($map) = @_;
    my ($code, $printed, $said) = run(script('boot'), '--e820', $map, '--e820-fit', '--print');
    is $code, 0, "scripts/boot --e820 $map --print exits with 0" or BAIL_OUT($said);
    return ([ram(map { [/^0x(\S+) 0x(\S+) (.*)/] } split /\n/, $printed)], $said, $printed);
}

# Plain lines of a map, in which neighbouring ranges of one type are one range, as Xen joins them.
sub joined {
    my ($lines) = @_;
    1 while $lines =~ s/^(0x\w+) (0x\w+) (.*)\n\2 (0x\w+) \3$/$1 $4 $3/m;
    return $lines;
}

# RAM in whole pages, as [START, END] of PFNs: ranges of RAM without what other ranges claim. Unusable memory
# is RAM for a dom0, because Xen does not let dom0 map it as a device.
sub ram {
    my (@map) = @_;
    my %edge;
    for my $range (@map) {
        my ($start, $end, $type) = (hex $range->[0], hex $range->[1], $range->[2]);
        next if $start == $end;
        my $i = $type =~ /^(?:usable|unusable)$/ ? 0 : 1;
        $edge{$start}[$i]++;
        $edge{$end}[$i]--;
    }
    my (@found, $start);
    my @depth = (0, 0);
    for my $at (sort { $a <=> $b } keys %edge) {
        $depth[$_] += $edge{$at}[$_] // 0 for 0, 1;
        my $is_ram = $depth[0] && !$depth[1];
        $start = $at if $is_ram && !defined $start;
        next if $is_ram || !defined $start;
        push @found, [ceil_div($start, 4096), int($at / 4096)];
        $start = undef;
    }
    return grep { $_->[0] < $_->[1] } @found;
}

# The number of PFNs of RAM below a PFN
sub ram_below {
    my ($ram, $pfn) = @_;
    my $sum = 0;
    for (grep { $_->[0] < $pfn } @$ram) { $sum += ($_->[1] < $pfn ? $_->[1] : $pfn) - $_->[0] }
    return $sum;
}

# The ranges of the report that are not identity, joined
sub reported {
    my (@ranges) = @_;
    my @found;
    for my $range (grep { $_->[2] ne 'identity' } @ranges) {
        if (@found && $found[-1][1] == $range->[0]) { $found[-1][1] = $range->[1] }
        else                                        { push @found, [@$range[0, 1]] }
    }
    return @found;
}

sub agrees {
    my ($ram, $nr) = @_;
    return sub {
        my ($r, $reports, $log) = @_;
        my $end = $r->{ranges}[-1][1];
        is $r->{nr_pages}, $nr, "nr_pages is $nr" if defined $nr;
        is_deeply [reported(@{$r->{ranges}})], [map { [$_->[0], $_->[1] < $end ? $_->[1] : $end] } grep { $_->[0] < $end } @$ram],
            'the PFNs that are not identity are the pages of RAM in the map';
        is $r->{beyond}, 'identity', 'PFNs beyond the ranges are identity';
        is $r->{renumbered}, $r->{nr_pages} - ram_below($ram, $r->{nr_pages}),
            'number of renumbered frames is the number of PFNs below nr_pages that are not RAM';
        };
}
