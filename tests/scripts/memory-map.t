#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# scripts/memory-map draws a boot report. Without this test, the picture could show other numbers
# than the report, labels could cover each other, a damaged report could make invalid XML, and a
# report that cannot be drawn could end in a wrong picture instead of one sentence. The reports under
# data/ are from real boots.

use strict;
use warnings;
use JSON::PP;
use Test::More;

use FindBin;
use lib $FindBin::Bin;
use Run;

my $dir  = tempdir;
my $data = "$FindBin::Bin/data";

sub memory_map { return run(script('memory-map'), @_) }

sub drawn {
    my ($name, @arguments) = @_;
    my ($code, $out, $err) = memory_map(@arguments);
    is "$code:$err", '0:', "$name: exit code is 0, without messages";
    return $out;
}

# Perl's core has no XML parser; Python has one.
sub is_whole {
    my ($name, $xml) = @_;
    like $xml, qr/\A<\?xml version="1.0" encoding="UTF-8"\?>\n[\n -~]*\z/, "$name: the picture is XML in ASCII";
    my $python = 'import sys, xml.sax; xml.sax.parse(sys.argv[1], xml.sax.ContentHandler())';
    my ($code, undef, $err) = run('python3', '-c', $python, write_file("$dir/picture.svg", $xml));
    is $code, 0, "$name: the picture is well-formed XML" or diag $err;
    return;
}

# The labels with the boxes that they need in a font that is wider than most fonts.
sub labels {
    my ($xml) = @_;
    my @labels;
    while ($xml =~ /<text([^>]*)>([^<]*)</g) {
        my ($with, $text) = ($1, $2);
        my %a = $with =~ /([\w-]+)="([^"]*)"/g;
        $text =~ s/&\w+;/&/g;
        my $h = $a{'font-size'};
        my $w = length($text) * $h * 0.6;
        my $x = $a{x} - $w * ({end => 1, middle => 0.5}->{$a{'text-anchor'} // ''} // 0);
        push @labels, {text => $text, x => $x, w => $w, y => $a{y} - 0.8 * $h, h => $h};
    }
    return @labels;
}

