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
use Test::More;

my $dir = tempdir();
write_file("$dir/kernel", 'kernel');
write_file("$dir/xen", "\x7fELF" . "\0" x 60 . "\x02\xb0\xad\x1b" . "\0" x 16);

sub fake {
    my ($name, $body) = @_;
    write_file("$dir/bin/$name", "#!/bin/bash\n$body\n");
    chmod 0755, "$dir/bin/$name";
    return;
}

my $qemu = "echo \$\$ >$dir/pid; echo 'Test result: SUCCESS'";

# A script in place of apt-get that notes its arguments
sub apt {
    my ($body) = @_;
    return "[ \$1 != indextargets ] || exec echo suite main uri\necho \"\$*\" >>$dir/asked; $body";
}

# A machine that has everything
sub machine {
    system('rm', '-rf', map { "$dir/$_" } qw(bin tmp cache pid asked));
    mkdir "$dir/$_" for qw(bin tmp);
    fake('qemu-system-x86_64', "[ \$1 != --version ] || { echo 'QEMU emulator version 7.2.22'; exit; }; $qemu");
    fake('apt-get',   apt('touch x.deb'));
    fake('dpkg',      'mkdir -p "$3/boot" && echo xen | gzip >"$3/boot/xen-4.17-amd64.gz"');
    return;
}

# fails(NAME, CODE, SENTENCE, {ENVIRONMENT}, COMMAND...): lines of progress are not part of the message.
sub fails {
    my ($name, $code, $sentence, $env, $script, @args) = @_;
    my %env = (PATH => "$dir/bin:$ENV{PATH}", TMPDIR => "$dir/tmp", XENOLITH_CACHE => "$dir/cache",
        DEPS => 'no', %$env);
    my ($exit, undef, $err) = run({env => \%env}, script($script), @args);
    my @said = grep { !/^\w+: (?:fetching|waiting|building)/ } split /\n/, $err;
    is $exit, $code, "$name: exit code is $code";
    is scalar @said, 1, "$name: the message is one sentence" or diag $err;
    like $said[0] // '', $sentence, "$name: the message says what was found, and what to do";
    is_deeply [glob "$dir/cache/.new.* $dir/cache/xen*"], [], "$name: the cache has no incomplete part";
    nothing_is_left($dir, $name);
    return;
}

my @boot = ('boot', '--quiet', '--xen', "$dir/xen", "$dir/kernel");

