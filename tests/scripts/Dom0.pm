# SPDX-License-Identifier: MIT
#
# Stand-ins for a Linux dom0: a cache that holds one, and a QEMU that only shows
# what the dom0 would see (in job/) and does as told in its place.

package Dom0;

use strict;
use warnings;
use Digest::SHA 'sha256_hex';
use Exporter 'import';
use Test::More;

use Run;

our @EXPORT = qw($dir with_dom0 leaves_nothing qemu_arg);
our $dir    = tempdir();

write_file("$dir/xen", "\x7fELF" . "\0" x 60 . "\x02\xb0\xad\x1b" . "\0" x 16);
my %part = (vmlinux => 'vmlinux', 'toolstack.cpio' => '');
write_file("$dir/cache/dom0-4.17/$_", $part{$_}) for keys %part;
write_file("$dir/cache/dom0-4.17/SHA256SUMS", join '', map { sha256_hex($part{$_}) . "  ./$_\n" } keys %part);
write_file("$dir/bin/qemu-system-x86_64", <<'END');
#!/bin/bash
[ "$1" != --version ] || { echo "QEMU emulator version ${FAKE_VERSION:-7.2.22 (Debian)}"; exit; }
echo $$ >"$FAKE/pid"
printf '%s\n' "$@" >"$FAKE/args"
shared() { sed -n "s/^local,path=\(.*\),mount_tag=$1,.*/\1/p" "$FAKE/args"; }
job=$(shared job)
out=$(shared out)
cp -r "$job" "$FAKE/job"
. "$FAKE/dom0"
END
chmod 0755, "$dir/bin/qemu-system-x86_64";

# Runs a script of ours with a dom0 that does what the text says, in bash; $job
# and $out are its directories.
sub with_dom0 {
    my ($dom0, $script, @args) = @_;
    system('rm', '-rf', map { "$dir/$_" } qw(pid args job));
    write_file("$dir/dom0", $dom0);
    mkdir "$dir/tmp";
    my %env = (FAKE => "$dir", PATH => "$dir/bin:$ENV{PATH}", TMPDIR => "$dir/tmp", XENOLITH_CACHE => "$dir/cache");
    return run({env => \%env}, script($script), '--xen', "$dir/xen", @args);
}

sub leaves_nothing {
    my ($name) = @_;
    return nothing_is_left($dir, $name);
}

# The argument that follows another.
sub qemu_arg {
    my ($option) = @_;
    return read_file("$dir/args") =~ /^\Q$option\E\n(.*)$/m ? $1 : undef;
}

1;
