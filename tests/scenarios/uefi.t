#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# Xen started by UEFI, whose memory map is fragmented: ACPI NVS at 8 MiB, in the middle of dom0's
# memory, and more ACPI NVS and reserved ranges near the end of the low RAM. The PFN ranges and the
# number of renumbered frames are computed from the map that Xen prints. Without this test the
# kernel would only be tested with the single low hole of a BIOS and with holes of whole gigabytes.

use strict;
use warnings;
use Test::More;

use FindBin;
use lib $FindBin::Bin, "$FindBin::Bin/../scripts";
use Host;
use Run;

plan skip_all => 'XENOLITH_XEN is a file, which starts either under a BIOS or under UEFI; the test needs both'
    if -e xen;

# Returns the memory map that Xen prints, as a list of [first byte, last byte, type].
sub xen_map {
    my ($log) = @_;
    no warnings 'portable'; # numbers of 64 bits
    return map { [hex $_->[0], hex $_->[1], $_->[2]] }
        map { /^\(XEN\)  \[([0-9a-f]{16}), ([0-9a-f]{16})\] \((.*)\)$/ ? [$1, $2, $3] : () }
        split /\n/, $log;
}

# Returns the number of pages below $nr_pages that are not RAM as a whole.
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

boots 'dom0 of 512M under a BIOS, for comparison', ['--host-mem', '1G', '--mem', '512M'], sub {
    my ($r, undef, $log) = @_;
    $nr_bios_ranges = @{$r->{ranges}};
    unlike $log, qr/^\(XEN\) EFI/m, 'the console has no line of Xen about EFI';
};

sub under_uefi {
    my ($r, $log, $size) = @_;
    like $log, qr/^\(XEN\) EFI RAM map:$/m, 'Xen prints the map of EFI';
    unlike $log, qr/BdsDxe|EFI loader|\e/, 'the console has no output of the firmware';
    is $r->{nr_pages}, pages($size), "nr_pages is $size";

    my @map = xen_map($log);
    my ($end) = sort { $b <=> $a } map { $_->[1] } grep { $_->[2] eq 'usable' && $_->[1] < 1 << 32 } @map;
    my @nvs = grep { $_->[2] eq 'ACPI NVS' && $_->[1] < $end } @map;
    cmp_ok scalar(@nvs), '>', 0, 'the map has ACPI NVS below the last RAM under 4 GiB';
    cmp_ok scalar(grep { $_->[0] < 64 << 20 } @nvs), '>', 0, 'the map has ACPI NVS below 64 MiB';
    for my $nvs (@nvs) {
        my ($start, $stop) = (int($nvs->[0] / 4096), ceil_div($nvs->[1], 4096));
        my ($range) = grep { $_->[0] <= $start && $stop <= $_->[1] } @{$r->{ranges}};
        is $range && $range->[2], 'identity', 
            sprintf 'PFNs [0x%x, 0x%x) of ACPI NVS are in an identity range', $start, $stop;
    }
    cmp_ok scalar(@{$r->{ranges}}), '>', $nr_bios_ranges, 'there are more PFN ranges than under a BIOS';
    is $r->{renumbered}, pages_in_holes(pages($size), @map),
        'number of renumbered frames is the number of frames in holes';
    return;
}

for my $case (['512M', '1G'], ['5G', '6G']) {
    my ($mem, $host) = @$case;
    boots "dom0 of $mem under UEFI", ['--firmware', 'uefi', '--host-mem', $host, '--mem', $mem], sub {
        my ($r, undef, $log) = @_;
        under_uefi($r, $log, $mem);
    };
}

# The holes at 8 MiB are inside the ramdisk, so the kernel must renumber frames that the builder has
# mapped.
my $bytes = (48 << 20) - 1;
my $dir   = tempdir;
my $disk  = write_file("$dir/disk", substr pack('Q*', map { $_ * 0x9e3779b1 } 1 .. 6 << 20), 0, $bytes);

boots 'legacy image under UEFI: holes inside the ramdisk', ['--firmware', 'uefi', '--host-mem', '1G',
    '--mem', '512M', '--initrd', $disk, '--kernel', kernel . '-legacy'], sub {
    my ($r, $reports, $log) = @_;
    under_uefi($r, $log, '512M');
    is $reports->{ramdisk}{bytes}, $bytes, 'size of the ramdisk is that of the file';
    is $reports->{ramdisk}{sum}, ramdisk_sum($disk), 'checksum of the ramdisk is that of the file';
    };

done_testing;
