#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# scripts/coverage: a line that never ran is counted and named, and too many of them are a failure.

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
    return run({dir => $dir}, script('coverage'), @_);
}

my ($code, $out, $err) = coverage($dir);
is $code, 2, 'nothing was run';
like $err, qr/^coverage: nothing in .* was compiled with --coverage/, 'is said';
($code) = run({dir => $dir}, 'gcc', '--coverage', '-c', '-o', 'mm/x.o', 'mm/x.c');
is $code, 0, 'a program';
run({dir => $dir}, 'gcc', '--coverage', '-o', 'x', 'mm/x.o');
is((run({dir => $dir}, './x'))[0], 0, 'runs');
($code, $out) = coverage($dir, 80);
is $code, 0, '80 % of it ran';
like $out, qr{^mm/x\.c +6 +83\.3  5$}m, 'but for its line 5';
($code, $out) = coverage($dir);
is $code, 1, '90 % did not';
like $out, qr/^all +6 +83\.3  expected 90 or more$/m, 'as is said';
($code, $out) = coverage('--help');
is $code, 0, '--help';
is((coverage())[0], 2, 'no directory: bad usage');

done_testing;
