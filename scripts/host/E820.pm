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

our @EXPORT = qw(read_map map_lines type_name RAM RESERVED UNUSABLE);

# Types of the ACPI specification, chapter "System Address Map Interfaces"; 12 and 0xefffffff are Linux's.
use constant {RAM => 1, RESERVED => 2, UNUSABLE => 5};
my %name_of = (
    1 => 'usable', 2 => 'reserved', 3 => 'ACPI data', 4 => 'ACPI NVS', 5 => 'unusable', 7 => 'persistent (type 7)',
    12 => 'persistent (type 12)', 0xefffffff => 'soft reserved',
);
my %type_of = (
    (map { lc $name_of{$_} => $_ } keys %name_of),
    'ram' => 1, 'system ram' => 1, 'device reserved' => 2, 'acpi tables' => 3, 'acpi non-volatile storage' => 4,
    'unusable memory' => 5, 'persistent memory' => 7, 'persistent ram (type 7)' => 7, 'persistent memory (legacy)' => 12,
    'persistent ram (type 12)' => 12,
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
    my ($number) = $text =~ /^(?:type )?(\d{1,10}|0x[0-9a-f]{1,8})$/i or return;
    $number = hex $number if $number =~ /^0x/i;
    return $number <= 0xffffffff ? $number + 0 : undef;
}

# The ranges as plain lines
sub map_lines {
    my (@map) = @_;
    my ($digits) = sort { $b <=> $a } 8, map { length sprintf '%x', $_->[1] } @map;
    return map { sprintf "0x%0${digits}x 0x%0${digits}x %s", @$_[0, 1], type_name($_->[2]) } @map;
}

