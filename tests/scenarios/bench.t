#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# The benchmarks that take seconds or a few minutes: each must run, keep within its bound, and write its table
# to the file of --out. Without this test a benchmark could be broken until somebody needs its
# figures.

use strict;
use warnings;
use Test::More;

use FindBin;
use lib $FindBin::Bin, "$FindBin::Bin/../scripts";
use Host;
use Run;

my $dir = tempdir;

# Returns the rows of a table as hashes; the keys are the names in its first line.
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

succeeds('bench/run of a dom0 of 1 GiB exits with 0', script('../bench/run'), '--kernel', kernel, '--out',
    "$dir/results.tsv", '1G');
is_deeply [map { $_->{verdict} } rows("$dir/results.tsv")], ['PASS'],
    'bench/run: its table has one row, with verdict PASS';

for my $version (1, 2) {
    succeeds("bench/grant with grant table version $version exits with 0", script('../bench/grant'),
        '--kernel', kernel, '--grants', $version, '--out', "$dir/grant.tsv");
}
is scalar(grep { $_->{verdict} eq 'PASS' } rows("$dir/grant.tsv")), 2,
    'bench/grant: both rows of its table have verdict PASS';

succeeds('bench/suspend of a guest of 1 GiB that may grow to 16 GiB exits with 0', script('../bench/suspend'),
    '--kernel', kernel, '--out', "$dir/suspend.tsv", '1G-16G');
is_deeply [map { "$_->{domain}: $_->{verdict}" } rows("$dir/suspend.tsv")], ['old: PASS', 'new: PASS'],
    'bench/suspend: its table has a row for a cancelled suspend and one for a restore, with verdict PASS';

# Either verdict of build/bench/lookup is accepted: the build host may be busy with other tests.
my $top = script('..');
succeeds('build/bench/lookup is built', 'make', '--no-print-directory', '-C', $top, 'build/bench/lookup');
my ($code) = run("$top/build/bench/lookup", "$dir/lookup.tsv");
ok $code == 0 || $code == 1, "build/bench/lookup exits with 0 or 1: $code";
cmp_ok scalar(rows("$dir/lookup.tsv")), '>=', 6, 'build/bench/lookup: its table has at least 6 rows';

succeeds('gnuplot of bench/plot.gp exits with 0', 'gnuplot', '-c', script('../bench/plot.gp'),
    script('../bench/results.tsv'), "$dir/bench.svg");
like read_file("$dir/bench.svg"), qr/<svg.*650/s, 'the output of bench/plot.gp is an SVG picture';

done_testing;
