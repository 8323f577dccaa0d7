# SPDX-License-Identifier: MIT
#
# Reads a physical memory map (E820) from text: a boot log of Linux or Xen, /proc/iomem,
# /sys/firmware/memmap, or plain lines. A range is [START, END, TYPE], with END exclusive and TYPE a
# number, as firmware has it.
#
#     BIOS-e820: [mem 0x0000000000000000-0x000000000009fbff] usable    Linux since 3.5, END inclusive
#     BIOS-e820: 0000000000000000 - 000000000009fc00 (usable)          Linux before 3.5, END exclusive
#     (XEN)  [0000000000000000, 000000000009fbff] (usable)             Xen since 4.14, END inclusive
#     (XEN)  0000000000000000 - 000000000009fc00 (usable)              Xen before 4.14, END exclusive
#     00000000-0009fbff : System RAM                                   /proc/iomem, END inclusive
#     /sys/firmware/memmap/0/start:0x0                                 three lines a range, END inclusive
#     0x0 0x9fc00 usable                                               plain, END exclusive

package E820;

use strict;
use warnings;
no warnings 'portable'; # hex() of 64-bit numbers
use Exporter 'import';

use Machine;

our @EXPORT = qw(read_map map_lines type_name RAM UNUSABLE);

# Types of the ACPI specification, chapter "System Address Map Interfaces"; 12 and 0xefffffff are Linux's.
use constant {RAM => 1, UNUSABLE => 5};
my %name_of = (
    1 => 'usable', 2 => 'reserved', 3 => 'ACPI data', 4 => 'ACPI NVS', 5 => 'unusable', 7 => 'persistent (type 7)',
    12 => 'persistent (type 12)', 0xefffffff => 'soft reserved',
);
my %type_of = (
    (map { lc $name_of{$_} => $_ } keys %name_of),
    'ram' => 1, 'system ram' => 1, 'acpi tables' => 3, 'acpi non-volatile storage' => 4, 'unusable memory' => 5,
    'persistent memory' => 7, 'persistent memory (legacy)' => 12,
);

sub type_name {
    my ($type) = @_;
    return $name_of{$type} // "type $type";
}

# The type that a text names, or undef
sub type_in {
    my ($text) = @_;
    $text =~ s/^\s+//;
    $text =~ s/^\((.*)\)$/$1/;
    return $type_of{lc $text} if defined $type_of{lc $text};
    return $text =~ /^(?:type )?0x([0-9a-f]{1,8})$/i ? hex $1 : $text =~ /^(?:type )?(\d{1,9})$/i ? $1 + 0 : undef;
}

# The ranges as plain lines
sub map_lines {
    my (@map) = @_;
    my ($digits) = sort { $b <=> $a } 8, map { length sprintf '%x', $_->[1] } @map;
    return map { sprintf "0x%0${digits}x 0x%0${digits}x %s", @$_[0, 1], type_name($_->[2]) } @map;
}

