#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# scripts/fetch/xen fetches the files that every build and boot needs. Without this test,
# an interrupted download could leave a cache that fails for ever, or a second run
# could need a network. Scripts replace apt.

use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Run;
use Test::More;

plan skip_all => 'dpkg-deb is not installed, with which the test makes packages' if system('dpkg-deb --version >/dev/null 2>&1') != 0;

my $dir   = tempdir();
my $cache = "$dir/cache";

mkdir "$dir/debs";

# deb(NAME, DEPENDS, PATH => CONTENT...): makes a package with these files
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

# The output of a command whose input is a text
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

# xen([{ENVIRONMENT},] ARGUMENT...): runs scripts/fetch/xen
sub xen {
    my %more = ref $_[0] ? %{shift()} : ();
    my @args = @_;
    unlink "$dir/said";
    my %env = (XENOLITH_CACHE => $cache, PATH => "$dir/bin:$ENV{PATH}", DEPS => 'no', %more);
    return run({env => \%env}, 'bash', '-c', "echo \$\$ >$dir/pid; exec \"\$@\"", 'bash', script('fetch/xen'), @args);
}

sub nr_fetched {
    return -e "$dir/said" ? read_file("$dir/said") =~ tr/\n// : 0;
}

my ($exit, $out, $err) = xen('hypervisor', '4.17');
is_deeply [$exit, $out, $err], [0, "$cache/xen-4.17/xen\n", "xen: fetching xen-hypervisor-4.17-amd64\n"],
    'hypervisor: the output is the path, the message has the package';
is read_file("$cache/xen-4.17/xen"), 'hypervisor', 'hypervisor: the file is uncompressed';
is nr_fetched(), 1, 'hypervisor: one package is fetched';
is_deeply [xen('hypervisor')], [0, "$cache/xen-4.17/xen\n", ''], 'hypervisor, second run: the same path, without messages';
is nr_fetched(), 0, 'hypervisor, second run: no package is fetched';

($exit, $out) = xen('headers');
is $out, "$cache/headers/usr/include\n", 'headers: the output is the directory';
is read_file("$cache/headers/usr/include/xen/io/ring.h"), 'header', 'headers: the directory has the headers of subdirectories';
ok !-e "$cache/headers/usr/include/xenctrl.h", 'headers: the directory has no headers of libraries';

# A damaged part of the cache is fetched again
for my $damage (
    ['a truncated file',         sub { write_file("$cache/xen-4.17/xen", 'hyper') }],
    ['a missing file',      sub { unlink "$cache/xen-4.17/xen" }],
    ['missing checksums',   sub { unlink "$cache/xen-4.17/SHA256SUMS" }],
    ['empty checksums',     sub { write_file("$cache/xen-4.17/SHA256SUMS", '') }],
    ['an empty directory',  sub { unlink glob "$cache/xen-4.17/*" }],
) {
    my ($name, $do) = @$damage;
    $do->();
    write_file("$cache/.new.killed/part/xen", 'half');
    xen('hypervisor');
    is read_file("$cache/xen-4.17/xen"), 'hypervisor', "$name: the part is fetched again";
    ok !-e "$cache/.new.killed", "$name: the files of a killed run are removed";
}

# A download that fails or is interrupted leaves no file, and the next run succeeds
system('rm', '-rf', $cache);
fake('apt-get', 'exit 100');
($exit, $out, $err) = xen('hypervisor');
is $exit, 1, 'without network: exit code is 1';
is $out, '', 'without network: no path is printed';
like $err, qr/xen: could not download xen-hypervisor-4\.17-amd64: is there a network\?$/, 'without network: the message has the package';

for my $signal ([INT => 130], [TERM => 143]) {
    fake('apt-get', "kill -$signal->[0] \$(<$dir/pid)");
    is((xen('hypervisor'))[0], $signal->[1], "SIG$signal->[0]: exit code is $signal->[1]");
    is_deeply [glob "$cache/.new.* $cache/xen*"], [], "SIG$signal->[0]: the cache has no incomplete part";
}
fake('apt-get', $download);
is((xen('hypervisor'))[0], 0, 'the run after an interrupted run: exit code is 0');

# Two runs at the same time: one fetches the part, both print its path
system('rm', '-rf', $cache);
fake('apt-get', "sleep 0.5; $download");
unlink "$dir/said";
my (undef, $both) = run({env => {XENOLITH_CACHE => $cache, PATH => "$dir/bin:$ENV{PATH}"}},
    'bash', '-c', '"$1" hypervisor & "$1" hypervisor & wait', 'bash', script('fetch/xen'));
