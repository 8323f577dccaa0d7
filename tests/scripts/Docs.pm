# SPDX-License-Identifier: MIT
#
# The documents, and what tests compare them with: the names that the kernel's source has. A test that
# uses this module runs at the top of the tree.

package Docs;

use strict;
use warnings;
use Exporter 'import';
use Run;

our @EXPORT = qw(@documents %text_of %argument %is_test help table cells stages shell_commands);

my $top = script('..');
chdir $top or die "cannot change to the directory $top: $!";
delete @ENV{qw(MAKEFLAGS MAKELEVEL MFLAGS MAKEOVERRIDES)};

our @documents = ('README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', glob 'docs/*.md');
our %text_of   = map { $_ => read_file($_) } @documents;

# Name => its values, of the kernel's arguments.
our %argument = read_file('kernel/cmdline.c') =~ /^    \{"(\w+)", +"([^"]+)",/mg;

our %is_test = map { $_ => 1 } qw(all none full NAME),
    map { read_file($_) =~ /^TEST(?:_LAST|_RULE)?\(\s*(\w+),/mg } glob 'tests/guest/{,*/}*.c';

# What a script prints for --help.
sub help {
    my ($script) = @_;
    our %help_of;
    return $help_of{$script} //= join "\n", (run($script, '--help'))[1, 2];
}

# The rows of the table that follows a heading, without the head: all cells, or the first $nr.
sub table {
    my ($file, $heading, $nr) = @_;
    my ($section) = $text_of{$file} =~ /^## \Q$heading\E\n(.*?)(?=^## |\z)/ms or return;
    my (undef, undef, @rows) = grep { /^\|/ } split /\n/, $section;
    return map { my @cells = cells($_); [$nr ? @cells[0 .. $nr - 1] : @cells] } @rows;
}

sub cells {
    my ($row) = @_;
    my (undef, @cells) = split /(?<!\\)\|/, $row; # what is behind the last bar is nothing
    return map { s/\\\|/|/gr } map { /^ *`?(.*?)`? *$/ } @cells;
}

# The rows of a table in C: the cells that the pattern captures.
sub rows_in {
    my ($file, $pattern) = @_;
    my @rows;
    for my $row (read_file($file) =~ /^    (\{".*?\}),$/msg) {
        my @cells = $row =~ $pattern or die "$file: expected a row like $pattern, found $row";
        push @rows, \@cells;
    }
    return @rows;
}

sub stages {
    my @rows = rows_in('kernel/boot/stages.c', qr/^\{"(\w+)", "([^"]+)",\s+\w+, (\w+), (\w+)\}$/);
    return map { [@$_[0, 1], map { $_ eq 'NULL' ? '' : 'yes' } @$_[2, 3]] } @rows;
}

sub shell_commands { return rows_in('kernel/shell/commands.c', qr/^\{"(\w+)", "([^"]*)", "([^"]+)", \w+\}$/) }

1;
