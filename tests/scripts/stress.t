#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# scripts/check/stress, with a script in place of stress-ng. Without this test, a round that failed
# could count as one that succeeded, and stress-ng could keep running afterwards.

use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Run;
use Test::More;

my $dir = tempdir();
write_script("$dir/bin/stress-ng", "#!/bin/sh\necho \$\$ >$dir/pid\necho \"\$@\" >$dir/args\nexec sleep 600\n");
my %env = (PATH => "$dir/bin:$ENV{PATH}", TMPDIR => "$dir/tmp");
mkdir "$dir/tmp";

# Each run writes a character to the file, and the second of three fails.
my @rounds = ('sh', '-c', "echo output; printf x >>$dir/ran; [ \$(wc -c <$dir/ran) != 2 ]");
my ($code, $out, $err) = run({env => \%env}, script('check/stress'), 3, @rounds);
is "$code:$err", '1:', 'one of three rounds fails: exit code is 1, without messages';
like $out, qr/^round 1 of 3: .* exits with 0 after \d+ s\nround 2 of 3: .* exits with 1 after \d+ s, expected 0; its output is in build\/stress\/2\.log\nround 3 of 3: .* exits with 0 .*\n1 of 3 rounds failed\n\z/s,
    'one of three rounds fails: the output names it and its log';
like read_file("$dir/args"), qr/--cpu \d+ --vm 1 /, 'stress-ng gets workers for processors and memory';
nothing_is_left($dir, 'one of three rounds fails');
is read_file(script('../build/stress/2.log')), "output\n", 'the log of a round has its output';

($code, $out) = run({env => \%env}, script('check/stress'), 'true');
is_deeply [$code, $out =~ s/after \d+ s/after N s/r], [0, "round 1 of 1: 'true' exits with 0 after N s\n0 of 1 rounds failed\n"],
    'without a number: one round';
is_refused '0 rounds', 2, qr/^stress: 0: expected a number of rounds from 1$/,
    {env => \%env}, script('check/stress'), '0';
is((run(script('check/stress'), '--help'))[0], 0, '--help: exit code is 0');

done_testing;