is $both, "$cache/xen-4.17/xen\n" x 2, 'two runs at the same time: both print the path';
is nr_fetched(), 1, 'two runs at the same time: one package is fetched';

# UEFI: xen.efi may be missing in a package, or in an older cache
($exit, $out, $err) = xen('efi');
is_deeply [$exit, $out], [1, ''], 'a package without xen.efi: exit code is 1, and no path is printed';
like $err, qr/^xen: expected xen\.efi in the package of Xen 4\.17, found none$/m,
    'a package without xen.efi: the message says what is missing';
deb('xen-hypervisor-4.17-amd64', '', 'boot/xen-4.17-amd64.efi' => 'program');
is_deeply [xen('hypervisor')], [0, "$cache/xen-4.17/xen\n", ''], 'a cache without xen.efi: hypervisor is complete';
is nr_fetched(), 0, 'a cache without xen.efi: hypervisor fetches no package';
is_deeply [(xen('efi'))[0, 1]], [0, "$cache/xen-4.17/xen.efi\n"], 'a cache without xen.efi: efi prints the path';
is read_file("$cache/xen-4.17/xen.efi"), 'program', 'a cache without xen.efi: efi fetches the package again';
is_deeply [xen('efi')], [0, "$cache/xen-4.17/xen.efi\n", ''], 'efi, second run: the same path, without messages';
is_deeply [xen('hypervisor')], [0, "$cache/xen-4.17/xen\n", ''], 'hypervisor after efi: the same part, without messages';
is_deeply [(xen('ovmf'))[0, 1]], [0, "$cache/ovmf\n"], 'ovmf: the output is the directory';
is_deeply [map { read_file("$cache/ovmf/OVMF_$_.fd") } qw(CODE VARS)], [qw(CODE VARS)], 'ovmf: the directory has both files';
is_deeply [xen('ovmf')], [0, "$cache/ovmf\n", ''], 'ovmf, second run: the same path, without messages';

# A Linux dom0: an uncompressed kernel, and a small ramdisk
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
    my @lists   = read_file(script('fetch/xen')) =~ /^(?:net_)?modules='(.*?)'/gms;
    my %modules = map { ("lib/modules/6.1.0-9-amd64/kernel/$_.ko" => $_) } map { split } @lists;
    deb('linux-image-6.1.0-9-amd64', '', %modules, 'boot/vmlinuz-6.1.0-9-amd64' => $image);

    ($exit, $out, $err) = xen('dom0');
    is_deeply [$exit, $out], [0, "$cache/dom0-4.17\n"], 'dom0: the output is the directory' or diag $err;
    is read_file("$cache/dom0-4.17/vmlinux"), 'an ELF file', 'dom0: the kernel is uncompressed';
    my %files = map { ($_ => 1) } split /\n/, packed('cpio -t --quiet', read_file("$cache/dom0-4.17/toolstack.cpio"));
    ok $files{$_}, "dom0: the ramdisk has $_" for qw(bin/busybox bin/xenstore-ls usr/lib/xen-4.17/bin/xl lib/libc.so.6
        lib/libxenlight.so.4.17 lib64/ld-linux-x86-64.so.2 lib/modules/xenfs.ko lib/modules/order);
    ok !$files{$_}, "dom0: the ramdisk does not have $_" for qw(usr/lib/xen-4.17/bin/pygrub lib/libpixman.so.1);
    is_deeply [xen('dom0')], [0, "$cache/dom0-4.17\n", ''], 'dom0, second run: the same path, without messages';
    is nr_fetched(), 0, 'dom0, second run: no package is fetched';
    ok !$files{'lib/modules/virtio_net.ko'}, 'dom0: the ramdisk does not have the module of a network card';
    my $net = "$cache/dom0-4.17/net.cpio";
    is_deeply [xen('net')], [0, "$net\n", ''], 'net: the archive was made together with dom0';
    is packed('cpio -t --quiet', read_file($net)) =~ s/^(?:\.|lib|lib\/modules)\n//gmr,
        join('', map { "lib/modules/$_\n" } qw(failover.ko net net_failover.ko virtio_net.ko)), 'net: the archive has only the modules of a network card';
    unlink $net;
    write_file("$cache/dom0-4.17/SHA256SUMS", read_file("$cache/dom0-4.17/SHA256SUMS") =~ s/^.*net\.cpio\n//mr);
    is_deeply [xen('dom0')], [0, "$cache/dom0-4.17\n", ''], 'a cache without net.cpio: dom0 is complete';
    is_deeply [(xen('net'))[0, 1]], [0, "$net\n"], 'a cache without net.cpio: net makes it';
    is_deeply [xen('toolstack', '4.17')], [0, "$cache/toolstack-4.17\n", ''], 'toolstack: it was made together with dom0';
    is read_file("$cache/toolstack-4.17/$bin/pygrub"), 'pygrub', 'toolstack: the directory has all programs of xen-utils';
    my $shim = "$cache/toolstack-4.17/usr/lib/xen-4.17/boot/xen-shim";
    is_deeply [xen('shim')], [0, "$shim\n", ''], 'shim: it was fetched with the toolstack';
    is read_file($shim), 'shim', 'shim: the file is that of the package';
    is_deeply [xen('shim', '4.14')], [2, '', "xen: no such version: toolstack 4.14, expected 4.17\n"], 'shim 4.14: exit code is 2';
    is((xen('dom0', '4.14'))[2], "xen: no such version: toolstack 4.14, expected 4.17\n", 'dom0 4.14: the message has the expected version');

    write_file("$dir/linux-image-6.1.0-9-amd64/boot/vmlinuz-6.1.0-9-amd64", $image =~ s/7zXZ/7zip/r);
    deb('linux-image-6.1.0-9-amd64', '');
    system('rm', '-rf', "$cache/dom0-4.17");
    ($exit, $out, $err) = xen('dom0');
    is $exit, 1, 'a kernel that is not compressed by xz: exit code is 1';
    like $err, qr/vmlinuz-6\.1\.0-9-amd64: expected a Linux kernel compressed by xz; /,
        'a kernel that is not compressed by xz: the message says what was expected';
    ok !-e "$cache/dom0-4.17", 'a kernel that is not compressed by xz: the cache has no part dom0';
}

