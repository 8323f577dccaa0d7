#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# scripts/fetch/xen fetches the files that every build and boot needs. Without this test,
# an interrupted download could leave a cache that fails for ever, a second run
# could need a network, or a part could lack a file. A script replaces apt; a directory
# replaces the mirror.

use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Run;
use Test::More;

plan skip_all => 'dpkg-deb is not installed, with which the test makes packages' if system('dpkg-deb --version >/dev/null 2>&1') != 0;

my $dir   = tempdir();
my $cache = "$dir/cache";

# deb(NAME, FILES, FIELD...): adds a package to the mirror. The keys of FILES are paths; the value is
# the content, or a reference to the target of a link.
sub deb {
    my ($name, $files, @fields) = @_;
    system('rm', '-rf', "$dir/deb");
    write_file("$dir/deb/DEBIAN/control",
        join "\n", "Package: $name", 'Version: 1', 'Architecture: amd64', 'Maintainer: x', 'Description: x', @fields, '');
    for my $path (sort { ref $files->{$a} cmp ref $files->{$b} } keys %$files) {
        if (ref $files->{$path}) { symlink ${$files->{$path}}, "$dir/deb/$path" or die "$path: $!" }
        else                     { write_file("$dir/deb/$path", $files->{$path}) }
    }
    mkdir "$dir/mirror";
    system("dpkg-deb -Znone --build $dir/deb $dir/mirror/${name}_1.deb >/dev/null") == 0 or die 'dpkg-deb failed';
    return;
}

# A package in which each file has its own path as content
sub deb_of {
    my ($name, @paths) = @_;
    return deb($name, {map { ($_ => $_) } @paths});
}

# The output of a command whose input is a text
sub packed {
    my ($command, $text) = @_;
    write_file("$dir/text", $text);
    return scalar `$command <$dir/text`;
}

sub fake {
    my ($name, $body) = @_;
    write_file("$dir/bin/$name", "#!/bin/bash\n$body\n");
    chmod 0755, "$dir/bin/$name";
    return;
}

