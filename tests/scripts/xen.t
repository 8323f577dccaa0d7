#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# scripts/xen keeps what every build and boot needs. Without this, an
# interrupted download could leave a cache that fails for ever, or a second run
# could need a network. apt's part is played by scripts.

use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Run;
use Test::More;

plan skip_all => 'no dpkg-deb here to make packages with' if system('dpkg-deb --version >/dev/null 2>&1') != 0;

my $dir   = tempdir();
my $cache = "$dir/cache";

# Packages with the one file of each that counts.
for my $package (['xen', 'xen-hypervisor-4.17-amd64'], ['headers', 'libxen-dev']) {
    my ($tree, $name) = @$package;
    write_file("$dir/$tree/DEBIAN/control",
        "Package: $name\nVersion: 1\nArchitecture: amd64\nMaintainer: x\nDescription: x\n");
}
write_file("$dir/xen/boot/xen-4.17-amd64", 'hypervisor');
write_file("$dir/headers/usr/include/xen/xen.h",      'header');
write_file("$dir/headers/usr/include/xen/io/ring.h",  'header');
write_file("$dir/headers/usr/include/xenctrl.h",      'not public');
system('gzip', "$dir/xen/boot/xen-4.17-amd64") == 0 or die 'gzip failed';
mkdir "$dir/debs";
system('dpkg-deb', '--build', "$dir/$_->[0]", "$dir/debs/$_->[1].deb") == 0 or die 'dpkg-deb failed'
    for ['xen', 'xen-hypervisor-4.17-amd64'], ['headers', 'libxen-dev'];

my $download = "echo \"\$*\" >>$dir/said; cp $dir/debs/\${!#}.deb .";
fake('apt-cache', '');
fake('apt-get',   $download);

sub fake {
    my ($name, $body) = @_;
    write_file("$dir/bin/$name", "#!/bin/bash\n$body\n");
    chmod 0755, "$dir/bin/$name";
    return;
}

sub xen {
    my @args = @_;
    unlink "$dir/said";
    my %env = (XENOLITH_CACHE => $cache, PATH => "$dir/bin:$ENV{PATH}", DEPS => 'no');
    return run({env => \%env}, 'bash', '-c', "echo \$\$ >$dir/pid; exec \"\$@\"", 'bash', script('xen'), @args);
}

sub nr_fetched {
    return -e "$dir/said" ? read_file("$dir/said") =~ tr/\n// : 0;
}

my ($exit, $out, $err) = xen('hypervisor', '4.17');
is_deeply [$exit, $out, $err], [0, "$cache/xen-4.17/xen\n", "xen: fetching xen-hypervisor-4.17-amd64\n"], 'fetch Xen';
is read_file("$cache/xen-4.17/xen"), 'hypervisor', 'uncompressed';
is nr_fetched(), 1, 'from one package';
is_deeply [xen('hypervisor')], [0, "$cache/xen-4.17/xen\n", ''], 'again';
is nr_fetched(), 0, 'from the cache';

($exit, $out) = xen('headers');
is $out, "$cache/headers/usr/include\n", 'fetch headers';
is read_file("$cache/headers/usr/include/xen/io/ring.h"), 'header', 'all of them';
ok !-e "$cache/headers/usr/include/xenctrl.h", 'and only the public ones';

# A cache that was damaged heals
for my $damage (
    ['a torn file',         sub { write_file("$cache/xen-4.17/xen", 'hyper') }],
    ['a missing file',      sub { unlink "$cache/xen-4.17/xen" }],
    ['missing checksums',   sub { unlink "$cache/xen-4.17/SHA256SUMS" }],
    ['empty checksums',     sub { write_file("$cache/xen-4.17/SHA256SUMS", '') }],
    ['an empty directory',  sub { unlink glob "$cache/xen-4.17/*" }],
) {
    my ($name, $do) = @$damage;
    $do->();
    write_file("$cache/.new.killed/part/xen", 'half');
    xen('hypervisor');
    is read_file("$cache/xen-4.17/xen"), 'hypervisor', "$name is healed";
    ok !-e "$cache/.new.killed", 'and leftovers are gone';
}

# A download that fails, or is ended, leaves nothing, and the next one works
system('rm', '-rf', $cache);
fake('apt-get', 'exit 100');
($exit, $out, $err) = xen('hypervisor');
is $exit, 1, 'no network: exit code';
is $out, '', 'no network: no path';
like $err, qr/xen: could not download xen-hypervisor-4\.17-amd64: is there a network\?$/, 'no network: sentence';

for my $signal ([INT => 130], [TERM => 143]) {
    fake('apt-get', "kill -$signal->[0] \$(<$dir/pid)");
    is((xen('hypervisor'))[0], $signal->[1], "SIG$signal->[0]: exit code");
    is_deeply [glob "$cache/.new.* $cache/xen*"], [], "SIG$signal->[0]: nothing is left";
}
fake('apt-get', $download);
is((xen('hypervisor'))[0], 0, 'the next one works');

# Two at once: one fetches, both get it
system('rm', '-rf', $cache);
fake('apt-get', "sleep 0.5; $download");
unlink "$dir/said";
my (undef, $both) = run({env => {XENOLITH_CACHE => $cache, PATH => "$dir/bin:$ENV{PATH}"}},
    'bash', '-c', '"$1" hypervisor & "$1" hypervisor & wait', 'bash', script('xen'));
is $both, "$cache/xen-4.17/xen\n" x 2, 'two at once';
is nr_fetched(), 1, 'one fetched it';

fake('apt-cache', 'exit 100');
system('rm', '-rf', $cache);
like((xen('hypervisor'))[2], qr/xen: apt knows no package xen-hypervisor-4\.17-amd64 here/,
    'a package apt does not know');

($exit, $out, $err) = xen('hypervisor', '3.1');
is_deeply [$exit, $out, $err], [2, '', "xen: no Xen 3.1 to be had: expected 4.17\n"], 'an unknown version';
is((xen('foo'))[0], 2, 'bad usage');

done_testing;
