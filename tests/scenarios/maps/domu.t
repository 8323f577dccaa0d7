#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# domUs with e820_host=1 on hosts with the memory maps of other machines: each gets the holes of its host. The
# expected ranges are computed from the map of the host, as libxl (e820_sanitize) makes a domU's map from it:
#
#     0          the first range that is not RAM                            4 GiB
#     |    RAM   |  reserved, or RAM that the domU may not use (missing)    |  the rest of its RAM  |
#
# Without this test, holes in a domU would be tested on QEMU's own memory map only, in which they lie at one place.

use strict;
use warnings;
use Test::More;

use FindBin;
use lib "$FindBin::Bin/..", "$FindBin::Bin/../../scripts";
use Host;
use List::Util qw(max min);
use MapRam;
use Run;

use constant {KiB => 1 << 10, MiB => 1 << 20, GiB => 1 << 30};

# The hole of this map begins inside a page: the RAM of a domU has half a page on both sides of the hole.
my $dir       = tempdir;
my $half_page = write_file("$dir/half-page.map", <<'END');
0x0 0xa0000 usable
0xf0000 0x100000 reserved
0x100000 0x10000800 usable
0x10000800 0x10800000 ACPI NVS
0x10800000 0x70000000 usable
0x70000000 0x70100000 reserved
END

# Holes that begin at 155 MiB and 207.7 MiB, and one of 2 MiB at 512 MiB
on(script('../tests/maps/framework16-60g.map'), 155, 156, 1200);
on(script('../tests/maps/vmware-uefi-2g.map'),  207, 208, 400);
on(script('../tests/maps/dell-16g.map'),        511, 513, 3000);
on($half_page, 300);
done_testing;

# domUs of so many MiB on a host with this map
sub on {
    my ($map, @sizes) = @_;
    my ($lines) = map_lines($map);
    my ($name)  = $map =~ m{([^/]+)\.map$};
    domus ['--e820', $map, '--e820-fit'], map { (
        "of-$_" => {
            title   => "$name: domU of $_ MiB with e820_host=1",
            options => ['--mem', "${_}M", '--guest-config', 'e820_host=1'],
            check   => agrees([entries($lines)], $_ * MiB),
        }
    ) } @sizes;
    return;
}

sub agrees {
    my ($host, $size) = @_;
    my $hole  = min(map { $_->[0] } grep { $_->[0] > MiB && $_->[2] !~ /usable/ } @$host);
    my $below = min($size, int($hole / KiB) * KiB);
    my $high  = 4 * GiB / 4096;
    my @ram   = ([0, int($below / 4096)], [$high, $high + int(($size - $below) / 4096)]);
    pop @ram if $ram[1][0] == $ram[1][1];
    # libxl keeps the host's ranges that are not RAM, and makes its RAM below 4 GiB unusable.
    my @kept = grep { $_->[1] > $hole && ($_->[0] < 4 * GiB || $_->[2] !~ /usable/) } @$host;
    my @known = (ram_of([0, max($below, $hole), 'usable'], @kept), @ram[1 .. $#ram]);
    my $end  = max($ram[-1][1], map { ceil_div($_->[1], 4096) } @kept);
    my $nr   = min($size / 4096, ram_below(\@ram, $end));
    return sub {
        my ($r) = @_;
        is_deeply [reported(qr/^ram$/, @{$r->{ranges}})], \@ram, 'PFNs of RAM: up to the first hole of the host, and from 4 GiB on';
        is_deeply [reported(qr/^identity$/, @{$r->{ranges}})], [between($end, @known)],
            'PFNs of identity: what is not RAM in the map of the host, from the first hole on';
        is $r->{nr_pages}, $nr, 'nr_pages is the size of the domU, but for a page that the hole cuts';
        is $r->{renumbered}, $nr - ram_below(\@ram, $nr),
            'number of renumbered frames is the number of PFNs below nr_pages that are not RAM';
        };
}

# What lies between ranges of RAM, below a PFN
sub between {
    my ($end, @ram) = @_;
    my @found;
    my $at = 0;
    for my $range (@ram, [$end, $end]) {
        my $to = min($range->[0], $end);
        push @found, [$at, $to] if $at < $to;
        $at = max($at, $range->[1]);
    }
    return @found;
}
