#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# scripts/fetch/xen fetches the files that every build and boot needs. Without this test,
# an interrupted download could leave a cache that fails for ever, a second run could need a
# network, or a part could lack a file. A script replaces apt, and a directory its mirror.

use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Run;
use Test::More;

system('dpkg-deb --version >/dev/null 2>&1') == 0
    or plan skip_all => 'dpkg-deb is not installed, with which the test makes packages';

my $dir   = tempdir();
my $cache = "$dir/cache";

# deb(NAME, {PATH => CONTENT}, FIELD...): adds version 1 of a package to the mirror.
sub deb {
    my ($name, $files, @fields) = @_;
    system("rm -rf $dir/deb; mkdir -p $dir/mirror");
    write_file("$dir/deb/DEBIAN/control", join "\n", "Package: $name", 'Version: 1', 'Architecture: amd64',
        'Maintainer: x', 'Description: x', @fields, '');
    write_file("$dir/deb/$_", $files->{$_}) for keys %$files;
    system("dpkg-deb -Znone --build $dir/deb $dir/mirror/${name}_1.deb >/dev/null") == 0 or die 'dpkg-deb failed';
    return;
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

# apt downloads a package if the lists have its name, PACKAGE/SUITE as version 1. A library that the
# mirror lacks is an empty package. "update" does what $dir/update says.
my $apt = <<'END' =~ s/DIR/$dir/gr;
[ "$1" != indextargets ] || exec cat DIR/targets
conf=$3
shift 3
echo "$@" >>DIR/said
cat "$conf" "${conf%/*}/sources.list" >DIR/conf
lists=$(sed -n 's/.*Lists "\([^"]*\)".*/\1/p' "$conf")
case $1 in
update) source DIR/update ;;
source) [ -s "$lists/names" ] && mkdir -p xen-4.17.7/{config,docs,xen} &&
    cp DIR/autogen.sh xen-4.17.7 && touch xen-4.17.7/{Config.mk,config/StdGNU.mk,docs/x} ;;
