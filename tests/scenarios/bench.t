#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# The benchmarks, as far as they take seconds: each runs, keeps to its bounds, and writes its table
# where it is told to. Without this one could be broken until somebody needs its figures.

use strict;
use warnings;
use Test::More;

use FindBin;
use lib $FindBin::Bin, "$FindBin::Bin/../scripts";
use Host;
use Run;

my $dir = tempdir;

# The rows of a table, by the names in its first line.
sub rows {
    my ($head, @lines) = map { [split /\t/] } split /\n/, read_file($_[0]);
    return map { my $line = $_; +{map { ($head->[$_] => $line->[$_]) } 0 .. $#$head} } @lines;
}

sub succeeds {
    my ($what, @command) = @_;
    my ($code, $out, $err) = run(@command);
    is $code, 0, $what or diag $out, $err;
    return;
}

succeeds('bench/run: a dom0 of 1 GiB', script('../bench/run'), '--kernel', kernel, '--out',
    "$dir/results.tsv", '1G');
is_deeply [map { $_->{verdict} } rows("$dir/results.tsv")], ['PASS'], 'one row, within its bound';

for my $version (1, 2) {
    succeeds("bench/grant: version $version", script('../bench/grant'), '--kernel', kernel,
        '--grants', $version, '--out', "$dir/grant.tsv");
}
is scalar(grep { $_->{verdict} eq 'PASS' } rows("$dir/grant.tsv")), 2, 'both within their bound';

# What it says of a machine that is busy with other tests is not its answer.
my $top = script('..');
succeeds('bench-lookup is built', 'make', '--no-print-directory', '-C', $top, 'build/bench/lookup');
my ($code) = run("$top/build/bench/lookup", "$dir/lookup.tsv");
ok $code == 0 || $code == 1, "and gives an answer: $code";
cmp_ok scalar(rows("$dir/lookup.tsv")), '>=', 6, 'for each case';

succeeds('the plot is drawn', 'gnuplot', '-c', script('../bench/plot.gp'),
    script('../bench/results.tsv'), "$dir/bench.svg");
like read_file("$dir/bench.svg"), qr/<svg.*650/s, 'as a picture';

done_testing;
