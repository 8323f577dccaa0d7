# SPDX-License-Identifier: MIT
#
# The result of a fault: kept in a file, so that an interrupted run can be resumed, compared with what the row
# expects, and summed up by area.

package Results;

use strict;
use warnings;
use Exporter 'import';

use Table;

our @EXPORT = qw(load_result save_result outcome judged measured summary);

# A result is a hash: {hash} of what it depends on; {tests} that failed; {crashes}; {error}, a sentence, if no Xen
# with the fault was booted; {seconds}, and {cpu}, the seconds of processor time.
my @lists = qw(tests crashes);

sub load_result {
    my ($path) = @_;
    my %result = map { $_ => [] } @lists;
    open my $file, '<', $path or return undef;
    while (my $line = <$file>) {
        my ($key, $value) = $line =~ /^(\w+): (.*)$/ or return undef;
        if   (ref $result{$key}) { push @{$result{$key}}, $value }
        else                     { $result{$key} = $value }
    }
    return defined $result{cpu} ? \%result : undef; # the last line
}

sub save_result {
    my ($path, %result) = @_;
    open my $file, '>', $path or die "cannot create the result $path: $!\n";
    for my $key (qw(hash error), @lists, qw(seconds cpu)) {
        print $file map { "$key: $_\n" } ref $result{$key} ? @{$result{$key}} : $result{$key} // ();
    }
    close $file or die "cannot write the result $path: $!\n";
    return;
}

# What was measured, in words
sub outcome {
    my ($result) = @_;
    return $result->{error} if defined $result->{error};
    return 'noticed by ' . join ', ', @{$result->{tests}} if @{$result->{tests}};
    return 'crash: ' . $result->{crashes}[0] if @{$result->{crashes}};
    return 'not noticed';
}

# Is the result what the row expects?
sub judged {
    my ($row, $result) = @_;
    return 0 if defined $result->{error};
    my %failed = map { $_ => 1 } @{$result->{tests}};
    return !grep { !$failed{$_} } @{$row->{by}} if @{$row->{by}};
    return 0 if !defined $row->{why};
    return !%failed && !!$row->{crashes} == !!@{$result->{crashes}};
}

# The line of the table that says what was measured; undef if the line there says so already, or if nothing was
# measured. The tests that fail first are enough to name.
my $max_named = 3;

sub measured {
    my ($row, $result) = @_;
    return undef if defined $result->{error} || judged($row, $result);
    my @tests = @{$result->{tests}};
    return 'noticed-by: ' . join ', ', @tests > $max_named ? @tests[0 .. $max_named - 1] : @tests if @tests;
    return 'not-noticed: ' . (@{$result->{crashes}} ? 'crashes: ' : '') . ($row->{why} // 'no test yet');
}

# summary({NAME => result}, ROW...): the table by area, and the faults that no test notices.
sub summary {
    my ($result_of, @rows) = @_;
    my $text = sprintf "%-12s %8s %8s %8s\n", qw(area faults noticed crash);
    for my $area (@Table::areas, 'all') {
        my @of_area = grep { $area eq 'all' || $_->{area} eq $area } @rows or next;
        my @results = map { $result_of->{$_->{name}} } @of_area;
        my $noticed = grep { @{$_->{tests}} } @results;
        my $crashed = grep { !@{$_->{tests}} && @{$_->{crashes}} } @results;
        $text .= sprintf "%-12s %8d %8s %8d\n", $area, scalar @of_area,
            sprintf('%d (%d %%)', $noticed, 100 * $noticed / @of_area), $crashed;
    }
    for my $row (@rows) {
        my $result = $result_of->{$row->{name}};
        next if @{$result->{tests}};
        $text .= sprintf "not noticed: %-24s %s; %s: %s\n", $row->{name}, outcome($result), $row->{origin}, $row->{fault};
    }
    return $text;
}

1;
