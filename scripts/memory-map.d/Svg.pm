# SPDX-License-Identifier: MIT
#
# Draws the picture: an SVG of 960 by 680 with a white background, or higher if there are more pieces than usual.
#
#      brackets  PFN  | column |  arrows  labels     address | areas | labels
#                     |        |                     pages and leaves of the P2M list
#      legend

package Svg;

use strict;
use warnings;
use Exporter 'import';
use List::Util qw(max min sum0);
use Facts;
use Report;

our @EXPORT = qw(svg);

my $max_areas = 6;
my $right     = 500; # the left edge of the right half
my $pfn_h     = 474; # for 13 pieces
my $piece_h   = 37;  # for each further piece: the least height of a piece, and a gap

# Cuts the pieces into bands, each with one scale: the fewest bands in which each piece is $min_h
# high or higher. By dynamic programming: $best[$n][$i] has the lowest $n bands of the first $i pieces.
sub bands {
    my ($room, $min_h, $gap, @pieces) = @_;
    my @size = map { $_->{end} - $_->{start} } @pieces;
    my @best = ([{height => 0, bands => []}]);
    for my $n (1 .. @pieces) {
        for my $i ($n .. @pieces) {
            for my $j ($n - 1 .. $i - 1) {
                my $before = $best[$n - 1][$j] or next;
                my @of = @size[$j .. $i - 1];
                my $need = $min_h * sum0(@of) / min(@of);
                my $height = $before->{height} + $need;
                next if $best[$n][$i] && $best[$n][$i]{height} <= $height;
                my $band = {pieces => [@pieces[$j .. $i - 1]], pages => sum0(@of), need => $need};
                $best[$n][$i] = {height => $height, bands => [@{$before->{bands}}, $band]};
            }
        }
        my $all = $best[$n][@pieces];
        return @{$all->{bands}} if $n == @pieces || $all->{height} + $gap * ($n - 1) <= $room;
    }
    return;
}

# Gives each piece its y and h. The spare height goes to the bands by the logarithm of their sizes;
# bands without memory get less of it.
sub place {
    my ($y, $height, $gap, @pieces) = @_;
    my @bands = bands($height, 25, $gap, @pieces);
    my $spare = $height - $gap * $#bands - sum0 map { $_->{need} } @bands;
    for my $band (@bands) {
        my $is_memory = grep { $_->{kind} !~ /^(?:identity|missing)$/ } @{$band->{pieces}};
        $band->{weight} = log(1 + $band->{pages})**2 * ($is_memory ? 1 : 0.3);
    }
    my $weights = sum0 map { $_->{weight} } @bands;
    for my $band (@bands) {
        $band->{y} = $y;
        $band->{h} = $band->{need} + $spare * $band->{weight} / $weights;
        for my $piece (@{$band->{pieces}}) {
            $piece->{y} = $y;
            $piece->{h} = $band->{h} * ($piece->{end} - $piece->{start}) / $band->{pages};
            $y += $piece->{h};
        }
        $y += $gap;
    }
    return @bands;
}

my @svg;

