#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# Xen started by UEFI, whose memory map is in pieces: ACPI NVS at 8 MiB, between the kernel and the
# rest of its memory, and more of it, with reserved ranges, near the end of the low RAM. Without
# this the kernel would only have met the one low hole of a BIOS, and holes of whole gigabytes.

use strict;
use warnings;
use Test::More;

use FindBin;
use lib $FindBin::Bin, "$FindBin::Bin/../scripts";
use Host;
use Run;

plan skip_all => 'XENOLITH_XEN is a file, and one of its kind starts under a BIOS or under UEFI'
    if -e xen;

# The map that Xen was given: [first byte, last byte, type], in order.
sub xen_map {
    my ($log) = @_;
    no warnings 'portable'; # of 64 bits
    return map { [hex $_->[0], hex $_->[1], $_->[2]] }
        map { /^\(XEN\)  \[([0-9a-f]{16}), ([0-9a-f]{16})\] \((.*)\)$/ ? [$1, $2, $3] : () }
        split /\n/, $log;
}

# Pages below $nr_pages that are not RAM from end to end.
sub pages_in_holes {
    my ($nr_pages, @map) = @_;
    my $ram = 0;
    for (grep { $_->[2] eq 'usable' } @map) {
        my ($start, $end) = (ceil_div($_->[0], 4096), int(($_->[1] + 1) / 4096));
        $end = $nr_pages if $end > $nr_pages;
        $ram += $end - $start if $start < $end;
    }
    return $nr_pages - $ram;
}

my $nr_bios_ranges = 0;

boots 'a BIOS, to compare with', ['--host-mem', '1G', '--mem', '512M'], sub {
    my ($r, undef, $log) = @_;
    $nr_bios_ranges = @{$r->{ranges}};
    unlike $log, qr/^\(XEN\) EFI/m, 'is no UEFI';
};

sub under_uefi {
    my ($r, $log, $size) = @_;
    like $log, qr/^\(XEN\) EFI RAM map:$/m, 'Xen was started by UEFI';
    unlike $log, qr/BdsDxe|EFI loader|\e/, 'whose words are not on the console';
    is $r->{nr_pages}, pages($size), "a dom0 of $size";

    my @map = xen_map($log);
    my ($end) = sort { $b <=> $a } map { $_->[1] } grep { $_->[2] eq 'usable' && $_->[1] < 1 << 32 } @map;
    my @nvs = grep { $_->[2] eq 'ACPI NVS' && $_->[1] < $end } @map;
    cmp_ok scalar(@nvs), '>', 0, 'there is ACPI NVS below the last RAM under 4 GiB';
    cmp_ok scalar(grep { $_->[0] < 64 << 20 } @nvs), '>', 0, 'and some below 64 MiB';
    for my $nvs (@nvs) {
        my ($start, $stop) = (int($nvs->[0] / 4096), ceil_div($nvs->[1], 4096));
        my ($range) = grep { $_->[0] <= $start && $stop <= $_->[1] } @{$r->{ranges}};
        is $range && $range->[2], 'identity', sprintf 'PFNs [0x%x, 0x%x) of it are identity', $start, $stop;
    }
    cmp_ok scalar(@{$r->{ranges}}), '>', $nr_bios_ranges, 'the kernel sees more ranges than with a BIOS';
    is $r->{renumbered}, pages_in_holes(pages($size), @map), 'all frames in holes are renumbered';
    return;
}

for my $case (['512M', '1G'], ['5G', '6G']) {
    my ($mem, $host) = @$case;
    boots "dom0 of $mem", ['--firmware', 'uefi', '--host-mem', $host, '--mem', $mem], sub {
        my ($r, undef, $log) = @_;
        under_uefi($r, $log, $mem);
    };
}

# Here the holes at 8 MiB are in the ramdisk, whose frames must be renumbered under its mapping.
my $bytes = (48 << 20) - 1;
my $dir   = tempdir;
my $disk  = write_file("$dir/disk", substr pack('Q*', map { $_ * 0x9e3779b1 } 1 .. 6 << 20), 0, $bytes);

boots 'a ramdisk over the holes, mapped with the legacy image', ['--firmware', 'uefi', '--host-mem', '1G',
    '--mem', '512M', '--initrd', $disk, '--kernel', kernel . '-legacy'], sub {
    my ($r, $reports, $log) = @_;
    under_uefi($r, $log, '512M');
    is $reports->{ramdisk}{bytes}, $bytes, 'it has all its bytes';
    is $reports->{ramdisk}{sum}, ramdisk_sum($disk), 'and the right ones';
    };

done_testing;
