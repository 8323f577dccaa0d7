#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# scripts/matrix: the part of the table that is asked for is what runs, a row that comes out
# otherwise than expected fails the whole, and nobody can lose a row by a slip in the table.

use strict;
use warnings;
use Test::More;

use FindBin;
use lib $FindBin::Bin;
use Run;

my $dir   = tempdir;
my $table = write_file("$dir/table", <<'END');
# a comment
one    check,short  -     file  -  -     -  pass   tests/scripts/one.pl
two    check        4.20  dom0  1G 512M  -  crash  --timeout 5 -- inject=trap
three  full         -     domU  -  64M   -  pass   -
END

sub matrix {
    return run(script('matrix'), '--table', $table, @_);
}

sub names {
    my ($code, $out, $err) = matrix('--list', @_);
    is $code, 0, "--list @_" or diag $err;
    return join ' ', map { /^(\S+)/ } grep { !/^name / } split /\n/, $out;
}

is names(),                                     'one two three', 'all rows';
is names('three', 'one'),                       'three one',     'by name, in this order';
is names('--tag', 'check'),                     'one two',       'by tag';
is names('--tag', 'full,short'),                'one three',     'by any of two tags';
is names('--tag', 'check', '--without', 'short'), 'two',         'without a tag';
is names('--shard', "$_->[0]/2"), $_->[1], "shard $_->[0] of 2" for [1, 'one three'], [2, 'two'];
is names('--shard', '1/1'), 'one two three', 'one shard is all';

sub complains {
    my ($what, $sentence, @arguments) = @_;
    my ($code, $out, $err) = matrix(@arguments);
    is $code, 2, "$what: bad usage";
    like $err, $sentence, 'in one sentence' or diag $out;
    is $err =~ tr/\n//, 1, 'which is one line' or diag $err;
    return;
}

complains 'a name that is no row', qr/^matrix: no row is called four /, 'four';
complains 'a tag that no row has', qr/^matrix: no row has the tag chek; there are check, full, short/,
    '--tag', 'chek';
complains 'a tag to leave out that no row has', qr/^matrix: no row has the tag x;/, '--without', 'x';
complains 'nothing left', qr/^matrix: no row is left/, '--tag', 'check', '--without', 'check';
complains "--shard $_", qr{^matrix: --shard \Q$_\E: expected I/N}, '--shard', $_
    for qw(0/2 3/2 1 a/b 1/0 -1/2);
complains '-j 0', qr/^matrix: -j 0: expected 1 or more/, '-j', '0';
complains 'an unknown option', qr/^matrix: Unknown option: shart/, '--shart', '1/2';

# Slips in the table
my %slips = (
    'a missing column' => ['one check - file - - -',            qr/:1: expected name tags xen/],
    'a kind'           => ['one check - dom1 - - - pass x',     qr/:1: kind dom1: expected dom0, /],
    'an outcome'       => ['one check - dom0 - - - good x',     qr/:1: expect good: expected crash, /],
    'a name'           => ['a/b check - dom0 - - - pass x',     qr{:1: name a/b: expected letters}],
    'a name twice'     => ["a c - dom0 - - - pass\na c - domU - - - pass", qr/:2: there are two rows called a$/],
);
for my $slip (sort keys %slips) {
    my ($text, $sentence) = @{$slips{$slip}};
    my ($code, undef, $err) = run(script('matrix'), '--list', '--table', write_file("$dir/slip", "$text\n"));
    is $code, 2, "$slip: bad usage";
    like $err, $sentence, 'with line and sentence';
}
my ($code, undef, $err) = run(script('matrix'), '--table', "$dir/none");
is $code, 2, 'a table that is not there';
like $err, qr{^matrix: \Q$dir/none\E: No such file}, 'is named';

# Runs: rows of the kind "file", which need no Xen
write_file("$dir/$_->[0].t", $_->[1]) for
    ['good', 'print "1..1\nok 1 - fine\n"'],
    ['bad', 'print "1..2\nok 1\nnot ok 2 - it is not\n", map("# reason $_\n", 1 .. 20); exit 1'],
    ['short', 'print "1..2\nok 1\n"'],
    ['skip', 'print "1..0 # SKIP no such Xen\n"'],
    ['xen', 'print "1..1\n", ($ENV{XENOLITH_XEN} // "") eq "4.20" ? "" : "not ", "ok 1\n"'];
my $up = join '/', ('..') x 12; # from the top of the tree to any place
write_file("$dir/runs", join '', map { "$_->[0] t $_->[1] file - - - pass $up$dir/$_->[0].t\n" }
    ['good', '-'], ['bad', '-'], ['short', '-'], ['skip', '-'], ['xen', '4.20']);

sub runs {
    return run(script('matrix'), '--table', "$dir/runs", '--logs', "$dir/logs", @_);
}

my $out;
($code, $out, $err) = runs('good', 'skip', 'xen');
is $code, 0, 'rows that pass, or are skipped, or want a Xen of their own' or diag $out, $err;
like $out, qr/^good .* ok$/m,      'the summary has the one';
like $out, qr/^skip .* skipped$/m, 'and the other';
($code, $out) = runs('--xen', '4.14', 'xen');
is $code, 1, '--xen is for all rows';
like $out, qr/^xen .* FAILED$/m, 'whose failure is seen, though its exit code is 0';
($code, $out) = runs('-j', '2', 'good', 'bad');
is $code, 1, 'a row that fails';
like $out, qr/^bad .* FAILED$/m, 'is in the summary';
is scalar(() = $out =~ /^    (?:not ok|# reason)/mg), 10, 'with the ten lines that matter';
($code, $out) = runs('short');
is $code, 1, 'a plan that is not kept is a failure';
ok -s "$dir/logs/bad.tap", '--logs keeps what it said';
($code) = runs('--junit', "$dir/junit.xml", 'good', 'bad');
is $code, 1, 'a row that fails, as JUnit XML';
like read_file("$dir/junit.xml"), qr/<testsuite [^>]*name="bad".*<failure/s, 'which says so';
($code, $out) = run(script('matrix'), '--help');
is $code, 0, '--help';
like $out, qr/^usage: scripts\/matrix/, 'says how';

# A run that is ended: nothing goes on, and nothing is left
mkdir "$dir/tmp";
write_file("$dir/long.t", <<"END");
system 'sh', '-c', 'echo \$\$ >$dir/pid; mktemp >/dev/null; kill -\$SIGNAL \$MATRIX; exec sleep 60';
END
write_file("$dir/long", "long t - file - - - pass $up$dir/long.t\n");
for my $case ([INT => 130], [TERM => 143], [HUP => 129]) {
    my ($signal, $expected) = @$case;
    ($code) = run({env => {SIGNAL => $signal, TMPDIR => "$dir/tmp"}},
        'sh', '-c', 'MATRIX=$$ exec "$@"', 'sh', script('matrix'), '--table', "$dir/long");
    is $code, $expected, "SIG$signal: exit code";
    nothing_is_left($dir, "SIG$signal");
}

# The table of the project
($code, $out) = run(script('matrix'), '--list');
is $code, 0, 'the table of the project can be read';
for my $file (glob "$FindBin::Bin/../scenarios/*.t $FindBin::Bin/../scenarios/*/*.t") {
    my ($path) = $file =~ m{(scenarios/.*)};
    like $out, qr{ tests/\Q$path\E$}m, "$path is in it";
}

done_testing;
