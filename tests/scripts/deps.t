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

# What all machines of this test have beside the tools of a row. apt notes its arguments.
my @base = (qw(bash env sort cat grep), 'uname: echo x86_64', 'id: echo 0');
my @apt  = map { "$_: echo $_ \"\$@\" >>$dir/said" } qw(apt-get apt-cache);

my @build = qw(gcc ld make dpkg prove);
my @run   = (@build, qw(qemu-system-x86_64 cpio readelf xz perl));
my @check = (@run, qw(clang clang-format clang-tidy cppcheck shellcheck dpkg-source flex bison python3 ssh expect rlwrap
    gdb));
my @dist  = qw(dpkg-source gcc make flex bison autoconf automake pkg-config iasl python3-config);
my @arm   = ('uname: echo aarch64', @build, 'x86_64-linux-gnu-gcc', 'x86_64-linux-gnu-ld');
my @two   = (@apt, qw(gcc ld dpkg)); # two packages are missing

# tool(TOOL): makes a program "NAME: BODY", or one that succeeds, or a link to the machine's own.
sub tool {
    my ($name, $body) = split /: /, $_[0], 2;
    my ($own) = grep { -x } map { "$_/$name" } split /:/, $ENV{PATH};
    mkdir "$dir/bin";
    unlink "$dir/bin/$name";
    return symlink $own, "$dir/bin/$name" if !defined $body && grep { $_ eq $name } @base;
    write_file("$dir/bin/$name", "#!/bin/bash\n" . ($body // '') . "\n");
    return chmod 0755, "$dir/bin/$name";
}

my $sudo   = "sudo: echo sudo \"\$@\" >>$dir/said; [[ \$* != *install* ]] || { echo E: full; exit 1; }";
my $no_apt = 'there is no apt-get here, and these are missing:';
my $cross  = 'this machine is aarch64, and the kernel needs a compiler for x86_64: '
    . 'run make CROSS_COMPILE=x86_64-linux-gnu-';
my $wanted = qr/'build' needs packages that are missing; .*:\n    make +runs the build\n    perl +\w.*\n/;

# NAME, tools, arguments (beginning with variables), exit code, message, and what was asked of apt
for my $row (
    ['all programs, without apt', [@run], 'run', 0, '', ''],
    ['all programs, headers and modules, without apt', [@check], 'check', 0, '', ''],
    ['no program', [], 'run', 1, qr/^$no_apt (?!.*cppcheck).*qemu-system-x86_64.*\n$/, ''],
    ['no program', [], 'build', 1, qr/are missing: (?!.*qemu)\S.*\n$/, ''],
    ['plot needs no compiler', ['gnuplot'], 'plot', 0, '', ''],
    ['prove needs no emulator', [qw(gcc dpkg)], 'prove', 1, "$no_apt spin\n", ''],
    ['dist needs no emulator', [@dist], 'dist', 0, '', ''],
    ['all is plot too', [@check, @dist, 'spin'], 'all', 1, qr/are missing: gnuplot\n$/, ''],
    ['a missing package', [@run], 'run gdb', 1, "$no_apt gdb\n", ''],
    ['a package whose command is on the PATH', [@run, 'gdb'], 'run gdb', 0, '', ''],
    ['a missing Perl module', [@check, 'perl: [[ $* != *JUnit* ]]'], 'check', 1, "$no_apt TAP::Formatter::JUnit\n", ''],
    ['a missing header', [@check, 'gcc: ! grep -q cmocka'], 'check', 1, "$no_apt <cmocka.h>\n", ''],
    ['a missing header of clang', [@check, @dist, 'gnuplot', 'spin', 'clang: ! grep -q sanitizer'], 'all', 1,
        qr/: clang<sanitizer/, ''],
    ['aarch64', ['uname: echo aarch64'], 'build', 1, qr/are missing: (?!.* gcc\b)x86_64-linux-gnu-gcc/, ''],
    ['aarch64, a compiler for x86_64', [@arm], 'build', 0, '', ''],
    ['aarch64, make', [@arm], 'MAKELEVEL=1 build', 1, "$cross\n", ''],
    ['aarch64, make with CROSS_COMPILE', [@arm],
        'MAKELEVEL=1 CROSS_COMPILE=x build', 0, '', ''],
    ['DEPS=no', [@two], 'DEPS=no build', 1,
        "these packages are missing, and DEPS=no forbids to install them: make perl\n", ''],
    ['missing packages', [@two], 'build', 0, $wanted, ['show', 'install']],
    ['no package lists', [@two, 'apt-cache: exit 100'], 'build', 0,
        qr/^${wanted}deps: fetching apt's package lists\n$/, ['update', 'install']],
    ['apt-get install fails twice', [@two, $sudo, 'id: echo 1000'], 'build', 1,
        qr/\ndeps: apt-get could not install: make perl: full\n$/,
        ['show', 'sudo install', 'sudo update', 'sudo install']],
    ['neither root nor sudo', [@two, 'id: echo 1000'], 'build', 1,
        "expected to run as root or to find sudo; let root run 'apt-get install --no-install-recommends make perl'\n",
        ''],
    ['an unknown goal', [], 'foo', 2, undef, ''],
    ['no goal', [], '', 2, undef, ''],
) {
    my ($name, $tools, $args, $code, $message, $asked) = @$row;
    $name = "$name, $args";
    system('rm', '-rf', "$dir/bin", "$dir/said");
    tool($_) for @base, @$tools;
    my %env = (PATH => "$dir/bin", DEPS => '', MAKELEVEL => '', CROSS_COMPILE => '', CC => '');
    my @words = grep { !/^(\w+)=(.*)/ || !($env{$1} = $2) } split / /, $args;
    my ($exit, $out, $err) = run({env => \%env}, script('fetch/deps'), @words);
    is_deeply [$exit, $out], [$code, ''], "$name: exit code is $code, and standard output is empty" or diag $err;
    $err =~ s/^deps: //;
    if    (ref $message)     { like $err, $message, "$name: the message" }
    elsif (defined $message) { is $err, $message, "$name: the message" }
    my @said = -e "$dir/said" ? split /\n/, read_file("$dir/said") : ();
    s/^(?:(sudo )env .*)?(?:apt-\S+) .*?\b(show|install|update)\b/@{[$1 \/\/ '']}$2/ for @said;
    my %of = (show => ' make perl', install => ' --no-install-recommends make perl', update => '');
    is_deeply \@said, [map { $_ . $of{(split / /)[-1]} } @{$asked || []}], "$name: what apt is asked for";
}

done_testing;