download)
    for package in "${@:2}"; do
        name=${package%/*}
        [ "$name" = "$package" ] && version=_ || version=_1
        file=$(grep -s "^$name$version" "$lists/names" | tail -n 1)
        [ "$file" ] || [[ $package != lib* || ! -e $lists/names ]] || file=empty_1.deb
        [ "$file" ] || { echo "E: Unable to locate package $package" && exit 100; }
        cp "DIR/mirror/$file" "$name.deb" 2>/dev/null || { echo "E: 404 $file" && exit 100; }
    done
    ;;
esac
END
my $list = "ls $dir/mirror >\$lists/names";
write_file("$dir/update",  $list);
write_file("$dir/targets", "trixie main uri\ntrixie-updates main updates\nstable main uri\ntrixie-security main more\nstable other else\n");
fake('apt-get', $apt);

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

# The packages whose files have their own path as content
my ($lib, $bin) = ('usr/lib/x86_64-linux-gnu', 'usr/lib/xen-4.17/bin');
my %packages = (
    'empty'                 => [],
    'ovmf'                  => [map { "usr/share/OVMF/OVMF_$_.fd" } qw(CODE VARS CODE_4M)],
    'libxen-dev'            => [map { "usr/include/$_" } qw(xen/xen.h xen/io/ring.h xenctrl.h)],
    'xen-utils-common'      => [],
    'xenstore-utils'        => ['usr/bin/xenstore'],
    'xen-utils-4.17'        => ['usr/share/doc', 'usr/lib/xen-4.17/boot/xen-shim', map { "$bin/$_" } qw(xl xenstored
        libxl-save-helper xenconsoled xenconsole xen-init-dom0 xen-mfndump xenctx pygrub)],
    'libxenmisc4.17'        => [map { "$lib/lib$_.so.1" } qw(uuid xenlight xlutil yajl zstd pixman)],
    'libc6'                 => [map { "lib/x86_64-linux-gnu/$_" } qw(libc.so.6 libgcc_s.so.1 liblzma.so.5 libz.so.1
        libm.so.6 ld-linux-x86-64.so.2 gconv/libCNS.so)],
    'zlib1g'                => [],
    'busybox-static'        => ['bin/busybox'],
    'dropbear-bin'          => ['usr/sbin/dropbear', map { "usr/bin/$_" } qw(dbclient dropbearconvert dropbearkey)],
    'libtomcrypt1'          => ["$lib/libtomcrypt.so.1"],
    'python3.11-minimal'    => ['usr/bin/python3.11'],
    'libpython3.11-minimal' => ['usr/lib/python3.11/os.py'],
    'libpython3.11-stdlib'  => [map { "usr/lib/python3.11/$_" } qw(json/decoder.py tkinter/font.py)],
    'cbmc'                  => [map { "usr/bin/$_" } qw(cbmc goto-cc goto-diff goto-instrument)],
    'minisat'               => ['usr/bin/minisat', 'usr/lib/libminisat.so.2'],
    'grub-common'           => [map { "usr/bin/grub-$_" } qw(mkimage mount)],
    'grub-xen-bin'          => [map { "usr/lib/grub/$_/kernel.img" } qw(x86_64-xen i386-xen)],
);
deb($_, {map { ($_ => $_) } @{$packages{$_}}}) for keys %packages;
for my $version ('4.14', '4.17') {
    my $boot = "boot/xen-$version-amd64";
    deb("xen-hypervisor-$version-amd64", {"$boot.gz" => packed('gzip', "Xen $version"), "$boot.efi" => "EFI $version"});
}
fake($_, '') for qw(dpkg-source flex bison python3 python3-config gcc checkpolicy m4 iasl autoconf pkg-config);
fake('automake', "echo $dir");
write_file("$dir/config.$_", '') for qw(guess sub);
write_file("$dir/autogen.sh", "echo 'echo configured >xen.gz' >configure; chmod +x configure");
fake('make', <<'MAKE');
case ${@: -1} in
build) cp .config xen; echo symbols >xen-syms ;;
dist-tools) mkdir -p dist/install/boot; mv xen.gz dist/install/boot ;;
esac
MAKE

# A Linux kernel
my $payload = packed('xz', 'an ELF file') . 'size';
my $image   = "\0" x 0x1f1 . "\1" . "\0" x (0x248 - 0x1f2) . pack('VV', 16, length $payload);
$image .= "\0" x (1024 + 16 - length $image) . $payload . 'more';
my ($for_dom0, $for_net) = map { [split] } read_file(script('fetch/xen')) =~ /^(?:net_)?modules='(.*?)'/gms;
my %modules = map { ("lib/modules/6.1.0-9-amd64/kernel/$_.ko" => $_) } @$for_dom0, @$for_net;
deb('linux-image-amd64',         {}, 'Depends: linux-image-6.1.0-9-amd64 (= 6.1-1)');
deb('linux-image-6.1.0-9-amd64', {'boot/vmlinuz-6.1.0-9-amd64' => $image, %modules});

# The content of a file, or the names of the files in a directory or cpio archive
sub content {
    my ($path) = @_;
    return read_file($path) if -f $path && $path !~ /cpio$/;
    if (-f $path) {
        system("rm -rf $dir/archive && mkdir $dir/archive && cd $dir/archive && cpio -id --quiet <$path") == 0
            or die $path;
        $path = "$dir/archive";
    }
    return [sort map { s{^\./}{}r } split /\n/, `cd $path && find . ! -type d ! -name SHA256SUMS`];
}

# Arguments, the path that is printed, a file or directory in it, and its content
for my $row (
    ['hypervisor',            'xen-4.17/xen',            '', 'Xen 4.17'],
    ['efi',                   'xen-4.17/xen.efi',        '', 'EFI 4.17'],
    ['hypervisor 4.14',       'xen-4.14/xen',            '', 'Xen 4.14'],
    ['hypervisor 4.17-debug', 'xen-4.17-debug/xen',      '',
        "CONFIG_EXPERT=y\n# CONFIG_SELF_TESTS is not set\nCONFIG_DEBUG=y\n"],
    ['symbols 4.17-debug',    'xen-4.17-debug/xen-syms', '', "symbols\n"],
    ['hypervisor 4.17-minimal', 'xen-4.17-minimal/xen', '', "CONFIG_EXPERT=y\n# CONFIG_SELF_TESTS is not set\n" .
            "CONFIG_DEBUG=y\n# CONFIG_GRANT_TABLE is not set\n# CONFIG_SHADOW_PAGING is not set\n"],
    ['hypervisor 4.17-flask', 'xen-4.17-flask/xen', '', "CONFIG_EXPERT=y\n# CONFIG_SELF_TESTS is not set\n" .
            "CONFIG_DEBUG=y\n" . join '', map { "CONFIG_XSM$_=y\n" } '', qw(_FLASK _FLASK_POLICY _FLASK_DEFAULT)],
    ['ovmf',                  'ovmf',                    '', ['OVMF_CODE.fd', 'OVMF_VARS.fd']],
    ['headers',               'headers/usr/include',     '', ['xen/io/ring.h', 'xen/xen.h']],
    ['dist', 'dist-4.17', '/boot/xen.gz', "configured\n"],
    ['tree', 'tree-4.17', '', ['Config.mk', 'config/StdGNU.mk', map { "xen/$_" } qw(.config xen xen-syms)]],
    ['tree', 'tree-4.17', '/xen/xen', "CONFIG_EXPERT=y\n# CONFIG_SELF_TESTS is not set\n# CONFIG_DEBUG is not set\n" .
            "# CONFIG_DEBUG_INFO is not set\n"],
    ['linux', 'linux', '/vmlinux', 'an ELF file'],
    ['linux', 'linux', '/linux.cpio', ['bin/busybox', map { 'lib/modules/' . s{.*/}{}r } 'order', map { "$_.ko" } @$for_dom0]],
    ['net', 'linux/net.cpio', '', [map { "lib/modules/$_" } qw(failover.ko net net_failover.ko virtio_net.ko)]],
    ['toolstack', 'toolstack-4.17', '', [(map { @{$packages{$_}} } qw(xenstore-utils libxenmisc4.17)),
        grep { !m{/gconv/|^usr/share/} } map { @{$packages{$_}} } qw(xen-utils-4.17 libc6)]],
    ['grub', 'grub', '', [qw(bin/grub-mkimage lib/ld-linux-x86-64.so.2 lib/libc.so.6 lib/liblzma.so.5 lib/libm.so.6
        x86_64-xen/kernel.img)]],
    ['dropbear', 'dropbear/dropbear.cpio', '', [qw(bin/dbclient bin/dropbear bin/dropbearconvert bin/dropbearkey
        lib/libtomcrypt.so.1)]],
    ['python', 'python/python.cpio', '', ['bin/python3', 'lib/libm.so.6',
        map { "usr/lib/python3.11/$_" } 'json/decoder.py', 'os.py']],
    ['cbmc', 'cbmc', '', [(map { ("bin/$_", "real/$_") } qw(cbmc goto-cc goto-instrument)),
        map { "lib/$_" } qw(ld-linux-x86-64.so.2 libc.so.6 libgcc_s.so.1 libm.so.6 libminisat.so.2 libz.so.1)]],
) {
    my ($args, $path, $inner, $content) = @$row;
    my @args = split / /, $args;
    my ($exit, $out, $err) = xen(@args);
    is_deeply [$exit, $out], [0, "$cache/$path\n"], "$args: exit code is 0, and the output is the path" or diag $err;
    is_deeply content("$cache/$path$inner"), ref $content ? [sort @$content] : $content, "$args: $path$inner";
    is_deeply [xen(@args), asked()], [0, "$cache/$path\n", '', ''], "$args again: the output alone, without apt";
}

