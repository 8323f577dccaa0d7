# SPDX-License-Identifier: MIT
#
# The documents, and what tests compare them with: the names that the kernel's source has. A test that
# uses this module runs at the top of the tree.

package Docs;

use strict;
use warnings;
use Exporter 'import';
use Run;

our @EXPORT = qw(@documents %text_of %argument %is_test help table cells rows_of stages shell_commands);

my $top = script('..');
chdir $top or die "$top: $!";
delete @ENV{qw(MAKEFLAGS MAKELEVEL MFLAGS MAKEOVERRIDES)};

our @documents = ('README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', glob 'docs/*.md');
our %text_of   = map { $_ => read_file($_) } @documents;

# Name => its values, of the kernel's arguments.
our %argument = read_file('kernel/cmdline.c') =~ /^    \{"(\w+)", +"([^"]+)",/mg;

our %is_test = map { $_ => 1 } qw(all none full NAME),
    map { read_file($_) =~ /^TEST(?:_LAST)?\((\w+),/mg } glob 'tests/guest/*.c';

# What a script prints for --help.
sub help {
    my ($script) = @_;
    our %help_of;
    return $help_of{$script} //= join "\n", (run($script, '--help'))[1, 2];
}

# The cells of the table that follows a heading, without the head.
sub table {
    my ($file, $heading) = @_;
    my ($section) = $text_of{$file} =~ /^## \Q$heading\E\n(.*?)(?=^## |\z)/ms or return;
    my (undef, undef, @rows) = grep { /^\|/ } split /\n/, $section;
    return map { [cells($_)] } @rows;
}

sub cells {
    my ($row) = @_;
    my (undef, @cells) = split /(?<!\\)\|/, $row; # what is behind the last bar is nothing
    return map { s/\\\|/|/gr } map { /^ *`?(.*?)`? *$/ } @cells;
}

sub rows_of { # the first so many cells of each
    my ($nr, @rows) = @_;
    return [map { join ' | ', map { $_ // '' } @$_[0 .. $nr - 1] } @rows];
}

sub stages {
    my $rows = qr/^    \{"(\w+)", "([^"]+)",\s+\w+, (\w+), (\w+)\},/m;
    my ($text, @found) = read_file('kernel/boot/stages.c');
    push @found, [$1, $2, map { $_ eq 'NULL' ? '' : 'yes' } $3, $4] while $text =~ /$rows/g;
    return @found;
}

sub shell_commands {
    my ($text, @found) = read_file('kernel/shell/commands.c');
    push @found, [$1, $2, $3] while $text =~ /^    \{"(\w+)", "([^"]*)", "([^"]+)", \w+\},/mg;
    return @found;
}

1;