# Other programs for a script in the dom0, each in its own archive
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
        is_deeply [$exit, $out], [0, "$cache/$name/$name.cpio\n"], "$name: the output is the archive" or diag $err;
        my @files = grep { /[^\/]*\.\w|bin\// } split /\n/, packed('cpio -t --quiet', read_file("$cache/$name/$name.cpio"));
        is_deeply [grep { !/3\.11$|json$/ } @files], $has{$name}, "$name: the archive has only the files that it needs";
        is_deeply [xen($name)], [0, "$cache/$name/$name.cpio\n", ''], "$name, second run: the same path, without messages";
    }
}

# GRUB's PV loader: grub-mkimage with its libraries, in whatever directory their packages have them
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
    is_deeply [$exit, $out], [0, "$cache/grub\n"], 'grub: the output is the directory' or diag $err;
    chomp(my @files = split /^/, `cd $cache/grub && find . ! -type d | LC_ALL=C sort`);
    is_deeply \@files, [map { "./$_" } qw(SHA256SUMS bin/grub-mkimage lib/ld-linux-x86-64.so.2
        lib/libc.so.6 lib/liblzma.so.5 lib/libm.so.6 lib/libudev.so.1 lib/libudev.so.1.7 x86_64-xen/kernel.img)],
        'grub: the directory has only the files that grub-mkimage needs';
    is read_file("$cache/grub/lib/libudev.so.1"), 'udev', 'grub: the links of libraries are kept';
    is_deeply [xen('grub')], [0, "$cache/grub\n", ''], 'grub, second run: the same path, without messages';
    is nr_fetched(), 0, 'grub, second run: no package is fetched';
}

