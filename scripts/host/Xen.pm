# SPDX-License-Identifier: MIT
#
# Xen and its toolstack in a directory: the result of "make dist" in Xen's tree (dist/install), the root
# directory of a machine that has Xen, or Debian's packages in the cache. What a directory has is found
# at any prefix (/usr, /usr/local, /opt/xen) and in any library directory (lib, lib64, lib/x86_64-linux-gnu).
#
#     DIR/boot/xen.gz                  the hypervisor
#     DIR/PREFIX/sbin                  xl, xenstored, xenconsoled
#     DIR/PREFIX/LIB/xen/bin           xen-init-dom0, libxl-save-helper; with Debian's packages all programs
#     DIR/PREFIX/LIB/xen/boot          the PV shim
#     DIR/PREFIX/LIB                   libxenlight and others; the C library, unless this machine's is meant

package Xen;

use strict;
use warnings;
use Cwd 'realpath';
use Exporter 'import';
use File::Basename qw(basename dirname);
use File::Glob 'bsd_glob';
use File::Path 'make_path';
use IO::Uncompress::Gunzip qw(gunzip $GunzipError);

use Machine;
use Options;

our @EXPORT = qw(lacks choose_xen check_xen hypervisor symbols shim link_toolstack);

my $prefixes  = '{usr/local,usr,opt/*,.}';
my $libraries = "$prefixes/lib{64,}{,/x86_64-linux-gnu}";
my $programs  = "{$prefixes/{sbin,bin},$libraries/{xen,xen-*}/bin,$prefixes/libexec/xen/bin}";

# The programs that a Linux dom0 needs, and what for. Of two names the first that is found counts.
my @needed = (
    ['xl',                   'to start guests'],
    ['xenstored|oxenstored', 'for xenstore'],
    ['xenconsoled',          "for the guests' consoles"],
    ['xenconsole',           'for xl console'],
    ['xen-init-dom0',        "for dom0's nodes in xenstore"],
    ['libxl-save-helper',    'for xl save, restore and migrate'],
    ['xenstore',             'for xenstore-read and others'],
);
my @useful  = qw(xenctx xen-mfndump xenstore-control); # for tests, and to look at a guest that hangs
my @clients = qw(chmod exists list ls read rm watch write); # other names of xenstore

# choose_xen(OPTION, DEFAULT) sets {xen} to a version, a file or a directory, and {toolstack} to a version or a
# directory. The variable XENOLITH_XEN_DIST stands for --xen-dist, but not against --xen VERSION or --xen DIR.
sub choose_xen {
    my ($option, $default) = @_;
    my $xen  = $option->{given}{xen} ? $option->{xen} : undef;
    my $dist = $option->{xen_dist};
    $dist //= $ENV{XENOLITH_XEN_DIST} || undef if !defined $xen || -f $xen;
    bad("--xen-dist $dist: no such directory") if defined $dist && !-d $dist;
    $dist //= $xen if defined $xen && -d $xen;
    $dist = realpath($dist) if defined $dist;
    $xen = $dist if !defined $xen || -d $xen;
    $option->{xen} = $xen //= $default;
    $option->{toolstack} //= $dist // ($xen =~ /^(\d+\.\d+)(?:-|$)/ ? $1 : '4.17');
    return;
}

sub head_of {
    my ($path, $bytes) = @_;
    open my $file, '<:raw', $path or return '';
    read($file, my $head, $bytes);
    return $head;
}

# QEMU's -kernel needs the multiboot magic in the first 8 KiB of an ELF file.
sub is_multiboot {
    return head_of($_[0], 8192) =~ /^\x7fELF.*\x02\xb0\xad\x1b/s;
}

# UEFI needs a PE file: the 32 bits at 0x3c are the offset of its magic.
sub is_efi {
    my $head = head_of($_[0], 65536);
    return length $head >= 64 && substr($head, unpack('x60V', $head), 6) eq "PE\0\0\x64\x86";
}

# For each firmware: what can be started, what that is called, and where it is in a directory
my %form = (
    bios => [\&is_multiboot, 'a plain multiboot ELF', 'boot/{xen,xen-*}{.gz,}', 'boot/xen.gz or boot/xen-VERSION.gz'],
    uefi => [\&is_efi, 'a program for UEFI', "{boot,boot/efi/efi/xen,$libraries/efi}/{xen,xen-*}.efi",
        'xen.efi or xen-VERSION.efi in boot or LIB/efi'],
);

