# SPDX-License-Identifier: MIT
#
# Random memory maps, as unusual firmware might have them. Xen starts on each of them: the places where
# QEMU loads Xen and its modules, and Xen's heap, are free of holes.
#
#     0       640 KiB   1 MiB    2        24 MiB                 end - 80 MiB    end         4 GiB
#     |.holes.|---------|.holes..|  RAM   |........holes.........|      RAM      |  nothing  |.nodes.

package RandomMap;

use strict;
use warnings;
use Exporter 'import';

use E820;

our @EXPORT = qw(random_map);

use constant {PAGE => 4096, MiB => 1 << 20, GiB => 1 << 30};

my $max_holes = 36; # each makes two ranges, and a map has 128 at most

# The types of the holes; 0: the map says nothing about the hole.
my @types = (2, 3, 4, 5, 7, 12, 20, 0);

sub one_of { return $_[rand @_] }

sub between {
    my ($low, $high) = @_;
    return $low + int rand($high - $low + 1);
}

# Sizes of holes, in pages: one page, a leaf of the P2M list and its neighbours, and others
sub hole_pages { return one_of(1, 1, 2, 511, 512, 513, between(3, 64), between(65, 4000)) }

# One address in four is not that of a page.
sub off_page { return rand() < 0.25 ? between(1, PAGE - 1) : 0 }

# RAM from $start to $end, with holes.
sub with_holes {
    my ($start, $end, $nr) = @_;
    my @map;
    for my $at (sort { $a <=> $b } map { between($start / PAGE, $end / PAGE) * PAGE } 1 .. $nr) {
        my $from = $at + off_page();
        my $to   = $at + hole_pages() * PAGE + off_page();
        next if $from < $start || $to > $end;
        push @map, [$start, $from, RAM] if $from > $start;
        my $type = one_of(@types);
        push @map, [$from, $to, $type] if $type;
        $start = $to;
    }
    return (@map, [$start, $end, RAM]);
}

# random_map(SEED): the same map for the same seed, because Perl has its own generator since 5.20.
sub random_map {
    my ($seed) = @_;
    srand $seed;
    my $base = between(0x80, 0xa0) * PAGE - one_of(0, 0, 0x400);
    my @map  = rand() < 0.5 ? with_holes(0, $base, between(0, 3)) : [0, $base, RAM];
    push @map, [$base, 0xa0000, one_of(2, 4)] if $base < 0xa0000 && rand() < 0.7;
    push @map, [0xf0000, MiB, 2] if rand() < 0.7;

    my $end = between(300, 1500) * MiB + between(0, 255) * PAGE + off_page();
    push @map, with_holes(MiB, 2 * MiB, between(0, 2)), [2 * MiB, 24 * MiB, RAM];
    push @map, with_holes(24 * MiB, int($end / MiB - 80) * MiB, between(1, $max_holes));
    push @map, [int($end / MiB - 80) * MiB, $end, RAM];
    push @map, [$end, $end + hole_pages() * PAGE, one_of(3, 4)] if rand() < 0.5;
    push @map, [0xfec00000, 4 * GiB, 2] if rand() < 0.7;

    my $at = 4 * GiB;
    for (1 .. between(0, 6)) { # nodes
        push @map, with_holes($at, $at + between(64, 1024) * MiB, between(0, 3));
        $at += between(1, rand() < 0.3 ? 300 : 8) * GiB + between(0, 1) * 2 * MiB;
    }
    return joined(@map);
}

# Neighbouring ranges of one type are one range.
sub joined {
    my @map;
    for my $range (grep { $_->[0] < $_->[1] } @_) {
        if (@map && $map[-1][1] == $range->[0] && $map[-1][2] == $range->[2]) { $map[-1][1] = $range->[1] }
        else                                                                  { push @map, [@$range] }
    }
    return @map;
}

1;
