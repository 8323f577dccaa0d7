# SPDX-License-Identifier: MIT
#
# The table of faults, tests/xen-faults: reads the rows, checks their form, and writes what a run has measured. The
# first lines of the table describe its form.

package Table;

use strict;
use warnings;
use Exporter 'import';

use Source;

our @EXPORT = qw(read_table recorded expectation);

my %areas = map { $_ => 1 } our @areas = qw(mmu memory events traps grants builder other);

# read_table(PATH): the rows, as hashes; dies with a sentence that names the line.
sub read_table {
    my ($path) = @_;
    my (@rows, %seen, $row);
    open my $file, '<', $path or die "cannot read the table $path: $!\n";
    while (my $line = <$file>) {
        chomp $line;
        next if $line =~ /^#|^\s*$/;
        if ($line =~ /^\S/) {
            my ($name, $source, $function) = $line =~ m{^([\w.-]+) +([\w./-]+) +([\w-]+)$}
                or die "$path:$.: expected \"NAME FILE FUNCTION\", found: $line\n";
            !$seen{$name}++ or die "$path:$.: expected a name that no other row has, found a second row $name\n";
            $row = {name => $name, file => $source, function => $function, at => "$path:$.", keys => []};
            push @rows, $row;
        } elsif ($row && $line =~ /^ {4}([a-z-]+): +(\S.*?) *$/) {
            push @{$row->{$1}}, $2;
            push @{$row->{keys}}, [$1, $.];
        } elsif ($row && @{$row->{keys}} && $line =~ /^ {5,}(\S.*?) *$/) {
            $row->{$row->{keys}[-1][0]}[-1] .= " $1"; # the line goes on
        } else {
            die "$path:$.: expected \"    KEY: TEXT\" or \"NAME FILE FUNCTION\", found: $line\n";
        }
    }
    check_row($_) for @rows;
    return @rows;
}

my %keys = map { $_ => 1 } qw(area origin fault edit boot noticed-by not-noticed);

sub check_row {
    my ($row) = @_;
    my $at = "$row->{at}: $row->{name}";
    for my $key (map { $_->[0] } @{$row->{keys}}) {
        $keys{$key} or die "$at: expected lines with the keys " . join(', ', sort keys %keys) . ", found a line \"$key: ...\"\n";
        @{$row->{$key}} == 1 || $key eq 'edit' or die "$at: expected one line \"$key: ...\", found " . @{$row->{$key}} . " such lines\n";
    }
    for my $key (qw(area origin fault edit)) {
        $row->{$key} or die "$at: expected a line \"$key: ...\", found no such line\n";
    }
    $row->{$_} = $row->{$_}[0] for grep { $row->{$_} } qw(area origin fault boot noticed-by not-noticed);
    $row->{boot} //= 'dom0';
    $areas{$row->{area}} or die "$at: area: expected one of @areas, found $row->{area}\n";
    $row->{origin} =~ /^(?:by hand|XSA-\d+|commit [0-9a-f]{7,40})\b/
        or die "$at: origin: expected \"by hand\", XSA-N or \"commit HASH\", found $row->{origin}\n";
    $row->{boot} =~ /^(?:dom0|domU|two|scenario [\w@.-]+)$/
        or die "$at: boot: expected dom0, domU, two or \"scenario NAME\", found $row->{boot}\n";
    check_expectation($row, $at);
    $row->{edits} = [map { eval { parse_edit($_, $row->{file}, $row->{function}) } // die "$at: edit: $@" } @{$row->{edit}}];
    return;
}

# {by} has the tests that must notice the fault. Without them {why} says why no test does, and {crashes} whether this
# kernel, its dom0 or Xen crashes.
sub check_expectation {
    my ($row, $at) = @_;
    my ($by, $not) = @$row{qw(noticed-by not-noticed)};
    !(defined $by && defined $not) or die "$at: expected a line \"noticed-by: ...\" or a line \"not-noticed: ...\", found both\n";
    $row->{by} = [split /\s*,\s*/, $by // ''];
    ($by // 'a') =~ /^[\w-]+(?:\s*,\s*[\w-]+)*$/ or die "$at: noticed-by: expected names of tests with commas between them, found $by\n";
    ($row->{crashes}, $row->{why}) = $not =~ /^(crashes: +)?(.*)$/ if defined $not;
    return;
}

# What a row expects, in words
sub expectation {
    my ($row) = @_;
    return 'expected: noticed by ' . join ', ', @{$row->{by}} if @{$row->{by}};
    return 'expected: ' . ($row->{crashes} ? 'crash' : 'not noticed') . " ($row->{why})" if defined $row->{why};
    return 'expected: unknown, because the row has neither a line noticed-by nor a line not-noticed';
}

# recorded(PATH, {NAME => LINE}): the text of the table, in which each row NAME has LINE instead of its line
# noticed-by or not-noticed.
sub recorded {
    my ($path, $line_of) = @_;
    open my $file, '<', $path or die "cannot read the table $path: $!\n";
    my @lines = <$file>;
    my @rows  = read_table($path);
    my $end   = @lines;
    for my $row (reverse @rows) {
        my $line = $line_of->{$row->{name}};
        my ($first) = $row->{at} =~ /:(\d+)$/;
        replace(\@lines, $row, $line, $first, $end) if defined $line;
        $end = $first - 1;
    }
    return join '', @lines;
}

# Replaces the line of a row, which has the lines from $first (counted from 1) to before $end, or adds it.
sub replace {
    my ($lines, $row, $line, $first, $end) = @_;
    my ($at) = map { $_->[1] - 1 } grep { $_->[0] =~ /^not(?:iced-by|-noticed)$/ } @{$row->{keys}};
    my $nr   = 0;
    if (defined $at) {
        $nr = 1;
        $nr++ while $at + $nr < $end && $lines->[$at + $nr] =~ /^ {5,}\S/;
    } else {
        $at = $row->{keys}[-1][1];
        $at++ while $at < $end && $lines->[$at] =~ /^ {5,}\S/;
    }
    splice @$lines, $at, $nr, "    $line\n";
    return;
}

1;