# check_xen(XEN, FIRMWARE): ends the program if the firmware cannot start this file, or the directory has
# no hypervisor.
sub check_xen {
    my ($xen, $firmware) = @_;
    my ($is, $expected) = @{$form{$firmware}};
    if (-d $xen) {
        find_hypervisor($xen, $firmware);
    } elsif (-e $xen) {
        my $found = join ' ', map { sprintf '%02x', ord } split //, head_of($xen, 4);
        $is->($xen) or bad("--xen $xen: expected $expected, found a file that begins with the bytes $found");
    } elsif ($xen =~ m{/}) {
        bad("--xen $xen: no such file or directory");
    }
    return;
}

# hypervisor(XEN, FIRMWARE): the path of a file that the firmware can start
sub hypervisor {
    my ($xen, $firmware) = @_;
    return fetch($firmware eq 'uefi' ? 'efi' : 'hypervisor', $xen) if !-e $xen;
    return $xen if !-d $xen;
    my $path = within($xen, find_hypervisor($xen, $firmware));
    return $path if $path !~ /\.gz$/;
    my $plain = tmp() . '/xen.elf';
    gunzip($path => $plain) or no_host("$path: cannot be unpacked: $GunzipError");
    is_multiboot($plain) or bad("--xen-dist $xen: expected $form{bios}[1] in $path, found another file");
    return $plain;
}

# make install makes links to the newest hypervisor: xen.gz, xen-4.gz. Debian's packages make none.
sub find_hypervisor {
    my ($dir, $firmware) = @_;
    my (undef, undef, $names, $where) = @{$form{$firmware}};
    my @found = grep { !/-syms|\.(?:config|map)$/ } in_root($dir, $names);
    my ($link) = grep { basename($_) =~ /^xen(?:\.gz|\.efi)?$/ } @found;
    return $link // $found[0] // bad("--xen-dist $dir: expected a hypervisor, $where, found none");
}

# The ELF file with the symbols of a hypervisor, which lies beside it; undef if there is none
sub symbols {
    my ($xen) = @_;
    return fetch('symbols', $xen) if !-e $xen && $xen =~ /-debug$/;
    return if !-e $xen;
    my ($file) = -d $xen ? map { within($xen, $_) } in_root($xen, 'boot/xen-syms*') : realpath($xen) =~ s{[^/]*$}{xen-syms}r;
    return defined $file && -e $file ? $file : undef;
}

# The directory of a toolstack
sub root_of {
    my ($toolstack) = @_;
    return -d $toolstack ? $toolstack : fetch('toolstack', $toolstack);
}

# The path of the PV shim
sub shim {
    my ($toolstack) = @_;
    my $root = root_of($toolstack);
    return find_shim($root) // bad("--xen-dist $root: expected the PV shim (lib/xen/boot/xen-shim), found none; " .
            'only --as shim needs it');
}

sub find_shim {
    my ($root) = @_;
    my ($shim) = map { within($root, $_) } in_root($root, "$libraries/{xen,xen-*}/boot/xen-shim");
    return $shim;
}

# lacks(XEN, KIND): why the directory XEN cannot start this kind of host (tests/matrix); undef if it can. A build of
# Xen may be without a shim, and often is without xen.efi.
sub lacks {
    my ($xen, $kind) = @_;
    return if !-d $xen;
    return "$xen has no PV shim (lib/xen/boot/xen-shim)" if $kind eq 'shim' && !defined find_shim($xen);
    return "$xen has no Xen that UEFI can start ($form{uefi}[3])" if $kind eq 'uefi' && !in_root($xen, $form{uefi}[2]);
    return;
}

# What is in a directory

# in_root(ROOT, PATTERN): the paths in ROOT that match, in this order: those that name no version of Xen, and then
# those that do, as xen-4.17 of Debian's packages, the newest first
sub in_root {
    my ($root, $pattern) = @_;
    my $quoted = $root =~ s/([\\\[\]{}*?~])/\\$1/gr;
    my (@paths, %key);
    for my $path (map { substr($_, length "$root/") =~ s{^\./}{}r } bsd_glob("$quoted/$pattern")) {
        next if exists $key{$path} || !-e within($root, $path);
        my ($version) = $path =~ m{.*\bxen-(\d[\d.]*)};
        $key{$path} = defined $version ? join '', map { sprintf '%05d', $_ } split /\./, $version : 'none';
        push @paths, $path;
    }
    @paths = sort { $key{$b} cmp $key{$a} } @paths; # perl's sort keeps the order of equal keys
    return @paths;
}

