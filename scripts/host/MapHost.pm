# SPDX-License-Identifier: MIT
#
# A host in QEMU with the memory map of another machine. QEMU has RAM wherever the map has RAM; an option
# ROM (e820.S) gives the map to Xen.
#
#     0        low RAM of -m        4 GiB  a memory device          a memory device for RAM far away
#     |------------------------|......|------------------|..........|---------|
#
# An SRAT has a node for each piece of RAM: Xen (pfn_pdx_hole_setup) leaves out the address bits that are
# the same in all pieces, and so has no page structures for the gaps.

package MapHost;

use strict;
use warnings;
use Exporter 'import';
use List::Util qw(max min sum0);

use E820;
use Machine;
use Options;
use Qemu 'qemu_quoted';
use RandomMap;

our @EXPORT = qw(choose_map);

use constant {KiB => 1 << 10, MiB => 1 << 20, GiB => 1 << 30, TiB => 1 << 40};

# Limits, each with its reason
my $low_end     = 3840 * MiB;           # QEMU's devices begin here
my $low_max     = $low_end - 2 * MiB;   # SeaBIOS keeps ACPI tables above; QEMU splits RAM that reaches $low_end
my $low_min     = 64 * MiB;             # Xen, its modules and a small dom0
my $top         = 1 << 47;              # Xen's M2P ends here
my $max_pdx     = 1 << 32;              # entries of Xen's frame table without CONFIG_BIGMEM
my $max_entries = 128;                  # E820MAX of Xen's boot code
my $ht_start    = 1012 * GiB;           # AMD's range for HyperTransport
my $max_gap     = 64 * GiB;             # between RAM and RAM of one memory device
my $max_gaps    = 2 * TiB;              # Xen looks at each page of a gap: about five seconds for 1 TiB
my $part        = 70;                   # Xen and dom0 touch 50 bytes for each page of 4 KiB, 1.2 %; and a reserve

