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

mkdir "$dir/debs";

# deb(NAME, DEPENDS, PATH => CONTENT...), with the files that count
sub deb {
    my ($name, $depends, %files) = @_;
    write_file("$dir/$name/DEBIAN/control",
        "Package: $name\nVersion: 1\nArchitecture: amd64\nMaintainer: x\nDescription: x\n"
            . ($depends ? "Depends: $depends\n" : ''));
    write_file("$dir/$name/$_", $files{$_}) for keys %files;
    system("dpkg-deb --build $dir/$name $dir/debs/$name.deb >/dev/null") == 0
        or die 'dpkg-deb failed';
    return;
}

# What a command makes of a text.
sub packed {
    my ($command, $text) = @_;
    write_file("$dir/text", $text);
    return scalar `$command <$dir/text`;
}

deb('xen-hypervisor-4.17-amd64', '', 'boot/xen-4.17-amd64.gz' => packed('gzip', 'hypervisor'));
deb('ovmf', '', map { ("usr/share/OVMF/OVMF_$_.fd" => $_) } qw(CODE VARS CODE_4M));
deb('libxen-dev', '',
    'usr/include/xen/xen.h'     => 'header',
    'usr/include/xen/io/ring.h' => 'header',
    'usr/include/xenctrl.h'     => 'not public');

my $download = <<"END";
echo "\$*" >>$dir/said
shift 4 # -qq -o ... download
for package; do
    [ -e "$dir/debs/\$package.deb" ] || package=empty
    cp "$dir/debs/\$package.deb" "\$1.deb"
    shift
done
END
fake('apt-cache', '');
fake('apt-get',   $download);

sub fake {
    my ($name, $body) = @_;
    write_file("$dir/bin/$name", "#!/bin/bash\n$body\n");
    chmod 0755, "$dir/bin/$name";
    return;
}

