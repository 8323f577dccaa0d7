#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# scripts/prove runs the proofs of tests/proofs. Without this test, a proof could have no mutant that it
# notices, a function could change without a look at the model that follows it, and a failed proof could
# be reported as success. Small programs stand for spin and CBMC.

use strict;
use warnings;
use File::Copy 'copy';
use FindBin;
use lib $FindBin::Bin;
use Docs;
use Run;
use Test::More;

# The tables of this tree

my ($code, $out, $err) = run(script('prove'), '--check');
is $code, 0, 'no function has changed since the model that follows it was compared with it' or diag $err;
(undef, $out) = run(script('prove'), '--list');
my %proof = map { my ($name, $tool, $file) = split ' '; ($name => {tool => $tool, file => $file}) } split /\n/, $out;
cmp_ok scalar keys %proof, '>', 2, '--list prints the proofs';
my %mutants;
push @{$mutants{$_->[1]}}, $_->[0] for map { /^(\S+) \S+ +proof:(\S+)$/ ? [$1, $2] : () } split /\n/, read_file('tests/mutants');
for my $name (sort keys %proof) {
    my $least = $proof{$name}{tool} eq 'spin' ? 2 : 1;
    cmp_ok scalar @{$mutants{$name} // []}, '>=', $least, "tests/mutants has at least $least rows for the proof $name";
}
is_deeply [grep { !$proof{$_} } sort keys %mutants], [], 'each row of tests/mutants for a proof names one';
my %is_used = map { $_->{file} => 1 } values %proof;
is_deeply [grep { !$is_used{$_} } glob 'tests/proofs/{exhaustive/*.c,models/*.pml,cbmc/*.c}'], [], 'each program is run';

my @described = map { [@$_[0, 1], [sort $_->[5] =~ /[\w-]+/g]] } table('docs/proofs.md', 'The proofs');
is_deeply [sort { $a->[0] cmp $b->[0] } @described], [map { [$_, $proof{$_}{tool}, [sort @{$mutants{$_}}]] } sort keys %proof],
    'docs/proofs.md: proofs, tools and mutants are those of the tables';

# A tree of one proof by each tool

my $dir = tempdir;
mkdir "$dir/$_" for qw(scripts scripts/host bin);
copy(script('prove'), "$dir/scripts/prove") && chmod 0755, "$dir/scripts/prove";
copy(script('host/Command.pm'), "$dir/scripts/host/Command.pm");
write_file("$dir/tests/proofs/table", "all exhaustive a.c x/x.c\nmodel spin m.pml\nvalues cbmc v.c x/x.c volatile --unwind 3\n");
write_file("$dir/tests/proofs/models/m.pml", "/*\n * Follows: x/x.c step\n */\n");
write_file("$dir/x/x.c", "static int other(void)\n{\n    return 1;\n}\n\nint step(void)\n{\n    return 2;\n}\n");
program("$dir/scripts/fetch/xen", "[ \"\$1\" != cbmc ] || [ ! -e $dir/no-cbmc ] || { echo 'xen: no network' >&2; exit 3; }; echo $dir");
program("$dir/bin/$_", "echo \"$_ \$*\" >>$dir/said") for qw(spin goto-instrument);
program("$dir/bin/goto-cc", "echo \"goto-cc \$*\" >>$dir/said");
program("$dir/bin/cbmc", "echo \"cbmc \$*\" >>$dir/said; cat $dir/cbmc.says; exit \$(cat $dir/cbmc.code)");
# What stands for gcc makes a program that prints the file all.says or pan.says.
program("$dir/bin/gcc", "while [ \"\$1\" != -o ]; do shift; done; n=all; [ \$2 != pan ] || n=pan\n"
    . "printf '#!/bin/sh\\ncat $dir/%s.says\\nexit \$(cat $dir/%s.code)\\n' \$n \$n >\$2; chmod +x \$2");

sub says {
    my ($who, $code, $text) = @_;
    write_file("$dir/$who.says", $text);
    write_file("$dir/$who.code", $code);
    return;
}

sub prove_there { return run({env => {PATH => "$dir/bin:$ENV{PATH}", CC => 'gcc'}}, "$dir/scripts/prove", @_) }

is((prove_there('--record'))[0], 0, '--record: exit code is 0');
like read_file("$dir/tests/proofs/models/followed"), qr/^model x\/x\.c step \w{16}\n\z/, '--record writes a checksum';

my $reached = "[main.1] line 9 REACHED: FAILURE\n** 1 of 5 failed\n";
my $pan = "State-vector\n   7 states, stored\n, errors: 0\n";
for my $case (
    ['all hold', {}, 0, qr/^all +exhaustive +holds .* 9 cases\nmodel +spin +holds .* 7 states\nvalues +cbmc +holds .* 4 claims\n/m],
    ['a claim of a program fails', {all => [1, "a.c:1: the claim does not hold: x\n"]}, 1, qr/^all .* fails .*\n    a\.c:1: the claim/m],
    ['spin finds an error', {pan => [0, "pan:1: assertion violated (x)\nerrors: 1\n"]}, 1, qr/^model .* fails .*\n    pan:1: assertion.*\n    the steps: /m],
    ['a statement of a model is not reached', {pan => [0, "$pan\tm.pml:12, state 3, \"x\"\n"]}, 1, qr/    no run reaches line 12/],
    ['the end of a process is not reached', {pan => [0, "$pan\tm.pml:12, state 3, \"-end-\"\n"]}, 0, qr/^model .* holds/m],
    ['the search of spin is not complete', {pan => [0, "error: max search depth too small\n$pan"]}, 2, qr/^model .* error/m],
    ['CBMC finds a failure', {cbmc => [10, "[a.1] line 3 x: FAILURE\n$reached"]}, 1, qr/^values .* fails .*\n    \[a\.1\] line 3 x/m],
    ['no case reaches the end of a harness', {cbmc => [0, $reached =~ s/FAILURE/SUCCESS/r =~ s/1 of/0 of/r]}, 1,
        qr/^values .* fails .*\n    no case reaches line 9/m],
    ['a harness has no REACHED', {cbmc => [0, "** 0 of 4 failed\n"]}, 2, qr/^values .* error .*\n    expected REACHED/m],
    ['CBMC ends without a result', {cbmc => [6, "no memory\n"]}, 2, qr/^values .* error .*\n    no memory/m],
) {
    my ($name, $says, $exit, $expected) = @$case;
    my %says = (all => [0, "9 cases\n"], pan => [0, $pan], cbmc => [10, $reached], %$says);
    says($_, @{$says{$_}}) for keys %says;
    ($code, $out, $err) = prove_there();
    is $code, $exit, "$name: exit code is $exit" or diag "$out$err";
    like $out, $expected, "$name: the output says so";
}
like read_file("$dir/said"), qr/^goto-instrument --nondet-volatile .*^cbmc \S+ --drop-unused-functions --unwind 3$/ms, 'CBMC gets the options of the row';

says('cbmc', 10, $reached);
write_file("$dir/no-cbmc", '');
($code, $out) = prove_there('-j', 2);
is $code, 3, 'CBMC cannot be had: exit code is 3';
like $out, qr/^skipped: 1 proofs by cbmc: .*no network$/m, 'CBMC cannot be had: the output says why';
is((prove_there('--tool', 'exhaustive'))[0], 0, '--tool runs only the proofs of a tool');

write_file("$dir/x/x.c", read_file("$dir/x/x.c") =~ s/return 1/return 3/r =~ s/(return 2;)/$1 \/* two *\//r);
is((prove_there('--check'))[0], 0, 'another function and a comment have changed: --check accepts it');
write_file("$dir/x/x.c", read_file("$dir/x/x.c") =~ s/return 2/return 4/r);
is_refused 'a function that a model follows has changed', 1, qr/step\(\) of x\/x\.c has changed since .*m\.pml/,
    "$dir/scripts/prove", '--check';
($code, $out) = prove_there('model');
is $code, 1, 'a function has changed: the proof fails';
is_refused 'an unknown proof', 2, qr/^prove: gone: expected the name of a proof/, script('prove'), 'gone';

done_testing;
