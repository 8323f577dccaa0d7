#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# What a machine may lack: QEMU, space on a disk, a network. Without this test, a full disk could be
# reported as bad usage, an old QEMU as an unknown property, and a cache could be left incomplete. Each
# failure must be one sentence that says what to do, with a documented exit code. Scripts replace the
# programs of the machine.

use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Run;
use StandIn;
use Test::More;

my $qemu = 'say "Test result: SUCCESS"';
my @boot = ('boot', '--quiet', '--xen', $xen, $kernel);
my @xen  = ('fetch/xen', 'hypervisor');
my $file = write_file("$dir/file", '');

# A script in place of apt-get that notes its arguments
sub apt {
    my ($body) = @_;
    return "[ \$1 != indextargets ] || exec echo suite main uri\necho \"\$*\" >>$dir/asked; $body";
}

# The programs of a machine on which scripts/fetch/xen succeeds, beside those of this machine
my %works = (
    'apt-get' => apt('touch x.deb'),
    'dpkg'    => 'mkdir -p "$3/boot" && echo xen | gzip >"$3/boot/xen-4.17-amd64.gz"',
);

# on_machine({NAME => VALUE...}, SCRIPT, ARGUMENT...): runs a script on such a machine, in which other
# programs (lower case) or variables are different.
sub on_machine {
    my ($other, @command) = @_;
    my %other = (%works, %$other);
    unlink map { "$dir/bin/$_" } qw(df gunzip id sleep);
    system "rm -rf $dir/cache/xen* $dir/asked";
    program("$dir/bin/$_", $other{$_}) for grep { /[a-z]/ } keys %other;
    return with_qemu({env => {map { $_ => $other{$_} } grep { !/[a-z]/ } keys %other}}, $qemu, @command);
}

# fails(NAME, EXIT CODE, qr/SENTENCE/, {NAME => VALUE...}, SCRIPT, ARGUMENT...): lines of progress are not
# part of the message.
sub fails {
    my ($name, $code, $sentence, @machine) = @_;
    my ($exit, undef, $err) = on_machine(@machine);
    my @said = grep { !/^\w+: (?:fetching|waiting|building)/ } split /\n/, $err;
    is $exit, $code, "$name: exit code is $code";
    is scalar @said, 1, "$name: the message is one sentence" or diag $err;
    like $said[0] // '', $sentence, "$name: the message says what was found, and what to do";
    is_deeply [glob "$dir/cache/.new.* $dir/cache/xen*"], [], "$name: the cache has no incomplete part";
    nothing_is_left($dir, $name);
    return;
}

# QEMU
for my $case (['boot', '5.2', '.0'], ['host/dom0', '4.2', '.1 (Debian 1:4.2-3)'], ['shell', '6.0', '.1']) {
    my ($script, $short, $rest) = @$case;
    fails("QEMU $short for scripts/$script", 4,
        qr/^\w+: QEMU is \Q$short\E, expected 6\.1 or newer; Debian 12 has 7\.2$/,
        {QEMU_VERSION => $short . $rest}, $script, '--xen', $xen, $kernel);
}
for my $new ('6.1.0', '10.0.2', 'of mine') {
    is((on_machine({QEMU_VERSION => $new}, @boot))[0], 5, "QEMU $new is accepted");
}
program("$dir/less/perl", "exec $^X \"\$@\""); # which runs the scripts
fails('without QEMU', 4, qr/^boot: qemu-system-x86_64 is not on the PATH; scripts\/fetch\/deps run installs it$/,
    {PATH => "$dir/less"}, @boot);
symlink "$dir/bin/qemu-system-x86_64", "$dir/less/qemu-system-x86_64" or die $!;
fails('a Linux dom0 without cpio', 4, qr/^boot: cpio is not on the PATH; scripts\/fetch\/deps run installs it$/,
    {PATH => "$dir/less"}, @boot, '--as', 'domU');

# Space for temporary files
fails('TMPDIR does not exist', 4, qr/^boot: TMPDIR: expected a writable directory with free space, found $dir\/none$/,
    {TMPDIR => "$dir/none"}, @boot);
mkdir "$dir/a blank";
fails('TMPDIR has a blank', 4, qr/^boot: TMPDIR: expected a path without blanks, .*, found $dir\/a blank$/,
    {TMPDIR => "$dir/a blank"}, @boot);
