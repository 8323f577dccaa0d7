#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# scripts/check/notes checks the ELF notes of each image, which a domain builder
# trusts. Without this test, a check of the script could stop working, and an image
# with a wrong note would be found only by a boot that fails.

use strict;
use warnings;
no warnings 'portable';    # 64-bit numbers: x86-64 addresses
use FindBin;
use lib $FindBin::Bin;
use Run;
use Test::More;

my $dir  = tempdir();
my %good = (
    1  => pack('Q<', 0xffffffff80200000),
    3  => pack('Q<', 0xffffffff80000000),
    4  => pack('Q<', 0),
    5  => "xen-3.0\0",
    6  => "Xenolith\0",
    7  => "0.1\0",
    8  => "generic\0",
    14 => pack('L<', 1),
    15 => pack('Q<', 0xffffc90000000000),
    16 => pack('Q<', 1),
    17 => pack('Q<', 1 << 11),
    19 => pack('Q<', 52),
);

sub elf_note {
    my ($type, $desc, $owner) = (@_, "Xen\0");
    return pack 'L<L<L<a*x![4]a*x![4]', length $owner, length $desc, $type, $owner, $desc;
}

sub phdr {
    my ($type, $flags, $offset, $vaddr, $size) = @_;
    return pack 'L<L<Q<Q<Q<Q<Q<Q<', $type, $flags, $offset, $vaddr, $vaddr, $size, $size, 4096;
}

# A kernel with a text segment of these rights, and with these notes.
sub elf {
    my ($notes, $rights) = @_;
    $notes .= "\0" x 64;
    my $header = pack 'a16 S<S<L<Q<Q<Q<L<S<S<S<S<S<S<', "\x7fELF\x02\x01\x01", 2, 62, 1,
        0xffffffff80200000, 64, 0, 0, 64, 56, 2, 0, 0, 0;
    return $header
        . phdr(1, $rights, 0, 0xffffffff80200000, 176)
        . phdr(4, 4, 176, 0xffffffff80201000, length $notes)
        . $notes;
}

# The command that checks such a kernel
sub checker {
    my ($elf, @options) = @_;
    return (script('check/notes'), @options, write_file("$dir/kernel", $elf));
}

# The notes of a good kernel, some of them changed; undef leaves out a note.
sub notes {
    my %notes = (%good, @_);
    return join '', map { elf_note($_, $notes{$_}) } grep { defined $notes{$_} } sort { $a <=> $b } keys %notes;
}

for my $case (
    ['all notes', notes()],
    ['a note of another owner', elf_note(18, 'x', "GNU\0") . notes()],
    ['INIT_P2M right after Xen', notes(15 => pack 'Q<', 0xffff880000000000)],
    ['INIT_P2M right before VIRT_BASE', notes(15 => pack 'Q<', 0xffffff0000000000)],
    ['a legacy image', notes(15 => undef, 16 => undef), '--legacy'],
) {
    my ($name, $notes, @options) = @$case;
    is_deeply [run(checker(elf($notes, 5), @options))], [0, '', ''], "$name: exit code is 0, without a message";
}

for my $case (
    (map { ["without type $_", notes($_ => undef), qr/note \w+: expected one note, found none$/] } sort keys %good),
    ['MAXPHYS_SIZE of another owner', notes(19 => undef) . elf_note(19, $good{19}, "Zen\0"),
        qr/MAXPHYS_SIZE: expected one note, found none/],
    ['MAXPHYS_SIZE of 4 bytes', notes(19 => pack 'L<', 52), qr/expected 8 bytes of value 52, found 0x34 \(4 bytes\)/],
    ['MAXPHYS_SIZE of 46', notes(19 => pack 'Q<', 46), qr/MAXPHYS_SIZE: expected 8 bytes of value 52, found 0x2e/],
    ['PHYS32_ENTRY', notes(18 => pack 'Q<', 0x200000), qr/PHYS32_ENTRY: expected none, found one \(/],
    ['INIT_P2M in a legacy image', notes(16 => undef), qr/INIT_P2M: expected none, .* legacy image\)$/, 5, '--legacy'],
    ['MOD_START_PFN in a legacy image', notes(15 => undef), qr/MOD_START_PFN: expected none, /, 5, '--legacy'],
    ['SUPPORTED_FEATURES without XENFEAT_dom0', notes(17 => pack 'Q<', 1),
        qr/expected the bit of XENFEAT_dom0 \(0x800\), found 0x1$/],
    ['ENTRY of 2 bytes', notes(1 => 'xx'), qr/ENTRY: expected a number of 4 or 8 bytes, found 2 bytes/],
    ['INIT_P2M off by 2 MiB', notes(15 => pack 'Q<', 0xffffc90000200000), qr/multiple of 512 GiB/],
    ['INIT_P2M off by 256 GiB', notes(15 => pack 'Q<', 0xffffc94000000000), qr/multiple of 512 GiB/],
    ['INIT_P2M at the start of Xen', notes(15 => pack 'Q<', 0xffff800000000000), qr/outside of Xen's/],
    ['INIT_P2M in the last slot of Xen', notes(15 => pack 'Q<', 0xffff878000000000), qr/outside of Xen's/],
    ["INIT_P2M in VIRT_BASE's slot", notes(15 => pack 'Q<', 0xffffff8000000000), qr/below that of VIRT_BASE/],
    ['INIT_P2M above VIRT_BASE', notes(3 => pack 'Q<', 0xffffc00000000000), qr/below that of VIRT_BASE, 0xffffc0/],
    ['INIT_P2M not canonical', notes(15 => pack 'Q<', 0x0000800000000000), qr/expected a canonical address/],
    ['two notes INIT_P2M', notes() . elf_note(15, $good{15}), qr/INIT_P2M: expected one note, found two/],
    ['a note longer than its segment', notes() . pack('L<L<L<', 4, 1 << 20, 1), qr/the note at .* inside the segment/],
    ['a segment that is readable, writable and executable', notes(), qr/is writable and executable, expected/, 7],
    ['a segment that is writable and executable', notes(), qr/is writable and executable, expected/, 3],
) {
    my ($name, $notes, $sentence, $rights, @options) = @$case;
    is_refused $name, 1, $sentence, checker(elf($notes, $rights // 5), @options);
}

for my $broken ('', "\x7fELF\x01\x01" . "\0" x 64, substr(elf(notes(), 5), 0, 100), substr(elf(notes(), 5), 0, 300)) {
    is_refused 'a broken file of ' . length($broken) . ' bytes', 1,
        qr/^\S+kernel: expected (?:a 64-bit|.*beyond the end)/, checker($broken);
}

my (undef, $list) = run(checker(elf(notes(), 5), '--print'));
like $list, qr/^INIT_P2M +0xffffc90000000000/m, '--print prints the number of a note';
like $list, qr/^GUEST_OS +"Xenolith"$/m, '--print prints the string of a note';
is((run(script('check/notes'), '--foo'))[0], 2, 'an unknown option: exit code is 2 (bad usage)');
is_refused 'a file that does not exist', 1, qr/none: No such file/, script('check/notes'), "$dir/none";

done_testing;