# QEMU
for my $old ('4.2.1 (Debian 1:4.2-3)', '5.2.0', '6.0.1') {
    machine();
    fake('qemu-system-x86_64', "echo 'QEMU emulator version $old'; $qemu");
    my ($short) = $old =~ /^(\d+\.\d+)/;
    fails("QEMU $old", 4, qr/^boot: QEMU is \Q$short\E, expected 6\.1 or newer; Debian 12 has 7\.2$/, {}, @boot);
}
fails('QEMU 6.0 for scripts/shell', 4, qr/^shell: QEMU is 6\.0, expected 6\.1/, {}, 'shell', '--xen', "$dir/xen", "$dir/kernel");
fails('QEMU 6.0 for scripts/host/dom0', 4, qr/^dom0: QEMU is 6\.0, expected 6\.1/,  {}, 'host/dom0',  '--xen', "$dir/xen", "$dir/kernel");
for my $new ('6.1.0', '10.0.2', 'of mine') {
    machine();
    fake('qemu-system-x86_64', "[ \$1 != --version ] || { echo 'QEMU emulator version $new'; exit; }; $qemu");
    my ($exit, undef, $err) = run({env => {PATH => "$dir/bin:$ENV{PATH}"}}, script($boot[0]), @boot[1 .. $#boot]);
    unlike $err, qr/expected 6\.1 or newer/, "QEMU $new is accepted";
}
machine();
unlink "$dir/bin/qemu-system-x86_64";
symlink $_, "$dir/bin/" . s{.*/}{}r for map { my $name = $_; grep { -x } map { "$_/$name" } split /:/, $ENV{PATH} }
    qw(perl env);
fails('without QEMU', 4, qr/^boot: qemu-system-x86_64 is not on the PATH; scripts\/fetch\/deps run installs it$/,
    {PATH => "$dir/bin"}, @boot);

# scripts/shell ends when its input ends
machine();
fake('qemu-system-x86_64', "[ \$1 != --version ] || exit 0; for a; do [[ \$a != stdio,*logfile=* ]] || log=\${a##*logfile=}; done\n"
        . "echo \$\$ >$dir/pid; sleep 0.3; echo -n 'x> ' | tee -a \$log\n"
        . "while [ -z \"\$command\" ] && read -r command; do :; done; echo \"\$command: the domain ends here\" | tee -a \$log");
my ($code, $out) = run({env => {PATH => "$dir/bin:$ENV{PATH}", TMPDIR => "$dir/tmp"}},
    'timeout', 20, script('shell'), '--xen', "$dir/xen", "$dir/kernel");
is_deeply [$code, $out], [0, "x> reboot: the domain ends here\n"], 'scripts/shell with an empty input reboots at the first prompt';
nothing_is_left($dir, 'scripts/shell with an empty input');

# Two signals, as the terminal and the parent process may send them
machine();
fake('qemu-system-x86_64', "[ \$1 != --version ] || exit 0; trap 'kill -TERM \$PPID; sleep 0.2; exit' TERM\n"
        . "echo \$\$ >$dir/pid; kill -HUP \$PPID; while :; do sleep 0.1; done");
is((run({env => {PATH => "$dir/bin:$ENV{PATH}", TMPDIR => "$dir/tmp"}}, script($boot[0]), @boot[1 .. $#boot]))[0],
    130, 'a second signal during the cleanup after the first: exit code is 130');
nothing_is_left($dir, 'a second signal during the cleanup');

# Space for temporary files
machine();
fails('TMPDIR does not exist', 4, qr/^boot: TMPDIR: expected a writable directory with free space, found $dir\/none$/,
    {TMPDIR => "$dir/none"}, @boot);
machine();
fake('df',     'echo Avail; echo 0');
fails('TMPDIR is full', 4, qr/^boot: no space is left in $dir\/tmp; make room, or set TMPDIR to another directory$/, {}, @boot);

# The cache
machine();
write_file("$dir/file", '');
for my $cache ("$dir/file", "$dir/file/cache") {
    fails("a cache at $cache", 1, qr/^xen: cannot write to the cache $cache: expected a writable directory with free space$/,
        {XENOLITH_CACHE => $cache}, 'fetch/xen', 'hypervisor');
}
fails('without XENOLITH_CACHE and HOME', 1, qr/^xen: expected XENOLITH_CACHE or HOME to be set, to place the cache; found neither$/,
    {XENOLITH_CACHE => '', XDG_CACHE_HOME => '', HOME => ''}, 'fetch/xen', 'hypervisor');
is((run({env => {PATH => "$dir/bin:$ENV{PATH}", XENOLITH_CACHE => "$dir/cache"}}, script('fetch/xen'), 'hypervisor'))[0],
    0, 'a machine that lacks nothing: scripts/fetch/xen fills the cache');

# The disk has room when a part is begun, and is full later.
my $full = qr/no space is left in $dir\/cache; make room, or set XENOLITH_CACHE/;
for my $case (
    ['apt-get', apt('echo E: Error writing to file; exit 100'),  qr/^xen: could not fetch xen-hypervisor\S+ of Debian bookworm: $full/],
    ['dpkg',    'echo tar: no; echo dpkg-deb: tar; exit 2',    qr/^xen: could not unpack x\.deb: $full/],
    ['dpkg',    'mkdir -p "$3/boot"; touch "$3/boot/xen-4.17-amd64.gz"', qr/^xen: could not make xen-4\.17: $full/],
) {
    my ($tool, $body, $sentence) = @$case;
    machine();
    fake($tool, $body);
    fake('gunzip', 'exit 2');
    fake('df',     'echo Avail; [[ $* != *-m* ]] && echo 12 || echo 999');
    fails("the disk is full for $tool", 1, $sentence, {}, 'fetch/xen', 'hypervisor');
    is read_file("$dir/asked") =~ tr/\n//, 1, "the disk is full for $tool: apt does not try again";
}
machine();
fake('df', 'echo Avail; echo " 20"');
fails('too little space', 1, qr/^xen: xen-4\.20 takes 150 MiB .*, and 20 MiB are left in $dir\/cache;/,
    {}, 'fetch/xen', 'hypervisor', '4.20');
machine();
fake('dpkg', 'echo "dpkg-deb: error: x.deb is not a Debian archive"; exit 2');
fails('a damaged package', 1, qr/^xen: could not unpack x\.deb: dpkg-deb: error: x\.deb is not/, {}, 'fetch/xen', 'hypervisor');

# No network
machine();
fake('apt-get', apt("echo 'E: Failed to fetch URL  Temporary failure resolving'; exit 100"));
fake('id', 'echo 0');
fails('scripts/boot without network', 4, qr/^xen: could not fetch .*: Failed to fetch URL  Temporary failure resolving$/, {}, 'boot', '--quiet', "$dir/kernel");
unlink "$dir/bin/apt-get";
symlink "/usr/bin/$_", "$dir/bin/$_" for qw(bash mkdir flock rm mktemp df tail sort cat);
fails('scripts/fetch/xen without apt', 3, qr/^xen: could not fetch \S+ of Debian bookworm: expected apt-get, configured with a mirror of Debian; found none$/,
    {PATH => "$dir/bin"}, 'fetch/xen', 'hypervisor');
machine();
fake('apt-get', apt("echo 'E: Failed to fetch URL  Temporary failure resolving'; exit 100"));
fails('scripts/fetch/deps update without network', 1, qr/^deps: apt's package lists cannot be fetched: Failed to fetch URL/, {DEPS => 'yes'}, 'fetch/deps', 'update');
fake('apt-get', 'echo "Hit:1 main"; echo "W: Failed to fetch more"');
is((run({env => {PATH => "$dir/bin:$ENV{PATH}", DEPS => 'yes'}}, script('fetch/deps'), 'update'))[0], 0,
    'one of two mirrors fails: scripts/fetch/deps update succeeds');
fake('sleep', ":>$dir/slept");
fake('apt-get', "[ -e $dir/slept ] || { echo E: Could not get lock; exit 100; }");
is((run({env => {PATH => "$dir/bin:$ENV{PATH}", DEPS => 'yes'}}, script('fetch/deps'), 'update'))[0], 0,
    'another apt has the lock: scripts/fetch/deps update waits for it');
ok -e "$dir/slept", 'another apt has the lock: scripts/fetch/deps update sleeps between attempts';

done_testing;
