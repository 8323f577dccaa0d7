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
    if ($path ne '-') { open $file, '<:raw', $path or bad("cannot read $path: $!") }
    my $text = do { local $/; <$file> } // bad("cannot read $path: $!");
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

# What a value must be. A number of 15 digits is exact as a floating-point number, and more pages than
# a host can have.
my %is = (
    'a number'   => qr/^\d{1,15}$/,
    'an address' => qr/^0x[0-9a-f]{1,16}$/,
    'a word'     => qr/^/,
    'ram, identity, missing or unpopulated' => qr/^(?:ram|identity|missing|unpopulated)$/,
);

# What a report must be. Keys with ? may be left out. [X] is an array of any number of X.
my %report = (
    nr_pages   => 'a number',
    ranges     => [['a number', 'a number', 'ram, identity, missing or unpopulated']],
    'moves?'   => [['a number', 'a number', 'a number']],
    'virtual?' => [['a word', 'an address', 'an address']],
    'list?'    => {va => 'an address', map { $_ => 'a number' } qw(entries tables new_pages shared_pages)},
    map { $_ => 'a number' } qw(max_pages? max_mfn? max_pfn? renumbered?),
);

sub check_shape {
    my ($where, $value, $shape) = @_;
    my $is_so = ref $shape ? ref $value eq ref $shape : defined $value && !ref $value && $value =~ $is{$shape};
    my $kind  = {HASH => 'an object', ARRAY => 'an array'}->{ref $shape} // $shape;
    bad("$where: expected $kind, found " . word($value)) if !$is_so;
    if (ref $shape eq 'HASH') {
        for my $key (sort keys %$shape) {
            my $name = $key =~ s/\?$//r;
            check_shape("$where: $name", $value->{$name}, $shape->{$key}) if $name eq $key || exists $value->{$name};
        }
    }
    elsif (ref $shape eq 'ARRAY') {
        my @shapes = @$shape == 1 ? (@$shape) x @$value : @$shape;
        bad("$where: expected an array of " . @shapes . ', found ' . @$value) if @$value != @shapes;
        check_shape("$where: $_", $value->[$_], $shapes[$_]) for 0 .. $#shapes;
    }
    return;
}

sub check {
    my ($path, $r) = @_;
    check_shape($path, $r, \%report);
    my $end = 0;
    for my $range (@{$r->{ranges}}) {
        bad("$path: " . sprintf 'ranges: expected [0x%x, end, kind] with end above 0x%x', $end, $end)
            if $range->[0] != $end || $range->[1] <= $end;
        $end = $range->[1];
    }
    bad("$path: ranges: expected at least one range, found none") if !$end;
    for my $area (@{$r->{virtual} // []}) {
        my ($name, $from, $to) = @$area;
        bad("$path: virtual: " . word($name) . ": expected a start below the end, found $from and $to")
            if hex $from >= hex $to;
    }
    my $list = $r->{list} // return;
    my $nr_leaves = int($list->{entries} / 512);
    bad("$path: list: expected at most $nr_leaves shared_pages, found $list->{shared_pages}")
        if $list->{shared_pages} > $nr_leaves;
    return;
}

1;
