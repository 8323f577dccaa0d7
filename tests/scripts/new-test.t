#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# scripts/new-test begins a self-test. Without this its file could stop compiling, or a name be
# taken that another test has, and the list of tests be ambiguous.

use strict;
use warnings;
use Cwd 'realpath';
use FindBin;
use lib $FindBin::Bin;
use Run;
use Test::More;

my $top = realpath("$FindBin::Bin/../..");

# A tree with what new-test looks at.
my $dir = tempdir;
mkdir "$dir/scripts" or die $!;
my $script = write_file("$dir/scripts/new-test", read_file(script('new-test')));
chmod 0755, $script;
write_file("$dir/tests/guest/taken.c",
    qq{TEST(taken, "x")\n{\n}\n\nTEST_LAST(inside, "x")\n{\n}\n});

my ($code, $out, $err) = run($script, '--help');
is $code, 0, '--help';
like $out, qr/^usage: scripts\/new-test NAME$/m, 'says how';

my @bad = (
    [[],             qr/expected one NAME, found 0 arguments/],
    [[qw(a b)],      qr/expected one NAME, found 2 arguments/],
    [[''],           qr/"" is no name/],
    [['Upper'],      qr/"Upper" is no name/],
    [['1st'],        qr/"1st" is no name/],
    [['a-b'],        qr/"a-b" is no name/],
    [['../a'],       qr{"\.\./a" is no name}],
    [["a\nb"],       qr/is no name/],
    [['--force'],    qr/"--force" is no name/],
    [['x' x 31],     qr/is no name/],
    [['all'],        qr/"all" means something else in test=/],
    [['none'],       qr/"none" means something else/],
    [['full'],       qr/"full" means something else/],
    [['taken'],      qr{tests/guest/taken\.c is there already}],
    [['inside'],     qr{a test of the name inside is in tests/guest/taken\.c}],
);
for my $row (@bad) {
    my ($arguments, $sentence) = @$row;
    my ($exit, undef, $said) = run($script, @$arguments);
    is $exit, 2, "(@$arguments) is bad usage";
    like $said, $sentence, 'which is said';
    is $said =~ tr/\n//, 1 + ("@$arguments" =~ tr/\n//), 'in one line';
}
is_deeply [glob "$dir/tests/guest/*"], ["$dir/tests/guest/taken.c"], 'and nothing was made';

($code, $out, $err) = run($script, 'brand_new2');
is $code, 0, 'a good name' or diag $err;
like $out, qr/test=brand_new2/, 'it says how to run it';
my $text = read_file("$dir/tests/guest/brand_new2.c");
like $text, qr{\A/\* SPDX-License-Identifier: MIT \*/\n}, 'the licence comes first';
like $text, qr/^TEST\(brand_new2, "/m, 'a test of that name';
like $text, qr/^ \* Without this/m, 'its prose is begun';
is((run($script, 'brand_new2'))[0], 2, 'and not a second time');

# It compiles with the kernel's own warnings, and is formatted.
SKIP: {
    skip 'no clang-format', 1 if system('command -v clang-format >/dev/null');
    my ($exit) = run({dir => $top}, 'clang-format', '--dry-run', '--Werror',
        "-style=file:$top/.clang-format", "$dir/tests/guest/brand_new2.c");
    is $exit, 0, 'formatted as all files are';
}
my ($headers_code, $headers) = run(script('xen'), 'headers');
chomp $headers;
is $headers_code, 0, 'the headers of Xen are there';
($code, undef, $err) = run({dir => $top}, 'gcc',
    qw(-std=gnu11 -Wall -Wextra -Werror -Wundef -Wshadow -Wstrict-prototypes -Wmissing-prototypes
    -ffreestanding -fsyntax-only -D__XEN_INTERFACE_VERSION__=0x00040d00 -iquote .),
    '-isystem', $headers, "$dir/tests/guest/brand_new2.c");
is $code, 0, 'it compiles' or diag $err;

done_testing;
