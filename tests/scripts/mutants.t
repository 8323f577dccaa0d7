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

sub command {
    my ($table, @more) = @_;
    return (script('mutants'), '--source', "$dir", '--table', write_file("$dir/table", $table), @more);
}

my $row = "a mm/x.c unit\n- one\n+ 1\n";
is_deeply [run(command($row, '--check'))], [0, "1 rows fit the source\n", ''], 'a row that fits the source';
my $at = 'a mm/x.c unit';
for my $case (
    ['an old text that is not there',  "$at\n- three\n+ 3\n",  qr/: a: expected the old text once .*found it 0 times/],
    ['an old text that is there twice', "$at\n- two\n+ 2\n",   qr/: a: expected the old text once .*found it 2 times/],
    ['a file that does not exist', "a mm/y.c unit\n- one\n+ 1\n", qr{: a: expected the file mm/y\.c in \S+, found no such file$}],
    ['a new text that is the old text', "$at\n- one\n+ one\n", qr/: a: expected a new text other than the old text/],
    ['a row without new text',         "$at\n- one\n",         qr/: a: expected lines with - and lines with \+/],
    ['a row with neither unit nor boot', "a mm/x.c maybe\n- one\n+ 1\n", qr/expected "NAME FILE/],
    ['two rows with one name',         "$row\n$row",           qr/expected a name .*, found a second row a/],
    ['a line of an unknown kind',      "${row}same: as it was\n", qr/: a: expected a line with -, \+ or equiv/],
    ['--only with an unknown name',    $row, qr/^mutants: --only z: expected the name of a row/, '--only', 'z'],
) {
    my ($name, $table, $sentence, @options) = @$case;
    is_refused $name, 2, $sentence, command($table, '--check', @options);
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
write_script("$dir/scripts/boot", "#!/bin/sh\ncd \$(dirname \$0)/..\n"
    . "grep -q TWO mm/x.c && echo 'not ok 2 - finds_two' && exit 5\nexit 0\n");
write_file("$dir/mm/x.c", "one\ntwo\nthree\nfour\n");
write_script("$dir/scripts/prove", "#!/bin/sh\ncd \$(dirname \$0)/..\n[ \$1 != none ] || { echo 'skipped: no tool'; exit 3; }\n"
    . "grep -q 3 mm/x.c && echo 'x.c:1: the claim does not hold: three' && exit 1\nexit 0\n");
my $rows  = "$row\nb mm/x.c boot\n- two\n+ TWO\n\n";
my $third = "c mm/x.c unit\n- three\n+ 3\n";
for my $case (
    ['all rows are noticed', 0,
        [qr/a +killed by unit \(test_x: not ok: finds_one\)/, qr/b +killed by boot \(not ok: finds_two\)/], $rows],
    ['a row survives', 1,
        [qr/^survived: c$/m, qr/: 1 killed by unit, 1 killed by boot, 0 killed by proof, 0 equivalent, 0 skipped, 1 SURVIVED, 0 ERROR$/m],
        $rows . $third],
    ['a row marked as equivalent survives', 0,
        [qr/c +equivalent \(three is a comment\)/], "$rows${third}equivalent: three is a comment\n"],
    ['a row marked as equivalent is noticed', 1,
        [qr/^wrong row: a: expected equivalent, found killed: /m], "${row}equivalent: who knows\n"],
    ['--no-boot: a row that only a boot would notice survives', 1,
        [qr/^survived: b$/m, qr/^1 mutants/m], $rows, '--only', 'b', '--no-boot'],
    ['a row is noticed by another test than expected', 0,
        [qr/not ok: finds_one\), expected boot, /], "a mm/x.c boot\n- one\n+ 1\n"],
    ['a row of a proof, which notices it', 0, [qr/c +killed by proof \(some: three\)/], $third =~ s/unit/proof:some/r],
    ['a row of a proof, which does not notice it', 1, [qr/a +SURVIVED \(the proof holds\)/], $row =~ s/unit/proof:some/r],
    ['a row of a proof whose tool is missing', 0, [qr/a +skipped \(no tool\)/, qr/ 1 skipped, /], $row =~ s/unit/proof:none/r],
    ['--by runs only the rows of these tests', 0, [qr/^1 mutants/m, qr/c +killed by proof/],
        "$row\n" . ($third =~ s/unit/proof:some/r), '--by', 'proof'],
    ['--list', 0, [qr/\Aa +mm\/x\.c +unit\nb +mm\/x\.c +boot\n\z/], $rows, '--list'],
) {
    my ($name, $exit, $lines, @arguments) = @$case;
    ($code, $out) = run(command(@arguments));
    is $code, $exit, "$name: exit code is $exit";
    like $out, $_, "$name: the output says so" for @$lines;
}
is((run(script('mutants'), '--nonsense'))[0], 2, 'an unknown option: exit code is 2 (bad usage)');

done_testing;