# within(ROOT, PATH): the file at the end of the links at PATH in ROOT. ROOT may be the root of another machine: a
# link may have a path from there.
sub within {
    my ($root, $path) = @_;
    for (1 .. 40) {
        my $link = readlink "$root/$path" // last;
        $path = $link =~ m{^/} ? $link : dirname($path) . "/$link";
    }
    return "$root/$path";
}

sub is_elf {
    return head_of($_[0], 4) eq "\x7fELF";
}

# find_program(ROOT, 'NAME|NAME'): Debian's /usr/sbin/xl is a script that starts the xl of the running Xen,
# and each version has a directory of its own.
sub find_program {
    my ($root, $names) = @_;
    for my $name (split /\|/, $names) {
        my ($path) = grep { is_elf(within($root, $_)) } in_root($root, "$programs/$name");
        return $path if defined $path;
    }
    return;
}

# check_toolstack(DIR): names each part that is missing.
sub check_toolstack {
    my ($root) = @_;
    my @missing = grep { !defined find_program($root, $_->[0]) } @needed;
    return if !@missing;
    bad("--xen-dist $root: expected a toolstack; not found: " .
            join ', ', map { join ' ', $_->[0] =~ s/\|/ or /r, $_->[1] } @missing);
}

# link_toolstack(DIR|VERSION, DISK): makes links to the programs and their libraries in DISK, as they shall be in
# the root directory of a Linux dom0. The programs keep their paths, because they start each other. Returns the
# version of Xen that this xl needs, as in 4.17.
sub link_toolstack {
    my ($toolstack, $disk) = @_;
    my $root = root_of($toolstack);
    check_toolstack($root);
    my @found   = grep { defined } map { find_program($root, $_) } (map { $_->[0] } @needed), @useful;
    my %in_dom0 = map { $_ => within($root, $_) } @found; # path there => file here
    my %library = libraries($root, values %in_dom0);
    my ($version) = map { /^libxenlight\.so\.(\d+\.\d+)/ } keys %library;
    $in_dom0{/^ld-linux/ ? "lib64/$_" : "lib/$_"} = $library{$_} for keys %library;

    my ($client) = grep { m{/xenstore$} } @found;
    $in_dom0{"bin/xenstore-$_"} = within($root, $client) for @clients;
    my ($daemon) = grep { m{/o?xenstored$} } @found;
    my %dirs = map { (dirname("/$_") => 1) } @found;
    $in_dom0{'etc/toolstack'} = write_lines('toolstack', 'PATH=/bin:' . join(':', sort keys %dirs),
        'export PATH LD_LIBRARY_PATH=/lib', 'xenstored=' . basename($daemon));
    for my $path (keys %in_dom0) {
        make_path(dirname("$disk/$path"));
        symlink $in_dom0{$path}, "$disk/$path" or no_host("$disk/$path: cannot be made: $!");
    }
    return $version;
}

# The libraries that these programs need, by name. A directory with a C library is complete; the programs of
# another one were built for the libraries of this machine. The C library loads libgcc_s to end a thread.
sub libraries {
    my ($root, @files) = @_;
    my %library;
    my @roots = library($root, 'libc.so.6') ? $root : ($root, '');
    my @names = ('libgcc_s.so.1', needed_by(@files));
    while (@names) {
        for my $name (@names) {
            ($library{$name}) = grep { defined } map { library($_, $name) } @roots;
            defined $library{$name}
                or bad("--xen-dist $root: expected the library $name, which its programs need, found none in " .
                    join ' and ', $root, @roots > 1 ? 'this machine' : ());
        }
        @names = grep { !exists $library{$_} } needed_by(@library{@names});
    }
    return %library;
}

sub library {
    my ($root, $name) = @_;
    my ($path) = in_root($root, "{$libraries,$libraries/xen-*/lib/x86_64-linux-gnu}/$name");
    return defined $path ? within($root, $path) : undef;
}

# The loader is in the list of libc.so.6.
sub needed_by {
    my ($code, @lines) = run('readelf', '--dynamic', '--wide', @_);
    no_host("readelf could not read @_; its message is above") if $code;
    my %names = map { ($_ => 1) } map { /\(NEEDED\)\s.*\[(.*)\]/ } @lines;
    return sort keys %names;
}

1;
