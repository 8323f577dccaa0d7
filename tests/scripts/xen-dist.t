#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# scripts/host/Xen.pm finds Xen and its toolstack in a directory. Without this test a developer whose tree
# has another prefix would get "no such file", or programs of another version without a word.

use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use IO::Compress::Gzip 'gzip';
use Run;
use StandIn;
use Test::More;

my $job = write_file("$dir/job.sh", 'echo hello');
my $elf = read_file($xen);
gzip(\$elf => \my $packed);

# tree({FILE => CONTENT}): a new directory with these files; undef stands for no file, and a reference for a link.
my $trees = 0;
sub tree {
    my (%files) = @_;
    my $tree = "$dir/tree" . ++$trees . ' {x}';
    for my $path (grep { defined $files{$_} } keys %files) {
        write_file("$tree/$path", ref $files{$path} ? '' : $files{$path});
        next if !ref $files{$path};
        unlink "$tree/$path";
        symlink ${$files{$path}}, "$tree/$path" or die $path;
    }
    return $tree;
}

# The files of "make install" with these directories. Xen 4.22 has the libraries of this machine.
sub installed {
    my ($prefix, $lib) = @_;
    return (
        'boot/xen-4.22.0.gz' => $packed, 'boot/xen.gz' => \'xen-4.22.0.gz', 'boot/xen-syms-4.22.0' => 'symbols',
        "$prefix/sbin/xl" => elf('xl', 'libxenlight.so.4.22', 'libhere.so.1'),
        (map { ("$prefix/sbin/$_" => elf($_)) } qw(xenstored oxenstored xenconsoled)),
        (map { ("$prefix/$lib/xen/bin/$_" => elf($_)) } qw(xenconsole xen-init-dom0 libxl-save-helper)),
        "$prefix/bin/xenstore" => elf('xenstore'), "$prefix/$lib/libxenlight.so.4.22" => elf('libxenlight'),
        "$prefix/$lib/libhere.so.1" => elf('libhere'), "$prefix/$lib/xen/boot/xen-shim" => 'shim 4.22',
    );
}

# The names and contents of the ramdisk's files, but those of every dom0
sub ramdisk {
    system("rm -rf '$dir/disk'; mkdir '$dir/disk'; cd '$dir/disk'; cpio -id --quiet <'$dir/seen/ramdisk'") == 0 or die;
    my @names = split /\n/, `cd '$dir/disk'; find . -type f | sed 's,^./,,'`;
    return map { $_ => read_file("$dir/disk/$_") } grep { !m{^(?:init|lib/xenolith\.sh|etc/xen/|lib/libgcc_s)} } @names;
}

my @clients = map { "bin/xenstore-$_" } qw(chmod exists list ls read rm watch write);

# Where make install puts it

for my $case (['usr/local', 'lib'], ['usr', 'lib64'], ['usr', 'lib/x86_64-linux-gnu'], ['opt/xen', 'lib64']) {
    my ($prefix, $lib) = @$case;
    my %tree = installed($prefix, $lib);
    my $tree = tree(%tree);
    my @got  = with_qemu('say up; script_ends 0', 'host/dom0', '--xen-dist', $tree, $job);
    is_deeply \@got, [0, "up\n", ''], "prefix $prefix, libraries in $lib: a Linux dom0 starts";
    is read_file("$dir/seen/xen"), $elf, "prefix $prefix: the hypervisor is unpacked";
    my %found = ramdisk();
    my %expected = map { $_ => $tree{$_} } grep { m{bin/} && !/oxenstored/ } keys %tree;
    $expected{$_} = $tree{"$prefix/bin/xenstore"} for @clients;
    $expected{"lib/$_"} = $tree{"$prefix/$lib/$_"} for 'libxenlight.so.4.22', 'libhere.so.1';
    my $paths = delete $found{'etc/toolstack'};
    is_deeply \%found, \%expected, "prefix $prefix, libraries in $lib: programs at their paths, libraries in /lib";
    like $paths, qr{^PATH=/bin:.*/$prefix/$lib/xen/bin:.*/$prefix/sbin$}m, "prefix $prefix: PATH has their directories";
    like $paths, qr{^xenstored=xenstored$}m, "prefix $prefix: of two daemons the one in C is started";
}

# What a machine with Debian's packages has: scripts in place of programs, and links from the root
my %debian = (toolstack('4.17'), toolstack('4.20'), 'boot/xen-4.17-amd64.gz' => 'old', 'boot/xen-4.20-amd64.gz' => $packed,
    'usr/sbin/xl' => "#!/bin/sh\n", 'lib64/ld-linux-x86-64.so.2' => \'/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2');
my $machine = tree(%debian);
is_deeply [with_qemu('say up; script_ends 0', 'host/dom0', '--xen-dist', $machine, $job)], [0, "up\n", ''], 'a machine with two versions';
my %found = ramdisk();
is_deeply [grep { m{/xl$} } keys %found], ['usr/lib/xen-4.20/bin/xl'], 'a machine with two versions: the newest is taken';
is $found{'lib64/ld-linux-x86-64.so.2'}, elf('ld-linux'), 'a link with a path from the root: the file in this directory';

# The same machine after make install of a newer Xen: its links and programs name no version
my $both = tree(%debian, installed('usr/local', 'lib'));
is_deeply [with_qemu('say up; script_ends 0', 'host/dom0', '--xen-dist', $both, $job)], [0, "up\n", ''], 'make install beside packages';
%found = ramdisk();
is_deeply [sort grep { m{/(?:xl|xenconsole)$} } keys %found], [qw(usr/local/lib/xen/bin/xenconsole usr/local/sbin/xl)],
    'make install beside packages: all programs are those of make install';

