#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# The benchmarks of grants, suspend and look-up: each must run, keep within its bound, and write its table
# to the file of --out. Counts of instructions must be those of the tables in bench/, to 1 %. Without
# this test a benchmark could be broken until somebody needs its figures, and the figures in the tree
# could be those of an older kernel. (cost.t has bench/run.)

use strict;
use warnings;
use Test::More;

use FindBin;
use lib $FindBin::Bin, "$FindBin::Bin/../scripts";
use Figures;
use Host;
use Run;

my $dir = tempdir;

sub succeeds {
    my ($what, @command) = @_;
    my ($code, $out, $err) = run(@command);
    is $code, 0, $what or diag $out, $err;
    return;
}

for my $version (1, 2) {
    succeeds("bench/grant with grant table version $version exits with 0", script('../bench/grant'),
        '--kernel', kernel, '--grants', $version, '--out', "$dir/grant.tsv");
}
my @grants = rows("$dir/grant.tsv");
is scalar(grep { $_->{verdict} eq 'PASS' } @grants), 2, 'bench/grant: both rows of its table have verdict PASS';
same_figures('grant.tsv', [qw(version batch)], [qw(window old)], @grants);

succeeds('bench/suspend of a guest of 1 GiB that may grow to 16 GiB exits with 0', script('../bench/suspend'),
    '--kernel', kernel, '--out', "$dir/suspend.tsv", '1G-16G');
my @suspends = rows("$dir/suspend.tsv");
is_deeply [map { "$_->{domain}: $_->{verdict}" } @suspends], ['old: PASS', 'new: PASS'],
    'bench/suspend: its table has a row for a cancelled suspend and one for a restore, with verdict PASS';
same_figures('suspend.tsv', [qw(guest domain)], [qw(before after)], @suspends);

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