# choose_map(OPTION): the host of --e820, if there is one. Ends the program if the host cannot be had.
sub choose_map {
    my ($option) = @_;
    my $name = $option->{e820};
    if (!defined $name) {
        my ($wrong) = grep { $option->{tr/-/_/r} } qw(e820-fit print);
        bad("--$wrong applies to the map of --e820, and there is no --e820") if $wrong;
        return;
    }
    for my $other (grep { $option->{given}{$_} } qw(host_mem machine)) {
        bad('--' . ($other =~ tr/_/-/r) . ': the map of --e820 decides this');
    }
    bad('--e820: expected --firmware bios, found uefi, which asks no option ROM for a map')
        if ($option->{firmware} // 'bios') eq 'uefi';
    my @map = $name =~ /^random(?::(\d{1,9}))?$/ ? random($1) : read_map($name);
    while (my @misfits = misfits(@map)) {
        refuse($name, @misfits) if !$option->{e820_fit};
        for my $misfit (@misfits) {
            say('--e820-fit: ' . told($misfit) . ' ' . fate($misfit) . ": $misfit->{why}");
            @map = without($misfit, @map);
        }
    }
    if ($option->{print}) {
        show(map { "$_\n" } map_lines(@map));
        exit 0;
    }
    make_host($option, @map);
    return;
}

sub random {
    my ($seed) = @_;
    $seed //= int rand 1e9;
    my @map = random_map($seed);
    say("--e820 random:$seed is a map of " . @map . ' ranges');
    return @map;
}

sub told {
    my ($misfit) = @_;
    return sprintf '%s [0x%x, 0x%x)', @$misfit{qw(what start end)};
}

# What becomes of it with --e820-fit. A range that is unusable is nothing to which dom0 has access: below
# 4 GiB, QEMU's devices and SeaBIOS's tables would be lost with it.
sub fate {
    my ($misfit) = @_;
    return $misfit->{is_entry} ? 'is left out' : 'becomes ' . type_name(type_of($misfit));
}

sub type_of {
    my ($misfit) = @_;
    return $misfit->{start} < 4 * GiB ? RESERVED : UNUSABLE;
}

sub refuse {
    my ($name, $first, @more) = @_;
    my $more = @more ? ' (and ' . @more . ' more ranges)' : '';
    bad("--e820 $name: no host has " . told($first) . ": $first->{why}$more; with --e820-fit it " . fate($first));
    return;
}

sub ram {
    return sort { $a->[0] <=> $b->[0] } grep { $_->[2] == RAM && $_->[0] < $_->[1] } @_;
}

# RAM and unusable ranges below 4 GiB: a dom0 takes both for RAM, so SeaBIOS's ACPI tables must lie above.
sub low_ranges {
    return grep { $_->[0] < 4 * GiB && ($_->[2] == RAM || $_->[2] == UNUSABLE) } @_;
}

# What keeps QEMU or Xen from having this map: {start, end, what, why}
sub misfits {
    my (@map) = @_;
    my @ram = ram(@map);
    my $low = sum0(map { min($_->[1], 4 * GiB) - $_->[0] } grep { $_->[0] < 4 * GiB } @ram);
    $low >= $low_min or bad('--e820: expected 64 MiB of RAM below 4 GiB for Xen and dom0, found ' . int($low / MiB) . ' MiB');
    my @misfits = (
        overlaps(0xa0000, MiB, 'QEMU has video memory and ROMs there', @ram),
        overlaps($low_max, 4 * GiB, 'QEMU has at most 3838 MiB of RAM for a map below 4 GiB', low_ranges(@map)),
        overlaps($top, ~0, 'Xen has no frame numbers for RAM at 2^47 and above', @ram),
    );
    for my $more (sub { out_of_reach(@ram) }, sub { gaps(@map) }, sub { too_large(@ram) }, sub { too_many(@map) }) {
        @misfits = $more->() if !@misfits;
    }
    return @misfits;
}

sub overlaps {
    my ($start, $end, $why, @ram) = @_;
    return map { {start => max($start, $_->[0]), end => min($end, $_->[1]), what => $_->[2] == RAM ? 'RAM' : 'the range', why => $why} }
        grep { $_->[0] < $end && $_->[1] > $start } @ram;
}

# RAM for which Xen has no page structures. Xen leaves out the longest run of address bits that are 0 in all
# pieces of RAM (pfn_pdx_hole_setup of xen/common/pdx.c, srat_parse_regions of xen/arch/x86/srat.c).
sub out_of_reach {
    my @devices = devices(grep { $_->[0] >= 4 * GiB } @_) or return;
    my $mask    = filled(max($devices[0]{start}, 1 << 30) - 1);
    $mask |= $_->{start} | filled($_->{start} ^ $_->{end} - 1) for @devices;
    my ($from, $nr) = (0, 0);
    my $bits = reverse sprintf '%064b', $mask >> 12;
    while ($bits =~ /(?<=.{18})0+(?=.*1)/g) {
        ($from, $nr) = ($-[0], length $&) if length $& > $nr;
    }
    my $entries = sub {
        my ($pfn) = @_;
        return $pfn >> $from + $nr << $from | $pfn & (1 << $from) - 1;
    };
    return map { {
        start => $_->{start} + 4096 * max(0, $max_pdx - $entries->($_->{start} >> 12)),
        end   => $_->{end},
        what  => 'RAM',
        why   => 'Xen has page structures for 16 TiB, and finds no address bits that it can leave out',
    } } grep { $entries->($_->{end} - 1 >> 12) >= $max_pdx } @devices;
}

# A number whose bits are 1 from the highest 1 of $n on
sub filled {
    my ($n) = @_;
    return (1 << length sprintf '%b', $n) - 1;
}

# The long gaps, if Xen would look for minutes at the pages of all gaps. The last GiB of a gap stays one.
sub gaps {
    my (@map) = @_;
    my @known = sort { $a->[0] <=> $b->[0] } grep { $_->[2] == RAM || $_->[2] == UNUSABLE } @map;
    my $last  = max(map { $_->[1] } ram(@map));
    my ($at, $sum, @long) = (4 * GiB, 0);
    for my $range (grep { $_->[0] < $last } @known) {
        my $size = $range->[0] - $at;
        $sum += $size if $size > 0;
        push @long, {start => $at, end => $range->[0] - GiB, what => 'the gap', is_gap => 1,
            why => 'Xen looks at each page of a gap, and needs minutes for more than 2 TiB'} if $size > 4 * GiB;
        $at = max($at, $range->[1]);
    }
    return $sum > $max_gaps ? @long : ();
}

# RAM in the middle first, so that the map keeps its ends; then the largest range.
sub too_large {
    my (@ram) = @_;
    my $room = memory_of_this_machine() * 3 / 4 * $part - sum0(map { $_->[1] - $_->[0] } @ram);
    return if $room >= 0;
    my @high     = grep { $_->[0] >= 4 * GiB } @ram;
    my @middle   = @high > 2 ? @high[1 .. $#high - 1] : @high;
    my ($victim) = sort { $b->[1] - $b->[0] <=> $a->[1] - $a->[0] } @middle;
    my $size     = min($victim->[1] - $victim->[0], int(-$room / GiB + 1) * GiB);
    return {start => $victim->[1] - $size, end => $victim->[1], what => 'RAM', why => 'Xen and dom0 touch 1.2 % of its ' .
        'size, more than three quarters of the memory of this machine'};
}

sub memory_of_this_machine {
    my ($kib) = map { /^MemTotal: +(\d+)/ } lines_of('/proc/meminfo');
    return $kib * KiB;
}

# The last ranges that are no RAM
sub too_many {
    my (@map)   = @_;
    my @victims = reverse grep { $map[$_][2] != RAM } 0 .. $#map;
    push @victims, reverse grep { $map[$_][2] == RAM } 0 .. $#map;
    my $nr = @map - $max_entries;
    return map { {start => $map[$_][0], end => $map[$_][1], what => 'the range', is_entry => 1, entry => $map[$_],
        why => "Xen reads $max_entries ranges, and the map has " . @map} } @victims[0 .. $nr - 1];
}

# The map without what does not fit
sub without {
    my ($misfit, @map) = @_;
    return grep { $_ != $misfit->{entry} } @map if $misfit->{is_entry};
    my ($start, $end) = @$misfit{qw(start end)};
    my $hole = [$start, $end, type_of($misfit)];
    my @rest = map {
        my ($from, $to, $type) = @$_;
        my $is_cut = $from < $end && $to > $start && ($type == RAM || $type == UNUSABLE || $misfit->{is_gap});
        !$is_cut ? $_ : grep { $_->[0] < $_->[1] } [$from, min($to, $start), $type], [max($from, $end), $to, $type];
    } @map;
    my $place = grep { $_->[0] < $start } @rest;
    splice @rest, $place, 0, $hole;
    return @rest;
}

# The host

sub make_host {
    my ($option, @map) = @_;
    my @ram  = ram(@map);
    my $low  = max(map { $_->[1] } low_ranges(@map));
    my $size = ceil_to($low + MiB, MiB); # SeaBIOS keeps ACPI tables in the last MiB
    my @devices = devices(grep { $_->[0] >= 4 * GiB } @ram);
    tmp() !~ /:/ or no_host('TMPDIR: expected a path without a colon, which QEMU cannot load an ACPI table from, found ' . tmp());
    my @args = ('-option-rom', map_rom(@map));
    if (@devices) {
        my $end = max(map { $_->{end} } @devices);
        push @args, '-m', sprintf('%dM,slots=%d,maxmem=%dM', $size / MiB, scalar @devices, ceil_to($end, GiB) / MiB);
        for my $i (0 .. $#devices) {
            my ($start, $end) = @{$devices[$i]}{qw(start end)};
            push @args, '-object', sprintf('memory-backend-ram,id=far%d,size=%dM,reserve=off', $i, ($end - $start) / MiB),
                '-device', sprintf('pc-dimm,memdev=far%d,addr=0x%x', $i, $start);
        }
        push @args, '-acpitable', 'sig=SRAT,rev=3,data=' . qemu_quoted(srat($option->{smp}, {start => 0, end => $size}, @devices));
        $option->{phys_bits} = max(40, 1 + length sprintf '%b', $end);
    }
    $option->{host_mem} = $size / MiB . 'M';
    # Xen and the self-tests look at each page.
    $option->{more_seconds} = int(300 * sum0(map { $_->[1] - $_->[0] } @ram) / TiB);
    $option->{machine} = machine(map { $_->{end} } @devices) . ",max-ram-below-4g=$low_end";
    $option->{qemu_args} = join ' ', @args, grep { defined } $option->{qemu_args};
    return;
}

# The machine type. On an AMD host whose addresses reach AMD's range for HyperTransport, types from 7.1 on have no
# RAM from 4 GiB to 1 TiB. QEMU's own end of the addresses is a few GiB past the end of the last device.
sub machine {
    my $end = max(0, @_);
    return 'pc' if $end < $ht_start - 8 * GiB;
    my $machines = `qemu-system-x86_64 -machine help 2>/dev/null </dev/null`;
    my %number   = map { /^(pc-i440fx-(\d+)\.(\d+)) / ? ($1 => 100 * $2 + $3) : () } split /\n/, $machines;
    my ($newest) = grep { $number{$_} <= 700 } sort { $number{$b} <=> $number{$a} } keys %number;
    return $newest // no_host('--e820 with RAM past 1004 GiB: expected a QEMU that has a machine pc-i440fx up to 7.0, found one without');
}

sub ceil_to {
    my ($n, $unit) = @_;
    return int(($n + $unit - 1) / $unit) * $unit;
}

# The memory devices for RAM from 4 GiB on: {start, end}, in units of 2 MiB, which QEMU wants
sub devices {
    my @devices;
    for my $range (@_) {
        my ($start, $end) = (int($range->[0] / (2 * MiB)) * 2 * MiB, ceil_to($range->[1], 2 * MiB));
        if (@devices && $start - $devices[-1]{end} < $max_gap) { $devices[-1]{end} = max($devices[-1]{end}, $end) }
        else                                                   { push @devices, {start => $start, end => $end} }
    }
    return @devices;
}

# The body of an SRAT (ACPI specification, "System Resource Affinity Table"): each piece of RAM is a node.
# The processors are spread from the first node to the last.
sub srat {
    my ($nr_cpus, @pieces) = @_;
    my $body = pack 'VQ<', 1, 0;
    for my $cpu (0 .. $nr_cpus - 1) {
        my $node = int($cpu * $#pieces / max(1, $nr_cpus - 1));
        $body .= pack 'CCCCVCCCCV', 0, 16, $node, $cpu, 1, 0, 0, 0, 0, 0;
    }
    $body .= pack 'CCVvQ<Q<VVQ<', 1, 40, $_, 0, $pieces[$_]{start}, $pieces[$_]{end} - $pieces[$_]{start}, 0, 1, 0
        for 0 .. $#pieces;
    return write_file('srat', $body);
}

# The option ROM with the table of the map: the path of the file.
sub map_rom {
    my (@map)  = @_;
    my ($code, $object) = map { tmp() . "/e820.$_" } qw(bin o);
    my $prefix = $ENV{CROSS_COMPILE} // '';
    check_tool("$prefix$_") for grep { $prefix !~ m{/} } qw(as ld);
    for my $command (["${prefix}as", '--32', '-mx86-used-note=no', '-o', $object, top() . '/scripts/host/e820.S'],
        ["${prefix}ld", qw(-m elf_i386 --oformat binary -Ttext 0 -e 0 -o), $code, $object]) {
        my ($exit) = run(@$command);
        no_host("$command->[0] cannot build the option ROM for --e820; its message is above") if $exit;
    }
    open my $file, '<:raw', $code or no_host("cannot read $code: $!");
    my $rom = do { local $/; <$file> };
    length $rom <= 512 or no_host("expected at most 512 bytes of code in the option ROM for --e820, found " . length $rom);
    my ($base) = map { $_->[1] } grep { $_->[0] == 0 } ram(@map);
    $rom .= pack 'vv', min(640, int(($base // ~0) / KiB)), scalar @map;
    $rom .= pack 'Q<Q<V', $_->[0], $_->[1] - $_->[0], $_->[2] for @map;
    $rom .= "\0" x (ceil_to(length($rom) + 1, 512) - length $rom);
    substr $rom, 2, 1, chr(length($rom) / 512);
    substr $rom, -1, 1, chr(-unpack('%8C*', $rom) & 0xff);
    return write_file('e820.rom', $rom);
}

sub write_file {
    my ($name, $bytes) = @_;
    my $path = tmp() . "/$name";
    open my $file, '>:raw', $path or no_host("$path: cannot be written: $!");
    print $file $bytes;
    close $file or no_host("$path: cannot be written: $!");
    return $path;
}

1;