# xen({ENVIRONMENT}, ARGUMENT...), of which the first may be left out
sub xen {
    my %more = ref $_[0] ? %{shift()} : ();
    my @args = @_;
    unlink "$dir/said";
    my %env = (XENOLITH_CACHE => $cache, PATH => "$dir/bin:$ENV{PATH}", DEPS => 'no', %more);
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

# UEFI: Xen as a program for it may be missing in a package, or in a cache that is older
($exit, $out, $err) = xen('efi');
is_deeply [$exit, $out], [1, ''], 'no xen.efi in the package: exit code, no path';
like $err, qr/^xen: Xen 4\.17 came without a program for UEFI$/m, 'no xen.efi in the package: sentence';
deb('xen-hypervisor-4.17-amd64', '', 'boot/xen-4.17-amd64.efi' => 'program');
is_deeply [xen('hypervisor')], [0, "$cache/xen-4.17/xen\n", ''], 'a cache without it serves the rest';
is nr_fetched(), 0, 'and fetches nothing';
is_deeply [(xen('efi'))[0, 1]], [0, "$cache/xen-4.17/xen.efi\n"], 'one that has it';
is read_file("$cache/xen-4.17/xen.efi"), 'program', 'is fetched';
is_deeply [xen('efi')], [0, "$cache/xen-4.17/xen.efi\n", ''], 'again';
is_deeply [xen('hypervisor')], [0, "$cache/xen-4.17/xen\n", ''], 'with the other Xen';
is_deeply [(xen('ovmf'))[0, 1]], [0, "$cache/ovmf\n"], "QEMU's UEFI";
is_deeply [map { read_file("$cache/ovmf/OVMF_$_.fd") } qw(CODE VARS)], [qw(CODE VARS)], 'is unpacked';
is_deeply [xen('ovmf')], [0, "$cache/ovmf\n", ''], 'again';

# A Linux dom0: its kernel unpacked, its ramdisk small
{
    my ($bin, $lib, $lib64) = ('usr/lib/xen-4.17/bin', 'usr/lib/x86_64-linux-gnu', 'lib/x86_64-linux-gnu');
    deb('empty', '');
    deb('xenstore-utils', '', 'usr/bin/xenstore' => 'xenstore');
    deb('xen-utils-4.17', '', 'usr/share/doc' => 'long', 'usr/lib/xen-4.17/boot/xen-shim' => 'shim',
        map { ("$bin/$_" => $_) } qw(xl libxl-save-helper xenstored xenconsoled xenconsole xen-init-dom0
        xen-mfndump xenctx pygrub));
    deb('libxenmisc4.17', '', map { ("$lib/lib$_" => $_) } qw(uuid.so.1 xenlight.so.4.17 xlutil.so.4.17
        yajl.so.2 zstd.so.1 pixman.so.1));
    deb('libc6', '', 'lib64/ld-linux-x86-64.so.2' => 'ld', map { ("$lib64/lib$_" => $_) } qw(c.so.6
        gcc_s.so.1 lzma.so.5 z.so.1));
    deb('busybox-static', '', 'bin/busybox' => 'busybox');
    deb('linux-image-amd64', 'linux-image-6.1.0-9-amd64 (= 6.1-1)');
    my $payload = packed('xz', 'an ELF file') . 'size';
    my $image   = "\0" x 0x1f1 . "\1" . "\0" x (0x248 - 0x1f2) . pack('VV', 16, length $payload);
    $image .= "\0" x (1024 + 16 - length $image) . $payload . 'more';
    my @lists   = read_file(script('xen')) =~ /^(?:net_)?modules='(.*?)'/gms;
    my %modules = map { ("lib/modules/6.1.0-9-amd64/kernel/$_.ko" => $_) } map { split } @lists;
    deb('linux-image-6.1.0-9-amd64', '', %modules, 'boot/vmlinuz-6.1.0-9-amd64' => $image);

    ($exit, $out, $err) = xen('dom0');
    is_deeply [$exit, $out], [0, "$cache/dom0-4.17\n"], 'fetch a Linux dom0' or diag $err;
    is read_file("$cache/dom0-4.17/vmlinux"), 'an ELF file', 'the kernel is unpacked';
    my %files = map { ($_ => 1) } split /\n/, packed('cpio -t --quiet', read_file("$cache/dom0-4.17/toolstack.cpio"));
    ok $files{$_}, "$_ is there" for qw(bin/busybox bin/xenstore-ls usr/lib/xen-4.17/bin/xl lib/libc.so.6
        lib/libxenlight.so.4.17 lib64/ld-linux-x86-64.so.2 lib/modules/xenfs.ko lib/modules/order);
    ok !$files{$_}, "$_ is not" for qw(usr/lib/xen-4.17/bin/pygrub lib/libpixman.so.1);
    is_deeply [xen('dom0')], [0, "$cache/dom0-4.17\n", ''], 'again';
    is nr_fetched(), 0, 'from the cache';
    ok !$files{'lib/modules/virtio_net.ko'}, 'a network card is not';
    my $net = "$cache/dom0-4.17/net.cpio";
    is_deeply [xen('net')], [0, "$net\n", ''], 'but it came with the rest';
    is packed('cpio -t --quiet', read_file($net)) =~ s/^(?:\.|lib|lib\/modules)\n//gmr,
        join('', map { "lib/modules/$_\n" } qw(failover.ko net net_failover.ko virtio_net.ko)), 'by itself';
    unlink $net;
    write_file("$cache/dom0-4.17/SHA256SUMS", read_file("$cache/dom0-4.17/SHA256SUMS") =~ s/^.*net\.cpio\n//mr);
    is_deeply [xen('dom0')], [0, "$cache/dom0-4.17\n", ''], 'a cache that is older than it will do';
    is_deeply [(xen('net'))[0, 1]], [0, "$net\n"], 'until it is asked for';
    is_deeply [xen('toolstack', '4.17')], [0, "$cache/toolstack-4.17\n", ''], 'the toolstack is there, too';
    is read_file("$cache/toolstack-4.17/$bin/pygrub"), 'pygrub', 'with all its programs';
    my $shim = "$cache/toolstack-4.17/usr/lib/xen-4.17/boot/xen-shim";
    is_deeply [xen('shim')], [0, "$shim\n", ''], 'and so is the PV shim';
    is read_file($shim), 'shim', 'as it was';
    is_deeply [xen('shim', '4.14')], [2, '', "xen: no toolstack 4.14 to be had: expected 4.17\n"], 'another shim';
    is((xen('dom0', '4.14'))[2], "xen: no toolstack 4.14 to be had: expected 4.17\n", 'another toolstack');

    write_file("$dir/linux-image-6.1.0-9-amd64/boot/vmlinuz-6.1.0-9-amd64", $image =~ s/7zXZ/7zip/r);
    deb('linux-image-6.1.0-9-amd64', '');
    system('rm', '-rf', "$cache/dom0-4.17");
    ($exit, $out, $err) = xen('dom0');
    is $exit, 1, 'a kernel packed otherwise: exit code';
    like $err, qr/vmlinuz-6\.1\.0-9-amd64: expected a kernel packed by xz$/, 'a kernel packed otherwise: sentence';
    ok !-e "$cache/dom0-4.17", 'a kernel packed otherwise: nothing is left';
}

# What a job in the dom0 may want besides, each in an archive of its own
{
    my $lib = 'usr/lib/x86_64-linux-gnu';
    deb('dropbear-bin', '', 'usr/sbin/dropbear' => 'server', 'usr/bin/dropbearkey' => 'key', 'usr/bin/dbclient' => 'not needed');
    deb('libtomcrypt1', '', "$lib/libtomcrypt.so.1" => 'lib');
    deb('python3.11-minimal', '', 'usr/bin/python3.11' => 'python');
    deb('libpython3.11-minimal', '', 'usr/lib/python3.11/os.py' => 'os');
    deb('libpython3.11-stdlib', '', map { ("usr/lib/python3.11/$_" => $_) } qw(json/decoder.py tkinter/font.py));
    my %has = (dropbear => [qw(bin/dropbear bin/dropbearkey lib/libtomcrypt.so.1)],
        python => [qw(bin/python3 usr/lib/python3.11/json/decoder.py usr/lib/python3.11/os.py)]);
    for my $name (sort keys %has) {
        ($exit, $out, $err) = xen($name);
        is_deeply [$exit, $out], [0, "$cache/$name/$name.cpio\n"], "fetch $name" or diag $err;
        my @files = grep { /[^\/]*\.\w|bin\// } split /\n/, packed('cpio -t --quiet', read_file("$cache/$name/$name.cpio"));
        is_deeply [grep { !/3\.11$|json$/ } @files], $has{$name}, 'and what it needs, no more';
        is_deeply [xen($name)], [0, "$cache/$name/$name.cpio\n", ''], 'again';
    }
}

# GRUB's PV loader: a program with the libraries of its own suite, wherever their packages put them
{
    my @lib = map { "$_/x86_64-linux-gnu" } 'lib', 'usr/lib';
    deb('grub-common',  '', 'usr/bin/grub-mkimage' => 'mkimage', 'usr/bin/grub-mount' => 'not needed');
    deb('grub-xen-bin', '', map { ("usr/lib/grub/$_" => $_) } qw(x86_64-xen/kernel.img i386-xen/kernel.img));
    deb('libc6', '', map { ("$lib[0]/$_" => $_) } qw(libc.so.6 libm.so.6 libresolv.so.2 ld-linux-x86-64.so.2
        gconv/libCNS.so));
    deb('libudev1', '', "$lib[1]/libudev.so.1.7" => 'udev');
    symlink 'libudev.so.1.7', "$dir/libudev1/$lib[1]/libudev.so.1" or die $!;
    system("dpkg-deb --build $dir/libudev1 $dir/debs/libudev1.deb >/dev/null") == 0 or die 'dpkg-deb failed';

    ($exit, $out, $err) = xen('grub');
    is_deeply [$exit, $out], [0, "$cache/grub\n"], 'fetch GRUB' or diag $err;
    chomp(my @files = split /^/, `cd $cache/grub && find . ! -type d | LC_ALL=C sort`);
    is_deeply \@files, [map { "./$_" } qw(SHA256SUMS bin/grub-mkimage lib/ld-linux-x86-64.so.2
        lib/libc.so.6 lib/liblzma.so.5 lib/libm.so.6 lib/libudev.so.1 lib/libudev.so.1.7 x86_64-xen/kernel.img)],
        'just what it needs is kept';
    is read_file("$cache/grub/lib/libudev.so.1"), 'udev', 'with its links';
    is_deeply [xen('grub')], [0, "$cache/grub\n", ''], 'again';
    is nr_fetched(), 0, 'from the cache';
}

# Another suite: of the machine's own mirrors of Debian, and by their signatures
{
    my $name = 'xen-hypervisor-4.14-amd64';
    deb($name, '', 'boot/xen-4.14-amd64.gz' => packed('gzip', 'old'));
    my $apt = <<'END' =~ s/DIR/$dir/gr;
echo "$*" >>DIR/said
case "$*" in
*indextargets*)
    [ -e DIR/no-lists ] || printf '%s\n' 'bookworm uri' 'bookworm-updates uri' 'bookworm-security more'
    ;;
*' update')
    if [[ $* =~ sourcelist=([^ ]*) ]]; then cp "${BASH_REMATCH[1]}" DIR/sources; else rm DIR/no-lists; fi
    ;;
*' download '*=4.14.6-1) package=${@: -1} && cp "DIR/debs/${package%%=*}.deb" . ;;
*' source '*=4.17.7-1) mkdir -p xen-4.17.7/xen ;;
*) echo half >half.deb && echo 'E: 404' && exit 100 ;;
esac
END
    my $versions = 'printf "Version: %s\n" 4.14.5-9 4.14.10-1 4.14.6-1 4.17.7-1 4.17.10-1 4.2.0-1';
    fake('apt-get',   $apt);
    fake('apt-cache', $versions);

    my $of = "$name of Debian bullseye";
    is_deeply [xen('hypervisor', '4.14')], [0, "$cache/xen-4.14/xen\n", "xen: fetching $of\n"],
        'a Xen of another suite';
    is read_file("$cache/xen-4.14/xen"), 'old', 'uncompressed, and the newest that is there';
    my $by = '[arch=amd64 signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]';
    is read_file("$dir/sources"), "deb $by uri bullseye main\ndeb $by more bullseye-security main\n",
        'from the same mirrors, by the key of the archive';
    my %leave = map { $_ => 1 } read_file("$dir/said") =~ /(\S*(?:allow|trust)\S*)/gi;
    is_deeply [sort keys %leave],
        [qw(APT::Get::AllowUnauthenticated=false Acquire::AllowInsecureRepositories=false)],
        'and no way round it';
    is_deeply [xen('hypervisor', '4.14')], [0, "$cache/xen-4.14/xen\n", ''], 'again';
    is nr_fetched(), 0, 'from the cache';

    # A debug build is made of a source package, in the same way
    fake($_, '') for qw(dpkg-source flex bison python3 gcc);
    fake('make', '[ "${@: -1}" != build ] || { cp "$2/.config" "$2/xen"; echo symbols >"$2/xen-syms"; }');
    is_deeply [(xen('hypervisor', '4.17-debug'))[0, 1]], [0, "$cache/xen-4.17-debug/xen\n"], 'a debug build';
    like read_file("$cache/xen-4.17-debug/xen"), qr/^CONFIG_DEBUG=y$/m, 'is one';
    is read_file("$dir/sources"), "deb-src $by uri bookworm main\ndeb-src $by more bookworm-security main\n",
        'of source packages';
    is_deeply [xen('symbols', '4.17-debug')], [0, "$cache/xen-4.17-debug/xen-syms\n", ''],
        'the symbols of a debug build are kept';
    is read_file("$cache/xen-4.17-debug/xen-syms"), "symbols\n", 'beside it';
    unlink "$cache/xen-4.17-debug/xen-syms";
    system("cd $cache/xen-4.17-debug && sha256sum xen >SHA256SUMS");
    is_deeply [xen('hypervisor', '4.17-debug')], [0, "$cache/xen-4.17-debug/xen\n", ''],
        'a cache without the symbols serves the rest';
    is_deeply [(xen('symbols', '4.17-debug'))[0, 1]], [0, "$cache/xen-4.17-debug/xen-syms\n"],
        'and is asked for them';
    ok -e "$cache/xen-4.17-debug/xen-syms", 'then it has them';
    is_deeply [xen('symbols', '4.17')],
        [2, '', "xen: no symbols of Xen 4.17 to be had: expected 4.17-debug\n"], 'no symbols of a release build';
    unlink map { "$dir/bin/$_" } qw(dpkg-source flex bison python3 gcc make);

    # What cannot be had is one sentence and a code of its own
    my $not_had = sub {
        my ($title, $why) = @_;
        system('rm', '-rf', $cache);
        is_deeply [xen('hypervisor', '4.14')],
            [3, '', "xen: fetching $of\nxen: $of cannot be had: $why\n"], $title;
        is_deeply [glob "$cache/.new.* $cache/xen*"], [], "$title: nothing is left";
    };
    fake('apt-cache', 'exit 100');
    $not_had->('a suite without the package', 'it is not there');
    fake('apt-cache', 'echo Version: 4.14.1-1');
    $not_had->('a package that is gone', '404');
    fake('apt-cache', '');
    fake('apt-get', $apt =~ s/\*' update'\)/$& echo 'W: GPG error: NO_PUBKEY' && echo 'E: more' && exit 100/r);
    $not_had->('a suite that is not signed', 'GPG error: NO_PUBKEY');

    # A machine without apt's lists knows no mirror until it has them
    fake('apt-get',   $apt);
    fake('apt-cache', $versions);
    write_file("$dir/no-lists", '');
    ($exit, $out, $err) = xen('hypervisor', '4.14');
    is $exit, 3, 'no lists, and none to be fetched: exit code';
    like $err, qr/^xen: $of cannot be had: apt has no lists of a mirror of Debian here; is there a network\?$/m,
        'no lists, and none to be fetched: sentence';
    fake('id', 'echo 0');
    is((xen({DEPS => 'yes'}, 'hypervisor', '4.14'))[0], 0, 'no lists: they are fetched');
}

fake('apt-cache', 'exit 100');
system('rm', '-rf', $cache);
like((xen('hypervisor'))[2], qr/xen: apt knows no package xen-hypervisor-4\.17-amd64 here/,
    'a package apt does not know');

($exit, $out, $err) = xen('hypervisor', '3.1');
is_deeply [$exit, $out, $err], [2, '', "xen: no Xen 3.1 to be had: expected 4.14, 4.17, 4.20 or 4.17-debug\n"],
    'an unknown version';
is((xen('foo'))[0], 2, 'bad usage');

done_testing;
