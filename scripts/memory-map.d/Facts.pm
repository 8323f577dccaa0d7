# SPDX-License-Identifier: MIT
#
# Turns a boot report into what both the picture and the text show: words and sizes, and the PFNs in
# so few pieces that each piece has room for a label.

package Facts;

use strict;
use warnings;
no warnings 'portable'; # hex() of 64-bit numbers
use Exporter 'import';
use List::Util qw(first min sum0);
use Report;

our @EXPORT = qw(@kinds %mark %area about commas count_of size_of shorten title subtitle
    list_facts pieces arrows piece_label areas);

my $max_pieces = 13; # each of these has room for two lines of text
my $max_large  = 20; # if each has 1 GiB or more, as on a host of many nodes; the picture gets higher
my $small_bits = 14; # ranges below 64 MiB are small, whatever their neighbours are

# The kinds of pieces: id, name, colour, strokes (a path in a tile of 8 by 8), character of the text,
# and explanation. The colours are Okabe and Ito's: they can be printed, and colour-blind people can
# tell them apart.
our @kinds = (
    [ram         => 'RAM',          '#56B4E9', '',                              '#', 'PFN with a frame'],
    [renumbered  => 'renumbered',   '#E69F00', 'M-2,2l4,-4M0,8l8,-8M6,10l4,-4', '/', 'frames from holes'],
    [room        => 'room to grow', '#D6ECF9', 'M4,0v8',                        ':', 'RAM without a frame'],
    [unpopulated => 'unpopulated',  '#F0E442', 'M2,2h1M6,6h1',                  '+', 'for foreign frames'],
    [identity    => 'identity',     '#BFE3D6', 'M0,4h8',                        '=', 'PFN equals MFN'],
    [missing     => 'missing',      '#FFFFFF', 'M0,0l8,8M0,8l8,-8',             'x', 'never a frame'],
    [mixed       => 'mixed',        '#E4E4E4', 'M0,2h8M0,3h8M0,6h8',            '%', 'many small ranges'],
);
my %name  = map { $_->[0] => $_->[1] } @kinds;
our %mark = map { $_->[0] => $_->[4] } @kinds;

# The virtual address ranges that the kernel reports: what is mapped there, colour, and full name.
our %area = (
    M2P    => ["Xen's: MFN to PFN", '#CC79A7', 'M2P'],
    heap   => ['frames in use',     '#56B4E9', 'heap'],
    list   => ['PFN to MFN',        '#E69F00', 'P2M list'],
    window => ['',                  '#009E73', 'foreign window'],
    image  => ['kernel only',       '#999999', 'kernel image'],
);

