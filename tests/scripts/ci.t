#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# The files of ci/ are for other machines, where a slip in them would be found late: here at least
# they must be YAML, and name no script, option or target that there is not.

use strict;
use warnings;
use CPAN::Meta::YAML;
use Test::More;

use FindBin;
use lib $FindBin::Bin;
use Run;

my $top      = script('..');
my $makefile = read_file("$top/Makefile") . read_file("$top/tests/unit/unit.mk");

# All commands, wherever they stand.
sub commands {
    my ($node) = @_;
    return map { commands($_) } @$node if ref $node eq 'ARRAY';
    return () if ref $node ne 'HASH';
    return map {
        my $value = $node->{$_};
        /^(?:script|before_script|run)$/ ? (ref $value ? @$value : $value) : commands($value)
    } sort keys %$node;
}

sub check_command {
    my ($file, $command) = @_;
    my @words = split ' ', $command =~ s/\$\{\{.*?\}\}/X/gr;
    if ($words[0] =~ m{^scripts/}) {
        ok -x "$top/$words[0]", "$file: $words[0] is there";
        my (undef, $help) = run("$top/$words[0]", '--help');
        like $help, qr/^ +\Q$_\E\b/m, "$file: $words[0] knows $_" for grep { /^--/ } @words;
    } elsif ($words[0] eq 'make') {
        for my $target (grep { !/=/ && !m{/} } @words[1 .. $#words]) {
            ok $makefile =~ /^\Q$target\E:/m, "$file: make $target is a target";
        }
    }
    return;
}

for my $path (glob "$top/ci/*.yml") {
    my ($file) = $path =~ m{(ci/.*)};
    my $yaml = eval { CPAN::Meta::YAML->read($path) };
    ok $yaml && ref $yaml->[0] eq 'HASH', "$file is YAML" or next;
    unlike read_file($path), qr/\t/, "$file has no tabs";
    my @commands = commands($yaml->[0]);
    ok +(grep { m{^scripts/matrix .*--shard .*--junit } } @commands), "$file runs the table in shards";
    check_command($file, $_) for @commands;
}

done_testing;
