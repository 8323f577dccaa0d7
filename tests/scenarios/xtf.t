#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# The tree that make xtf lays out, run in a Linux dom0 as Xen Test Framework's runner runs its own
# (xtf_runner.py). Without this the runner could find no tests there, or find another result than
# the kernel's: it believes the last line that xl console shows before the domain is gone.

use strict;
use warnings;
use Test::More;

use FindBin;
use lib $FindBin::Bin, "$FindBin::Bin/../scripts";
use Host;
use Run;

my $dir = tempdir;
for my $tree (['xtf'], ['broken', '--', 'inject=entry']) {
    my ($name, @args) = @$tree;
    my ($code, undef, $err) = run(script('xtf'), "$dir/$name", kernel, @args);
    is "$code$err", '0', "a tree: $name" or diag $err;
}
system('tar', '-c', '-f', "$dir/trees.tar", '-C', "$dir", 'xtf', 'broken') == 0 or die 'tar failed';
my (undef, $python) = run(script('xen'), 'python');

my @runs = (
    [one      => 0, 'xtf p2m'],
    [skipped  => 3, 'xtf acpi'],
    [several  => 3, 'xtf holes p2m acpi'],
    [failing  => 5, 'broken p2m ranges'],
    [all      => 0, 'xtf special'],
    [crashing => 6, 'crash p2m'],
);
write_file("$dir/job", <<'END' . join '', map { "runner $_->[0] $_->[2]\n" } @runs);
cd / && cpio -idu </job/python.cpio 2>/dev/null
cd /tmp && tar xf /job/trees.tar
cp -r broken crash
sed -i 's/inject=entry/inject=trap/' crash/tests/p2m/*.cfg
runner() {
    name=$1
    shift
    python3 /job/xtf_runner.py "/tmp/$@" >/out/$name 2>&1
    echo $? >/out/$name.exit
}
END
my ($code, undef, $err) = run(script('dom0'), '--quiet', '--xen', xen, '--out', "$dir/out", "$dir/job",
    "$dir/trees.tar", "$FindBin::Bin/xtf_runner.py", $python =~ s/\n//r);
is $code, 0, 'the job ran' or diag $err;

my %said;
for my $run (@runs) {
    my ($name, $exit, $what) = @$run;
    $said{$name} = -e "$dir/out/$name" ? read_file("$dir/out/$name") : '';
    is read_file("$dir/out/$name.exit"), "$exit\n", "$what: exit code $exit" or diag $said{$name};
}

sub results {
    my ($name) = @_;
    my ($list) = $said{$name} =~ /^Combined test results:\n(.*)/ms;
    return {($list // '') =~ /^test-pv64-(\S+) +(\S+)$/mg};
}

is_deeply results('one'),      {p2m => 'SUCCESS'}, 'one that succeeds';
is_deeply results('skipped'),  {acpi => 'SKIP'},   'one that a domU must skip';
is_deeply results('several'),  {holes => 'SUCCESS', acpi => 'SKIP', p2m => 'SUCCESS'}, 'several';
is_deeply results('failing'),  {p2m => 'FAILURE', ranges => 'SUCCESS'}, 'a P2M that is spoilt, and what that does not touch';
is_deeply results('crashing'), {p2m => 'CRASH'},   'a trap';
is_deeply results('all'),      {all => 'SUCCESS'}, 'all, which is the one of its category';

my ($planned) = $said{all} =~ /^1\.\.(\d+)$/m;
is scalar(() = glob "$dir/xtf/tests/*"), $planned + 1, 'each test that the kernel plans is in the tree, and "all"';
my @named = $said{all} =~ /^ok \d+ - (\w+):/mg;
is_deeply [grep { !-e "$dir/xtf/tests/$_/info.json" } @named], [], 'by its name';

done_testing;