# The formats. `whole` finds a line of a map: the kind of the map, START, END and TYPE. `begun` finds what
# may be the beginning of such a line.
my $hex     = qr/[0-9a-f]{1,16}/i;
my $long    = qr/[0-9a-f]{8,16}/i;
my $linux   = qr/\b(?<kind>BIOS-e820|BIOS-e801|BIOS-88|Xen|user|modified|reserve setup_data): */;
my $prefix  = qr/^(?:.*[^\w\s])?\s*/; # a time stamp and the like, but no word
my $mem     = qr/\[mem 0x(?<start>$hex)-0x(?<end>$hex)\]/;
my @formats = (
    {inclusive => 1, whole => qr/$linux$mem(?<type>.+)/, begun => qr/$linux(?:\[mem|$long -)/},
    {whole => qr/$linux(?<start>$long) - (?<end>$long)(?<type>.+)/},
    {kind => 'Xen', inclusive => 1, whole => qr/\[(?<start>$long), (?<end>$long)\](?<type>.+)/, begun => qr/\[$long, *$hex/},
    {kind => 'Xen', whole => qr/$prefix(?<start>$long) - (?<end>$long)(?<type> \(.+)/, begun => qr/$prefix$long - $hex/},
    {kind => 'Linux', inclusive => 1, whole => qr/$prefix$mem(?<type>.+)/, begun => qr/(?:^|[\])>|])\s*\[mem 0x/},
    {kind => '/proc/iomem', inclusive => 1, whole => qr/^\s*(?<start>$long)-(?<end>$long) : (?<type>.+)/},
    {kind => 'plain', whole => qr/^\s*0x(?<start>$hex)\s+0x(?<end>$hex)\s+(?<type>\S.*)/i, begun => qr/^\s*0x$hex/i},
);
my $sysfs  = qr{(?:^|/)(?<number>\d+)/(?<name>start|end|type):(?<value>.+)};
my $parts  = 3; # a mail program wraps a line into so many parts at most

# read_map(FILE): the ranges in the file, in their order. If the file has several maps, the first one is
# read, and the program says so. A damaged map ends the program with the number of the line.
sub read_map {
    my ($path) = @_;
    open my $file, '<:raw', $path or bad("--e820 $path: $!");
    my @lines;
    while (my $text = <$file>) {
        $text =~ s/\s+\z//;
        push @lines, {nr => $., text => $text =~ s/[^ -~]/?/gr, read_line($text)} if $text =~ /^\s*[^\s#]/;
    }
    my ($first) = ((grep { $_->{range} } @lines), grep { $_->{kind} } @lines);
    $first // bad("--e820 $path: expected a memory map (docs/hosts.md lists the formats), found no line of one");
    return sysfs_map($path, @lines) if $first->{kind} eq 'sysfs';
    my @map = first_map($path, $first, @lines);
    return map { $_->{range} } $first->{kind} eq '/proc/iomem' ? outermost($path, @map) : @map;
}

# kind and range of a line of a map; kind alone if the line may be the beginning of one
sub read_line {
    my ($text) = @_;
    for my $format (grep { $text =~ $_->{whole} } @formats) {
        $text =~ $format->{whole};
        my ($kind, @range) = ($format->{kind} // $+{kind}, hex $+{start}, hex($+{end}) + ($format->{inclusive} // 0), type_in($+{type}));
        return (kind => $kind, range => \@range) if defined $range[2];
    }
    return (kind => 'sysfs', range => [%+]) if $text =~ $sysfs;
    for my $format (grep { $_->{begun} && $text =~ $_->{begun} } @formats) {
        $text =~ $format->{begun};
        return (kind => $format->{kind} // $+{kind});
    }
    return;
}

# The lines of the first map: of one kind, one after the other, up to the line where the first one comes
# again. Only /proc/iomem has lines about other things between them.
sub first_map {
    my ($path, $first, @lines) = @_;
    my ($kind, $is_mixed) = ($first->{kind}, $first->{kind} eq '/proc/iomem');
    my (@map, @others);
    for my $line (grep { $_->{range} } @lines) {
        my $is_next = !@map || $line->{kind} eq $kind && "@{$line->{range}}" ne "@{$first->{range}}"
            && ($is_mixed || $line->{nr} - $map[-1]{nr} <= $parts) && !grep { $_->{kind} eq $kind } @others;
        push @{$is_next ? \@map : \@others}, $line;
    }
    my ($from, $to) = @map ? ($map[0]{nr}, $map[-1]{nr}) : ($first->{nr}) x 2;
    my %is_of_map = map { $_->{nr} => 1 } @map;
    for my $line (grep { !$is_of_map{$_->{nr}} && !$is_mixed } @lines) {
        my $is_inside = $line->{nr} > $from && $line->{nr} < $to;
        my $is_beside = $line->{nr} > $from - $parts && $line->{nr} <= $to + 1 && !$line->{range} && ($line->{kind} // '') eq $kind;
        damaged($path, $line) if $is_inside || $is_beside;
    }
    say("$path has a map of kind $kind from line $first->{nr} on, and one of kind $others[0]{kind} from line " .
        "$others[0]{nr} on; the first one is used") if @others;
    for my $line (grep { $_->{range}[0] > $_->{range}[1] } @map) {
        bad("--e820 $path: line $line->{nr}: expected a start that is not above the end, found: $line->{text}");
    }
    return @map;
}

sub damaged {
    my ($path, $line) = @_;
    bad("--e820 $path: line $line->{nr}: expected a range with start, end and type, found a line that is damaged or wrapped: " .
        $line->{text});
    return;
}

# /proc/iomem has ranges within ranges: "Reserved" within "System RAM" is memory that the kernel keeps.
sub outermost {
    my ($path, @map) = @_;
    bad("--e820 $path: expected addresses, found only zeros; /proc/iomem shows addresses to root alone")
        if !grep { $_->{range}[1] > 1 } @map;
    my ($end, @outer) = (0);
    for my $line (@map) {
        next if $line->{range}[1] <= $end;
        push @outer, $line;
        $end = $line->{range}[1];
    }
    return @outer;
}

# A range of /sys/firmware/memmap has three files, start, end and type, in a directory with its number.
sub sysfs_map {
    my ($path, @lines) = @_;
    my (%map, %line);
    for my $line (grep { ($_->{kind} // '') eq 'sysfs' } @lines) {
        my %part = @{$line->{range}};
        $map{$part{number}}{$part{name}} = $part{name} eq 'type' ? type_in($part{value}) : hex $part{value};
        $line{$part{number}} = $line;
    }
    for my $number (keys %map) {
        damaged($path, $line{$number}) if grep { !defined $map{$number}{$_} } qw(start end type);
    }
    return map { [$map{$_}{start}, $map{$_}{end} + 1, $map{$_}{type}] } sort { $a <=> $b } keys %map;
}

1;
