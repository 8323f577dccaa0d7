# SPDX-License-Identifier: MIT
#
# Reads the core file that xl dump-core writes of a PV guest: an ELF file
# (docs/misc/dump-core-format.txt of Xen). Entry i of the first section describes page i of the
# second:
#
#     .xen_p2m     [PFN, GMFN] [PFN, GMFN] ...     two 64-bit words each
#     .xen_pages   page        page        ...     4 KiB each

package Dump;

use strict;
use warnings;
use Exporter 'import';

use Run;

our @EXPORT = qw(read_dump page_sum);

# Returns {frames => {PFN => GMFN}, page => {PFN => offset in data}, data => reference to the file's
# bytes, twice => number of entries whose PFN an earlier entry has}, or {error => TEXT}.
sub read_dump {
    my ($path) = @_;
    return {error => "$path: no such file"} if !-e $path;
    my $data = read_file($path);
    return {error => "$path: not an ELF file of 64 bits"} if substr($data, 0, 5) ne "\x7fELF\x02";
    my $sections = sections(\$data);
    my ($p2m, $pages) = @$sections{qw(.xen_p2m .xen_pages)};
    return {error => "$path: section .xen_p2m or .xen_pages is missing"} if !$p2m || !$pages;

    my %dump  = (data => \$data, frames => {}, page => {}, twice => 0);
    my @words = unpack 'Q<*', substr $data, $p2m->{offset}, $p2m->{size};
    my $nr    = @words / 2;
    my $expected = 4096 * $nr;
    return {error => "$path: .xen_pages has $pages->{size} bytes, expected $expected: $nr pages"}
        if $expected != $pages->{size};
    for my $i (0 .. $nr - 1) {
        my ($pfn, $gmfn) = @words[2 * $i, 2 * $i + 1];
        next if $pfn == ~0; # an unused entry: the guest had fewer pages than xl expected
        $dump{twice}++ if exists $dump{frames}{$pfn};
        $dump{frames}{$pfn} = $gmfn;
        $dump{page}{$pfn}   = $pages->{offset} + 4096 * $i;
    }
    return \%dump;
}

# Returns the section headers by name: {offset, size} in bytes.
sub sections {
    my ($data) = @_;
    my $table = unpack 'Q<', substr $$data, 40, 8;
    my ($size, $nr, $names) = unpack 'S<3', substr $$data, 58, 6;
    my @headers = map {
        my ($name, undef, undef, undef, $offset, $bytes) =
            unpack 'L<2 Q<4', substr $$data, $table + $_ * $size, $size;
        {name => $name, offset => $offset, size => $bytes}
    } 0 .. $nr - 1;
    my $strings = $headers[$names]{offset};
    return {map { unpack('Z*', substr $$data, $strings + $_->{name}, 64) => $_ } @headers};
}

# Returns the sum of a page's 64-bit words, modulo 2^64, in the form that the guest prints.
sub page_sum {
    my ($dump, $pfn) = @_;
    my $at = $dump->{page}{$pfn} // return 'not in the dump';
    return sprintf '0x%016x', unpack '%64Q<*', substr ${$dump->{data}}, $at, 4096;
}

1;
