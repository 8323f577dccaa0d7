#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# The files of ci/ run on CI services only. Without this test, a mistake in them would be found late:
# invalid YAML, or a script, an option or a target that does not exist.

use strict;
use warnings;
use CPAN::Meta::YAML;
use Test::More;

use FindBin;
use lib $FindBin::Bin;
use Run;

my $top      = script('..');
my $makefile = read_file("$top/Makefile") . read_file("$top/tests/unit/unit.mk");

# All commands in a node of the YAML and in the nodes below it.
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
        ok -x "$top/$words[0]", "$file: the script $words[0] exists";
        my (undef, $help) = run("$top/$words[0]", '--help');
        like $help, qr/^ +\Q$_\E\b/m, "$file: $words[0] has the option $_" for grep { /^--/ } @words;
    } elsif ($words[0] eq 'make') {
        for my $target (grep { !/=/ && !m{/} } @words[1 .. $#words]) {
            ok $makefile =~ /^\Q$target\E:/m, "$file: make has the target $target";
        }
    }
    return;
}

for my $path (glob "$top/ci/*.yml") {
    my ($file) = $path =~ m{(ci/.*)};
    my $yaml = eval { CPAN::Meta::YAML->read($path) };
    ok $yaml && ref $yaml->[0] eq 'HASH', "$file is valid YAML" or next;
    unlike read_file($path), qr/\t/, "$file has no tabs";
    my @commands = commands($yaml->[0]);
    ok +(grep { m{^scripts/matrix .*--shard .*--junit } } @commands), "$file runs tests/matrix in shards with JUnit XML";
    check_command($file, $_) for @commands;
}

done_testing;
