#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# scripts/xen-faults injects faults into Xen. Without this test an edit could change another place than its row says,
# a fault that no test notices could be reported as noticed, or a run could leave changed files for the next row. A
# small source tree stands for Xen's, and a script for QEMU, which reads the "hypervisor" that was built.

use strict;
use warnings;
use Fcntl ':flock';
use FindBin;
use lib $FindBin::Bin, "$FindBin::Bin/../../scripts/xen-faults.d";
use Run;
use Source;
use StandIn;
use Table;
use Test::More;

# The table of this tree

my @rows = read_table(script('../tests/xen-faults'));
my %is_test = map { $_ => 1 } map { read_file($_) =~ /^TEST(?:_LAST|_RULE)?\(\s*(\w+),/mg } glob script('../tests/guest/{,*/}*.c');
my %is_row  = map { $_ => 1 } read_file(script('../tests/matrix')) =~ /^([\w.@+-]+)\s/mg;
my @unknown = grep { !$is_test{$_} && !$is_row{$_} } map { (@{$_->{by}}, $_->{boot} =~ /^scenario (.*)/) } @rows;
is_deeply \@unknown, [], 'each test that a row of tests/xen-faults names is a self-test or a row of tests/matrix';
is_deeply [map { $_->{name} } grep { !@{$_->{by}} && !defined $_->{why} } @rows], [],
    'each row of tests/xen-faults has noticed-by or not-noticed';
SKIP: {
    my $cache = $ENV{XENOLITH_CACHE} // ($ENV{XDG_CACHE_HOME} // "$ENV{HOME}/.cache") . '/xenolith';
    skip 'the cache has no source tree of Xen (scripts/fetch/xen tree)', 1 if !-e "$cache/tree-4.17/SHA256SUMS";
    my ($code, $out, $err) = run(script('xen-faults'), '--check', '--source', "$cache/tree-4.17");
    is $code, 0, 'each row of tests/xen-faults fits the source of Xen' or diag $err;
}

# Edits

my $source = <<'END';
/* set(a) in a comment of { braces } */
#define LIMIT(x) \
    ((x) + 1)
static int set(int a);
static int map(int a) { return set(a); }
#ifdef ODD
static int set(int a,
               int b)
{
    if ( a ) {
#else
static int set(int a)
{
    if ( !a ) {
#endif
        print("set } %d\n", '{'); // the end: }
        a = get (a, 5 ); /* a = get(a, 6) */
    }
    return a; }
const struct ops table = { .set = set, .nr = 7 };
int last(void) { return 9; }
END

sub edited {
    my ($edit, $function) = @_;
    my $new = eval { apply_edit(parse_edit($edit, 'a.c', $function), $source) };
    return $@ if !defined $new;
    my @old = split /\n/, $source;
    return join "\n", grep { $_ ne (shift @old // '') } split /\n/, $new;
}

for my $case (
    ['in the function only',           's{return}{die}',            'map',   'static int map(int a) { die set(a); }'],
    ['a run of blanks is white space', 's{a = get \( a, 5 \);}{a--;}', 'set',  '        a--; /* a = get(a, 6) */'],
    ['a group and the match',          's{get \((a), (\d)}{$2$1$&}', 'set',  '        a = 5aget (a, 5 ); /* a = get(a, 6) */'],
    ['the other branch of an #ifdef',  's{if \( a}{if ( b}',        'set',   '    if ( b ) {'],
    ['behind both branches',           's{return a}{return b}',     'set',   '    return b; }'],
    ['a macro of two lines',           's{\+ 1}{- 1}',              'LIMIT', '    ((x) - 1)'],
    ['an initialiser',                 's{nr = 7}{nr = 8}',         'table', 'const struct ops table = { .set = set, .nr = 8 };'],
    ['the whole file',                 's{9}{10}',                  '-',     'int last(void) { return 10; }'],
    ['another function and delimiter', 'a.c last s|9|(1 \| 2)|',    'map',   'int last(void) { return (1 | 2); }'],
    ['braces in both parts',           's{\{ return 9{1}; \}}{{ return {0}; }}', 'last', 'int last(void) { return {0}; }'],
    ['the flag s',                     's{5.*return}{6 ); \} return}s', 'set', "        a = get (a, 6 ); } return a; }\nconst struct"],
) {
    my ($name, $edit, $function, $line) = @$case;
    like edited($edit, $function), qr/^\Q$line\E/, "an edit: $name";
}
for my $case (
    ['no match',              's{x}{y}',       'map',  qr/^expected one match of REGEX in the definition of map in a\.c, found 0 matches of s\{x\}\{y\}$/],
    ['two matches',           's{if \(}{y}',   'set',  qr/^expected one match of REGEX in the definition of set in a\.c, found 2 matches of /],
    ['a match in a comment',  's{6}{7}',       'set',  qr/^expected one match of REGEX in the definition of set in a\.c, found 0 matches of /],
    ['a declaration only',    's{x}{y}',       'log',  qr/^expected a definition of log in a\.c, found no definition$/],
    ['no change',             's{9}{9}',       'last', qr/^expected an edit that changes the definition of last in a\.c, found an edit that changes nothing: s/],
    ['braces out of balance', 's{\{9}{{0}',    'last', qr/^expected s\{REGEX\}\{TEXT\}, where each other \{ has a \} .*, found s\{\\\{9\}\{\{0\}$/],
    ['a part that has no end', 's|9|0', 'last', qr/^expected s\|REGEX\|TEXT\|, found s\|9\|0$/],
    ['no regex',              's{(9}{0}',      'last', qr/^expected a regex of Perl, found \(9 \(Perl: Unmatched \(/],
    ['an unknown flag',       's{9}{0}g',      'last', qr/^expected no flag, or the flag s .*, found the flag g in s\{9\}\{0\}g$/],
    ['no edit',               'tr{9}{0}',      'last', qr/^expected s\{REGEX\}\{TEXT\}, found tr/],
) {
    my ($name, $edit, $function, $message) = @$case;
    like edited($edit, $function), $message, "an edit is refused: $name";
}

# Tables, and a tree of three files whose "hypervisor" is their text

my $tree = "$dir/tree";
write_file("$tree/xen/$_->[0]", $_->[1]) for (
    ['mm/a.c', "int one(void) { return 1; }\nint two(void) { return 2; }\n"],
    ['mm/b.c', "int three(void) { return 3; }\n"],
    ['c.h',    "int four(void) { return 4; }\n"],
    ['Makefile', <<'END']);
build: xen
xen: mm/a.o mm/b.o
	@(cat $(CURDIR)/../head; cat $^) >$@
mm/%.o: mm/%.c c.h
	@! grep BROKEN $< || { echo "$<:1:2: error: expected a number" >&2; exit 1; }
	@cat $< c.h >$@; echo $< >>$$HERE/built
END
write_file("$tree/head", read_file("$StandIn::xen"));
system("HERE=$dir make -s -C $tree/xen build") == 0 or die;

# QEMU prints the results of two self-tests, and a line that the "hypervisor" names.
my $qemu = <<'END';
while [ "$1" != -kernel ]; do shift; done
[ "$SLOW" = '' ] || grep -q 'return 1' "$2" || stays
fails() { grep -aq "return $1" "$2" && echo 'not ok' || echo 'ok'; }
say 'TAP version 14' 1..2 "$(fails 5 "$2") 1 - abi_one: one" "$(fails 6 "$2") 2 - abi_two: two"
case $(grep -ao 'return [5-9]' "$2") in
'return 7') say '(XEN) Panic on CPU 0:' ;;
'return 8') exit ;;
*[56]) say 'Test result: FAILURE' ;;
*) say 'Test result: SUCCESS' ;;
esac
END

sub faults {
    my ($table, @more) = @_;
    write_file("$dir/built", '');
    return with_qemu($qemu, 'xen-faults', '--source', $tree, '--kernel', $kernel, '--out', "$dir/out", '--table',
        write_file("$dir/table", $table), @more);
}

sub row {
    my ($name, $function, $edit, $expected, $file) = @_;
    $file //= 'mm/a.c';
    return "$name $file $function\n    area: mmu\n    origin: by hand\n    fault: it is\n        wrong\n    edit: $edit\n"
        . ($expected ? "    $expected\n" : '') . "\n";
}
my $noticed = row('a', 'one', 's{1}{5}', 'noticed-by: abi_one');

for my $case (
    ['a file that does not exist', row('a', 'one', 's{1}{5}', '', 'mm/x.c'), qr{: a: expected the file mm/x\.c of Xen's source in \S+, found no such file$}],
    ['an edit that does not fit',  row('a', 'one', 's{x}{5}'),           qr/: a: expected one match of REGEX in the definition of one in mm\/a\.c, found 0 matches of /],
    ['a regex that is none',       row('a', 'one', 's{(}{5}'),           qr/: a: edit: expected a regex of Perl/],
    ['two rows with one name',     "$noticed$noticed",                   qr/expected a name .*, found a second row a$/],
    ['two expectations',           $noticed =~ s/\n\n/\n    not-noticed: x\n/r, qr/: a: expected a line "noticed-by: \.\.\." or a line "not-noticed: \.\.\.", found both/],
    ['an unknown key',             $noticed =~ s/area/site/r,            qr/: a: expected lines with the keys area, .*, found a line "site: \.\.\."$/],
    ['an unknown area',            $noticed =~ s/mmu/moon/r,             qr/: a: area: expected one of mmu .*, found moon$/],
    ['an unknown boot',            $noticed =~ s/\n\n/\n    boot: moon\n/r, qr/: a: boot: expected dom0, domU, two or .*, found moon$/],
    ['an unknown origin',          $noticed =~ s/by hand/a friend/r,     qr/: a: origin: expected "by hand", .*, found a friend$/],
    ['a row without an edit',      $noticed =~ s/ +edit.*\n//r,          qr/: a: expected a line "edit: \.\.\.", found no such line$/],
    ['two lines of a key',         $noticed =~ s/(?= +area)/    area: mmu\n/r, qr/: a: expected one line "area: \.\.\.", found 2 such lines$/],
    ['a line of no kind',          "x\n",                                qr/:1: expected "NAME FILE FUNCTION", found: x$/],
    ['an empty table',             "# none\n",                           qr/table: expected at least one row, found none$/],
    ['a table that does not exist', $noticed,  qr{^xen-faults: cannot read the table \S+/none: No such file or directory$}, '--table', "$dir/none"],
    ['--only with an unknown name', $noticed, qr/^xen-faults: --only z: expected the name of a row/, '--only', 'z'],
    ['--file without a row',       $noticed,  qr{^xen-faults: --file mm/b\.c: expected at least one row that fits}, '--file', 'mm/b.c'],
    ['--fifth 6/5',                $noticed,  qr{^xen-faults: --fifth 6/5: expected N/5, with N from 1 to 5, or day/5}, '--fifth', '6/5'],
) {
    my ($name, $table, $message, @options) = @$case;
    my ($code, $out, $err) = faults($table, '--check', @options);
    is "$code:$out", '2:', "$name: exit code is 2, and standard output is empty";
    like $err, qr/^xen-faults: .*$/s, "$name: the message begins with the name of the script";
    like $err, $message, "$name: the message says what was found and expected";
    is $err =~ tr/\n//, 1, "$name: the message is one line";
}

my (undef, undef, $misfits) = faults(row('a', 'one', 's{x}{5}') . $noticed =~ s/^a/b/r . row('c', 'two', 's{x}{5}'), '--check');
is join(' ', $misfits =~ /^xen-faults: \S+ (\w): expected one match of REGEX .*$/mg), 'a c', 'two rows that do not fit: each has a message';

my $table = $noticed . row('b', 'two', 's{2}{6}', 'noticed-by: abi_two') . row('c', 'three', 's{3}{3 + 0}', 'not-noticed: the same', 'mm/b.c')
    . row('d', 'two', 's{2}{7}', 'not-noticed: crashes: too early') . row('e', 'four', 's{4}{5}', 'noticed-by: abi_one', 'c.h');
my ($code, $out, $err) = faults($table);
is $code, 0, 'five rows that are as expected: exit code is 0' or diag $out, $err;
like $out, qr/^unmodified Xen: all tests pass /m, 'the unmodified tree is booted first';
for my $line (
    qr/^\d\/5 +a +ok +noticed by abi_one; expected: noticed by abi_one \(/m,
    qr/^\d\/5 +b +ok +noticed by abi_two; expected: noticed by abi_two \(/m,
    qr/^\d\/5 +c +ok +not noticed; expected: not noticed \(the same\) \(/m,
    qr/^\d\/5 +d +ok +crash: dom0: crash: Xen printed: Panic on CPU 0:; expected: crash \(too early\) \(/m,
    qr/^5\/5 +e +ok +noticed by abi_one; expected: noticed by abi_one \(\d+ s\)$/m,
    qr/^area +faults +noticed +crash\nmmu +5 +3 \(60 %\) +1\nall +5 +3 \(60 %\) +1\nnot noticed: c +not noticed; by hand: it is wrong\n/m,
    qr/^5 faults in \d+ s, \d+ s of processor time: 0 results differ from the table$/m,
) {
    like $out, $line, "five rows: the output has a line like $line";
}
ok !-e "$dir/out/copies", 'the copies of the tree are gone';
is_deeply [map { read_file("$tree/xen/$_") =~ /return (\d)/g } qw(mm/a.c mm/b.c c.h)], [1, 2, 3, 4], 'the source tree is as before';
is join(' ', split /\n/, read_file("$dir/built")), 'mm/a.c mm/a.c mm/a.c mm/a.c mm/b.c mm/a.c mm/b.c',
    'a row builds its file, the file of the row before if it is another one, and what includes a header';
is read_file("$dir/out/logs/b/dom0.log") =~ /^not ok .*/m ? $& : '', 'not ok 2 - abi_two: two', 'the console of a row stays';

my @differences = (
    [row('p', 'one', 's{1}{1 + 0}', 'noticed-by: abi_one'),          'a fault that the named test does not notice',
        qr/not noticed; expected: noticed by abi_one \(\S+table:1\)/],
    [row('q', 'one', 's{1}{6}',     'noticed-by: abi_one, abi_two'), 'a fault that only one of two tests notices',
        qr/noticed by abi_two; expected: noticed by abi_one, abi_two /],
    [row('r', 'one', 's{1}{5}',     'not-noticed: no test yet'),     'a fault that is noticed now',
        qr/noticed by abi_one; expected: not noticed \(no test yet\) /],
    [row('s', 'one', 's{1}{7}',     'not-noticed: no test yet'),     'a crash that is not expected',
        qr/crash: dom0: crash: Xen printed: Panic on CPU 0:; expected: not noticed \(no test yet\) /],
    [row('t', 'one', 's{1}{1 + 0}', 'not-noticed: crashes: so'),     'a crash that is no more',
        qr/not noticed; expected: crash \(so\) /],
    [row('u', 'one', 's{1}{8}',     'noticed-by: abi_one'),          'a crash counts as noticed by no test',
        qr/crash: dom0: failure: expected a last line "Test result: \.\.\.", .*; expected: noticed by abi_one /],
    [row('v', 'one', 's{1}{BROKEN}', 'noticed-by: abi_one'),         'a fault that does not build',
        qr/does not build: mm\/a\.c:1:2: error: expected a number; expected: noticed by abi_one /],
    [row('w', 'one', 's{1}{5}'),                                     'a row without expectation',
        qr/noticed by abi_one; expected: unknown, because the row has neither /],
);
($code, $out) = faults(join('', map { $_->[0] } @differences), '-j2');
is $code, 1, 'results that differ from the table: exit code is 1';
for my $difference (@differences) {
    my ($row, $name, $line) = @$difference;
    like $out, qr/^FAILED: @{[substr $row, 0, 1]}: $line/m, "$name: the last lines say so";
}
like $out, qr/: 8 results differ from the table$/m, 'the number of results that differ';

for my $case (
    ['--list', $table, 0, qr/\Aa +mmu +mm\/a\.c +one\nb .*\nc .*\nd .*\ne .*\n\z/, '--list'],
    ['--check', $table, 0, qr/\A5 rows fit the source\n\z/, '--check'],
    ['--diff', $noticed, 0, qr/\Aa \(by hand\): it is wrong\n--- a\/xen\/mm\/a\.c\n.*\n\+int one\(void\) \{ return 5; \}\n/s, '--diff'],
    ['--only', $table, 0, qr/\Ac .*\na .*\n\z/, '--only', 'c,a', '--list'],
    ['--file of a folder', $table, 0, qr/\Aa .*\nb .*\nc .*\nd .*\n\z/, '--file', 'mm', '--list'],
    ['--area', $table =~ s/mmu/traps/r, 0, qr/\Aa .*\n\z/, '--area', 'traps', '--list'],
    ['--fifth 2/5', $table, 0, qr/\Apart 2 of 5: 1 of 5 rows\nb .*\n\z/, '--fifth', '2/5', '--list'],
    ['--fifth day/5', $table, 0, qr/\Apart [1-5] of 5, by the day: 1 of 5 rows\n. .*\n\z/, '--fifth', 'day/5', '--list'],
) {
    my ($name, $text, $exit, $line, @options) = @$case;
    ($code, $out, $err) = faults($text, @options);
    is $code, $exit, "$name: exit code is $exit" or diag $err;
    like $out, $line, "$name: the output says so";
}

# --record

($code) = faults("# The head\n" . row('a', 'one', 's{1}{5}') . row('b', 'two', 's{2}{7}', 'not-noticed: none yet,' . "\n         really")
    . row('c', 'two', 's{2}{6}', 'noticed-by: abi_one') . "# The end\n" . row('d', 'two', 's{2}{2+0}'), '--record', "$dir/new");
is $code, 0, '--record: exit code is 0';
is read_file("$dir/new"), "# The head\n" . row('a', 'one', 's{1}{5}', 'noticed-by: abi_one')
    . row('b', 'two', 's{2}{7}', 'not-noticed: crashes: none yet, really') . row('c', 'two', 's{2}{6}', 'noticed-by: abi_two')
    . "# The end\n" . row('d', 'two', 's{2}{2+0}', 'not-noticed: no test yet'), '--record: the table has what was measured';
is((faults(read_file("$dir/new")))[0], 0, '--record: the new table is as expected');
($code) = faults(row('a', 'one', 's{1}{BROKEN}'), '--record', "$dir/new");
is_deeply [$code, read_file("$dir/new")], [1, row('a', 'one', 's{1}{BROKEN}')], '--record: a row that does not build stays, and is a failure';

# --resume, and the unmodified tree

faults($table);
my $changed = $table =~ s/s\{2\}\{6\}/s{2}{6 + 0}/r;
($code, $out) = faults($changed, '--resume');
is join(' ', $out =~ /^\d\/5 +(\w) .*, from an earlier run\)$/mg), 'a c d e', '--resume: rows that did not change do not run again';
like $out, qr/^\d\/5 +b +ok +noticed by abi_two; .* s\)$/m, '--resume: a row that has changed runs again';
my $b = read_file("$tree/xen/mm/b.c");
write_file("$tree/xen/mm/b.c", "${b}int five(void) { return 5; }\n");
($code, $out, $err) = faults($table);
is "$code:$out", '4:', 'an unmodified tree on which a test fails: exit code is 4, and no row runs';
like $err, qr/^xen-faults: the unmodified Xen: expected that all tests pass, found not ok: abi_one \(consoles: /, 'such a tree: the message';
write_file("$tree/xen/mm/b.c", $b);
is((faults($table, '--source', "$dir/none"))[0], 4, 'no source tree: exit code is 4');
is((faults($table, '--nonsense'))[0], 2, 'an unknown option: exit code is 2');

open my $lock, '>', "$dir/out/lock" or die;
flock $lock, LOCK_EX or die;
($code, $out, $err) = faults($table);
is "$code:$out", '2:', 'another run in the same directory: exit code is 2, and no row runs';
like $err, qr/: --out \S+: expected a directory that no other run of scripts\/xen-faults uses, found one in use$/, 'another run: the message';
close $lock;

# Ctrl-C

for my $signal ([INT => 130], [TERM => 130]) {
    my ($name, $exit) = @$signal;
    ($code) = with_qemu({env => {SLOW => 1}, under => ['perl', '-e', 'my $pid = fork // die; if (!$pid) { exec @ARGV }
        my $end = time + 300; select undef, undef, undef, 0.05 while !-e "$ENV{HERE}/args" && time < $end;
        sleep 1; kill "' . $name . '", $pid; waitpid $pid, 0; exit $? >> 8', '--']}, $qemu =~ s/grep -q 'return 1'/false/r,
        'xen-faults', '--source', $tree, '--kernel', $kernel, '--out', "$dir/out", '--table', "$dir/table", '-j2');
    is $code, $exit, "SIG$name: exit code is $exit";
    nothing_is_left($dir, "SIG$name");
    ok !-e "$dir/out/copies", "SIG$name: the copies of the tree are gone";
}

done_testing;