# A package can be downloaded if the lists have its name; PACKAGE/SUITE is version 1 of it. "update" copies the names of the mirror's files to the lists.
my $apt = <<'END' =~ s/DIR/$dir/gr;
[ "$1" != indextargets ] || exec cat DIR/targets
conf=$3
shift 3
echo "$@" >>DIR/said
lists=$(sed -n 's/.*Lists "\([^"]*\)".*/\1/p' "$conf")
cp "$conf" DIR/conf
cp "$(sed -n 's/.*SourceList "\([^"]*\)".*/\1/p' "$conf")" DIR/sources
case $1 in
update) source DIR/update ;;
source) [ -s "$lists/names" ] && mkdir -p xen-4.17.7/xen ;;
download)
    shift
    for package; do
        file=$(grep -s "^${package/\/*/_1}" "$lists/names") || { echo "E: Unable to locate package $package" && exit 100; }
        file=${file##*$'\n'}
        cp "DIR/mirror/$file" . 2>/dev/null || { echo "E: 404 $file" && exit 100; }
    done
    ;;
esac
END

# xen(ARGUMENT...): runs scripts/fetch/xen
sub xen {
    my @args = @_;
    unlink "$dir/said";
    my %env = (XENOLITH_CACHE => $cache, PATH => "$dir/bin:$ENV{PATH}");
    return run({env => \%env}, 'bash', '-c', "echo \$\$ >$dir/pid; exec \"\$@\"", 'bash', script('fetch/xen'), @args);
}

# What apt was asked for: a word for each run of it
sub asked {
    return join ' ', -e "$dir/said" ? read_file("$dir/said") =~ /^(\w+)/gm : ();
}

my $list = "ls $dir/mirror >\$lists/names";
write_file("$dir/update",  $list);
write_file("$dir/targets", "trixie main uri\ntrixie-updates main uri\ntrixie-security main more\nstable other else\n");
fake('apt-get', $apt);

# Each part: its packages, its path, and its content, which is that of a file, or the files of a directory
# or archive
my $lib     = 'usr/lib/x86_64-linux-gnu';
my $bin     = 'usr/lib/xen-4.17/bin';
my $payload = packed('xz', 'an ELF file') . 'size';
my $image   = "\0" x 0x1f1 . "\1" . "\0" x (0x248 - 0x1f2) . pack('VV', 16, length $payload);
$image .= "\0" x (1024 + 16 - length $image) . $payload . 'more';
my ($for_dom0, $for_net) = map { [split] } read_file(script('fetch/xen')) =~ /^(?:net_)?modules='(.*?)'/gms;

sub linux {
    my ($kernel) = @_;
    return deb('linux-image-6.1.0-9-amd64', {'boot/vmlinuz-6.1.0-9-amd64' => $kernel,
        map { ("lib/modules/6.1.0-9-amd64/kernel/$_.ko" => $_) } @$for_dom0, @$for_net});
}

deb("xen-hypervisor-$_-amd64", {"boot/xen-$_-amd64.gz" => packed('gzip', "Xen $_"), "boot/xen-$_-amd64.efi" => "EFI $_"}) for qw(4.14 4.17);
deb_of('ovmf', map { "usr/share/OVMF/OVMF_$_.fd" } qw(CODE VARS CODE_4M));
deb_of('libxen-dev', map { "usr/include/$_" } qw(xen/xen.h xen/io/ring.h xenctrl.h));
deb_of($_) for qw(xen-utils-common libxencall1 libxendevicemodel1 libxenevtchn1 libxenforeignmemory1 libxengnttab1 libxenhypfs1
    libxenstore4 libxentoolcore1 libxentoollog1 libgcc-s1 liblzma5 libuuid1 libyajl2 libzstd1 zlib1g libdevmapper1.02.1
    libpcre2-8-0 libselinux1 libcrypt1 libgmp10 libtommath1 libexpat1);
deb_of('xenstore-utils', 'usr/bin/xenstore');
deb_of('xen-utils-4.17', 'usr/share/doc', 'usr/lib/xen-4.17/boot/xen-shim',
    map { "$bin/$_" } qw(xl libxl-save-helper xenstored xenconsoled xenconsole xen-init-dom0 xen-mfndump xenctx pygrub));
deb_of('libxenmisc4.17', map { "$lib/lib$_" } qw(uuid.so.1 xenlight.so.4.17 xlutil.so.4.17 yajl.so.2 zstd.so.1 pixman.so.1));
deb_of('libc6', 'lib64/ld-linux-x86-64.so.2',
    map { "lib/x86_64-linux-gnu/$_" } qw(libc.so.6 libgcc_s.so.1 liblzma.so.5 libz.so.1 libm.so.6 ld-linux-x86-64.so.2 gconv/libCNS.so));
deb_of('busybox-static', 'bin/busybox');
deb('linux-image-amd64', {}, 'Depends: linux-image-6.1.0-9-amd64 (= 6.1-1)');
linux($image);
deb_of('dropbear-bin', 'usr/sbin/dropbear', 'usr/bin/dropbearkey', 'usr/bin/dbclient');
deb_of('libtomcrypt1', "$lib/libtomcrypt.so.1");
deb_of('python3.11-minimal', 'usr/bin/python3.11');
deb_of('libpython3.11-minimal', 'usr/lib/python3.11/os.py');
deb_of('libpython3.11-stdlib', map { "usr/lib/python3.11/$_" } qw(json/decoder.py tkinter/font.py));
deb_of('grub-common', map { "usr/bin/grub-$_" } qw(mkimage mount));
deb_of('grub-xen-bin', map { "usr/lib/grub/$_/kernel.img" } qw(x86_64-xen i386-xen));
deb('libudev1', {"$lib/libudev.so.1.7" => 'udev', "$lib/libudev.so.1" => \'libudev.so.1.7'});
fake($_, '') for qw(dpkg-source flex bison python3 gcc);
fake('make', '[ "${@: -1}" != build ] || { cp "$2/.config" "$2/xen"; echo symbols >"$2/xen-syms"; }');

my @libraries = map { "lib/$_" } qw(ld-linux-x86-64.so.2 libc.so.6 liblzma.so.5 libm.so.6 libudev.so.1 libudev.so.1.7);
my @modules   = map { "lib/modules/$_.ko" } map { m{([^/]*)$} } @$for_dom0;
my @parts     = (
    [['hypervisor'], 'xen-4.17/xen', 'Xen 4.17'],
    [['efi'], 'xen-4.17/xen.efi', 'EFI 4.17'],
    [['hypervisor', '4.14'], 'xen-4.14/xen', 'Xen 4.14'],
    [['hypervisor', '4.17-debug'], 'xen-4.17-debug/xen', qr/^CONFIG_DEBUG=y$/m],
    [['symbols', '4.17-debug'], 'xen-4.17-debug/xen-syms', "symbols\n"],
    [['ovmf'], 'ovmf', ['OVMF_CODE.fd', 'OVMF_VARS.fd']],
    [['headers'], 'headers/usr/include', ['xen/io/ring.h', 'xen/xen.h']],
    [['dom0'], 'dom0-4.17', ['net.cpio', 'toolstack.cpio', 'vmlinux']],
    [['dom0'], 'dom0-4.17/vmlinux', 'an ELF file'],
    [['dom0'], 'dom0-4.17/toolstack.cpio', [qw(bin/busybox bin/xenstore), (map { "bin/xenstore-$_" } qw(chmod exists list ls read rm watch write)),
        (map { "lib/$_" } qw(libc.so.6 libgcc_s.so.1 liblzma.so.5 libuuid.so.1 libxenlight.so.4.17 libxlutil.so.4.17 libyajl.so.2 libz.so.1 libzstd.so.1)),
        @modules, 'lib/modules/order', 'lib64/ld-linux-x86-64.so.2', 'usr/lib/xen',
        map { "$bin/$_" } qw(libxl-save-helper xen-init-dom0 xen-mfndump xenconsole xenconsoled xenctx xenstored xl)]],
    [['net'], 'dom0-4.17/net.cpio', [map { "lib/modules/$_" } qw(failover.ko net net_failover.ko virtio_net.ko)]],
    [['shim'], 'toolstack-4.17/usr/lib/xen-4.17/boot/xen-shim', 'usr/lib/xen-4.17/boot/xen-shim'],
    [['toolstack'], "toolstack-4.17", qr{^$bin/pygrub$}m],
    [['grub'], 'grub', ['bin/grub-mkimage', @libraries, 'x86_64-xen/kernel.img']],
    [['grub'], 'grub/lib/libudev.so.1', 'udev'],
    [['dropbear'], 'dropbear/dropbear.cpio', [qw(bin/dropbear bin/dropbearkey lib/libtomcrypt.so.1)]],
    [['python'], 'python/python.cpio', [qw(bin/python3 lib/libm.so.6 usr/lib/python3.11/json/decoder.py usr/lib/python3.11/os.py)]],
);

# The files of a directory or a cpio archive
sub files {
    my ($path) = @_;
    if (-f $path) {
        system("rm -rf $dir/archive && mkdir $dir/archive && cd $dir/archive && cpio -id --quiet <$path") == 0 or die $path;
        $path = "$dir/archive";
    }
    return join "\n", sort map { s{^\./}{}r } split /\n/, `cd $path && find . ! -type d ! -name SHA256SUMS`;
}

for my $row (@parts) {
    my ($args, $path, $content) = @$row;
    my $name = "@$args: $path";
    my ($exit, $out, $err) = xen(@$args);
    is $exit, 0, "$name: exit code is 0" or diag $err;
    ok index("$cache/$path/", $out =~ s/\n/\//r) == 0, "$name: the output is the path" or diag $out;
    my $found = -d "$cache/$path" || $path =~ /cpio$/ ? files("$cache/$path") : read_file("$cache/$path");
    if   (ref $content eq 'Regexp') { like $found, $content, "$name: the content" }
    else                            { is $found, ref $content ? join("\n", sort @$content) : $content, "$name: the content" }
    is_deeply [xen(@$args), asked()], [0, $out, '', ''], "$name, second run: the same output, without messages and apt";
}

# How apt is used
{
    my $by = 'signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]';
    my $sources = sub {
        my ($type, $suite) = @_;
        return "$type$by uri $suite main\n$type$by more $suite-security main\n";
    };
    for my $row (
        [['hypervisor', '4.17'],       'deb [arch=amd64 ', 'bookworm'],
        [['hypervisor', '4.14'],       'deb [arch=amd64 ', 'bullseye'],
        [['hypervisor', '4.17-debug'], 'deb-src [',        'bookworm'],
    ) {
        my ($args, @expected) = @$row;
        system('rm', '-rf', $cache);
        xen(@$args);
        is read_file("$dir/sources"), $sources->(@expected), "@$args: the suite, and the mirrors of this machine";
    }
    my %leave = map { ($_ => 1) } read_file("$dir/conf") =~ /(\S*(?:allow|trust).*)/gi;
    is_deeply [sort keys %leave], ['APT::Get::AllowUnauthenticated "false";', 'Acquire::AllowInsecureRepositories "false";'],
        'apt may not use unsigned packages';

    # grub-mkimage runs on this machine; the modules are Xen's
    fake('dpkg', "[ \$1 = --print-architecture ] && echo arm64 && exit; cp $dir/conf $dir/conf.\$((\$(ls $dir | grep -c conf))); exec /usr/bin/dpkg \"\$@\"");
    xen('grub');
    like read_file("$dir/conf.1"), qr/Architecture "arm64"/, 'grub: the packages of grub-mkimage are those of the architecture of this machine';
    like read_file("$dir/conf"), qr/Architecture "amd64"/, 'grub: the package of the modules is that of amd64';
    unlink "$dir/bin/dpkg";
}

# States of the cache, the mirror and the machine: NAME, commands that prepare the state, what "apt-get update"
# does, what apt is asked for, exit code, and reason of the failure
my $deb        = 'xen-hypervisor-4.17-amd64';
my $of         = "$deb of Debian bookworm";
my $no_network = 'echo "W: Failed to fetch URL: Temporary failure"';
my $twice      = 'download update download';
my $thrice     = "$twice download";
my $again      = 'rm -r cache/xen-4.17';
for my $row (
    ['an empty cache', 'rm -r cache', $list, $twice, 0],
    ['lists in the cache', $again, $list, 'download', 0],
    ['lists that name a file that is gone', "$again; mv mirror/${deb}_1.deb mirror/${deb}_2.deb", $list, $twice, 0],
    ['lists with an update that the mirror lacks', "$again; mv mirror/${deb}_2.deb mirror/${deb}_1.deb",
        "$list; echo ${deb}_3.deb >>\$lists/names", $thrice, 0],
    ['one of two mirrors fails', 'rm -r cache', "$list; echo W: more; exit 100", $twice, 0],
    ['lists in the cache, no network', $again, $no_network, 'download', 0],
    ['no network', 'rm -r cache', $no_network, $thrice, 3, ': Failed to fetch URL: Temporary failure'],
    ['a suite that is not signed', 'rm -r cache', 'echo "W: GPG error: NO_PUBKEY"; exit 100', $thrice, 3, ': GPG error: NO_PUBKEY'],
    ['a mirror that lacks a file of its lists', '', "$list; sed -i s/_1/_3/ \$lists/names", $thrice, 3, ": 404 ${deb}_3.deb"],
    ['a suite without the package', 'rm mirror/xen-hyp*', $list, $thrice, 3, ": Unable to locate package $deb"],
    ['no mirror', 'echo nodistro other uri >targets', $list, '', 3, ': expected a mirror of Debian in the configuration of apt, found none'],
) {
    my ($name, $prepare, $update, $asked, $code, $why) = @$row;
    write_file("$dir/update", $update);
    system("cd $dir; $prepare");
    my ($exit, $out, $err) = xen('hypervisor');
    is_deeply [$exit, $out], [$code, $code ? '' : "$cache/xen-4.17/xen\n"], "$name: exit code is $code";
    is asked(), $asked, "$name: what apt is asked for";
    my @said = grep { !/: fetching/ } split /^/, $err;
    is_deeply \@said, $code ? ["xen: could not fetch $of$why\n"] : [], "$name: the message";
    is_deeply [glob "$cache/.new.* $cache/xen*"], [$code ? () : "$cache/xen-4.17"], "$name: the cache has no incomplete part";
}

# A damaged part of the cache is fetched again
system('rm', '-rf', $cache);
write_file("$dir/update",  $list);
write_file("$dir/targets", 'trixie main uri');
deb($deb, {'boot/xen-4.17-amd64.gz' => packed('gzip', 'hypervisor')});
xen('hypervisor');
for my $damage (
    ['a truncated file',         "echo hyper >xen"],
    ['a missing file',      'rm xen'],
    ['missing checksums',   'rm SHA256SUMS'],
    ['empty checksums',     ': >SHA256SUMS'],
    ['an empty directory',  'rm *'],
) {
    my ($name, $command) = @$damage;
    system("cd $cache/xen-4.17; $command");
    write_file("$cache/.new.killed/part/xen", 'half');
    xen('hypervisor');
    is read_file("$cache/xen-4.17/xen"), 'hypervisor', "$name: the part is fetched again";
    ok !-e "$cache/.new.killed", "$name: the files of a killed run are removed";
}

# A file that an older cache lacks, and that the package may lack: hypervisor does not need it.
my ($exit, $out, $err) = xen('efi');
is_deeply [$exit, $out], [1, ''], 'a package without xen.efi: exit code is 1, and no path is printed';
like $err, qr/^xen: expected xen\.efi in the package of xen-4\.17, found none$/m, 'a package without xen.efi: the message says what is missing';
deb($deb, {'boot/xen-4.17-amd64.gz' => packed('gzip', 'hypervisor'), 'boot/xen-4.17-amd64.efi' => 'program'});
is_deeply [xen('hypervisor')], [0, "$cache/xen-4.17/xen\n", ''], 'a cache without xen.efi: hypervisor is complete';
is_deeply [(xen('efi'))[0, 1]], [0, "$cache/xen-4.17/xen.efi\n"], 'a cache without xen.efi: efi fetches the package again';

# A signal leaves no file, and the next run succeeds
for my $signal ([INT => 130], [TERM => 143]) {
    system('rm', '-rf', "$cache/xen-4.17");
    fake('apt-get', "$apt\nkill -$signal->[0] \$(<$dir/pid)");
    is((xen('hypervisor'))[0], $signal->[1], "SIG$signal->[0]: exit code is $signal->[1]");
    is_deeply [glob "$cache/.new.* $cache/xen*"], [], "SIG$signal->[0]: the cache has no incomplete part";
}

# Two runs at the same time: one fetches the part, both print its path
fake('apt-get', "sleep 0.5; $apt");
unlink "$dir/said";
my (undef, $both) = run({env => {XENOLITH_CACHE => $cache, PATH => "$dir/bin:$ENV{PATH}"}},
    'bash', '-c', '"$1" hypervisor & "$1" hypervisor & wait', 'bash', script('fetch/xen'));
is $both, "$cache/xen-4.17/xen\n" x 2, 'two runs at the same time: both print the path';
is asked(), 'download', 'two runs at the same time: one package is fetched';

linux($image =~ s/7zXZ/7zip/r);
system('rm', '-rf', "$cache/dom0-4.17");
($exit, undef, $err) = xen('dom0');
is $exit, 1, 'a kernel that is not compressed by xz: exit code is 1';
like $err, qr/vmlinuz-6\.1\.0-9-amd64: expected a Linux kernel compressed by xz; /, 'a kernel that is not compressed by xz: the message says what was expected';
ok !-e "$cache/dom0-4.17", 'a kernel that is not compressed by xz: the cache has no part dom0';

for my $row (
    [['hypervisor', '3.1'], "xen: no such version: Xen 3.1, expected 4.14, 4.17, 4.20 or 4.17-debug\n"],
    [['symbols',    '4.17'], "xen: no such version: symbols of Xen 4.17, expected 4.17-debug\n"],
    [['shim',       '4.14'], "xen: no such version: toolstack 4.14, expected 4.17\n"],
    [['foo'], (xen())[2]],
) {
    my ($args, $message) = @$row;
    is_deeply [xen(@$args)], [2, '', $message], "@$args: exit code is 2 (bad usage)";
}

done_testing;
