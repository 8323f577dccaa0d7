# SPDX-License-Identifier: MIT
#
# What the kernel must report on a host with a given memory map, computed from the lines of the map that
# scripts/boot --print writes.

package MapRam;

use strict;
use warnings;
no warnings 'portable'; # hex() of 64-bit numbers
use Exporter 'import';
use Test::More;

use File::Basename 'dirname';
use lib dirname(__FILE__) . '/../scripts';
use Host;
use Run;

our @EXPORT = qw(map_lines entries ram_of ram_below reported);

# map_lines(MAP): the lines of a map as Xen gets it, and what scripts/boot says about it.
sub map_lines {
    my ($map) = @_;
    my ($code, $printed, $said) = run(script('boot'), '--e820', $map, '--e820-fit', '--print');
    is $code, 0, "scripts/boot --e820 $map --print exits with 0" or BAIL_OUT($said);
    return ($printed, $said);
}

# The entries of a map, from its lines: [START, END, TYPE]
sub entries {
    my ($lines) = @_;
    return map { /^0x(\S+) 0x(\S+) (.*)/ ? [hex $1, hex $2, $3] : () } split /\n/, $lines;
}

# RAM in whole pages, as [START, END] of PFNs: ranges of RAM without what other ranges claim. Unusable memory
# is RAM for a dom0, because Xen does not let dom0 map it as a device.
sub ram_of {
    my (@entries) = @_;
    my %edge;
    for my $entry (@entries) {
        my ($start, $end, $type) = @$entry;
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

# The ranges of a boot report of the kinds that match, joined: [START, END] of PFNs
sub reported {
    my ($kinds, @ranges) = @_;
    my @found;
    for my $range (grep { $_->[2] =~ $kinds } @ranges) {
        if (@found && $found[-1][1] == $range->[0]) { $found[-1][1] = $range->[1] }
        else                                        { push @found, [@$range[0, 1]] }
    }
    return @found;
}

1;
