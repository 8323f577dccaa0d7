# SPDX-License-Identifier: MIT
#
# Replacements for a Linux dom0: a cache with the files of a Linux dom0, and a script
# for QEMU, which copies the directory /job of the dom0 to $dir/job and then runs
# the commands that the test gives in place of the dom0.

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

# Runs scripts/$script with a dom0 that runs the bash commands in $dom0, in which
# $job and $out are the directories /job and /out.
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

# The argument of QEMU that follows an option
sub qemu_arg {
    my ($option) = @_;
    return read_file("$dir/args") =~ /^\Q$option\E\n(.*)$/m ? $1 : undef;
}

1;
