#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# The command by which docs/debugging.md bisects Xen, taken from there. Without this test a reader
# would be the first to find that a commit which does not build is called bad, or that a machine
# without QEMU blames the first commit that is tried. Xen is a repository of seven commits here,
# whose build copies a file, and QEMU is a script that prints what that file makes of the guest.

use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Run;
use Test::More;

plan skip_all => 'no git here' if system('git --version >/dev/null 2>&1') != 0;

my $dir = tempdir;
my ($command) = read_file(script('../docs/debugging.md')) =~ /^    (git bisect run sh -c '\n.*?')\n\n/ms
    or die 'docs/debugging.md has no "git bisect run sh -c"';

my %console = (
    good  => "TAP version 14\n1..1\nok 1 - p2m\nTest result: SUCCESS\n",
    bad   => "TAP version 14\n1..1\nnot ok 1 - p2m\nTest result: FAILURE\n",
    crash => "(XEN) Panic on CPU 0:\n",
    skips => "TAP version 14\n1..0 # SKIP nothing to test\nTest result: SKIP\n",
);

write_script("$dir/bin/qemu-system-x86_64", <<"END");
#!/bin/bash
[ "\$1" != --version ] || { echo 'QEMU emulator version 7.2.22'; exit; }
while [ "\$1" != -kernel ]; do shift; done
cat "$dir/console-\$(tail -n 1 "\$2")"
END
write_file("$dir/console-$_", $console{$_}) for keys %console;

my %env = (%git_env, XENOLITH => script('..'), PATH => "$dir/bin:$ENV{PATH}");
delete @ENV{qw(MAKEFLAGS MAKELEVEL MFLAGS MAKEOVERRIDES)};

# A repository with a commit for each word, and the bisection between the first and the last; git
# tries the one in the middle first.
my $nr = 0;
sub bisect {
    my (@commits) = @_;
    my $xen = "$dir/xen" . ++$nr;
    write_file("$xen/xen/Makefile", "build:\n\ttest -e start\n\tcat start state >xen\n");
    write_file("$xen/.gitignore", "/xen/xen\n/build.log\n");
    git($xen, 'init', '-q');
    for my $i (0 .. $#commits) {
        write_file("$xen/xen/state", $commits[$i]);
        write_file("$xen/number", $i);
        unlink "$xen/xen/start";
        write_file("$xen/xen/start", "\x7fELF" . "\0" x 60 . "\x02\xb0\xad\x1b\n") if $commits[$i] ne 'broken';
        git($xen, 'add', '.');
        git($xen, 'commit', '-q', '-m', "commit $i, $commits[$i]");
    }
    git($xen, 'bisect', 'start', 'HEAD', "HEAD~$#commits");
    return run({env => \%env, dir => $xen}, 'sh', '-c', $command);
}

my ($code, $out, $err) = bisect(qw(good good good broken good bad bad));
is $code, 0, 'a commit that does not build is skipped: exit code' or diag $out, $err;
like $out, qr/is the first bad commit.*commit 5, bad/s, 'a commit that does not build is skipped: the first bad one';

($code, $out, $err) = bisect(qw(good good good skips good crash crash));
like $out, qr/is the first bad commit.*commit 5, crash/s, 'a crash is bad, and skipped tests say nothing'
    or diag $out, $err;

write_script("$dir/bin/qemu-system-x86_64", "#!/bin/sh\nexit 1\n");
($code, $out, $err) = bisect(qw(good good good bad bad));
isnt $code, 0, 'without a QEMU that starts the bisection stops';
is scalar(() = "$out$err" =~ /^running /mg), 1, 'at the first commit that it tries';
unlike $out, qr/is the first bad commit/, 'and blames no commit';

done_testing;
