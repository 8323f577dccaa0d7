#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# A row of tests/mutants becomes useless when the source changes, so each row must occur in the source
# exactly once. Without this test, such rows would stay unnoticed, and scripts/mutants could report a
# mistake as noticed that no test noticed. A small Makefile and a small source make the runs short.

use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Run;
use Test::More;

my ($code, $out, $err) = run(script('mutants'), '--check');
is $code, 0, 'each row of tests/mutants occurs in the source exactly once' or diag $err;
like $out, qr/^(\d+) rows fit/, '--check prints the number of rows';
cmp_ok +($out =~ /^(\d+)/)[0], '>=', 45, 'tests/mutants has at least 45 rows';

my $dir = tempdir;
write_file("$dir/mm/x.c", "one\ntwo\ntwo\n");

sub check {
    my ($table, @more) = @_;
    write_file("$dir/table", $table);
    return run(script('mutants'), '--source', "$dir", '--table', "$dir/table", @more);
}

for (
    ["a mm/x.c unit\n- one\n+ ONE\n",                        qr/^$/,                              0, 'a row that fits the source'],
    ["a mm/x.c unit\n- three\n+ 3\n",                        qr/: a: expected the old text once in .*found it 0 times/, 2, 'an old text that the source does not have'],
    ["a mm/x.c unit\n- two\n+ 2\n",                          qr/: a: expected the old text once in .*found it 2 times/, 2, 'an old text that the source has twice'],
    ["a mm/y.c unit\n- one\n+ 1\n",                          qr{: a: expected the file mm/y\.c, found none}, 2, 'a file that does not exist'],
    ["a mm/x.c unit\n- one\n+ one\n",                        qr/: a: expected a new text other than the old text/, 2, 'a new text that is the old text'],
    ["a mm/x.c unit\n- one\n",                               qr/: a: expected lines with - and lines with \+/, 2, 'a row without new text'],
    ["a mm/x.c maybe\n- one\n+ 1\n",                         qr/expected "NAME FILE/,             2, 'a row with neither unit nor boot'],
    ["a mm/x.c unit\n- one\n+ 1\n\na mm/x.c unit\n- one\n+ 2\n", qr/expected a name that no other row has, found a second row a/, 2, 'two rows with one name'],
    ["a mm/x.c unit\n- one\n+ 1\nsame: as it was\n",         qr/: a: expected a line with -, \+ or equiv/, 2, 'a line of an unknown kind'],
) {
    my ($table, $says, $expected, $name) = @$_;
    ($code, $out, $err) = check($table, '--check');
    is $code, $expected, "$name: exit code is $expected";
    like $err, $says, $expected ? "$name: the message says what was found and expected" : "$name: there is no message";
}

# A source of four lines. Its "unit test" fails if the line "one" has changed, its "boot" if "two" has.
write_file("$dir/Makefile", <<'END');
all unit-build build/xenolith:
	@true
build/unit/test_x:
	@mkdir -p build/unit; (echo '#!/bin/sh'; echo 'cd $(CURDIR); grep -q one mm/x.c && exit'; \
	    echo 'echo "not ok 1 - finds_one"; exit 1') >$@; chmod +x $@
END
write_file("$dir/$_", '') for qw(VERSION elfnotes.S linker.ld lib/a arch/a xen/a kernel/a bench/a build/elfnotes.o
    tests/unit/test_x.c);
write_file("$dir/scripts/boot", "#!/bin/sh\ncd \$(dirname \$0)/..\n"
    . "grep -q TWO mm/x.c && echo 'not ok 2 - finds_two' && exit 5\nexit 0\n");
chmod 0755, "$dir/scripts/boot";
write_file("$dir/mm/x.c", "one\ntwo\nthree\nfour\n");
my $rows = "a mm/x.c unit\n- one\n+ 1\n\nb mm/x.c boot\n- two\n+ TWO\n\n";
($code, $out) = check($rows);
is $code, 0, 'all rows are noticed: exit code is 0';
like $out, qr/a +killed by unit \(test_x: finds_one\)/, 'a row that a unit test notices: the line has the test and its part';
like $out, qr/b +killed by boot \(not ok: finds_two\)/, 'a row that a boot notices: the line has the self-test';
($code, $out) = check($rows . "c mm/x.c unit\n- three\n+ 3\n");
is $code, 1, 'a row survives: exit code is 1';
like $out, qr/^survived: c$/m, 'a row survives: its name is printed';
($code, $out) = check($rows . "c mm/x.c unit\n- three\n+ 3\nequivalent: three is a comment\n");
is $code, 0, 'a row marked as equivalent survives: exit code is 0';
like $out, qr/c +equivalent \(three is a comment\)/, 'a row marked as equivalent survives: the line has the reason';
($code, $out) = check("a mm/x.c unit\n- one\n+ 1\nequivalent: who knows\n");
is $code, 1, 'a row marked as equivalent is noticed: exit code is 1';
like $out, qr/^wrong row: a: expected equivalent, found killed: /m, 'a row marked as equivalent is noticed: its name is printed';
($code, $out) = check($rows, '--only', 'b', '--no-boot');
is $code, 1, '--only NAME --no-boot: a row that only a boot would notice survives';
like $out, qr/^1 mutants/m, '--only NAME runs one row';
is((check($rows, '--only', 'z'))[0], 2, '--only with an unknown name: exit code is 2 (bad usage)');
($code, $out) = check($rows, '--list');
like $out, qr/^a +mm\/x\.c +unit\nb +mm\/x\.c +boot\n$/, '--list prints name, file and unit or boot of each row';
is((run(script('mutants'), '--nonsense'))[0], 2, 'an unknown option: exit code is 2 (bad usage)');

done_testing;
