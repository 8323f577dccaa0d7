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
use RandomMap;

our @EXPORT = qw(choose_map);

use constant {KiB => 1 << 10, MiB => 1 << 20, GiB => 1 << 30, TiB => 1 << 40};

# Limits, each with its reason
my $low_end     = 3840 * MiB;         # QEMU's devices begin here
my $tables      = MiB;                # SeaBIOS keeps ACPI tables in the last part of low RAM
my $top         = 1 << 47;            # Xen's M2P and its bits to leave out of an address end here
my $max_entries = 128;                # E820MAX of Xen's boot code
my $max_gap     = 64 * GiB;           # between RAM and RAM of one memory device
my $max_gaps    = 2 * TiB;            # Xen looks at each page of a gap: about five seconds for 1 TiB
my $part        = 100;                # Xen keeps 40 bytes for each page of 4 KiB, and touches them

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

sub refuse {
    my ($name, $first, @more) = @_;
    my $more = @more ? ' (and ' . @more . ' more ranges)' : '';
    bad("--e820 $name: no host has " . told($first) . ": $first->{why}$more; with --e820-fit it " . fate($first));
    return;
}

# What becomes of it with --e820-fit
sub fate {
    my ($misfit) = @_;
    return $misfit->{is_entry} ? 'is left out' : 'becomes unusable';
}

sub ram {
    return sort { $a->[0] <=> $b->[0] } grep { $_->[2] == RAM && $_->[0] < $_->[1] } @_;
}

# What keeps QEMU or Xen from having this map: {start, end, what, why}
sub misfits {
    my (@map) = @_;
    my @ram = ram(@map);
    @ram && $ram[0][0] < $low_end or bad('--e820: expected RAM below 4 GiB, where Xen is loaded, found none');
    return (
        overlaps(0xa0000, MiB, 'QEMU has video memory and ROMs there', @ram),
        overlaps($low_end - $tables, 4 * GiB, "QEMU has at most 3839 MiB of RAM for a map below 4 GiB", @ram),
        overlaps($top, ~0, 'Xen has no frame numbers for RAM at 2^47 and above', @ram),
        gaps(@map), too_large(@ram), too_many(@map),
    );
}

sub overlaps {
    my ($start, $end, $why, @ram) = @_;
    return map { {start => max($start, $_->[0]), end => min($end, $_->[1]), what => 'RAM', why => $why} }
        grep { $_->[0] < $end && $_->[1] > $start } @ram;
}

# The long gaps, if Xen would look for minutes at the pages of all gaps. The last GiB of a gap stays one.
sub gaps {
    my (@map) = @_;
    my @known = sort { $a->[0] <=> $b->[0] } grep { $_->[0] < $_->[1] } @map;
    my $last  = max(map { $_->[1] } ram(@map));
    my ($at, $sum, @long) = (0, 0);
    for my $range (grep { $_->[0] < $last } @known) {
        my $size = $range->[0] - $at;
        $sum += $size if $size > 0;
        push @long, {start => $at, end => $range->[0] - GiB, what => 'the gap', why => 'Xen looks at each page of a gap, ' .
            'and needs minutes for more than 2 TiB', is_gap => 1} if $size > 4 * GiB;
        $sum += $range->[1] - $range->[0] if $range->[2] != RAM && $range->[2] != UNUSABLE;
        $at = max($at, $range->[1]);
    }
    return $sum > $max_gaps ? @long : ();
}

