#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# tests/mutants rots silently where the source changes under it: each row must still be found there,
# once. And scripts/mutants must tell what was noticed from what was not; a stand-in for make, with
# two lines of source, shows that in no time.

use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Run;
use Test::More;

my ($code, $out, $err) = run(script('mutants'), '--check');
is $code, 0, 'each row of tests/mutants fits the source' or diag $err;
like $out, qr/^(\d+) rows fit/, 'and is counted';
cmp_ok +($out =~ /^(\d+)/)[0], '>=', 45, 'there are enough of them';

my $dir = tempdir;
write_file("$dir/mm/x.c", "one\ntwo\ntwo\n");

sub check {
    my ($table, @more) = @_;
    write_file("$dir/table", $table);
    return run(script('mutants'), '--source', "$dir", '--table', "$dir/table", @more);
}

for (
    ["a mm/x.c unit\n- one\n+ ONE\n",                        qr/^$/,                              0, 'a row that fits'],
    ["a mm/x.c unit\n- three\n+ 3\n",                        qr/: a: expected once in .*found 0/, 2, 'text that is not there'],
    ["a mm/x.c unit\n- two\n+ 2\n",                          qr/: a: expected once in .*found 2/, 2, 'text that is there twice'],
    ["a mm/y.c unit\n- one\n+ 1\n",                          qr{: a: there is no mm/y\.c},        2, 'no such file'],
    ["a mm/x.c unit\n- one\n+ one\n",                        qr/: a: changes nothing/,            2, 'no change'],
    ["a mm/x.c unit\n- one\n",                               qr/: a: expected what changes/,      2, 'half a row'],
    ["a mm/x.c maybe\n- one\n+ 1\n",                         qr/expected "NAME FILE/,             2, 'who is to notice it'],
    ["a mm/x.c unit\n- one\n+ 1\n\na mm/x.c unit\n- one\n+ 2\n", qr/two rows called a/,           2, 'a name twice'],
    ["a mm/x.c unit\n- one\n+ 1\nsame: as it was\n",         qr/: a: expected -, \+ or equiv/,    2, 'another line'],
) {
    my ($table, $says, $expected, $name) = @$_;
    ($code, $out, $err) = check($table, '--check');
    is $code, $expected, "$name: exit code";
    like $err, $says, "$name: what it says";
}

# A source whose "unit test" notices that there is no one, and whose "boot" that there is no two.
write_file("$dir/Makefile", <<'END');
all unit-build build/xenolith:
	@true
build/unit/test_x:
	@mkdir -p build/unit; (echo '#!/bin/sh'; echo 'cd $(CURDIR); grep -q one mm/x.c && exit'; \
	    echo 'echo "not ok 1 - finds_one"; exit 1') >$@; chmod +x $@
END
write_file("$dir/$_", '') for qw(elfnotes.S linker.ld lib/a arch/a xen/a kernel/a bench/a build/elfnotes.o
    tests/unit/test_x.c);
write_file("$dir/scripts/boot", "#!/bin/sh\ncd \$(dirname \$0)/..\n"
    . "grep -q TWO mm/x.c && echo 'not ok 2 - finds_two' && exit 5\nexit 0\n");
chmod 0755, "$dir/scripts/boot";
write_file("$dir/mm/x.c", "one\ntwo\nthree\nfour\n");
my $rows = "a mm/x.c unit\n- one\n+ 1\n\nb mm/x.c boot\n- two\n+ TWO\n\n";
($code, $out) = check($rows);
is $code, 0, 'all are noticed: exit code';
like $out, qr/a +killed by unit \(test_x: finds_one\)/, 'by a unit test, which is named';
like $out, qr/b +killed by boot \(not ok: finds_two\)/, 'by a boot';
($code, $out) = check($rows . "c mm/x.c unit\n- three\n+ 3\n");
is $code, 1, 'one survives: exit code';
like $out, qr/^survived: c$/m, 'and is named';
($code, $out) = check($rows . "c mm/x.c unit\n- three\n+ 3\nequivalent: three is a comment\n");
is $code, 0, 'one that is equivalent may survive';
like $out, qr/c +equivalent \(three is a comment\)/, 'for a reason';
($code, $out) = check("a mm/x.c unit\n- one\n+ 1\nequivalent: who knows\n");
is $code, 1, 'one that is called equivalent, and is noticed: exit code';
like $out, qr/^the row is wrong: a:/m, 'and is named';
($code, $out) = check($rows, '--only', 'b', '--no-boot');
is $code, 1, '--only and --no-boot';
like $out, qr/^1 mutants/m, 'one row';
is((check($rows, '--only', 'z'))[0], 2, 'no such row');
($code, $out) = check($rows, '--list');
like $out, qr/^a +mm\/x\.c +unit\nb +mm\/x\.c +boot\n$/, '--list';
is((run(script('mutants'), '--nonsense'))[0], 2, 'bad usage');

done_testing;
