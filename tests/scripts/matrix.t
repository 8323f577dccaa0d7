#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# scripts/matrix runs the scenarios of `make check` and of CI. Without this test, a selection by
# name, tag or shard could leave out rows, a row that fails could count as passed, a mistake in the
# table could hide a row, and a report could show a failure without what was found and expected.

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

is names(),                                     'one two three', 'without options, all rows are selected';
is names('three', 'one'),                       'three one',     'rows that are named run in the order of the names';
is names('--tag', 'check'),                     'one two',       '--tag selects the rows with the tag';
is names('--tag', 'full,short'),                'one three',     '--tag A,B selects the rows with either tag';
is names('--tag', 'check', '--without', 'short'), 'two',         '--without leaves out the rows with the tag';
is names('--shard', "$_->[0]/2"), $_->[1], "--shard $_->[0]/2 selects each second row from row $_->[0] on" for [1, 'one three'], [2, 'two'];
is names('--shard', '1/1'), 'one two three', '--shard 1/1 selects all rows';

sub complains {
    my ($what, $sentence, @arguments) = @_;
    my ($code, $out, $err) = matrix(@arguments);
    is $code, 2, "$what: exit code is 2 (bad usage)";
    like $err, $sentence, "$what: the message says what was found and expected" or diag $out;
    is $err =~ tr/\n//, 1, "$what: the message is one line" or diag $err;
    return;
}

complains 'a name that no row has', qr/^matrix: no row has the name four /, 'four';
complains '--tag with a tag that no row has', qr/^matrix: no row has the tag chek; expected one of check, full, short$/,
    '--tag', 'chek';
complains '--without with a tag that no row has', qr/^matrix: no row has the tag x;/, '--without', 'x';
complains 'options that select no row', qr/^matrix: expected options that select at least one row/, '--tag', 'check', '--without', 'check';
complains "--shard $_", qr{^matrix: --shard \Q$_\E: expected I/N}, '--shard', $_
    for qw(0/2 3/2 1 a/b 1/0 -1/2);
complains '-j 0', qr/^matrix: -j 0: expected a number from 1$/, '-j', '0';
complains 'an unknown option', qr/^matrix: unknown option --shart /, '--shart', '1/2';

# Mistakes in the table
my %slips = (
    'a row without all columns' => ['one check - file - - -',        qr/:1: expected the columns name tags xen .*, found: one/],
    'an unknown kind'           => ['one check - dom1 - - - pass x', qr/:1: column kind: expected one of dom0, .*, found dom1$/],
    'an unknown outcome'        => ['one check - dom0 - - - good x', qr/:1: column expect: expected one of crash, .*, found good$/],
    'a name with a slash'       => ['a/b check - dom0 - - - pass x', qr{:1: column name: expected letters, digits and any of _\.\@\+-, found a/b$}],
    'two rows with one name'    => ["a c - dom0 - - - pass\na c - domU - - - pass", qr/:2: expected a name that no other row has, found a second row a$/],
);
for my $slip (sort keys %slips) {
    my ($text, $sentence) = @{$slips{$slip}};
    my ($code, undef, $err) = run(script('matrix'), '--list', '--table', write_file("$dir/slip", "$text\n"));
    is $code, 2, "$slip: exit code is 2 (bad usage)";
    like $err, $sentence, "$slip: the message has the line number and the column";
}
my ($code, undef, $err) = run(script('matrix'), '--table', "$dir/none");
is $code, 2, 'a table that does not exist: exit code is 2 (bad usage)';
like $err, qr{^matrix: cannot read \Q$dir/none\E: No such file}, 'a table that does not exist: the message says what was tried, and has the path';

# Rows of the kind "file" run without Xen
write_file("$dir/$_->[0].t", $_->[1]) for
    ['good', 'print "1..1\nok 1 - fine\n"'],
    ['bad', 'print "1..2\nok 1\nnot ok 2 - it is not\n", map("# reason $_\n", 1 .. 20); exit 1'],
    ['short', 'print "1..2\nok 1\n"'],
    ['skip', 'print "1..0 # SKIP no such Xen\n"'],
    ['words', 'print "1..1\n", "@ARGV" eq "a b" ? "" : "not ", "ok 1\n"'],
    ['xen', 'print "1..1\n", ($ENV{XENOLITH_XEN} // "") eq "4.20" ? "" : "not ", "ok 1\n"'];