# RAM in the middle first, so that the map keeps its ends; then the largest range.
sub too_large {
    my (@ram) = @_;
    my $room = memory_of_this_machine() * 3 / 4 * $part - sum0(map { $_->[1] - $_->[0] } @ram);
    return if $room >= 0;
    my @high   = grep { $_->[0] >= 4 * GiB } @ram;
    my @middle = @high > 2 ? @high[1 .. $#high - 1] : @high;
    my ($victim) = sort { $b->[1] - $b->[0] <=> $a->[1] - $a->[0] } @middle;
    my $size   = min($victim->[1] - $victim->[0], int(-$room / GiB + 1) * GiB);
    return {start => $victim->[1] - $size, end => $victim->[1], what => 'RAM', why => 'Xen keeps information of 1 % of its ' .
        'size, more than three quarters of the memory of this machine'};
}

sub memory_of_this_machine {
    my ($kib) = map { /^MemTotal: +(\d+)/ } lines_of('/proc/meminfo');
    return $kib * KiB;
}

sub too_many {
    my (@map) = @_;
    return map { {start => $map[$_][0], end => $map[$_][1], what => 'range number ' . ($_ + 1) . ',', is_entry => 1,
        why => "Xen reads $max_entries ranges"} } $max_entries .. $#map;
}

# The map without what does not fit
sub without {
    my ($misfit, @map) = @_;
    return @map[0 .. $#map - 1] if $misfit->{is_entry};
    my ($start, $end) = @$misfit{qw(start end)};
    my $hole = [$start, $end, UNUSABLE];
    return sort { $a->[0] <=> $b->[0] } @map, $hole if $misfit->{is_gap};
    return map {
        my ($from, $to, $type) = @$_;
        $type != RAM || $from >= $end || $to <= $start ? $_
            : grep { $_->[0] < $_->[1] } [$from, $start, RAM], $hole, [$end, $to, RAM];
    } @map;
}

# The host

sub make_host {
    my ($option, @map) = @_;
    my @ram  = ram(@map);
    my $low  = max(map { $_->[1] } grep { $_->[0] < 4 * GiB } @ram);
    my $size = ceil_to($low + $tables, MiB);
    my @devices = devices(grep { $_->[0] >= 4 * GiB } @ram);
    my @args = ('-option-rom', map_rom(@map));
    if (@devices) {
        my $end = max(map { $_->{end} } @devices);
        push @args, '-m', sprintf('%dM,slots=%d,maxmem=%dM', $size / MiB, scalar @devices, ceil_to($end, GiB) / MiB);
        for my $i (0 .. $#devices) {
            my ($start, $end) = @{$devices[$i]}{qw(start end)};
            push @args, '-object', sprintf('memory-backend-ram,id=far%d,size=%dM,reserve=off', $i, ($end - $start) / MiB),
                '-device', sprintf('pc-dimm,memdev=far%d,addr=0x%x', $i, $start);
        }
        push @args, '-acpitable', 'sig=SRAT,rev=3,data=' . srat($option->{smp}, {start => 0, end => $size}, @devices);
        $option->{phys_bits} = max(40, 1 + length sprintf '%b', $end);
    }
    $option->{host_mem}  = $size / MiB . 'M';
    # Xen and the self-tests look at each page.
    $option->{timeout} //= 120 + int(300 * sum0(map { $_->[1] - $_->[0] } @ram) / TiB);
    # A machine type from 2.11 on adds an SRAT of its own, with one piece from 4 GiB to the end.
    $option->{machine}   = (@devices ? 'pc-i440fx-2.10' : 'pc') . ",max-ram-below-4g=$low_end";
    $option->{qemu_args} = join ' ', @args, grep { defined } $option->{qemu_args};
    return;
}

sub ceil_to {
    my ($n, $unit) = @_;
    return int(($n + $unit - 1) / $unit) * $unit;
}

# The memory devices for RAM from 4 GiB on: {start, end}, in units of 2 MiB, which QEMU wants
sub devices {
    my (@devices);
    for my $range (@_) {
        my ($start, $end) = (int($range->[0] / (2 * MiB)) * 2 * MiB, ceil_to($range->[1], 2 * MiB));
        if (@devices && $start - $devices[-1]{end} < $max_gap) { $devices[-1]{end} = max($devices[-1]{end}, $end) }
        else                                                   { push @devices, {start => $start, end => $end} }
    }
    return @devices;
}

# The body of an SRAT (ACPI specification, "System Resource Affinity Table"): the processors in node 0,
# and each piece of RAM in a node of its own.
sub srat {
    my ($nr_cpus, @pieces) = @_;
    my $body = pack 'VQ<', 1, 0;
    $body .= pack 'CCCCVCCCCV', 0, 16, 0, $_, 1, 0, 0, 0, 0, 0 for 0 .. $nr_cpus - 1;
    $body .= pack 'CCVvQ<Q<VVQ<', 1, 40, $_, 0, $pieces[$_]{start}, $pieces[$_]{end} - $pieces[$_]{start}, 0, 1, 0
        for 0 .. $#pieces;
    return write_file('srat', $body);
}

# The option ROM with the table of the map: the path of the file.
sub map_rom {
    my (@map)  = @_;
    my ($code, $object) = map { tmp() . "/e820.$_" } qw(bin o);
    my $prefix = $ENV{CROSS_COMPILE} // '';
    check_tool("$prefix$_") for qw(as ld);
    for my $command (["${prefix}as", '--32', '-o', $object, top() . '/scripts/host/e820.S'],
        ["${prefix}ld", qw(-m elf_i386 --oformat binary -Ttext 0 -e 0 -o), $code, $object]) {
        my ($exit) = run(@$command);
        no_host("$command->[0] cannot build the option ROM for --e820; its message is above") if $exit;
    }
    open my $file, '<:raw', $code or no_host("$code: $!");
    my $rom = do { local $/; <$file> };
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
