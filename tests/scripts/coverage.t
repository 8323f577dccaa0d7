#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# scripts/check/coverage sets the bound for unit tests. Without this test, lines that no unit test runs could
# be counted as run, and make coverage could pass below its bound.

use strict;
use warnings;
use Test::More;

use FindBin;
use lib $FindBin::Bin;
use Run;

my $dir = tempdir;
write_file("$dir/mm/x.c", <<'END');
int main(int argc, char **argv)
{
    (void)argv;
    if (argc > 1)
        return 7;
    argc++;
    argc--;
    return argc - 1;
}
END

sub coverage {
    return run({dir => $dir}, script('check/coverage'), @_);
}

is_refused 'a directory without .gcda files', 2,
    qr/^coverage: .*: expected \.gcda files in lib, mm or xen, found none; run make coverage$/,
    script('check/coverage'), $dir;
for my $command ('gcc --coverage -c -o mm/x.o mm/x.c', 'gcc --coverage -o x mm/x.o', './x') {
    is_deeply [run({dir => $dir}, split / /, $command)], [0, '', ''], "$command: exit code is 0";
}
my ($code, $out) = coverage($dir, 80);
is $code, 0, '83 % of the lines ran, bound 80: exit code is 0';
like $out, qr{^mm/x\.c +6 +83\.3  5$}m, 'the row of a source has its lines, the percentage and the lines that did not run';
($code, $out) = coverage($dir);
is $code, 1, '83 % of the lines ran, bound 90: exit code is 1';
like $out, qr/^all +6 +83\.3  expected 90 or more$/m, 'the last row has the percentage of all lines and the bound';
($code, $out) = coverage('--help');
is $code, 0, '--help: exit code is 0';
is((coverage())[0], 2, 'no directory: exit code is 2 (bad usage)');

done_testing;
