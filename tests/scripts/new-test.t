#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# scripts/new-test makes the file of a new self-test. Without this test, the file could fail to
# compile, or two self-tests could have one name, so that test=NAME would be ambiguous.

use strict;
use warnings;
use Cwd 'realpath';
use FindBin;
use lib $FindBin::Bin;
use Run;
use Test::More;

my $top = realpath("$FindBin::Bin/../..");

# A tree with the files that scripts/new-test reads
my $dir = tempdir;
my $script = write_script("$dir/scripts/new-test", read_file(script('new-test')));
write_file("$dir/tests/guest/taken.c",
    qq{TEST(taken, "x")\n{\n}\n\nTEST_LAST(inside, "x")\n{\n}\n});

my ($code, $out, $err) = run($script, '--help');
is $code, 0, '--help: exit code is 0';
like $out, qr/^usage: scripts\/new-test NAME$/m, '--help prints the usage';

for my $case (
    [qr/expected one NAME, found 0 arguments/],
    [qr/expected one NAME, found 2 arguments/, qw(a b)],
    [qr/^new-test: NAME: expected up to 30 characters, .*, found ''$/, ''],
    [qr/found 'Upper'$/,     'Upper'],
    [qr/found '1st'$/,       '1st'],
    [qr/found 'a-b'$/,       'a-b'],
    [qr{found '\.\./a'$},    '../a'],
    [qr/found \$'a\\nb'$/,   "a\nb"],
    [qr/found '--force'$/,   '--force'],
    [qr/found 'x{31}'$/,     'x' x 31],
    [qr/expected a name other than all, none and full, .*, found all$/, 'all'],
    [qr/expected a name other than .*, found none$/, 'none'],
    [qr/expected a name other than .*, found full$/, 'full'],
    [qr{tests/guest/taken\.c: expected no such file, found one$}, 'taken'],
    [qr{NAME: expected a name that no test has, found the test inside in tests/guest/taken\.c$}, 'inside'],
) {
    my ($sentence, @arguments) = @$case;
    is_refused 'arguments (' . "@arguments" =~ s/\n/\\n/r . ')', 2, $sentence, $script, @arguments;
}
is_deeply [glob "$dir/tests/guest/*"], ["$dir/tests/guest/taken.c"], 'bad usage makes no file';

($code, $out, $err) = run($script, 'brand_new2');
is $code, 0, 'a good name: exit code is 0' or diag $err;
like $out, qr/test=brand_new2/, 'a good name: the output has the command that runs the test';
my $text = read_file("$dir/tests/guest/brand_new2.c");
like $text, qr{\A/\* SPDX-License-Identifier: MIT \*/\n}, 'the new file begins with the licence';
like $text, qr/^TEST\(brand_new2, "/m, 'the new file has a TEST with the name';
like $text, qr/^ \* Without this test/m, 'the new file has the beginning of a description';
is((run($script, 'brand_new2'))[0], 2, 'the same name again: exit code is 2 (bad usage)');

# The new file compiles with the kernel's warnings, and has the layout of the other files.
SKIP: {
    skip 'clang-format is not installed', 1 if system('command -v clang-format >/dev/null');
    my ($exit) = run({dir => $top}, 'clang-format', '--dry-run', '--Werror',
        "-style=file:$top/.clang-format", "$dir/tests/guest/brand_new2.c");
    is $exit, 0, 'the new file has the layout of clang-format';
}
my ($headers_code, $headers) = run(script('fetch/xen'), 'headers');
chomp $headers;
is $headers_code, 0, 'scripts/fetch/xen headers finds the headers of Xen';
($code, undef, $err) = run({dir => $top}, 'gcc',
    qw(-std=gnu11 -Wall -Wextra -Werror -Wundef -Wshadow -Wstrict-prototypes -Wmissing-prototypes
    -ffreestanding -fsyntax-only -D__XEN_INTERFACE_VERSION__=0x00040d00 -iquote .),
    '-isystem', $headers, "$dir/tests/guest/brand_new2.c");
is $code, 0, 'the new file compiles without warnings' or diag $err;

done_testing;
