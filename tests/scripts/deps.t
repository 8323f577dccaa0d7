#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# scripts/deps is the first thing a fresh machine runs, and the one thing here
# that changes a machine. Without this, it could install what is there already,
# or need a network for nothing. apt's part is played by scripts.

use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Run;
use Test::More;

my $dir = tempdir();

# A machine that has the tools named, and nothing else but what deps is made of.
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

# A stand-in that tells what it was asked for.
sub teller {
    my ($name, $body) = @_;
    fake($name, "echo \"$name \$*\" >>$dir/said; $body");
    return;
}

sub deps {
    my ($env, @args) = @_;
    my ($exit, $out, $err) = run({env => {PATH => "$dir/bin", DEPS => '', %$env}}, script('deps'), @args);
    is $out, '', 'nothing on stdout' if $exit != 2;
    return ($exit, $err, -e "$dir/said" ? read_file("$dir/said") : '');
}

my ($exit, $err, $said);

# Without apt
machine();
($exit, $err) = deps({}, 'run');
is $exit, 1, 'no apt: exit code';
like $err, qr/^deps: there is no apt-get here, and these are missing: .*qemu-system-x86_64/, 'no apt: what is missing';
is $err =~ tr/\n//, 1, 'no apt: one line';
unlike $err, qr/cppcheck/, 'what only check needs is not asked of run';
($exit, $err) = deps({}, 'build');
unlike $err, qr/qemu/, 'what only run needs is not asked of build';

# Tools that are there need no package
machine();
fake($_, '') for qw(gcc ld make dpkg prove qemu-system-x86_64 cpio xz);
is_deeply [deps({}, 'run')], [0, '', ''], 'tools on the PATH, without apt';
fake($_, '') for qw(clang clang-format clang-tidy cppcheck shellcheck dpkg-source flex bison python3 ssh expect rlwrap gdb perl);
is_deeply [deps({}, 'check')], [0, '', ''], 'tools, headers and modules, without apt';
fake('perl', '[[ $* != *JUnit* ]]');
($exit, $err) = deps({}, 'check');
like $err, qr/these are missing: TAP::Formatter::JUnit$/, 'a module of Perl is missing: which';
fake('perl', '');
fake('gcc', 'grep -q cmocka && exit 1 || exit 0');
symlink '/bin/grep', "$dir/bin/grep";
($exit, $err) = deps({}, 'check');
is $exit, 1, 'a header is missing: exit code';
like $err, qr/these are missing: <cmocka\.h>$/, 'a header is missing: which';

machine();
fake('dpkg-query', 'echo "install ok installed"');
teller('apt-get',   '');
is_deeply [deps({}, 'all')], [0, '', ''], 'packages that are installed, with apt';

# A package by name is there if its command is
machine();
fake($_, '') for qw(gcc ld make dpkg prove qemu-system-x86_64 cpio xz);
($exit, $err) = deps({}, 'run', 'gdb');
is_deeply [$exit, $err], [1, "deps: there is no apt-get here, and these are missing: gdb\n"],
    'a package by name is missing';
fake('gdb', '');
is_deeply [deps({}, 'run', 'gdb')], [0, '', ''], 'a package by name is there';

# Another architecture needs a cross compiler
machine();
fake('uname', 'echo aarch64');
($exit, $err) = deps({}, 'build');
like $err, qr/x86_64-linux-gnu-gcc/, 'a cross compiler on another architecture';
unlike $err, qr/ gcc\b/, 'and it alone, to build';

machine();
fake('uname', 'echo aarch64');
fake($_, '') for qw(x86_64-linux-gnu-gcc x86_64-linux-gnu-ld make dpkg prove);
is_deeply [deps({MAKELEVEL => 1, CROSS_COMPILE => '', CC => ''}, 'build')],
    [1, "deps: this machine is aarch64, and the kernel x86_64: say make CROSS_COMPILE=x86_64-linux-gnu-\n", ''],
    'and make is told of it';
is_deeply [deps({MAKELEVEL => 1, CROSS_COMPILE => 'x', CC => ''}, 'build')], [0, '', ''], 'which it was';

# Installing
machine();
fake('dpkg-query', '[[ $* != *make* && $* != *perl* ]] && echo "install ok installed"');
teller('apt-cache', '');
teller('apt-get',   '');
($exit, $err) = deps({DEPS => 'no'}, 'build');
is $exit, 1, 'DEPS=no: exit code';
is $err, "deps: not installed, and DEPS=no: make perl\n", 'DEPS=no: names the packages';

($exit, $err, $said) = deps({}, 'build');
is $exit, 0, 'install: exit code';
like $err, qr/^deps: 'build' needs.*\n    make +runs the build\n    perl +\w/, 'install: says what and why';
like $said, qr/^apt-cache show make perl\napt-get .*install --no-install-recommends make perl$/,
    'install: only what is missing';

machine();
fake('dpkg-query', '[[ $* != *make* ]] && echo "install ok installed"');
teller('apt-cache', 'exit 100');
teller('apt-get',   '');
($exit, $err, $said) = deps({}, 'build');
like $said, qr/apt-get .*update\napt-get .*install .*make$/, 'no lists: update, then install';

machine();
fake('dpkg-query', '[[ $* != *make* ]] && echo "install ok installed"');
fake('id',         'echo 1000');
teller('apt-cache', '');
teller('apt-get', '');
teller('sudo',      '[[ $* != *install* ]]');
($exit, $err, $said) = deps({}, 'build');
is $exit, 1, 'install fails twice: exit code';
like $said, qr/sudo .*install.*\nsudo .*update\nsudo .*install.*\n$/, 'install, update, install: each by sudo';
like $err, qr/deps: apt-get could not install: make$/, 'install fails twice: sentence';

unlink "$dir/bin/sudo";
($exit, $err) = deps({}, 'build');
is $exit, 1, 'neither root nor sudo: exit code';
is $err =~ tr/\n//, 1, 'neither root nor sudo: one line, and no promise';
like $err, qr/not root and no sudo: have root run/, 'neither root nor sudo: sentence';

is((deps({}, 'foo'))[0], 2, 'unknown goal');
is((deps({}))[0],        2, 'no goal');

done_testing;