# The suite of each version, from the mirrors of this machine, with verified signatures
my $key = 'signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]';
for my $row (
    ['4.17', 'deb [arch=amd64 ', 'bookworm'],
    ['4.14', 'deb [arch=amd64 ', 'bullseye'],
    ['4.17-debug', 'deb-src [', 'bookworm'],
) {
    my ($version, $type, $suite) = @$row;
    system("rm -r $cache/xen-$version");
    xen('hypervisor', $version);
    my @sources = read_file("$dir/conf") =~ /^(deb.*)/gm;
    is_deeply \@sources, ["$type$key more $suite-security main", "$type$key uri $suite main"],
        "$version: apt's sources";
}

# The toolstack of another suite. In trixie no package has files in /lib.
deb('xen-utils-4.20', {'usr/lib/xen-4.20/bin/xl' => 'xl'});
deb('libc6', {"$lib/libc.so.6" => 'libc'});
my @got = xen('toolstack', '4.20');
is_deeply [@got[0, 1]], [0, "$cache/toolstack-4.20\n"], 'toolstack 4.20: the output is the path' or diag $got[2];
is_deeply content("$cache/toolstack-4.20"), [sort 'usr/bin/xenstore', "$lib/libc.so.6", 'usr/lib/xen-4.20/bin/xl'],
    'toolstack 4.20: the files of its packages';
