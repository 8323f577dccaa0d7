# SPDX-License-Identifier: MIT
#
# An image of GRUB that xl can start like a PV kernel. GRUB then loads the kernel from the memory disk
# in the image, and starts it in the same domain. If GRUB cannot start the kernel, GRUB prints the
# reason ("error: ...") and "GRUB: cannot start the kernel", and powers the guest off.

package GrubImage;

use strict;
use warnings;
use Exporter 'import';

use Machine;
use Options;

our @EXPORT = qw(grub_image);

my $max_args = 1022; # of 1024, without the final 0 of GRUB's string and of the kernel's

# grub_image(KERNEL, ARGUMENTS, RAMDISK, NAME): makes the image in the program's directory, and returns
# its path.
sub grub_image {
    my ($kernel, $args, $initrd, $name) = @_;
    my @words = words($args);
    my $grub  = fetch('grub');
    my $image = tmp() . "/$name";
    my $dir   = "$image.d";
    mkdir $_ or no_host("$_: cannot be made: $!") for $dir, "$dir/disk";
    # GRUB's first parser has no conditions. "configfile" calls the second parser, and returns if all
    # of its commands fail; "normal" would prompt and wait for ever.
    write_lines("$name.d/early.cfg", 'configfile (memdisk)/grub.cfg', "echo 'GRUB: cannot start the kernel'", 'halt');
    my @initrd = defined $initrd ? ('if initrd (memdisk)/initrd; then', 'boot', 'fi') : 'boot';
    write_lines("$name.d/disk/grub.cfg", join(' ', 'if linux (memdisk)/kernel', @words) . '; then', @initrd, 'fi');
    link_to($kernel, "$name.d/disk/kernel");
    link_to($initrd, "$name.d/disk/initrd") if defined $initrd;

    my ($loader) = glob "$grub/lib/ld-linux*"; # of the same Debian release as GRUB
    my ($failed) = run(qw(tar --create --dereference --format=ustar), "--file=$dir/disk.tar", '-C', "$dir/disk", '.');
    ($failed) = run(
        $loader, '--library-path', "$grub/lib", "$grub/bin/grub-mkimage", "--directory=$grub/x86_64-xen",
        '--format=x86_64-xen', '--prefix=(memdisk)/', "--config=$dir/early.cfg", "--memdisk=$dir/disk.tar",
        "--output=$image", qw(memdisk tar linux configfile echo halt)
    ) if !$failed;
    no_host("grub-mkimage in $grub could not make the image; its message is above") if $failed;
    return $image;
}

# GRUB makes the command line of the kernel from words: it joins them by blanks, puts a word with a
# blank in double quotes, and puts a backslash before each quote and backslash. So two blanks need an
# empty word between them, and quotes are possible only around a whole word with a blank.
sub words {
    my ($args) = @_;
    my $found = $args =~ s/\n/\\n/gr;
    bad("--args: expected no control characters, which end a line of GRUB, found \"$found\"") if $args =~ /[[:cntrl:]]/;
    bad("--args: expected at most $max_args bytes, the size of GRUB's buffer, found " . length $args)
        if length $args > $max_args;
    my @words;
    my $rest = $args eq '' ? '' : "$args ";
    while ($rest ne '') {
        if ($rest =~ s/^"([^"'\\]* [^"'\\]*)" // || $rest =~ s/^([^"'\\ ]*) //) {
            push @words, "'$1'";
        } else {
            bad('--args: expected no backslashes, and no quotes but double ones around words with a blank, ' .
                "because GRUB puts a backslash before other quotes, found $args");
        }
    }
    return @words;
}

1;