# The formats. `whole` finds a line of a map: the kind of the map, START, END and TYPE. `begun` finds what
# may be the beginning of such a line. Linux and Xen always print 16 digits.
my $hex     = qr/[0-9a-f]{1,16}/i;
my $long    = qr/[0-9a-f]{16}/i;
my $linux   = qr/\b(?<kind>BIOS-e820|BIOS-e801|BIOS-88|Xen|user|modified|reserve setup_data): */;
my $prefix  = qr/^(?:.*[^\w\s])?\s*/; # a time stamp and the like, but no word
my $type    = qr/ +(?<type>\(.+\)|type \d+)$/;
my @formats = (
    {inclusive => 1, whole => qr/$linux\[mem 0x(?<start>$long)-0x(?<end>$long)\] +(?<type>.+)/, begun => qr/$linux(?:\[mem|$hex )/},
    {whole => qr/$linux(?<start>$long) - (?<end>$long)$type/},
    {kind => "Xen's", inclusive => 1, whole => qr/\[(?<start>$long), (?<end>$long)\]$type/, begun => qr/\[[0-9a-f]{8,16}, *$hex/i},
    {kind => "Xen's", whole => qr/$prefix(?<start>$long) - (?<end>$long)$type/, begun => qr/$prefix[0-9a-f]{8,16} - $hex/i},
    {kind => '[mem', inclusive => 1, whole => qr/$prefix\[mem 0x(?<start>$hex)-0x(?<end>$hex)\] +(?<type>.+)/,
        begun => qr/(?:^|[\])>|])\s*\[mem 0x/},
    {kind => '/proc/iomem', inclusive => 1, whole => qr/$prefix(?<start>[0-9a-f]{8,16})-(?<end>[0-9a-f]{8,16}) : (?<type>.+)/i},
    {kind => 'plain', whole => qr/${prefix}0x(?<start>$hex)\s+0x(?<end>$hex)\s+(?<type>\S.*)/i, begun => qr/^\W*(?:0x$hex|$hex\s+0x$hex)/i},
);
my $sysfs = qr{(?:^|[/\s>])(?<number>\d+)/(?<name>start|end|type):\s*(?<value>.+)};
my $near  = 3; # a mail program wraps a line into so many parts at most

# read_map(FILE): the ranges in the file, in their order. If the file has several maps, the first one is
# read, and the program says so. A damaged map ends the program with the number of the line.
sub read_map {
    my ($path) = @_;
    my @lines = map { {%$_, read_line($_->{text})} } text_lines($path);
    my @runs  = runs(@lines);
    if (!@runs) {
        my ($begun) = grep { $_->{kind} } @lines;
        damaged($path, $begun) if $begun;
        bad("--e820 $path: expected a memory map (docs/hosts.md lists the formats), found no line of one");
    }
    # One line alone, as of a PCI device, is no map if there is a longer one.
    my ($run)   = ((grep { @$_ > 1 } @runs), @runs);
    my ($other) = grep { $_ != $run && @$_ > 1 } @runs;
    check_neighbours($path, $run, \@lines, @runs);
    say("$path has a map of kind $run->[0]{kind} from line $run->[0]{nr} on, and one of kind $other->[0]{kind} from line " .
        "$other->[0]{nr} on; the first one is used") if $other;
    return sysfs_map($path, @$run) if $run->[0]{kind} eq 'sysfs';
    my @map = map { $_->{range} } $run->[0]{kind} eq '/proc/iomem' ? outermost($path, @$run) : @$run;
    say("$path: the map begins at " . sprintf('0x%x', $map[0][0]) . '; are the first lines missing?') if $map[0][0] >= 1 << 20;
    return @map;
}

# The lines that are not empty, {nr, at, text}, without what mail programs, terminals and web pages add. `at`
# counts the lines that are not empty.
sub text_lines {
    my ($path) = @_;
    open my $file, '<:raw', $path or bad("--e820 $path: $!");
    my ($nr, $at, $rest, @lines) = (0, 0, '');
    while (my $line = <$file>) {
        $nr++;
        $line =~ s/\xef\xbb\xbf|\0|\e\[[0-9;]*m|<br>//g; # UTF-8's mark, padding, colours
        $line =~ s/\xc2\xa0|\t/ /g;                      # a blank that does not wrap
        $line = $rest . $line;
        $rest = '';
        if ($line =~ s/=\r?\n\z//) {                     # quoted-printable: the line goes on
            $rest = $line;
            next;
        }
        for my $text (split /\r/, $line) {
            $text =~ s/\s+\z//;
            push @lines, {nr => $nr, at => $at++, text => $text =~ s/[^ -~]/?/gr} if $text =~ /^\s*[^\s#]/;
        }
    }
    return @lines;
}

# kind and range of a line of a map; kind alone if the line may be the beginning of one
sub read_line {
    my ($text) = @_;
    for my $format (grep { $text =~ $_->{whole} } @formats) {
        $text =~ $format->{whole};
        my ($kind, @range) = ($format->{kind} // $+{kind}, hex $+{start}, hex($+{end}) + ($format->{inclusive} // 0), type_in($+{type}));
        next if !defined $range[2];
        return (kind => $kind) if $text =~ /$long.*$long.*$long/; # two lines that were joined
        return (kind => $kind, range => \@range);
    }
    return (kind => 'sysfs', range => [%+]) if $text =~ $sysfs;
    return (kind => 'gap') if $text =~ /$linux\[gap 0x$long-0x$long\]/; # Linux since 7.0
    for my $format (grep { $_->{begun} && $text =~ $_->{begun} } @formats) {
        $text =~ $format->{begun};
        return (kind => $format->{kind} // $+{kind});
    }
    return (kind => '/proc/iomem', is_other => 1) if $text =~ /^\W*[0-9a-f]{8,16}-[0-9a-f]{8,16} : \S/;
    return;
}

# The maps of the file, as far as they are undamaged: lines of one kind, one near the other, up to one that
# does not start above the first. Only /proc/iomem and /sys have lines about other things between them.
sub runs {
    my (@runs, $last);
    for my $line (grep { $_->{range} } @_) {
        next if $last && $last->{text} eq $line->{text}; # a line that was copied twice
        my $run   = $runs[-1];
        my $loose = $line->{kind} =~ m{^(?:sysfs|/proc/iomem)$};
        my $fits  = $run && $run->[0]{kind} eq $line->{kind} && ($loose || $line->{at} - $last->{at} <= $near)
            && ($line->{kind} eq 'sysfs' || $line->{range}[0] > $run->[0]{range}[0]);
        if ($fits) { push @$run, $line }
        else       { push @runs, [$line] }
        $last = $line;
    }
    return @runs;
}

# A damaged line is one between the lines of the map, or the beginning of a line near its ends. Then the map
# may also go on near its ends as a map of another kind, or further on as one of the same kind.
sub check_neighbours {
    my ($path, $run, $lines, @runs) = @_;
    my ($first, $last, $kind) = (@$run[0, -1], $run->[0]{kind});
    return if $kind eq 'sysfs';
    my $loose = $kind eq '/proc/iomem';
    my %is_of_run = map { $_->{text} => 1 } @$run; # copies of its lines included
    for my $line (grep { !$is_of_run{$_->{text}} && ($_->{kind} // '') ne 'gap' } @$lines) {
        my $is_inside = $line->{at} > $first->{at} && $line->{at} < $last->{at};
        my $is_near   = $line->{at} >= $first->{at} - $near && $line->{at} <= $last->{at} + $near;
        my $is_begun  = ($line->{kind} // '') eq $kind && !$line->{range} && !$line->{is_other};
        damaged($path, $line) if $is_inside && !$loose || $is_near && $is_begun
            || $loose && !$line->{kind} && $line->{text} =~ /[0-9a-f]{8,16}-[0-9a-f]{8,16}/;
    }
    for my $other (grep { $_ != $run && $_->[0]{kind} ne 'sysfs' } @runs) {
        my ($from, $to) = @$other[0, -1];
        my $follows = $from->{range}[0] >= $last->{range}[1] && ($from->{kind} eq $kind || $from->{at} - $last->{at} <= $near)
            && $from->{at} > $last->{at};
        my $leads = $to->{range}[1] <= $first->{range}[0] && $to->{at} < $first->{at}
            && ($to->{kind} eq $kind || $first->{at} - $to->{at} <= $near);
        damaged($path, $follows ? $from : $to) if $follows || $leads;
    }
    for my $line (grep { $_->{range}[0] > $_->{range}[1] } @$run) {
        bad("--e820 $path: line $line->{nr}: expected a start that is not above the end, found: $line->{text}");
    }
    for my $line (grep { $_->{range}[1] > ~0 - 4096 } @$run) {
        bad("--e820 $path: line $line->{nr}: expected an end below 2^64 - 4096, found: $line->{text}");
    }
    return;
}

sub damaged {
    my ($path, $line) = @_;
    bad("--e820 $path: line $line->{nr}: expected a range with start, end and type beside the other ranges of the map, found a " .
        "line that is damaged or wrapped, or not of the map: $line->{text}");
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
    my %map;
    for my $line (@lines) {
        my %part   = @{$line->{range}};
        my $number = $part{value} =~ /^(0x[0-9a-f]{1,15})$/i ? hex $1 : undef;
        my $value  = $part{name} eq 'type' ? type_in($part{value}) : $number;
        damaged($path, $line) if !defined $value || defined $map{$part{number}}{$part{name}};
        $map{$part{number}}{$part{name}} = $value;
    }
    my @numbers = sort { $a <=> $b } keys %map;
    for my $number (0 .. $numbers[-1]) {
        my %range = %{$map{$number} // {}};
        my ($lack) = grep { !defined $range{$_} } qw(start end type);
        bad("--e820 $path: expected start, end and type of each range of /sys/firmware/memmap, found no $number/$lack") if $lack;
        bad("--e820 $path: $number/end: expected an end that is not below the start, found less") if $range{end} < $range{start};
    }
    return map { [$map{$_}{start}, $map{$_}{end} + 1, $map{$_}{type}] } @numbers;
}

1;