sub escape {
    my ($text) = @_;
    my %entity = ('&' => '&amp;', '<' => '&lt;', '>' => '&gt;', '"' => '&quot;');
    return $text =~ s/([&<>"])/$entity{$1}/gr;
}

sub tag {
    my ($name, %attributes) = @_;
    my $inside = delete $attributes{inside};
    my $text = join '', map {
        my $value = $attributes{$_};
        $value = sprintf('%.1f', $value) =~ s/\.0$//r if $value =~ /^-?\d+\.\d+$/;
        ' ' . tr/_/-/r . '="' . escape($value) . '"'
    } sort keys %attributes;
    push @svg, "<$name$text" . (defined $inside ? '>' . escape($inside) . "</$name>" : '/>');
    return;
}

sub label {
    my ($x, $y, $text, %more) = @_;
    tag('text', x => $x, y => $y, font_size => 11, fill => '#222222', %more, inside => $text);
    return;
}

# Styles of labels
my %mono    = (font_family => 'DejaVu Sans Mono, Menlo, Consolas, monospace');
my %quiet   = (fill => '#555555');
my %aside   = (%quiet, font_size => 10);
my %heading = (font_size => 13, font_weight => 'bold');
my %end     = (text_anchor => 'end');
my %mid     = (text_anchor => 'middle');

# A label, and a remark below it, beside the middle of a box
sub remark {
    my ($x, $middle, $text, $remark) = @_;
    label($x, $middle + ($remark eq '' ? 4 : -2), $text, font_size => 12);
    label($x, $middle + 11, $remark, %aside) if $remark ne '';
    return;
}

sub patterns {
    push @svg, '<defs>';
    for my $kind (@kinds) {
        my ($id, undef, $fill, $path) = @$kind;
        push @svg, qq(<pattern id="$id" width="8" height="8" patternUnits="userSpaceOnUse">)
            . qq(<rect width="8" height="8" fill="$fill"/>)
            . qq(<path d="$path" stroke="#222222" stroke-opacity="0.55" stroke-width="0.9" fill="none"/>)
            . '</pattern>';
    }
    push @svg, '<marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
        . 'markerHeight="7" orient="auto"><path d="M0,0.5L8,4L0,7.5z" fill="#222222"/></marker>';
    push @svg, '</defs>';
    return;
}

sub box {
    my ($x, $y, $w, $h, $fill) = @_;
    tag('rect', x => $x, y => $y, width => $w, height => $h, fill => $fill, stroke => '#222222',
        stroke_width => 0.8);
    return;
}

sub thin {
    my ($d, %more) = @_;
    tag('path', d => $d, fill => 'none', stroke => '#888888', %more);
    return;
}

# Left half, from $x: one bracket for each band, PFNs, the column, arrows, labels.
sub draw_pfns {
    my ($r, $x, $top, $height) = @_;
    my @pieces = pieces($r);
    my @arrows = arrows($r, @pieces);
    my @bands  = place($top, $height, 12, @pieces);
    my ($col, $w) = ($x + 156, 84);

    label($x + 42, $top - 20, 'heights are to scale' . (@bands > 1 ? ' within each bracket' : ''), %aside);
    for my $band (@bands > 1 ? @bands : ()) {
        my ($from, $to) = ($band->{y}, $band->{y} + $band->{h});
        thin(sprintf 'M%d,%.1fh-5V%.1fh5', $x + 61, $from + 1, $to - 1);
        label($x + 51, ($from + $to) / 2 + 4, size_of($band->{pages}), %quiet, %end);
    }
    for my $i (0 .. $#pieces) {
        my $piece = $pieces[$i];
        my $mid   = $piece->{y} + $piece->{h} / 2;
        my ($name, $size, $more) = piece_label($r, $i, \@pieces, \@arrows);
        box($col, $piece->{y}, $w, $piece->{h}, "url(#$piece->{kind})");
        remark($col + $w + 44, $mid, "$name, $size", shorten($more, 32));
    }
    draw_edges($col, $w, @pieces);
    draw_extent($col - 6, $r->{list}{entries}, @pieces) if $r->{list};
    draw_arrows($col + $w, \@pieces, @arrows);
    label($col + $w / 2, $top + $height + 17, 'beyond: ' . word($r->{beyond}), %aside, %mid)
        if defined $r->{beyond};
    return @pieces;
}

# Writes the PFN at each edge of a piece; between two bands once, in the middle of the gap.
sub draw_edges {
    my ($col, $w, @pieces) = @_;
    my ($below, $last) = ($pieces[0]{y}, $pieces[-1]);
    for my $edge (@pieces, {start => $last->{end}, y => $last->{y} + $last->{h}, h => 0}) {
        my $middle = ($below + $edge->{y}) / 2;
        label($col - 10, $middle + 4, sprintf('0x%x', $edge->{start}), %mono, %end);
        my $saw = 'l7,-4' . 'l7,8l7,-8' x 5 . 'l7,8l7,-4';
        thin(sprintf 'M%d,%.1f%s', $col - 3, $middle, $saw) if $edge->{y} - $below > 1;
        $below = $edge->{y} + $edge->{h};
    }
    return;
}

# A bar beside the column that shows for which PFNs the P2M list has entries.
sub draw_extent {
    my ($x, $entries, @pieces) = @_;
    my ($last) = (grep { $_->{start} < $entries } @pieces)[-1] or return;
    my $part = min(1, ($entries - $last->{start}) / ($last->{end} - $last->{start}));
    my $y    = $pieces[0]{y};
    tag('rect', x => $x, y => $y, width => 3, height => $last->{y} + $part * $last->{h} - $y,
        fill => $area{list}[1]);
    return;
}

sub draw_arrows {
    my ($x, $pieces, @arrows) = @_;
    my (%into, %seen);
    $into{$_->[1]}++ for @arrows;
    for my $i (0 .. $#arrows) {
        my ($from, $to) = map { $pieces->[$_] } @{$arrows[$i]}[0, 1];
        my $y0  = $from->{y} + $from->{h} / 2;
        my $y1  = $to->{y} + $to->{h} * ++$seen{$arrows[$i][1]} / ($into{$arrows[$i][1]} + 1);
        my $out = $x + 38 - 26 * $i / @arrows;
        my $bow = $y1 > $y0 ? 10 : -10;
        thin(sprintf('M%d,%.1fQ%.1f,%.1f %.1f,%.1fV%.1fQ%.1f,%.1f %d,%.1f', $x, $y0, $out, $y0, $out,
                $y0 + $bow, $y1 - $bow, $out, $y1, $x + 1, $y1),
            stroke => '#222222', stroke_width => 1.2, marker_end => 'url(#head)');
    }
    return;
}

# Right half: virtual addresses, not to scale.
sub draw_areas {
    my ($r, $x, $top) = @_;
    my @areas = areas($r);
    my $more  = @areas - $max_areas;
    splice @areas, $max_areas if $more > 0;
    my $step = min(84, 330 / max(1, scalar @areas));
    my ($col, $w, $h, $gap, $y) = ($x + 136, 84, int(0.66 * $step), int(0.34 * $step), $top);
    for my $i (0 .. $#areas) {
        my $area = $areas[$i];
        my ($about, $colour, $name) = about($area->{name});
        box($col, $y, $w, $h, $colour);
        label($col - 10, $y + 9, sprintf('0x%016x', $area->{start}), %mono, %end);
        label($col - 10, $y + $h - 1, sprintf('0x%016x', $area->{end}), %mono, %end, %quiet);
        remark($col + $w + 14, $y + $h / 2, "$name, $area->{size}", $about);
        $y += $h + $gap;
        next if $i == $#areas;
        thin(sprintf('M%d,%.1fv%dm%d,%dv%d', $col, $y - $gap, $gap, $w, -$gap, $gap),
            stroke_dasharray => '2,2');
        my $between = ($areas[$i + 1]{start} - $area->{end}) / 4096;
        label($col + $w / 2, $y - $gap / 2 + 3, size_of($between), %aside, font_size => 9, %mid) if $between > 0;
    }
    my $note = $more > 0 ? "and $more more" : @areas < 2 ? 'the report has no other range' : '';
    label($col + $w / 2, $y, $note, %aside, %mid) if $note;
    return;
}

# Below: the pages of the P2M list in a row, and the leaves mapped there; pages of ~0 share one leaf.
sub draw_list {
    my ($list, $x, $y, $w) = @_;
    my $f      = list_facts($list);
    my $cells  = 24;
    my $shared = $f->{leaves} ? int($cells * $f->{shared} / $f->{leaves} + 0.5) : 0;
    $shared = max($shared, 1) if $f->{shared};
    $shared = min($shared, $cells - 1) if $f->{private};
    my $cell = $w / $cells;
    my $row  = $y + 10;
    for my $i (0 .. $cells - 1) {
        my $is_shared = $i >= $cells - $shared;
        my $left = $x + $i * $cell;
        my $mid  = $left + $cell / 2;
        my $leaf = $is_shared ? $x + ($cells - $shared / 2) * $cell : $mid;
        box($left, $row, $cell, 14, $is_shared ? 'url(#missing)' : $area{list}[1]);
        thin(sprintf('M%.1f,%dL%.1f,%d', $mid, $row + 14, $leaf, $row + 26), stroke => '#222222');
        next if $is_shared && $i < $cells - 1; # the leaf that is shared is drawn once
        box($leaf - 5, $row + 26, 10, 14, $is_shared ? 'url(#missing)' : '#FBE3B5');
    }
    label($x, $row + 58, $f->{has});
    label($x + $w, $row + 58, $f->{tables}, %quiet, %end);
    label($x, $row + 74, $f->{nothing});
    label($x, $row + 90, $f->{size}, %quiet);
    return;
}

sub draw_legend {
    my ($x, $y, $has_list, @pieces) = @_;
    my %used    = map { $_->{kind} => 1 } @pieces;
    my @entries = map { [@$_[1, 5], 0, 22, fill => "url(#$_->[0])", stroke => '#222222', stroke_width => 0.8] }
        grep { $used{$_->[0]} } @kinds;
    push @entries, ['P2M list', 'PFNs with an entry', 10, 3, fill => $area{list}[1]] if $has_list && @entries < 7;
    for my $entry (@entries) {
        my ($name, $explanation, $left, $width, %look) = @$entry;
        tag('rect', x => $x + $left, y => $y, width => $width, height => 14, %look);
        label($x + 29, $y + 7, $name, font_size => 10, font_weight => 'bold');
        label($x + 29, $y + 18, $explanation, %aside, font_size => 9);
        $x += 129;
    }
    return;
}

sub svg {
    my ($r) = @_;
    my $more   = $piece_h * max(0, pieces($r) - 13);
    my $height = 680 + $more;
    my $end    = 936;
    @svg = ('<?xml version="1.0" encoding="UTF-8"?>',
        qq(<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 960 $height" width="960" height="$height" )
            . 'font-family="Helvetica, Arial, DejaVu Sans, sans-serif" role="img">');
    tag('title', inside => title($r));
    patterns();
    tag('rect', x => 0.5, y => 0.5, width => 959, height => $height - 1, rx => 8, fill => '#FFFFFF',
        stroke => '#BBBBBB');
    label(24, 34, title($r), font_size => 18, font_weight => 'bold');
    label(24, 54, subtitle($r), font_size => 12, %quiet);
    tag('path', d => "M24,68H$end", stroke => '#BBBBBB');
    label(24, 92, 'PFNs', %heading);
    my @pieces = draw_pfns($r, 24, 112, $pfn_h + $more);
    label($right,       92, 'Virtual addresses', %heading);
    label($right + 134, 92, 'not to scale; the kernel maps nothing between them', %aside);
    draw_areas($r, $right, 112);
    if ($r->{list}) {
        label($right,      482, 'P2M list', %heading);
        label($right + 70, 482, 'its virtual pages, in 24 parts, and the leaves mapped there', %aside);
        draw_list($r->{list}, $right, 490, $end - $right);
    }
    tag('path', d => sprintf('M24,%dH%d', $height - 60, $end), stroke => '#BBBBBB');
    draw_legend(24, $height - 42, $r->{list}, @pieces);
    return join("\n", @svg, '</svg>') . "\n";
}

1;