like read_file("$dir/conf"), qr/ uri trixie main$/m, 'toolstack 4.20: the packages are those of trixie';
deb('libc6', {map { ($_ => $_) } @{$packages{libc6}}});

my %leave = map { ($_ => 1) } read_file("$dir/conf") =~ /(\S*(?:allow|trust).*)/gi;
is_deeply [sort keys %leave],
    [map { "$_ \"false\";" } 'APT::Get::AllowUnauthenticated', 'Acquire::AllowInsecureRepositories'],
    'apt may not use unsigned packages';

# States of the cache, the mirror and the machine: NAME, commands that prepare the state, what "apt-get update"
# does, what apt is asked for, exit code, and reason of the failure
my $deb        = 'xen-hypervisor-4.17-amd64';
my $no_network = 'echo "W: Failed to fetch URL: Temporary failure"';
my $twice      = 'download update download';
my $thrice     = "$twice download";
my $again      = 'rm -r cache/xen-4.17';
my $no_key     = 'echo "W: GPG error: NO_PUBKEY"; exit 100';
my $no_mirror  = 'expected apt-get, configured with a mirror of Debian; found none';
for my $row (
    ['an empty cache', 'rm -r cache', $list, $twice, 0],
    ['lists in the cache', $again, $list, 'download', 0],
    ['lists that name a file that is gone', "$again; mv mirror/${deb}_1.deb mirror/${deb}_2.deb", $list, $twice, 0],
    ['lists with an update that the mirror lacks', "$again; mv mirror/${deb}_2.deb mirror/${deb}_1.deb",
        "$list; echo ${deb}_3.deb >>\$lists/names", $thrice, 0],
    ['one of two mirrors fails', 'rm -r cache', "$list; echo W: more; exit 100", $twice, 0],
    ['lists in the cache, no network', $again, $no_network, 'download', 0],
    ['no network', 'rm -r cache', $no_network, $thrice, 3, 'Failed to fetch URL: Temporary failure'],
    ['a suite that is not signed', 'rm -r cache', $no_key, $thrice, 3, 'GPG error: NO_PUBKEY'],
    ['a mirror that lacks a file of its lists', '', "$list; sed -i s/_1/_3/ \$lists/names", $thrice, 3,
        "404 ${deb}_3.deb"],
    ['a suite without the package', 'rm mirror/xen-hyp*', $list, $thrice, 3, "Unable to locate package $deb"],
    ['no mirror', 'echo nodistro other uri >targets', $list, '', 3, $no_mirror],
) {
    my ($name, $prepare, $update, $asked, $code, $why) = @$row;
    write_file("$dir/update", $update);
    system("cd $dir; $prepare");
    my ($exit, $out, $err) = xen('hypervisor');
    is_deeply [$exit, $out], [$code, $code ? '' : "$cache/xen-4.17/xen\n"], "$name: exit code is $code";
    is asked(), $asked, "$name: what apt is asked for";
    is $err =~ s/^xen: fetching.*\n//gmr, $code ? "xen: could not fetch $deb of Debian bookworm: $why\n" : '',
        "$name: the message";
    is_deeply [glob "$cache/.new.* $cache/xen*"], [$code ? () : "$cache/xen-4.17"], "$name: no incomplete part is left";
}