# Xen of another suite of Debian: from the mirrors of this machine, with verified signatures
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
        'Xen 4.14: the output is the path, the message has the package and the suite';
    is read_file("$cache/xen-4.14/xen"), 'old', 'Xen 4.14: the newest version whose file exists is fetched and uncompressed';
    my $by = '[arch=amd64 signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]';
    is read_file("$dir/sources"), "deb $by uri bullseye main\ndeb $by more bullseye-security main\n",
        'Xen 4.14: the mirrors are those of this machine, with the key of the Debian archive';
    my %leave = map { $_ => 1 } read_file("$dir/said") =~ /(\S*(?:allow|trust)\S*)/gi;
    is_deeply [sort keys %leave],
        [qw(APT::Get::AllowUnauthenticated=false Acquire::AllowInsecureRepositories=false)],
        'Xen 4.14: apt may not use unsigned packages';
    is_deeply [xen('hypervisor', '4.14')], [0, "$cache/xen-4.14/xen\n", ''], 'Xen 4.14, second run: the same path, without messages';
    is nr_fetched(), 0, 'Xen 4.14, second run: no package is fetched';

    # A debug build is made from a source package, which is fetched in the same way
    fake($_, '') for qw(dpkg-source flex bison python3 gcc);
    fake('make', '[ "${@: -1}" != build ] || { cp "$2/.config" "$2/xen"; echo symbols >"$2/xen-syms"; }');
    is_deeply [(xen('hypervisor', '4.17-debug'))[0, 1]], [0, "$cache/xen-4.17-debug/xen\n"], 'Xen 4.17-debug: the output is the path';
    like read_file("$cache/xen-4.17-debug/xen"), qr/^CONFIG_DEBUG=y$/m, 'Xen 4.17-debug: it is built with CONFIG_DEBUG';
    is read_file("$dir/sources"), "deb-src $by uri bookworm main\ndeb-src $by more bookworm-security main\n",
        'Xen 4.17-debug: the source package is from the mirrors of this machine';
    is_deeply [xen('symbols', '4.17-debug')], [0, "$cache/xen-4.17-debug/xen-syms\n", ''],
        'symbols 4.17-debug: the output is the path, without messages';
    is read_file("$cache/xen-4.17-debug/xen-syms"), "symbols\n", 'symbols 4.17-debug: the file is xen-syms of the build';
    unlink "$cache/xen-4.17-debug/xen-syms";
    system("cd $cache/xen-4.17-debug && sha256sum xen >SHA256SUMS");
    is_deeply [xen('hypervisor', '4.17-debug')], [0, "$cache/xen-4.17-debug/xen\n", ''],
        'a cache without xen-syms: hypervisor 4.17-debug is complete';
    is_deeply [(xen('symbols', '4.17-debug'))[0, 1]], [0, "$cache/xen-4.17-debug/xen-syms\n"],
        'a cache without xen-syms: symbols 4.17-debug prints the path';
    ok -e "$cache/xen-4.17-debug/xen-syms", 'a cache without xen-syms: symbols 4.17-debug builds it';
    is_deeply [xen('symbols', '4.17')],
        [2, '', "xen: no such version: symbols of Xen 4.17, expected 4.17-debug\n"],
        'symbols 4.17: exit code is 2 (bad usage)';
    unlink map { "$dir/bin/$_" } qw(dpkg-source flex bison python3 gcc make);

    # A package that cannot be fetched: one sentence and exit code 3
    my $not_had = sub {
        my ($title, $why) = @_;
        system('rm', '-rf', $cache);
        is_deeply [xen('hypervisor', '4.14')],
            [3, '', "xen: fetching $of\nxen: could not fetch $of: $why\n"], "$title: exit code is 3";
        is_deeply [glob "$cache/.new.* $cache/xen*"], [], "$title: the cache has no incomplete part";
    };
    fake('apt-cache', 'exit 100');
    $not_had->('a suite without the package', 'expected it in the suite, found none');
    fake('apt-cache', 'echo Version: 4.14.1-1');
    $not_had->('a package whose file is gone', '404');
    fake('apt-cache', '');
    fake('apt-get', $apt =~ s/\*' update'\)/$& echo 'W: GPG error: NO_PUBKEY' && echo 'E: more' && exit 100/r);
    $not_had->('a suite that is not signed', 'GPG error: NO_PUBKEY');

    # Without package lists, apt knows no mirror
    fake('apt-get',   $apt);
    fake('apt-cache', $versions);
    write_file("$dir/no-lists", '');
    ($exit, $out, $err) = xen('hypervisor', '4.14');
    is $exit, 3, 'without package lists, DEPS=no: exit code is 3';
    like $err, qr/^xen: could not fetch $of: apt has no package lists of a mirror of Debian; is there a network\?$/m,
        'without package lists, DEPS=no: the message says what is missing';
    fake('id', 'echo 0');
    is((xen({DEPS => 'yes'}, 'hypervisor', '4.14'))[0], 0, 'without package lists: scripts/fetch/xen fetches them');
}

fake('apt-cache', 'exit 100');
system('rm', '-rf', $cache);
like((xen('hypervisor'))[2], qr/xen: apt knows no package xen-hypervisor-4\.17-amd64 on this machine; Debian 12 has it/,
    'a package that apt does not know: the message has its name');

($exit, $out, $err) = xen('hypervisor', '3.1');
is_deeply [$exit, $out, $err], [2, '', "xen: no such version: Xen 3.1, expected 4.14, 4.17, 4.20 or 4.17-debug\n"],
    'an unknown version: exit code is 2 (bad usage)';
is((xen('foo'))[0], 2, 'an unknown part: exit code is 2 (bad usage)');

done_testing;