sub about {
    my ($name) = @_;
    return @{$area{$name} // ['', '#FFFFFF', $name]};
}

sub commas {
    my ($n) = @_;
    1 while $n =~ s/^(\d+)(\d{3})/$1,$2/;
    return $n;
}

sub count_of {
    my ($n, $what) = @_;
    return commas($n) . " $what" . ($n == 1 ? '' : 's');
}

sub size_of {
    my ($pages) = @_;
    my ($n, @units) = ($pages * 4, qw(KiB MiB GiB TiB PiB EiB));
    while (@units > 1 && $n >= 1023) { $n /= 1024; shift @units }
    my $digits = $n >= 100 ? 0 : $n >= 10 ? 1 : 2;
    my $text   = sprintf "%.${digits}f", $n;
    $text =~ s/\.?0+$// if $digits;
    return "$text $units[0]";
}

sub title {
    my ($r) = @_;
    my $host = $r->{host} ? '; host of ' . size_of($r->{host}) : '';
    my $by   = defined $r->{builder} ? ', built by ' . word($r->{builder}) : '';
    my $what = word($r->{kind}) . ' of ' . size_of($r->{nr_pages});
    return shorten("$what on Xen " . word($r->{xen}) . "$by$host", 74);
}

sub subtitle {
    my ($r) = @_;
    my $limit = $r->{max_pages} // 0;
    my $moved = $r->{renumbered};
    return join '; ', count_of($r->{nr_pages}, 'frame'),
        $r->{max_mfn} ? sprintf('MFNs up to 0x%x', $r->{max_mfn}) : (),
        $limit >= 0xffffffff ? 'no limit' : $limit ? 'may grow to ' . size_of($limit) : (),
        $moved           ? commas($moved) . ' renumbered, none copied'
        : defined $moved ? 'none renumbered'
        :                  (),
        $r->{ballooned} ? 'ballooned by ' . word($r->{ballooned}) : ();
}

# The size of the P2M list and how it is mapped, as lines of text.
sub list_facts {
    my ($list) = @_;
    my ($entries, $shared) = @$list{qw(entries shared_pages)};
    my $leaves  = int($entries / 512);
    my $private = $leaves - $shared;
    my $leaf    = $private == 1 ? 'leaf' : 'leaves';
    my $new     = $list->{new_pages} ? '; ' . commas($list->{new_pages}) . ' new' : '';
    return {
        leaves  => $leaves,
        private => $private,
        shared  => $shared,
        size    => commas($entries) . sprintf(' entries, for PFNs below 0x%x', $entries),
        has     => commas($private) . " private $leaf, " . size_of($private) . $new,
        nothing => $shared ? commas($shared) . ' pages map one shared leaf of ~0' : 'no leaf is shared',
        tables  => count_of($list->{tables}, 'page table'),
    };
}

sub shorten {
    my ($text, $length) = @_;
    return length $text <= $length ? $text : substr($text, 0, $length - 3) . '...';
}

# Pieces, of which the picture's column consists: {start, end, kind, nr, of}. A piece stands for nr
# ranges, and `of` has the number of pages of each kind in them.

sub add_piece {
    my ($pieces, $start, $end, $kind) = @_;
    push @$pieces, {start => $start, kind => $kind, nr => 1} if !@$pieces || $pieces->[-1]{kind} ne $kind;
    my $last = $pieces->[-1];
    $last->{end} = $end;
    $last->{of}{$kind} += $end - $start;
    return;
}

# The ranges of the report. RAM is cut into PFNs with frames from the start, renumbered ones, and room.
sub all_pieces {
    my ($r) = @_;
    my @targets = map { [$_->[1], $_->[1] + $_->[2]] } @{$r->{moves} // []};
    my @cuts = sort { $a <=> $b } $r->{nr_pages}, map { @$_ } @targets;
    my @pieces;
    for my $range (@{$r->{ranges}}) {
        my ($start, $end, $kind) = @$range;
        for my $cut ((grep { $_ > $start && $_ < $end } @cuts), $end) {
            my $of_ram = (grep { $start >= $_->[0] && $start < $_->[1] } @targets) ? 'renumbered'
                : $start < $r->{nr_pages} ? 'ram'
                :                           'room';
            add_piece(\@pieces, $start, $cut, $kind eq 'ram' ? $of_ram : $kind);
            $start = $cut;
        }
    }
    return @pieces;
}

# Few pieces: nothing needs to be joined but pieces that begin below $low.
sub are_few {
    my ($low, @pieces) = @_;
    my $least = min(map { $_->{end} - $_->{start} } grep { $_->{start} >= $low } @pieces) // 0;
    return @pieces <= ($least >= 1 << 18 ? $max_large : $max_pieces);
}

# Joins the smallest piece and the smaller of its neighbours. Returns false if no piece may be joined.
sub join_smallest {
    my ($low, $pieces) = @_;
    my @size = map { $_->{end} - $_->{start} } @$pieces;
    my ($first) = grep { $pieces->[$_]{start} >= $low } 0 .. $#$pieces;
    return 0 if !defined $first || $first == $#$pieces;
    my $least = $first;
    for my $i ($first .. $#$pieces) { $least = $i if $size[$i] < $size[$least] }
    my $is_before = $least > $first && ($least == $#$pieces || $size[$least - 1] < $size[$least + 1]);
    my $i = $is_before ? $least - 1 : $least;
    splice @$pieces, $i, 2, {joined(@$pieces[$i, $i + 1])};
    return 1;
}

# Two pieces as one. Its kind is that of nine tenths of its pages, or else mixed.
sub joined {
    my ($one, $other) = @_;
    my %of = %{$one->{of}};
    $of{$_} += $other->{of}{$_} for keys %{$other->{of}};
    my $pages = $other->{end} - $one->{start};
    my ($most) = grep { $of{$_} >= 0.9 * $pages } keys %of;
    return (start => $one->{start}, end => $other->{end}, kind => $most // 'mixed', nr => $one->{nr} + $other->{nr}, of => \%of);
}

# Joins neighbouring pieces that are both smaller than $limit, except those that begin below $low.
sub join_small {
    my ($limit, $low, @pieces) = @_;
    my @few;
    for my $piece (@pieces) {
        my $is_small = $piece->{end} - $piece->{start} < $limit && $piece->{start} >= $low;
        if   ($is_small && @few && $few[-1]{is_small}) { $few[-1] = {joined($few[-1], $piece), is_small => 1} }
        else                                           { push @few, {%$piece, is_small => $is_small} }
    }
    return @few;
}

# At most $max_pieces pieces, or $max_large large ones. Those below 1 MiB, where the BIOS's hole is, stay apart if
# possible. Many small ranges side by side become one piece; a small range inside a large one becomes a part of it.
sub pieces {
    my ($r) = @_;
    my @all = all_pieces($r);
    my @few = @all;
    for my $low (256, 0) {
        last if are_few(256, @few);
        for (my $bits = 1; @few > $max_pieces && $bits <= $small_bits; $bits++) {
            @few = join_small(1 << $bits, $low, @all);
        }
        1 while !are_few($low, @few) && join_smallest($low, \@few);
    }
    return @few;
}

sub find_piece {
    my ($pfn, @pieces) = @_;
    return first { $pfn >= $pieces[$_]{start} && $pfn < $pieces[$_]{end} } 0 .. $#pieces;
}

# The moves between pieces: [index of the old piece, index of the new piece, number of frames].
sub arrows {
    my ($r, @pieces) = @_;
    my %nr;
    for my $move (@{$r->{moves} // []}) {
        my ($from, $to) = map { find_piece($_, @pieces) } @$move[0, 1];
        $nr{"$from $to"} += $move->[2] if defined $from && defined $to && $from != $to;
    }
    my @arrows = map { [split(/ /), $nr{$_}] } keys %nr;
    return sort { $a->[0] <=> $b->[0] || $a->[1] <=> $b->[1] } @arrows;
}

# The label beside a piece: its name, its size, and a remark.
sub piece_label {
    my ($r, $i, $pieces, $arrows) = @_;
    my $piece = $pieces->[$i];
    my $kind  = $piece->{kind};
    my $size  = size_of($piece->{end} - $piece->{start});
    if ($piece->{nr} > 1) {
        my @of = grep { $piece->{of}{$_} && $_ ne $kind } map { $_->[0] } @kinds;
        my $of = join ', ', map { "$name{$_} " . size_of($piece->{of}{$_}) } @of;
        return (commas($piece->{nr}) . ' ranges', $size, $of) if $kind eq 'mixed';
        return ($name{$kind}, $size, 'inside: ' . $of);
    }
    # The report has only the first moves: it is complete for pieces below the last of these moves.
    my @moves = @{$r->{moves} // []};
    my $rest  = ($r->{renumbered} // 0) - sum0 map { $_->[2] } @moves;
    my $least = $rest > 0 && $piece->{end} > ($moves[-1] // [0])->[0] ? 'at least ' : '';
    my $gone  = sum0 map { $_->[2] } grep { $_->[0] == $i } @$arrows;
    my $more  = '';
    if ($gone) {
        $more = $least . count_of($gone, 'frame') . ' renumbered';
    }
    elsif ($kind eq 'renumbered') {
        $more = count_of($piece->{end} - $piece->{start}, 'frame') . ' from holes';
    }
    elsif ($kind eq 'room' && $rest > 0) {
        my $rooms = grep { $_->{kind} eq 'room' } @$pieces;
        $more = ($rooms == 1 ? 'with ' . count_of($rest, 'frame') : 'and frames') . ' from holes';
    }
    return ($name{$kind}, $size, $more);
}

# The virtual address ranges in order, with the P2M list even if the report has no other range.
sub areas {
    my ($r) = @_;
    my @found = map { [word($_->[0]), hex $_->[1], hex $_->[2]] } @{$r->{virtual} // []};
    if ($r->{list} && !grep { $_->[0] eq 'list' } @found) {
        my $start = hex $r->{list}{va};
        push @found, ['list', $start, $start + 8 * $r->{list}{entries}];
    }
    return map { {name => $_->[0], start => $_->[1], end => $_->[2], size => size_of(($_->[2] - $_->[1]) / 4096)} }
        sort { $a->[1] <=> $b->[1] || $a->[0] cmp $b->[0] } @found;
}

1;