# The variable, and what overrides it
for my $case (
    [[], 'libxenlight.so.4.20'], [['--xen', $xen], 'libxenlight.so.4.20'], [['--xen', '4.17'], 'libxenlight.so.4.17'],
    [['--toolstack', '4.17'], 'libxenlight.so.4.17'], [['--xen-dist', tree(installed('usr', 'lib'))], 'libxenlight.so.4.22'],
) {
    my ($args, $library) = @$case;
    cached('xen-4.17', xen => $elf);
    with_qemu({env => {XENOLITH_XEN_DIST => $machine}}, 'script_ends 0', 'host/dom0', @$args, $job);
    is_deeply [grep { /libxenlight/ } keys %{{ramdisk()}}], ["lib/$library"], "XENOLITH_XEN_DIST with the options @$args"
        =~ s/\Q$dir\E\///r;
}
with_qemu({env => {XENOLITH_XEN_DIST => $machine}}, 'pass', 'boot', '--quiet', $kernel);
is read_file("$dir/seen/xen"), $elf, 'XENOLITH_XEN_DIST for a dom0: the hypervisor';
with_qemu({env => {XENOLITH_XEN_DIST => $machine}}, 'pass', 'shell', $kernel);
is read_file("$dir/seen/xen"), $elf, 'XENOLITH_XEN_DIST for scripts/shell: the hypervisor';

for my $case ([{}, '--xen-dist', $machine], [{XENOLITH_XEN_DIST => $machine}]) {
    my ($env, @args) = @$case;
    my (undef, $rows) = @args ? run(script('matrix'), '--list', '--xen-dist', $machine, 'domu', 'dom0@4.14')
        : run({env => $env}, script('matrix'), '--list', 'domu', 'dom0@4.14');
    my @rows = grep { !/^name / } split /\n/, $rows;
    is_deeply [map { /\Q$machine\E/ ? 1 : $_ } @rows], [1, 1], 'scripts/matrix: all rows run on this Xen, also those that name a release';
}
my (undef, $make) = run('make', '-s', '-n', 'scenarios', 'XEN_DIST=~/xen tree', 'DEPS=no');
like $make, qr{^XENOLITH_EDGES=1 scripts/matrix -j2 --tag check --xen-dist '\Q$ENV{HOME}\E/xen tree' }m, 'make scenarios XEN_DIST=~/xen tree';

# Xen and xl of different versions
my (undef, undef, $err) = with_qemu('say "(XEN) Xen version 4.21-unstable (me)"; stays', 'host/dom0', '--xen-dist', $machine, $job);
is $err, "dom0: --toolstack $machine: expected Xen 4.20, found Xen 4.21-unstable; xl works only with the Xen of its version\n",
    'another Xen than that of xl: the message';
is((with_qemu('say "(XEN) Xen version 4.20-rc1 (me)"; script_ends 0', 'host/dom0', '--quiet', '--xen-dist', $machine, $job))[0], 0,
    'a release candidate: xl of this version works');

# The daemon in OCaml
my %ocaml = installed('usr/local', 'lib');
delete $ocaml{'usr/local/sbin/xenstored'};
with_qemu('script_ends 0', 'host/dom0', '--xen-dist', tree(%ocaml), $job);
like {ramdisk()}->{'etc/toolstack'}, qr/^xenstored=oxenstored$/m, 'without xenstored: oxenstored is started';

# Missing parts
my %whole = installed('usr', 'lib');
sub without {
    my (@missing) = @_;
    my %rest = %whole;
    delete @rest{@missing};
    return tree(%rest);
}
my $tree = qr/tree\d+ \{x\}/;
refuses ['host/dom0'],
    [['--xen-dist', "$dir/none", $job], qr/^dom0: --xen-dist .*none: no such directory$/],
    [['--xen-dist', without('boot/xen.gz', 'boot/xen-4.22.0.gz'), $job], qr/^dom0: --xen-dist .*$tree: expected a hypervisor, boot\/xen\.gz or boot\/xen-VERSION\.gz, found none$/],
    [['--xen-dist', without('usr/sbin/xl', 'usr/lib/xen/bin/libxl-save-helper'), $job],
        qr/$tree: expected a toolstack; not found: xl to start guests, libxl-save-helper for xl save, restore and migrate$/],
    [['--xen-dist', without('usr/lib/libhere.so.1'), $job],
        qr/$tree: expected the library libhere\.so\.1, which its programs need, found none in .*$tree and this machine$/],
    [['--xen-dist', tree(%whole, 'boot/xen-4.22.0.gz' => do { gzip(\'x' => \my $x); $x }), $job],
        qr/$tree: expected a plain multiboot ELF in .*\/boot\/xen-4\.22\.0\.gz, found another file$/];
refuses ['boot', '--as', 'shim'],
    [['--xen-dist', without('usr/lib/xen/boot/xen-shim'), $kernel],
        qr/$tree: expected the PV shim \(lib\/xen\/boot\/xen-shim\), found none; only --as shim needs it$/];

# Rows that need what a build of Xen may be without
my ($exit, $out) = with_qemu('pass', 'matrix', '--xen-dist', without('usr/lib/xen/boot/xen-shim'), qw(domU-shim dom0-uefi dom0));
is $exit, 0, 'scripts/matrix on a Xen without a shim and without xen.efi: exit code is 0';
like $out, qr/^$_/m, "the output has the line: $_"
    for 'domU-shim +\.+ skipped: .*has no PV shim \(lib/xen/boot/xen-shim\)',
    'dom0-uefi +\.+ skipped: .*has no Xen that UEFI can start', 'dom0 +\.+ ok$', 'skipped: domU-shim, dom0-uefi$';

done_testing;