sub is_legible {
    my ($name, $xml) = @_;
    my @labels = labels($xml);
    my ($height) = $xml =~ /viewBox="0 0 960 (\d+)"/;
    my @wrong;
    for my $i (0 .. $#labels) {
        my $a = $labels[$i];
        push @wrong, "$a->{text}: off the page"
            if $a->{x} < 8 || $a->{x} + $a->{w} > 952 || $a->{y} < 8 || $a->{y} + $a->{h} > $height - 8;
        push @wrong, "$a->{text}: into the right half"
            if $a->{x} < 480 && $a->{x} + $a->{w} > 504 && $a->{y} > 70 && $a->{y} < $height - 65;
        for my $b (@labels[$i + 1 .. $#labels]) {
            next if $a->{x} >= $b->{x} + $b->{w} || $b->{x} >= $a->{x} + $a->{w};
            next if $a->{y} >= $b->{y} + $b->{h} || $b->{y} >= $a->{y} + $a->{h};
            push @wrong, "$a->{text} / $b->{text}";
        }
    }
    cmp_ok scalar(@labels), '>', 10, "$name: the picture has more than 10 labels";
    is_deeply \@wrong, [], "$name: no label covers another label or leaves its half of the page";
    return map { $_->{text} } @labels;
}

# Draws a report as picture and as text, and returns the labels, the text and the picture.
sub both {
    my ($name, $path) = @_;
    my ($xml, $text) = map { drawn($name, @$_, $path) } [], ['--text'];
    is_whole($name, $xml);
    is_deeply [grep { !/^[ -~]{0,80}$/ } split /\n/, $text], [], "$name: lines of text have up to 80 ASCII characters";
    return (join("\n", is_legible($name, $xml)), $text, $xml);
}

my $serial = 0;

sub report {
    my (%more) = @_;
    my $json = JSON::PP->new->utf8->canonical->encode(
        {   kind     => 'dom0',
            nr_pages => 131072,
            ranges   => [[0, 159, 'ram'], [159, 256, 'identity'], [256, 262112, 'ram']],
            %more
        }
    );
    return write_file("$dir/" . ++$serial, $json =~ s/^\{/{"report":"boot",/r . "\n");
}

# Real boots

my ($labels, $text, $xml) = both('dom0 of 700 GiB', "$data/boot-700g-dom0.txt");
my @facts = (
    'dom0 of 693 GiB on Xen 4.17.7, built by Xen; host of 700 GiB', '262,274 renumbered',
    '636 KiB', '388 KiB', '689 GiB', '323 GiB', '97 frames renumbered', 'foreign window, 512 GiB',
    '262,177 frames renumbered', '262,177 frames from holes', 'beyond: identity',
    '358,400 private leaves, 1.37 GiB; 3,566 new', '512 pages map one shared leaf of ~0',
    '704 page tables', qw(0xffffffff80100000 0xffff800057a00000),
    map { sprintf '0x%x', $_ } 0, 159, 256, 786399, 1 << 20, 181674898, 183762944, 1 << 28
);
for my $fact (@facts) {
    my $in_text = $fact eq 'foreign window, 512 GiB' ? qr/512 GiB +foreign window/ : qr/\Q$fact\E/;
    like $labels, qr/\Q$fact\E/, "dom0 of 700 GiB: the picture has '$fact'";
    like $text,   $in_text,      "dom0 of 700 GiB: the text has '$fact'";
}
is scalar(() = $xml =~ /url\(#head\)/g), 2, 'dom0 of 700 GiB: the picture has one arrow for each of two holes';
like $text, qr/\[0x9f, 0x100\) is now \[0xad42392, 0xad423f3\): 388 KiB/, 'dom0 of 700 GiB: the text has the moves';

# Within one bracket there is one scale: RAM of 3 GiB and the hole of 1 GiB.
my %height;
my @blocks = $xml =~ /<rect fill="url\(#\w+\)" height="([\d.]+)"[^>]* width="84"/g;
is scalar(@blocks), 10, 'dom0 of 700 GiB: the picture has a block for each of 10 pieces';
cmp_ok abs($blocks[2] / $blocks[3] - 786143 / 262177), '<', 0.02, 'dom0 of 700 GiB: the heights of two blocks in a bracket have the ratio of their sizes';
is scalar(grep { $_ < 24.9 } @blocks), 0, 'dom0 of 700 GiB: no block is lower than 25';

($labels, $text, $xml) = both('dom0 of 1 GiB', "$data/boot-1g-dom0.txt");
like $labels, qr/^dom0 of 1010 MiB on Xen .*; host of 1 GiB$/m, 'dom0 of 1 GiB: the title has the size of the host, rounded';
like $labels, qr/^no leaf is shared$/m, 'dom0 of 1 GiB: no leaf is shared without a hole of 2 MiB';
like $labels, qr/^kernel image, 240 KiB$/m, 'dom0 of 1 GiB: the picture has the size of the kernel image';

($labels, $text, $xml) = both('domU', "$data/boot-domu.txt");
like $labels, qr/^domU of 256 MiB on Xen 4.17.7, built by libxenguest$/m, 'domU: the title has no host if the log has no System RAM';
like $labels, qr/^room to grow, 768 MiB$/m, 'domU: RAM without frames is room to grow';
like $labels, qr/^heights are to scale$/m, 'domU: one range has one scale';
unlike $xml, qr/url\(#head\)/, 'domU: the picture has no arrow without moves';

# Many ranges, of every kind
my @holes = ([0, 159, 'ram'], [159, 256, 'identity']);
for my $at (map { 256 + 8 * $_ } 0 .. 999) {
    push @holes, [$at, $at + 7, 'ram'], [$at + 7, $at + 8, 'identity'];
}
push @holes, [8256, 1 << 20, 'ram'];
my @moves = ([159, 524288, 97], map { [263 + 8 * $_, 524385 + $_, 1] } 0 .. 30);
my %moved = (nr_pages => 524288, renumbered => 1097, moves => \@moves);
($labels, $text) = both('1,000 holes', report(ranges => \@holes, %moved));
like $labels, qr/^2,000 ranges, 31.2 MiB\nRAM 27.3 MiB, identity 3.91 MiB$/m, '1,000 holes: small ranges are one piece, with the sum of each kind';
like $labels, qr/^identity, 388 KiB\n97 frames renumbered$/m, '1,000 holes: the hole below 1 MiB is a piece of its own';
like $labels, qr/^room to grow, 2 GiB\nwith 969 frames from holes$/m, '1,000 holes: room to grow has the number of frames that no move names';
like $text, qr/and 24 more runs, 96 KiB/, '1,000 holes: the text has the sum of the moves after the eighth';

# Thirty nodes of 32 GiB with a hole of 512 KiB before each next node
my @nodes = ([0, 159, 'ram'], [159, 256, 'identity']);
for my $i (0 .. 29) {
    my $end = ($i + 1) << 23;
    push @nodes, [$i ? $i << 23 : 256, $end - 128, 'ram'], [$end - 128, $end, 'identity'];
}
($labels) = both('thirty nodes', report(ranges => \@nodes, nr_pages => 30 << 23));
like $labels, qr/^RAM, 64 GiB\ninside: identity 1 MiB$/m, 'thirty nodes: a small hole inside a large piece does not make the piece mixed';
unlike $labels, qr/ranges/, 'thirty nodes: no piece is mixed';

# Eight nodes of 64 GiB, 1 and 7 TiB from each other, and RAM and holes below 4 GiB
my $tib  = 1 << 28;
my @far  = map { [$_ * $tib, $_ * $tib + (64 << 18), 'ram'] } 1, 8, 9, 16, 17, 24, 25;
my @near = ([0, 159, 'ram'], [159, 256, 'identity'], [256, 300_000, 'ram'], [300_000, 1 << 20, 'identity'], [1 << 20, 64 << 18, 'ram']);
my @wide = map { ([($_ ? $far[$_ - 1] : $near[-1])->[1], $far[$_][0], 'identity'], $far[$_]) } 0 .. $#far;
($labels, undef, $xml) = both('nodes up to 25 TiB', report(ranges => [@near, @wide], nr_pages => 1 << 40));
is scalar(() = $labels =~ /^RAM, 64 GiB$/mg), 7, 'nodes up to 25 TiB: each of the seven far nodes is a piece';
like $labels, qr/^RAM, 60 GiB$/m, 'nodes up to 25 TiB: the first node is a piece';
is scalar(() = $labels =~ /^identity, (?:960 GiB|6.94 TiB)$/mg), 7, 'nodes up to 25 TiB: each gap is a piece';
like $xml, qr/ viewBox="0 0 960 902" /, 'nodes up to 25 TiB: the picture is higher by six pieces';

my @low = map { [$_, $_ + 1, $_ % 2 ? 'missing' : 'ram'] } 0 .. 39;
($labels) = both('holes below 1 MiB', report(ranges => [@low, [40, 9999, 'ram']]));
like $labels, qr/^40 ranges, 160 KiB\nRAM 80 KiB, missing 80 KiB$/m, 'holes below 1 MiB: more than 13 ranges become one piece';
like $labels, qr/^RAM, 38.9 MiB$/m, 'holes below 1 MiB: RAM above 1 MiB is a piece of its own';

# Forty larger ranges above the first MiB: all four kinds in turn
my @kinds = qw(ram unpopulated missing identity);
my @large = map { [256 + 300 * $_, 556 + 300 * $_, $kinds[$_ % 4]] } 0 .. 39;
my @both  = (ranges => [@holes[0, 1], @large], nr_pages => 1 << 20);
($labels, $text) = both('larger holes', report(@both));
like $labels, qr/^RAM, 636 KiB$/m, 'larger holes: RAM below 1 MiB is a piece of its own';
my $sums = join ', ', map { "$_ 11.7 MiB" } qw(RAM unpopulated identity missing);
like $text, qr/ 40 ranges\n +$sums$/m, 'larger holes: sums that do not fit into 80 columns are on the next line';

my @from = map { [300 * $_ + 256, 300 * $_ + 556, $_ % 2 ? 'ram' : 'missing'] } 0 .. 10;
my $many = report(ranges => [[0, 256, 'ram'], @from], moves => [map { [$_->[0], 600, 5] } @from]);
my @drawn = map { (run({env => {PERL_HASH_SEED => $_}}, script('memory-map'), $many))[1] } 1 .. 3;
is scalar(() = $drawn[0] =~ /url\(#head\)/g), 10, 'ten moves between pieces: the picture has ten arrows';
is $drawn[$_], $drawn[0], 'the same report gives the same bytes' for 1, 2;

my @every = map { [1000 * $_, 1000 * ($_ + 1), (qw(ram unpopulated missing identity ram))[$_]] } 0 .. 4;
my @some = (nr_pages => 800, moves => [[1000, 4500, 9]]);
(undef, undef, $xml) = both('all kinds', report(ranges => \@every, @some));
for my $kind (qw(ram unpopulated missing identity renumbered room)) {
    like $xml, qr/fill="url\(#$kind\)"/, "all kinds: the picture has a piece of the kind $kind";
}
my %look = $xml =~ /<pattern id="(\w+)"[^>]*>(.*?)<\/pattern>/g;
my (%fill, %strokes);
for my $kind (sort keys %look) {
    $fill{$look{$kind} =~ /fill="(#\w+)"/ ? $1 : 'none'} = $kind;
    $strokes{$look{$kind} =~ / d="([^"]*)"/ ? $1 : 'none'} = $kind;
}
is scalar(keys %{$_->[0]}), 7, "each of the 7 kinds has a $_->[1] of its own" for [\%fill, 'colour'], [\%strokes, 'stroke'];
like $xml, qr/^<rect fill="#FFFFFF" height="679"/m, 'the picture has a white background';

# Random sizes in a random order: no label covers another label
srand 1;
for my $n (2, 9, 14, 40) {
    my ($at, @ranges) = (0);
    for my $i (1 .. $n) {
        my $size = 1 + int 2**rand 40;
        push @ranges, [$at, $at + $size, (qw(ram identity missing unpopulated))[rand 4]];
        $at += $size;
    }
    both("$n random ranges", report(ranges => \@ranges, nr_pages => int $at / 3));
}

# Reports of older kernels, and words of a damaged report
($labels, $text) = both('an old report', report(renumbered => 97));
like $labels, qr/^room to grow, 512 MiB\nwith 97 frames from holes$/m, 'an old report: frames without moves are in the room to grow';
my $evil = '</g><a>"&' . "\e\x{263a}'";
my %evil = map { $_ => $evil x 9 } qw(kind builder xen beyond ballooned);
my @areas = map { [$evil, "0x$_", '0xff'] } 0 .. 9, 'a';
my $log   = read_file("$data/boot-1g-dom0.txt") =~ s/^(\(XEN.*\n).*\n/$1/r;
($labels, $text, $xml) = both('hostile words',
    write_file("$dir/evil", $log . read_file(report(%evil, virtual => \@areas))));
unlike $xml, qr/<a>/, 'hostile words: markup in a report is escaped';
like $labels, qr/^and 5 more$/m, 'hostile words: of 11 virtual ranges, the picture draws 6 and counts 5';

# Logs
my $noise = "(d1) x\r\n";
my @boots = map { read_file("$data/boot-$_.txt") } qw(domu 1g-dom0);
my $two   = write_file("$dir/two", join $noise, '', @boots, '');
my ($code, $out, $err) = memory_map('--text', $two);
is $code, 0, 'two reports: exit code is 0';
like $out, qr/^dom0 of 1010 MiB/, 'two reports: the last one is drawn';
is $err, "memory-map: $two: found 2 boot reports; the last one is drawn\n", 'two reports: a message says which one is drawn';
($code, $out) = run('sh', '-c', 'exec "$0" --text - <"$1"', script('memory-map'), $two);
like $out, qr/^dom0 of 1010 MiB/, '-: the report is read from standard input';
($code, $out) = memory_map('--text', '-o', "$dir/out", $two);
is $out, '', '-o FILE: nothing is written to standard output';
like read_file("$dir/out"), qr/^dom0 of 1010 MiB/, '-o FILE: the text is written to FILE';
my $pretty = JSON::PP->new->pretty->encode(decode_json(read_file(report())));
like drawn('pretty', '--text', write_file("$dir/pretty", $pretty)), qr/^dom0 of 512 MiB/,
    'a JSON file of several lines is drawn';
like drawn('--help', '--help'), qr/^usage: scripts\/memory-map/, '--help prints the usage';

# Reports that cannot be drawn

my %list = (entries => 512, tables => 3, new_pages => 0, shared_pages => 0, va => '0x1000');
for my $case (
    ['a file that does not exist', qr/No such file/,                       "$dir/none"],
    ['a directory',                qr/Is a directory/,                     "$dir"],
    ['no argument',                qr/expected one LOG, JSON or -, found none/],
    ['an unknown option',          qr/Unknown option: png/,                '--png', $two],
    ['-o with a directory that does not exist', qr/No such file/, '-o', "$dir/none/x", "$data/boot-domu.txt"],
    ['a log without a report', qr/expected a line .*, found no boot report/, \$noise],
    ['an empty file',          qr/found no boot report/,                     \''],
    ['half a report',          qr/expected a boot report in JSON: /,         \'{"report":"boot","a":'],
    ['another report',         qr/expected a report "boot", found a report other/, \'{"report":"other"}'],
    ['99 nested arrays',       qr/in JSON: /, \('{"report":"boot","a":' . '[' x 99 . ']' x 99 . '}')],
    ['no range',               qr/ranges: expected at least one range, found none/, {ranges => []}],
    ['ranges that are no array', qr/ranges: expected an array, found 7/,     {ranges => 7}],
    ['an unknown kind',        qr/ranges: 0: 2: expected ram, .*found rom/,        {ranges => [[0, 5, 'rom']]}],
    ['a gap between ranges',   qr/ranges: expected \[0x5, end, kind\]/,  {ranges => [[0, 5, 'ram'], [6, 7, 'ram']]}],
    ['an empty range',         qr/ranges: expected \[0x0, end/,              {ranges => [[0, 0, 'ram']]}],
    ['a range of 10^16 pages',      qr/ranges: 0: 1: expected a number, found 9000000/, {ranges => [[0, 9e15, 'ram']]}],
    ['a negative nr_pages',    qr/nr_pages: expected a number, found -1/,    {nr_pages => -1}],
    ['no nr_pages', qr/nr_pages: expected a number, found nothing/, \'{"report":"boot","ranges":[[0,5,"ram"]]}'],
    ['a max_mfn that is no number', qr/max_mfn: expected a number, found 0x1/, {max_mfn => '0x1'}],
    ['a move of two numbers',  qr/moves: 0: expected an array of 3, found 2/,  {moves => [[1, 2]]}],
    ['addresses that are numbers', qr/virtual: 0: 1: expected an address, found 5/, {virtual => [['M2P', 5, 6]]}],
    ['an area that ends before its start', qr/virtual: M2P: expected a start below the end, found 0x2 and 0x1/,
        {virtual => [['M2P', '0x2', '0x1']]}],
    ['a list that is no object', qr/list: expected an object/,               {list => []}],
    ['a list without number',  qr/list: entries: expected a number, found many/, {list => {entries => 'many'}}],
    ['a list with too many shared pages', qr/list: expected at most 1 shared_pages, found 2/,
        {list => {%list, shared_pages => 2}}],
    ['a list at no address',   qr/list: va: expected an address/,        {list => {%list, va => '0xffffc9000000000g'}}],
) {
    my ($name, $sentence, @arguments) = @$case;
    my $bad = $arguments[0];
    @arguments = write_file("$dir/bad", $$bad) if ref $bad eq 'SCALAR';
    @arguments = report(%$bad)                 if ref $bad eq 'HASH';
    is_refused $name, 2, qr/^memory-map: .*$sentence/, script('memory-map'), @arguments;
}

done_testing;