is_deeply [glob "'$dir/a blank/*'"], [], 'TMPDIR has a blank: no file is left';
fails('TMPDIR is full', 4, qr/^boot: no space is left in $dir\/tmp; make room, or set TMPDIR to another directory$/,
    {df => 'echo Avail; echo 0'}, @boot);

# The cache
for my $cache ($file, "$file/cache") {
    fails("a cache at $cache", 1,
        qr/^xen: cannot write to the cache $cache: expected a writable directory with free space$/,
        {XENOLITH_CACHE => $cache}, @xen);
}
fails('without XENOLITH_CACHE and HOME', 1,
    qr/^xen: expected XENOLITH_CACHE or HOME to be set, to place the cache; found neither$/,
    {XENOLITH_CACHE => '', XDG_CACHE_HOME => '', HOME => ''}, @xen);
is((on_machine({}, @xen))[0], 0, 'a machine that lacks nothing: scripts/fetch/xen fills the cache');

# The disk has room when a part is begun, and is full later.
my $full = qr/no space is left in $dir\/cache; make room, or set XENOLITH_CACHE/;
for my $case (
    ['apt-get', apt('echo E: Error writing to file; exit 100'),
        qr/^xen: could not fetch xen-hypervisor\S+ of Debian bookworm: $full/],
    ['dpkg', 'echo tar: no; echo dpkg-deb: tar; exit 2', qr/^xen: could not unpack x\.deb: $full/],
    ['dpkg', 'mkdir -p "$3/boot"; touch "$3/boot/xen-4.17-amd64.gz"', qr/^xen: could not make xen-4\.17: $full/],
) {
    my ($tool, $body, $sentence) = @$case;
    fails("the disk is full for $tool", 1, $sentence,
        {$tool => $body, gunzip => 'exit 2', df => 'echo Avail; [[ $* != *-m* ]] && echo 12 || echo 999'}, @xen);
    is read_file("$dir/asked") =~ tr/\n//, 1, "the disk is full for $tool: apt does not try again";
}
fails('too little space', 1, qr/^xen: xen-4\.20 takes 150 MiB .*, and 20 MiB are left in $dir\/cache;/,
    {df => 'echo Avail; echo " 20"'}, @xen, '4.20');
fails('a damaged package', 1, qr/^xen: could not unpack x\.deb: dpkg-deb: error: x\.deb is not/,
    {dpkg => 'echo "dpkg-deb: error: x.deb is not a Debian archive"; exit 2'}, @xen);

# No network
my %offline = ('apt-get' => apt("echo 'E: Failed to fetch URL  Temporary failure resolving'; exit 100"), id => 'echo 0');
fails('scripts/boot without network', 4, qr/^xen: could not fetch .*: Failed to fetch URL  Temporary failure resolving$/,
    \%offline, 'boot', '--quiet', $kernel);
symlink "/usr/bin/$_", "$dir/less/$_" for qw(bash mkdir flock rm mktemp df tail sort cat);
fails('scripts/fetch/xen without apt', 3,
    qr/^xen: could not fetch \S+ of Debian bookworm: expected apt-get, configured with a mirror of Debian; found none$/,
    {PATH => "$dir/less"}, @xen);
fails('scripts/fetch/deps update without network', 1, qr/^deps: apt's package lists cannot be fetched: Failed to fetch URL/,
    {%offline, DEPS => 'yes'}, 'fetch/deps', 'update');
my %locked = (sleep => ":>$dir/slept", 'apt-get' => "[ -e $dir/slept ] || { echo E: Could not get lock; exit 100; }");
for my $case (
    ['one of two mirrors fails', 'apt-get' => 'echo "Hit:1 main"; echo "W: Failed to fetch more"'],
    ['another apt has the lock', %locked],
) {
    my ($name, %other) = @$case;
    is((on_machine({id => 'echo 0', DEPS => 'yes', %other}, 'fetch/deps', 'update'))[0], 0,
        "$name: scripts/fetch/deps update succeeds");
}
ok -e "$dir/slept", 'another apt has the lock: scripts/fetch/deps update sleeps between attempts';

done_testing;