# A damaged part of the cache is fetched again
write_file("$dir/update",  $list);
write_file("$dir/targets", "trixie main uri\n");
deb($deb, {'boot/xen-4.17-amd64.gz' => packed('gzip', 'hypervisor')});
xen('hypervisor');
for my $damage ('echo hyper >xen', 'rm xen', 'rm SHA256SUMS', ': >SHA256SUMS', 'rm *') {
    system("cd $cache/xen-4.17; $damage");
    write_file("$cache/.new.killed/part/xen", 'half');
    xen('hypervisor');
    is read_file("$cache/xen-4.17/xen"), 'hypervisor', "$damage: the part is fetched again";
    ok !-e "$cache/.new.killed", "$damage: the files of a killed run are removed";
}

# A file that an older cache lacks, and that the package may lack: hypervisor does not need it.
my ($exit, $out, $err) = xen('efi');
is_deeply [$exit, $out], [1, ''], 'a package without xen.efi: exit code is 1, and no path is printed';
like $err, qr/^xen: expected xen\.efi in the package of xen-4\.17, found none$/m,
    'a package without xen.efi: the message';
deb($deb, {'boot/xen-4.17-amd64.gz' => packed('gzip', 'hypervisor'), 'boot/xen-4.17-amd64.efi' => 'program'});
is_deeply [xen('hypervisor')], [0, "$cache/xen-4.17/xen\n", ''], 'a cache without xen.efi: hypervisor is complete';
is_deeply [(xen('efi'))[0, 1]], [0, "$cache/xen-4.17/xen.efi\n"], 'a cache without xen.efi: efi fetches it';

# A signal leaves no file
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

# grub-mkimage runs on this machine; the modules are Xen's
fake('apt-get', $apt);
fake('dpkg', "[ \$1 = -x ] && exec /usr/bin/dpkg \"\$@\"; echo arm64");
xen('grub');
ok -d "$cache/lists/bookworm-$_", "grub on arm64: the lists of $_ are fetched" for qw(arm64 amd64);

deb('linux-image-6.1.0-9-amd64', {'boot/vmlinuz-6.1.0-9-amd64' => $image =~ s/7zXZ/7zip/r, %modules});
($exit, undef, $err) = xen('linux');
is $exit, 1, 'a kernel that is not compressed by xz: exit code is 1';
like $err, qr/vmlinuz-6\.1\.0-9-amd64: expected a Linux kernel compressed by xz; /,
    'a kernel that is not compressed by xz: the message';
ok !-e "$cache/linux", 'a kernel that is not compressed by xz: the cache has no part linux';

is_deeply [(run({env => {XENOLITH_CACHE => 'cache'}, dir => "$dir"}, script('fetch/xen'), 'headers'))[0, 1]],
    [0, "$cache/headers/usr/include\n"], 'a relative XENOLITH_CACHE: the output is an absolute path';

for my $row (
    ['hypervisor 3.1', 'Xen 3.1, expected 4.14, 4.17, 4.20, 4.17-debug, 4.17-minimal, 4.17-flask'],
    ['symbols 4.17',   'symbols of Xen 4.17, expected 4.17-debug'],
    ['dist 4.14',      'source of Xen 4.14, expected 4.17, 4.20'],
    ['tree 4.20',      'source tree of Xen 4.20, expected 4.17'],
    ['toolstack 4.13', 'toolstack 4.13, expected 4.14, 4.17, 4.20'],
) {
    my ($args, $message) = @$row;
    is_deeply [xen(split / /, $args)], [2, '', "xen: no such version: $message\n"], "$args: exit code is 2 (bad usage)";
}
is((xen('foo'))[0], 2, 'an unknown part: exit code is 2 (bad usage)');

done_testing;
