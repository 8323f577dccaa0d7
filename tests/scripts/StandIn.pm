# SPDX-License-Identifier: MIT
#
# What the runners of guest machines need, without Xen: files that look like Xen and a kernel, the files
# of a Linux dom0 in a cache, and a script in place of QEMU. A test says in Bash what QEMU does.

package StandIn;

use strict;
use warnings;
use Digest::SHA 'sha256_hex';
use Exporter 'import';
use File::Path 'remove_tree';
use File::Temp;
use Test::More;

use Run;

our @EXPORT = qw($dir $kernel $xen $good with_qemu refuses ends qemu_args cached elf toolstack);

our $dir    = File::Temp->newdir('a,bXXXXXX', TMPDIR => 1); # a comma ends a part of QEMU's options
our $kernel = write_file("$dir/kernel", "a kernel\n");
our $xen    = write_file("$dir/xen", "\x7fELF" . "\0" x 60 . "\x02\xb0\xad\x1b" . "\0" x 16);
our $good   = <<'END'; # the console of a kernel that passes
TAP version 14
1..1
ok 1 - e820
{"report":"boot","nr_pages":1}
Test result: SUCCESS
END
write_file("$dir/good", $good =~ s/\n/\r\n/gr);
cached('linux', vmlinux => 'vmlinux', 'linux.cpio' => '');
program("$dir/bin/readelf", 'shift 2; cat "$@" | grep -a NEEDED; true');
cached('toolstack-4.17', toolstack('4.17'));

# The functions that a test can use in place of QEMU. After a call, $dir has the arguments (args) and a
# copy of the directory of the runner (seen). $job and $out are the directories /job and /out of a dom0.
program("$dir/bin/qemu-system-x86_64", <<'END');
[ "$1" != --version ] || { echo "QEMU emulator version ${QEMU_VERSION:-7.2.22 (Debian)}"; exit; }
echo $$ >"$HERE/pid"
printf '%s\n' "$@" >"$HERE/args"
cp -rL "$TMPDIR" "$HERE/seen" 2>/dev/null # files may disappear meanwhile
value() { sed -n "s/^$1$/\1/p" "$HERE/args" | sed 's/,,/,/g'; }
job=$(value 'local,path=\(.*\),mount_tag=job,.*')
out=$(value 'local,path=\(.*\),mount_tag=out,.*')
log=$(value 'stdio,.*logfile=\(.*\)')
console() { tee -a "${log:-/dev/null}"; } # scripts/shell reads the console in a file of QEMU
say() { printf '%s\r\n' "$@" | console; }
pass() { console <"$HERE/good"; }
script_ends() { echo "$1" >"$job/.exit"; } # in the dom0, with this exit code
stays() { exec perl -e '$| = 1; sleep 120; print "QEMU was not ended\n"; sleep 480'; }
. "$HERE/qemu"
END

# cached(PART, FILE => CONTENT...): puts a part into the cache of scripts/fetch/xen.
sub cached {
    my ($part, %files) = @_;
    write_file("$dir/cache/$part/$_", $files{$_}) for keys %files;
    write_file("$dir/cache/$part/SHA256SUMS", join '', map { sha256_hex($files{$_}) . "  ./$_\n" } sort keys %files);
    return;
}

# elf(NAME, LIBRARY...): what looks like an ELF file of this name that needs these libraries
sub elf {
    my ($name, @libraries) = @_;
    return "\x7fELF $name\n" . join '', map { " 0x1 (NEEDED)  Shared library: [$_]\n" } @libraries;
}

# toolstack(VERSION): the files of a toolstack as in Debian's packages
sub toolstack {
    my ($version) = @_;
    my ($bin, $lib) = ("usr/lib/xen-$version/bin", 'usr/lib/x86_64-linux-gnu');
    my @programs = qw(xenstored xenconsoled xenconsole xen-init-dom0 libxl-save-helper xenctx xen-mfndump);
    return (
        (map { ("$bin/$_" => elf($_, 'libc.so.6')) } @programs), 'usr/bin/xenstore' => elf('xenstore', 'libc.so.6'),
        "$bin/xl" => elf('xl', "libxenlight.so.$version"), "$lib/libxenlight.so.$version" => elf('libxenlight', 'libc.so.6'),
        "$lib/libc.so.6" => elf('libc', 'ld-linux-x86-64.so.2'), "$lib/libgcc_s.so.1" => elf('libgcc_s'),
        "$lib/ld-linux-x86-64.so.2" => elf('ld-linux'), "usr/lib/xen-$version/boot/xen-shim" => "shim $version",
    );
}

# with_qemu({env => {...}, under => [COMMAND...]}, QEMU, SCRIPT, ARGUMENT...): runs a script of this
# repository, as an argument of COMMAND, while QEMU is a Bash script. The options may be left out.
sub with_qemu {
    my %option = ref $_[0] ? %{shift()} : ();
    my ($qemu, $script, @args) = @_;
    remove_tree(map { "$dir/$_" } qw(pid args seen));
    write_file("$dir/qemu", $qemu);
    mkdir "$dir/tmp";
    my %env = (HERE => "$dir", PATH => "$dir/bin:$ENV{PATH}", TMPDIR => "$dir/tmp", XENOLITH_CACHE => "$dir/cache",
        DEPS => 'no', %{$option{env} // {}});
    return run({env => \%env}, @{$option{under} // []}, script($script), @args);
}

# refuses([SCRIPT, ARGUMENT...], [[ARGUMENT...], qr/MESSAGE/], ...): bad usage, which starts nothing.
sub refuses {
    my ($command, @cases) = @_;
    for my $case (@cases) {
        my ($args, $message) = @$case;
        my ($exit, $out, $err) = with_qemu('', @$command, @$args);
        my $name = join(' ', $command->[0], @$args) =~ s/\Q$dir\E\///gr;
        is "$exit:$out", '2:', "$name: exit code is 2 (bad usage), and standard output is empty";
        like $err, $message, "$name: the message says what was found and expected";
        is $err =~ tr/\n//, 1, "$name: the message is one line";
        ok !-e "$dir/pid", "$name: nothing is started";
        nothing_is_left($dir, $name);
    }
    return;
}

# ends([SCRIPT, ARGUMENT...], [NAME, QEMU, EXIT CODE, qr/OUTPUT/, ARGUMENT...], ...): how a runner ends
# when QEMU does this. OUTPUT is what the runner writes to standard output and standard error.
sub ends {
    my ($command, @cases) = @_;
    for my $case (@cases) {
        my ($name, $qemu, $code, $message, @args) = @$case;
        my ($exit, $out, $err) = with_qemu($qemu, @$command, @args);
        is $exit, $code, "$command->[0], $name: exit code is $code";
        like "$out$err", $message, "$command->[0], $name: the output says why";
        unlike $out, qr/QEMU was not ended/, "$command->[0], $name: QEMU is ended if it stays";
        nothing_is_left($dir, "$command->[0], $name");
    }
    return;
}

# The arguments of QEMU in one line, with TMP for the directory of the runner, and TMP,, for the same with
# doubled commas
sub qemu_args {
    my $args = join ' ', split /\n/, read_file("$dir/args");
    return $args =~ s{\Q$dir\E/tmp/xenolith\.\w+}{TMP}gr =~ s{\Q@{[$dir =~ s/,/,,/r]}\E/tmp/xenolith\.\w+}{TMP,,}gr;
}

1;
