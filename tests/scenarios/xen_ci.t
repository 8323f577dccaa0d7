#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# The job of ci/xen/test.yaml for Xen's own CI, in a directory like that of the job. Xen boots by the
# command line of QEMU with which Xen's CI boots its PV test guest. Without this test the kernel could
# depend on options of scripts/boot, and the job could pass with a kernel that fails.
#
# The job runs as in Xen 4.18 and older, which have no console.exp. If XENOLITH_XEN_TREE is a source tree of
# Xen, the job runs a second time with console.exp of that tree.

use strict;
use warnings;
use CPAN::Meta::YAML;
use Cwd 'realpath';
use Test::More;

use FindBin;
use lib $FindBin::Bin, "$FindBin::Bin/../scripts";
use Host;
use Run;

my ($smoke, $name) = ('automation/scripts/qemu-smoke-xenolith-x86_64.sh', '.qemu-smoke-xenolith-x86_64');
my $job = CPAN::Meta::YAML->read(script('../ci/xen/test.yaml'))->[0]{$name};
my ($sum) = split ' ', `sha256sum @{[kernel]}`;

# job(CONSOLE_EXP, CHECKSUM, ARGUMENT OF THE KERNEL...): runs the job in a new directory as GitLab does. A program
# that copies the kernel stands for wget. CONSOLE_EXP may be undef. Returns the exit code, the log without "+"
# lines, and the directory.
sub job {
    my ($console_exp, $checksum, @arguments) = @_;
    my $dir = tempdir;
    mkdir "$dir/$_" or die "$dir/$_: $!" for qw(binaries automation automation/scripts);
    symlink realpath(xen_file), "$dir/binaries/xen" or die $!;
    symlink script('../ci/xen/qemu-smoke-xenolith-x86_64.sh'), "$dir/$smoke" or die $!;
    symlink $console_exp, "$dir/automation/scripts/console.exp" or die $! if $console_exp;
    program("$dir/bin/wget", '[ "$1 $2" = "-q -O" ] && cp "$4" "$3"');
    my %env = (
        PATH                  => "$dir/bin:$ENV{PATH}",
        LOGFILE               => 'job.log',
        TEST_TIMEOUT_OVERRIDE => 300,
        XENOLITH_URL          => realpath(kernel),
        XENOLITH_SHA256       => $checksum,
    );
    my $lines = join "\n", @{$job->{before_script}}, @{$job->{script}};
    $lines =~ s{\Q$smoke\E\K}{ @arguments} or die "ci/xen/test.yaml: expected $smoke in script of $name, found none";
    my ($code, $out, $said) = run({env => \%env, dir => "$dir"}, 'bash', '-eo', 'pipefail', '-c', $lines);
    my $log = -e "$dir/job.log" ? read_file("$dir/job.log") =~ s/^\+.*\n//mgr : $out . $said;
    return ($code, $log, $dir);
}

my @console_exp;
if (my $tree = $ENV{XENOLITH_XEN_TREE}) {
    @console_exp = realpath("$tree/automation/scripts/console.exp");
    -x ($console_exp[0] // '')
        or die "XENOLITH_XEN_TREE: expected console.exp in automation/scripts of $tree, found none";
}
for my $console_exp (undef, @console_exp) {
    my $with = $console_exp ? "with $console_exp" : 'without console.exp';

    my ($code, $log, $dir) = job($console_exp, $sum);
    is $code, 0, "$with: the job exits with 0" or diag $log;
    like $log, qr/^Test result: SUCCESS$/m, "$with: the log has the result SUCCESS";
    like read_file("$dir/smoke.serial"), qr/^Test result: SUCCESS\r*$/m, "$with: smoke.serial has the console";

    ($code, $log) = job($console_exp, $sum, 'inject=entry', 'test=p2m,holes');
    cmp_ok $code, '>', 0, "$with: the job fails if a self-test fails";
    like $log, qr/^1\.\.2\n.*^not ok \d - p2m: .*^Test result: FAILURE$/ms,
        "$with: the kernel gets the arguments of the script, and p2m fails";
}

my ($code, $log, $dir) = job(undef, '0' x 64);
cmp_ok $code, '>', 0, 'an image with another checksum: the job fails';
like $log, qr/^binaries\/xenolith: FAILED$/m, 'an image with another checksum: the log names the file';
ok !-e "$dir/smoke.serial", 'an image with another checksum: QEMU is not started';

done_testing;
