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
    $message =~ s/[^ -~]/?/g;
    say_so($message);
    exit 2;
}

sub slurp {
    my ($path) = @_;
    my $file = \*STDIN;
    bad("$path: expected a log or a JSON file, found a directory") if -d $path;
    if ($path ne '-') { open $file, '<:raw', $path or bad("$path: $!") }
    local $/;
    return scalar(<$file>) // '';
}

# The last boot report of a log, and the size of the host's memory from Xen's line "System RAM".
sub read_report {
    my ($path) = @_;
    my $text  = slurp($path);
    my $json  = JSON::PP->new->max_depth(8);
    my @found = $text =~ /(\{"report":"boot"[^\n]*)/g;
    my ($host) = $text =~ /^\(XEN\) System RAM: \d+MB \((\d{1,12})kB\)/m;
    @found = ($text) if !@found && $text =~ /^\s*\{/;
    bad("$path: expected a line {\"report\":\"boot\",...}, found no boot report") if !@found;
    say_so("$path: found " . @found . ' boot reports; the last one is drawn') if @found > 1;
    my ($r) = eval { $json->decode_prefix($found[-1]) };
    bad("$path: expected a boot report in JSON: " . ($@ =~ s/,? at \S+ line \d+.*//sr)) if !$r;
    bad("$path: expected a report \"boot\", found a report " . word($r->{report}))
        if ref $r ne 'HASH' || word($r->{report}) ne 'boot';
    check($path, $r);
    $r->{host} = $host / 4 if $host;
    return $r;
}

sub is_address { return defined $_[0] && !ref $_[0] && $_[0] =~ /^0x[0-9a-f]{1,16}$/ }

sub is_count { return defined $_[0] && !ref $_[0] && $_[0] =~ /^\d{1,16}$/ && $_[0] <= $max_count }

# A word of a report, cut and made printable, because a damaged log may hold any bytes.
sub word {
    my ($value) = @_;
    return 'nothing' if !defined $value || ref $value || $value eq '';
    return substr $value =~ s/[^ -~]/?/gr, 0, 16;
}

sub check {
    my ($path, $r) = @_;
    my $is_run = sub {
        my ($run, $n) = @_;
        return ref $run eq 'ARRAY' && @$run == 3 && $n == grep { is_count($_) } @$run[0 .. $n - 1];
    };
    for my $key (qw(nr_pages max_pages max_mfn max_pfn renumbered)) {
        next if $key ne 'nr_pages' && !exists $r->{$key};
        bad("$path: $key: expected a number, found " . word($r->{$key})) if !is_count($r->{$key});
    }
    for my $key (qw(ranges moves virtual)) {
        next if !exists $r->{$key};
        bad("$path: $key: expected an array, found " . word($r->{$key})) if ref $r->{$key} ne 'ARRAY';
    }
    bad("$path: ranges: expected at least one range, found none") if !@{$r->{ranges} // []};
    my $end = 0;
    for my $range (@{$r->{ranges}}) {
        my $is = $is_run->($range, 2) && $range->[0] == $end && $range->[1] > $end;
        bad(sprintf '%s: ranges: expected [0x%x, end, kind] with end above 0x%x', $path, $end, $end)
            if !$is;
        bad("$path: ranges: expected ram, identity, missing or unpopulated, found " . word($range->[2]))
            if word($range->[2]) !~ /^(?:ram|identity|missing|unpopulated)$/;
        $end = $range->[1];
    }
    for my $move (@{$r->{moves} // []}) {
        bad("$path: moves: expected [from, to, number of pages]") if !$is_run->($move, 3);
    }
    for my $area (@{$r->{virtual} // []}) {
        my $is = ref $area eq 'ARRAY' && @$area == 3
            && 2 == grep { is_address($_) } @$area[1, 2];
        bad("$path: virtual: expected [name, \"0xstart\", \"0xend\"]") if !$is;
        bad("$path: virtual: " . word($area->[0]) . ': expected a start below the end, found '
                . "$area->[1] and $area->[2]")
            if hex $area->[1] >= hex $area->[2];
    }
    my $list = $r->{list};
    bad("$path: list: expected an object, found " . word($list)) if defined $list && ref $list ne 'HASH';
    for my $key ($list ? qw(entries tables new_pages shared_pages) : ()) {
        bad("$path: list: $key: expected a number, found " . word($list->{$key}))
            if !is_count($list->{$key});
    }
    bad("$path: list: va: expected an address, found " . word($list->{va}))
        if $list && !is_address($list->{va});
    my $nr_leaves = $list ? int($list->{entries} / 512) : 0;
    bad("$path: list: expected at most $nr_leaves shared_pages, found $list->{shared_pages}")
        if $list && $list->{shared_pages} > $nr_leaves;
    return;
}

1;
