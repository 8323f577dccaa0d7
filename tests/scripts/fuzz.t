#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# tests/fuzz/run.sh runs the fuzz targets. Without this test, make fuzz could succeed although a
# target has found a bug, or hide which input shows the bug. Scripts that print what libFuzzer prints
# replace the targets.

use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Run;
use Test::More;

my $run = script('../tests/fuzz/run.sh');
my $dir = tempdir;

sub target {
    my ($name, $body) = @_;
    write_script("$dir/fuzz_$name", "#!/bin/sh\necho \"\$0 \$*\" >>$dir/said\n$body\n");
    return;
}

my $good = <<'END';
echo 'INFO: Loaded 1 modules   (319 inline 8-bit counters): 319 [0x1, 0x2),'
echo '#2	INITED cov: 10 ft: 11 corp: 1/1b exec/s: 0 rss: 30Mb'
echo '#777	DONE   cov: 107 ft: 225 corp: 57/1811b lim: 160 exec/s: 33 rss: 100Mb'
echo 'stat::number_of_executed_units: 777'
echo 'stat::average_exec_per_sec:     33'
END
target('good', $good);
target('bad', "$good\necho 'tests/fuzz/x.c:7: expected: a wait ends'\n"
    . "echo 'artifact_prefix=./; Test unit written to $dir/bad-crash-1'; exit 77");

my ($code, $out) = run($run, '-n', 777, "$dir", 'good');
is $code, 0, 'no finding: exit code is 0';
like $out, qr/^good +777 +33 +57 +107 +319$/m, 'the table has runs, runs per second, corpus, edges and all edges';
like read_file("$dir/said"), qr{-runs=777 .*$dir/corpus/good}, '-n N runs a target for N inputs';
($code, $out) = run($run, '-j', 2, '-s', 5, "$dir", 'bad', 'good');
is $code, 1, 'a finding: exit code is 1';
like $out, qr{^bad: tests/fuzz/x\.c:7: expected: a wait ends; the input is in $dir/bad-crash-1$}m,
    'a finding: the message has the failed check and the file of the input';
like $out, qr/^good +777/m, 'a finding of one target does not end the other targets';
like read_file("$dir/said"), qr/-max_total_time=5 /, '-s SECONDS runs a target for this time';
is((run($run, "$dir"))[0],                     2, 'no target: exit code is 2 (bad usage)');
is((run($run, '-n', 'many', "$dir", 'x'))[0],  2, '-n without a number: exit code is 2 (bad usage)');

# Each target has a small corpus in tests/fuzz/corpus.
my $tree = script('../tests/fuzz');
for my $source (glob "$tree/fuzz_*.c") {
    my ($name) = $source =~ /fuzz_(\w+)\.c$/;
    my @files = glob "$tree/corpus/$name/*";
    my $bytes = 0;
    $bytes += -s for @files;
    cmp_ok scalar @files, '>', 0,      "tests/fuzz/corpus/$name has inputs";
    cmp_ok scalar @files, '<=', 60,     "tests/fuzz/corpus/$name has at most 60 inputs";
    cmp_ok $bytes,        '<=', 102400, "tests/fuzz/corpus/$name has at most 100 KiB";
}

done_testing;
