# SPDX-License-Identifier: MIT
#
# Finds the boot report in a log and checks it, so that the code that draws it needs no checks. A
# report that is not valid ends the program with one sentence and exit code 2.

package Report;

use strict;
use warnings;
no warnings 'portable'; # hex() of 64-bit numbers
use Exporter 'import';
use JSON::PP;

our @EXPORT = qw(read_report word bad);

my $max_count = 1 << 52; # pages: more than a host can have, and exact as a floating-point number

sub say_so { return print STDERR "memory-map: $_[0]\n" }

sub bad {
    my ($message) = @_;
    say_so($message =~ s/[^ -~]/?/gr);
    exit 2;
}

# The last boot report of a log, and the size of the host's memory from Xen's line "System RAM".
sub read_report {
    my ($path) = @_;
    my $file = \*STDIN;
    if ($path ne '-') { open $file, '<:raw', $path or bad("$path: $!") }
    my $text = do { local $/; <$file> } // bad("$path: $!");
    my @found = $text =~ /(\{"report":"boot"[^\n]*)/g;
    my ($host) = $text =~ /^\(XEN\) System RAM: \d+MB \((\d{1,12})kB\)/m;
    @found = ($text) if !@found && $text =~ /^\s*\{/;
    bad("$path: expected a line {\"report\":\"boot\",...}, found no boot report") if !@found;
    say_so("$path: found " . @found . ' boot reports; the last one is drawn') if @found > 1;
    my ($r) = eval { JSON::PP->new->max_depth(8)->decode_prefix($found[-1]) };
    bad("$path: expected a boot report in JSON: " . ($@ =~ s/,? at \S+ line \d+.*//sr)) if !$r;
    bad("$path: expected a report \"boot\", found a report " . word($r->{report}))
        if ref $r ne 'HASH' || word($r->{report}) ne 'boot';
    check($path, $r);
    $r->{host} = $host / 4 if $host;
    return $r;
}

# A word of a report, cut and made printable, because a damaged log may hold any bytes.
sub word {
    my ($value) = @_;
    return 'nothing' if !defined $value || ref $value || $value eq '';
    return substr $value =~ s/[^ -~]/?/gr, 0, 16;
}

my %is = (
    'a number'   => sub { defined $_[0] && !ref $_[0] && $_[0] =~ /^\d{1,16}$/ && $_[0] <= $max_count },
    'an address' => sub { defined $_[0] && !ref $_[0] && $_[0] =~ /^0x[0-9a-f]{1,16}$/ },
    'an array'   => sub { ref $_[0] eq 'ARRAY' },
    'an object'  => sub { ref $_[0] eq 'HASH' },
    'a word'     => sub { 1 },
);

sub is_row {
    my ($row, @kinds) = @_;
    return $is{'an array'}->($row) && @$row == @kinds && !grep { !$is{$kinds[$_]}->($row->[$_]) } 0 .. $#kinds;
}

sub check {
    my ($path, $r) = @_;
    my $wrong  = sub {
        my ($format, @found) = @_;
        bad("$path: " . sprintf $format, @found);
    };
    my $expect = sub {
        my ($kind, $values, @keys) = @_;
        for my $key (@keys) {
            my $name = $values == $r ? $key : "list: $key";
            $is{$kind}->($values->{$key}) or $wrong->('%s: expected %s, found %s', $name, $kind, word($values->{$key}));
        }
    };
    $expect->('a number', $r, 'nr_pages', grep { exists $r->{$_} } qw(max_pages max_mfn max_pfn renumbered));
    $expect->('an array', $r, grep { exists $r->{$_} } qw(ranges moves virtual));

    @{$r->{ranges} // []} or $wrong->('ranges: expected at least one range, found none');
    my $end = 0;
    for my $range (@{$r->{ranges}}) {
        is_row($range, 'a number', 'a number', 'a word') && $range->[0] == $end && $range->[1] > $end
            or $wrong->('ranges: expected [0x%x, end, kind] with end above 0x%x', $end, $end);
        word($range->[2]) =~ /^(?:ram|identity|missing|unpopulated)$/
            or $wrong->('ranges: expected ram, identity, missing or unpopulated, found %s', word($range->[2]));
        $end = $range->[1];
    }
    for my $move (@{$r->{moves} // []}) {
        is_row($move, ('a number') x 3) or $wrong->('moves: expected [from, to, number of pages]');
    }
    for my $area (@{$r->{virtual} // []}) {
        is_row($area, 'a word', 'an address', 'an address') or $wrong->('virtual: expected [name, "0xstart", "0xend"]');
        my ($name, $from, $to) = @$area;
        hex $from < hex $to
            or $wrong->('virtual: %s: expected a start below the end, found %s and %s', word($name), $from, $to);
    }

    return if !defined $r->{list};
    $expect->('an object', $r, 'list');
    my $list = $r->{list};
    $expect->('a number', $list, qw(entries tables new_pages shared_pages));
    $expect->('an address', $list, 'va');
    my $nr_leaves = int($list->{entries} / 512);
    $list->{shared_pages} <= $nr_leaves
        or $wrong->('list: expected at most %d shared_pages, found %s', $nr_leaves, $list->{shared_pages});
    return;
}

1;
