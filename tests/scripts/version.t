#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# scripts/check/version names the build on the first line of the console, in an ELF note and in the names
# that make dist gives. Without this test an image could carry the version of another commit.

use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Run;
use Test::More;

my $dir = tempdir;
write_script("$dir/scripts/check/version", read_file(script('check/version')));

sub version {
    return run({env => \%git_env}, "$dir/scripts/check/version", @_);
}

# The seven digits by which scripts/check/version names HEAD.
sub head {
    return git($dir, 'rev-parse', '--short=7', 'HEAD') =~ s/\n//r;
}

# What the file VERSION may hold

for my $bad (undef, 'next', '1.2', "1.2.3\n4.5.6", '1.2.3-rc1') {
    write_file("$dir/VERSION", "$bad\n") if defined $bad;
    my $found = $bad // '';
    is_deeply [version()], [1, '', "version: the file VERSION holds \"$found\", expected one line like 0.2.0\n"],
        defined $bad ? "VERSION holds '" . ($bad =~ s/\n/\\n/r) . "': an error" : 'without the file VERSION: an error';
}
write_file("$dir/VERSION", "1.2.3\n");
is_deeply [version()], [0, "1.2.3\n", ''], 'a tree without git has the version in VERSION';
is_deeply [version('x')], [2, '', "version: x: expected no argument\n"], 'an argument is bad usage';

# With git

SKIP: {
    skip 'no git here', 6 if system('git --version >/dev/null 2>&1') != 0;
    git($dir, 'init', '-q');
    is_deeply [version()], [0, "1.2.3\n", ''], 'a repository without a commit has the version in VERSION';
    git($dir, 'add', '.');
    git($dir, 'commit', '-q', '-m', 'one');
    is_deeply [version()], [0, '1.2.3+1.g' . head() . "\n", ''],
        'without a tag the commits are counted from the first one';
    git($dir, 'tag', 'v1.2.3');
    is_deeply [version()], [0, "1.2.3\n", ''], 'at the tag of the version nothing is added';
    write_file("$dir/VERSION", "1.2.3\n\n");
    is_deeply [version()], [0, '1.2.3+0.g' . head() . ".dirty\n", ''], 'a changed file is said';
    git($dir, 'commit', '-q', '-a', '-m', 'two');
    is_deeply [version()], [0, '1.2.3+1.g' . head() . "\n", ''], 'commits are counted from the tag';
    write_file("$dir/VERSION", "1.3.0\n");
    git($dir, 'commit', '-q', '-a', '-m', 'three');
    is_deeply [version()], [0, '1.3.0+3.g' . head() . "\n", ''], 'the tag of another version does not count';
}

done_testing;
