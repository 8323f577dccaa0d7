#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# tests/fuzz/run.sh: what a target finds must not get lost. Stand-ins for libFuzzer's programs say
# what those say.

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
    write_file("$dir/fuzz_$name", "#!/bin/sh\necho \"\$0 \$*\" >>$dir/said\n$body\n");
    chmod 0755, "$dir/fuzz_$name";
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
target('bad', "$good\necho 'tests/fuzz/x.c:7: expected: an end of waiting'\n"
    . "echo 'artifact_prefix=./; Test unit written to $dir/bad-crash-1'; exit 77");

my ($code, $out) = run($run, '-n', 777, "$dir", 'good');
is $code, 0, 'nothing is found: exit code';
like $out, qr/^good +777 +33 +57 +107 +319$/m, 'runs, runs a second, corpus, edges, of all';
like read_file("$dir/said"), qr{-runs=777 .*$dir/corpus/good}, 'as many runs as were asked for';
($code, $out) = run($run, '-j', 2, '-s', 5, "$dir", 'bad', 'good');
is $code, 1, 'something is found: exit code';
like $out, qr{^bad: tests/fuzz/x\.c:7: expected: an end of waiting; shown by $dir/bad-crash-1$}m,
    'what, and by which file';
like $out, qr/^good +777/m, 'the others run on';
like read_file("$dir/said"), qr/-max_total_time=5 /, 'for as long as was asked for';
is((run($run, "$dir"))[0],                     2, 'no target: bad usage');
is((run($run, '-n', 'many', "$dir", 'x'))[0],  2, 'no number: bad usage');

# The corpus in the tree is small, and no target is without one.
my $tree = script('../tests/fuzz');
for my $source (glob "$tree/fuzz_*.c") {
    my ($name) = $source =~ /fuzz_(\w+)\.c$/;
    my @files = glob "$tree/corpus/$name/*";
    my $bytes = 0;
    $bytes += -s for @files;
    cmp_ok scalar @files, '>', 0,      "$name: there are inputs to begin with";
    cmp_ok scalar @files, '<=', 60,     "$name: and few";
    cmp_ok $bytes,        '<=', 102400, "$name: and short";
}

done_testing;