my $up = join '/', ('..') x 12; # from the top of the tree to any place
write_file("$dir/runs", join '', "words t - file - - - pass $up$dir/words.t a b\n",
    map { "$_->[0] t $_->[1] file - - - pass $up$dir/$_->[0].t\n" }
    ['good', '-'], ['bad', '-'], ['short', '-'], ['skip', '-'], ['xen', '4.20']);

sub runs {
    return run(script('matrix'), '--table', "$dir/runs", '--logs', "$dir/logs", @_);
}

my $out;
($code, $out, $err) = runs('good', 'skip', 'xen', 'words');
is $code, 0, 'rows that pass or are skipped: exit code is 0' or diag $out, $err;
like $out, qr/^good .* ok$/m,      'the summary shows a row that passed as ok';
like $out, qr/^words .* ok$/m,     'words after the name of a file are its arguments';
like $out, qr/^skip .* skipped$/m, 'the summary shows a row that was skipped as skipped';
like $out, qr/^slowest: \w+ \d+ s, \w+ \d+ s, \w+ \d+ s, \w+ \d+ s$/m, 'the summary has the slowest rows with their times';
like $out, qr/^skipped: skip\n\z/m, 'the last line names the rows that were skipped';
($code, $out) = runs('--xen', '4.14', 'xen');
is $code, 1, '--xen replaces the Xen of a row';
like $out, qr/^xen .* FAILED$/m, 'a row with "not ok" in its TAP fails, though its exit code is 0';
($code, $out) = runs('-j', '2', 'good', 'bad');
is $code, 1, 'a row that fails: exit code is 1';
like $out, qr/^bad .* FAILED$/m, 'the summary shows a row that failed as FAILED';
like $out, qr{^FAILED: bad; its log: \Q$dir\E/logs/bad\.tap; to run it alone: scripts/matrix bad\n\z}m,
    'the last line names the row that failed, its log, and the command that runs this row alone';
