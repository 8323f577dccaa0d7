#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# The directory tree of make xtf, run in a Linux dom0 as the runner of the Xen Test Framework (XTF)
# runs its own tests (xtf_runner.py). Results and exit codes are compared with those of the kernel.
# Without this test the runner could find no tests in the tree, or report another result than the
# kernel: it takes the last line that xl console shows before the domain is gone.

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
    is "$code$err", '0', "scripts/xtf of tree $name exits with 0 and prints no error" or diag $err;
}
system('tar', '-c', '-f', "$dir/trees.tar", '-C', "$dir", 'xtf', 'broken') == 0 or die 'tar failed';
my (undef, $python) = run(script('fetch/xen'), 'python');

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
my ($code, undef, $err) = run(script('host/dom0'), '--quiet', '--xen', xen, '--out', "$dir/out", "$dir/job",
    "$dir/trees.tar", "$FindBin::Bin/xtf_runner.py", $python =~ s/\n//r);
is $code, 0, 'scripts/host/dom0 exits with 0: the job ran to its end' or diag $err;

my %said;
for my $run (@runs) {
    my ($name, $exit, $what) = @$run;
    $said{$name} = -e "$dir/out/$name" ? read_file("$dir/out/$name") : '';
    is read_file("$dir/out/$name.exit"), "$exit\n",
        "runner with \"$what\" exits with $exit" or diag $said{$name};
}

sub results {
    my ($name) = @_;
    my ($list) = $said{$name} =~ /^Combined test results:\n(.*)/ms;
    return {($list // '') =~ /^test-pv64-(\S+) +(\S+)$/mg};
}

is_deeply results('one'),      {p2m => 'SUCCESS'}, 'result of a self-test that succeeds';
is_deeply results('skipped'),  {acpi => 'SKIP'},   'result of a self-test that a domU skips';
is_deeply results('several'),  {holes => 'SUCCESS', acpi => 'SKIP', p2m => 'SUCCESS'},
    'results of several self-tests';
is_deeply results('failing'),  {p2m => 'FAILURE', ranges => 'SUCCESS'}, 
    'results with inject=entry: only self-test p2m fails';
is_deeply results('crashing'), {p2m => 'CRASH'},   'result with inject=trap';
is_deeply results('all'),      {all => 'SUCCESS'},
    'result of the category special, whose only test is "all"';

my ($planned) = $said{all} =~ /^1\.\.(\d+)$/m;
is scalar(() = glob "$dir/xtf/tests/*"), $planned + 1,
    'number of tests in the tree is the number of self-tests in the TAP plan, and "all"';
my @named = $said{all} =~ /^ok \d+ - (\w+):/mg;
is_deeply [grep { !-e "$dir/xtf/tests/$_/info.json" } @named], [],
    'list of self-tests without a directory in the tree is empty';

done_testing;
