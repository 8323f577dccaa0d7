#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# scripts/fetch/deps is the first script that a new machine runs, and the only one that
# changes a machine. Without this test, it could install packages that are present,
# or need a network although nothing is missing. Scripts replace apt.

use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Run;
use Test::More;

my $dir = tempdir();

# A machine that has only the programs that scripts/fetch/deps needs, and @tools.
sub machine {
    my (@tools) = @_;
    system('rm', '-rf', "$dir/bin", "$dir/said");
    mkdir "$dir/bin";
    for my $name (qw(bash env sort cat mktemp), @tools) {
        my ($path) = grep { -x } map { "$_/$name" } split /:/, $ENV{PATH};
        symlink $path, "$dir/bin/$name" or die "$name: $!" if $path;
    }
    fake('uname', 'echo x86_64');
    fake('id',    'echo 0');
    return;
}

sub fake {
    my ($name, $body) = @_;
    write_file("$dir/bin/$name", "#!/bin/bash\n$body\n");
    chmod 0755, "$dir/bin/$name";
    return;
}

# A script in place of $name that notes its arguments.
sub teller {
    my ($name, $body) = @_;
    fake($name, "echo \"$name \$*\" >>$dir/said; $body");
    return;
}

sub deps {
    my ($env, @args) = @_;
    my ($exit, $out, $err) = run({env => {PATH => "$dir/bin", DEPS => '', %$env}}, script('fetch/deps'), @args);
    is $out, '', "deps @args: standard output is empty" if $exit != 2;
    return ($exit, $err, -e "$dir/said" ? read_file("$dir/said") : '');
}

my ($exit, $err, $said);

# Without apt
machine();
($exit, $err) = deps({}, 'run');
is $exit, 1, 'without apt: exit code is 1';
like $err, qr/^deps: there is no apt-get here, and these are missing: .*qemu-system-x86_64/, 'without apt: the message has the missing programs';
is $err =~ tr/\n//, 1, 'without apt: the message is one line';
unlike $err, qr/cppcheck/, 'the goal run does not need the packages of check';
($exit, $err) = deps({}, 'build');
unlike $err, qr/qemu/, 'the goal build does not need the packages of run';

# A program on the PATH needs no package
machine();
fake($_, '') for qw(gcc ld make dpkg prove qemu-system-x86_64 cpio xz perl);
is_deeply [deps({}, 'run')], [0, '', ''], 'without apt, all programs on the PATH: exit code is 0, without messages';
fake($_, '') for qw(clang clang-format clang-tidy cppcheck shellcheck dpkg-source flex bison python3 ssh expect rlwrap gdb perl);
is_deeply [deps({}, 'check')], [0, '', ''], 'without apt, all programs, headers and modules present: exit code is 0, without messages';
fake('perl', '[[ $* != *JUnit* ]]');
($exit, $err) = deps({}, 'check');
like $err, qr/these are missing: TAP::Formatter::JUnit$/, 'a missing Perl module: the message has its name';
fake('perl', '');
fake('gcc', 'grep -q cmocka && exit 1 || exit 0');
symlink '/bin/grep', "$dir/bin/grep";
($exit, $err) = deps({}, 'check');
is $exit, 1, 'a missing header: exit code is 1';
like $err, qr/these are missing: <cmocka\.h>$/, 'a missing header: the message has its name';

machine();
fake('dpkg-query', 'echo "install ok installed"');
teller('apt-get',   '');
is_deeply [deps({}, 'all')], [0, '', ''], 'all packages installed: apt-get is not run';

# A PACKAGE is present if a command of its name is on the PATH
machine();
fake($_, '') for qw(gcc ld make dpkg prove qemu-system-x86_64 cpio xz perl);
($exit, $err) = deps({}, 'run', 'gdb');
is_deeply [$exit, $err], [1, "deps: there is no apt-get here, and these are missing: gdb\n"],
    'a missing PACKAGE: the message has its name';
fake('gdb', '');
is_deeply [deps({}, 'run', 'gdb')], [0, '', ''], 'a PACKAGE whose command is on the PATH: exit code is 0, without messages';

# Another architecture needs a cross compiler
machine();
fake('uname', 'echo aarch64');
($exit, $err) = deps({}, 'build');
like $err, qr/x86_64-linux-gnu-gcc/, 'aarch64: the message has the cross compiler for x86_64';
unlike $err, qr/ gcc\b/, 'aarch64: the goal build does not need a native compiler';

machine();
fake('uname', 'echo aarch64');
fake($_, '') for qw(x86_64-linux-gnu-gcc x86_64-linux-gnu-ld make dpkg prove);
is_deeply [deps({MAKELEVEL => 1, CROSS_COMPILE => '', CC => ''}, 'build')],
    [1, 'deps: this machine is aarch64, and the kernel needs a compiler for x86_64: '
        . "run make CROSS_COMPILE=x86_64-linux-gnu-\n", ''],
    'aarch64, make without CROSS_COMPILE: the message has the command';
is_deeply [deps({MAKELEVEL => 1, CROSS_COMPILE => 'x', CC => ''}, 'build')], [0, '', ''],
    'aarch64, make with CROSS_COMPILE: exit code is 0, without messages';

# Installing
machine();
fake('dpkg-query', '[[ $* != *make* && $* != *perl* ]] && echo "install ok installed"');
teller('apt-cache', '');
teller('apt-get',   '');
($exit, $err) = deps({DEPS => 'no'}, 'build');
is $exit, 1, 'DEPS=no: exit code is 1';
is $err, "deps: these packages are missing, and DEPS=no forbids to install them: make perl\n",
    'DEPS=no: the message has the missing packages';

($exit, $err, $said) = deps({}, 'build');
is $exit, 0, 'missing packages: exit code is 0';
like $err, qr/^deps: 'build' needs.*\n    make +runs the build\n    perl +\w/, 'missing packages: the message has each package and what it is for';
like $said, qr/^apt-cache show make perl\napt-get .*install --no-install-recommends make perl$/,
    'missing packages: apt-get installs only these';

machine();
fake('dpkg-query', '[[ $* != *make* ]] && echo "install ok installed"');
teller('apt-cache', 'exit 100');
teller('apt-get',   '');
($exit, $err, $said) = deps({}, 'build');
like $said, qr/apt-get .*update\napt-get .*install .*make$/, 'without package lists: apt-get update runs before apt-get install';

machine();
fake('dpkg-query', '[[ $* != *make* ]] && echo "install ok installed"');
fake('id',         'echo 1000');
teller('apt-cache', '');
teller('apt-get', '');
teller('sudo',      '[[ $* != *install* ]]');
($exit, $err, $said) = deps({}, 'build');
is $exit, 1, 'apt-get install fails twice: exit code is 1';
like $said, qr/sudo .*install.*\nsudo .*update\nsudo .*install.*\n$/, 'apt-get install fails: sudo runs install, update and install';
like $err, qr/deps: apt-get could not install: make$/, 'apt-get install fails twice: the message has the package';

unlink "$dir/bin/sudo";
($exit, $err) = deps({}, 'build');
is $exit, 1, 'neither root nor sudo: exit code is 1';
is $err =~ tr/\n//, 1, 'neither root nor sudo: the message is one line';
like $err, qr/^deps: expected to run as root or to find sudo; let root run 'apt-get install .*make'$/,
    'neither root nor sudo: the message has the command for root';

is((deps({}, 'foo'))[0], 2, 'an unknown goal: exit code is 2 (bad usage)');
is((deps({}))[0],        2, 'no goal: exit code is 2 (bad usage)');

done_testing;