is scalar(() = $out =~ /^    (?:not ok|# reason)/mg), 10, 'the summary shows ten lines of the TAP of a row that failed';
($code, $out) = runs('short');
is $code, 1, 'a row that runs fewer tests than it planned fails';
ok -s "$dir/logs/bad.tap", '--logs keeps the TAP of each row';
($code) = runs('--junit', "$dir/junit.xml", 'good', 'bad');
is $code, 1, '--junit: exit code is 1 if a row fails';
like read_file("$dir/junit.xml"), qr/<testsuite [^>]*name="bad".*<failure/s, '--junit: a row that failed is a failure';
($code, $out) = run(script('matrix'), '--help');
is $code, 0, '--help: exit code is 0';
like $out, qr/^usage: scripts\/matrix/, '--help prints the usage';

# Diagnostics: they follow the test that failed, in the summary as in JUnit XML

# The text of the only failure in the JUnit XML
sub failure_text {
    my ($xml) = @_;
    my @failures = $xml =~ /<failure[^>]*>(.*?)<\/failure>/gs;
    is scalar @failures, 1, 'the JUnit XML has one failure' or diag $xml;
    return $failures[0] // '';
}

# A console of the kernel: comments of tests that pass, then a failed test whose diagnostics follow.
my $console = join "\n", 'TAP version 14', '1..3', map({ "# e820_fuzz: map $_" } 1 .. 12), 'ok 1 - e820_fuzz: x',
    'not ok 2 - p2m: y', 'a line of the log', '# p2m[0x5] is 0x1, expected 0x2', 'ok 3 - ranges: z',
    '# a comment after a test that passed', 'Test result: FAILURE', '';
write_file("$dir/xen", "\x7fELF" . "\0" x 60 . "\x02\xb0\xad\x1b" . "\0" x 16);
write_file("$dir/console", $console);
write_file("$dir/bin/qemu-system-x86_64",
    "#!/bin/sh\n[ \$1 != --version ] && cat $dir/console || echo QEMU emulator version 7.2.22\n");
chmod 0755, "$dir/bin/qemu-system-x86_64";
write_file("$dir/boots", "boot t $dir/xen dom0 1G 512M - pass -\n");
($code, $out, $err) = run({env => {PATH => "$dir/bin:$ENV{PATH}"}}, script('matrix'), '--table', "$dir/boots",
    '--junit', "$dir/boot.xml");
is $code, 1, 'a boot in which a test fails: exit code is 1' or diag $out, $err;
for my $case (['the summary', $out =~ s/^    //gmr], ['JUnit XML', failure_text(read_file("$dir/boot.xml"))]) {
    my ($what, $text) = @$case;
    like $text, qr/^# not ok 2 - p2m: y\n# # p2m\[0x5\] is 0x1, expected 0x2\b/m,
        "$what of a boot: the diagnostic follows the test that failed";
    unlike $text, qr/e820_fuzz|comment/, "$what of a boot: comments of tests that passed are left out";
    like $text, qr/^# scripts\/boot .* --host-mem 1G /m, "$what of a boot: the command is shown";
}

# A scenario by Test::More, which writes its diagnostics to standard error, and those of a subtest
# before the result of the subtest.
write_file("$dir/more.t", <<'END');
use Test::More;
note "note $_" for 1 .. 12;
ok 1, 'first';
subtest 'second' => sub { ok 1, 'inner'; is 5, 7, 'deep' };
done_testing;
END
write_file("$dir/mores", "more t - file - - - pass $up$dir/more.t\n");
($code, $out, $err) = run(script('matrix'), '--table', "$dir/mores", '--junit', "$dir/more.xml");
is $code, 1, 'a scenario in which a subtest fails: exit code is 1';
for my $case (['the summary', $out], ['JUnit XML', failure_text(read_file("$dir/more.xml"))]) {
    my ($what, $text) = @$case;
    like $text, qr/not ok 2 - second\n.*not ok 2 - deep\n.*got: '5'\n.*expected: '7'/s,
        "$what of a scenario: found and expected follow the subtest that failed";
    unlike $text, qr/note 1/, "$what of a scenario: notes of tests that passed are left out";
}

# A run that a signal ends
mkdir "$dir/tmp";
write_file("$dir/long.t", <<"END");
system 'sh', '-c', 'echo \$\$ >$dir/pid; mktemp >/dev/null; kill -\$SIGNAL \$MATRIX; exec sleep 60';
END
write_file("$dir/long", "long t - file - - - pass $up$dir/long.t\n");
for my $signal (qw(INT TERM HUP KILL)) {
    my $expected = $signal eq 'KILL' ? -1 : 130;
    ($code) = run({env => {SIGNAL => $signal, TMPDIR => "$dir/tmp"}},
        'sh', '-c', 'MATRIX=$$ exec "$@"', 'sh', script('matrix'), '--table', "$dir/long");
    is $code, $expected, "SIG$signal ends the run: exit code is $expected";
    nothing_is_left($dir, "SIG$signal");
}

# tests/matrix itself
($code, $out) = run(script('matrix'), '--list');
is $code, 0, 'tests/matrix is a valid table';
for my $file (glob "$FindBin::Bin/../scenarios/*.t $FindBin::Bin/../scenarios/*/*.t") {
    my ($path) = $file =~ m{(scenarios/.*)};
    like $out, qr{ tests/\Q$path\E(?: |$)}m, "tests/matrix has a row for tests/$path";
}
my @maps = map { m{([^/]+)\.map$} } glob "$FindBin::Bin/../maps/*.map";
is_deeply [sort map { m{ tests/scenarios/maps\.t (\S+)$} } grep { /^host-(\S+) .* \1$/ } split /\n/, $out], [sort @maps],
    'tests/matrix has a row host-NAME for each tests/maps/NAME.map, and no other';

done_testing;
