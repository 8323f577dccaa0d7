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

sub check {
    my ($elf) = @_;
    my ($exit, $out, $err) = run(script('check/notes'), write_file("$dir/kernel", $elf));
    is $out, '', 'standard output is empty';
    return ($exit, $err);
}

# The notes of a good kernel, some of them changed; undef leaves out a note.
sub notes {
    my %notes = (%good, @_);
    return join '', map { elf_note($_, $notes{$_}) } grep { defined $notes{$_} } sort { $a <=> $b } keys %notes;
}

my @cases = (
    ['all notes', notes(), 5, undef],
    ["a note of another owner", elf_note(18, 'x', "GNU\0") . notes(), 5, undef],
    (map { ["without type $_", notes($_ => undef), 5, qr/note [A-Z0-9_]+: expected one note, found none$/] } sort { $a <=> $b } keys %good),
    ["MAXPHYS_SIZE of another owner", notes(19 => undef) . elf_note(19, $good{19}, "Zen\0"), 5,
        qr/MAXPHYS_SIZE: expected one note, found none/],
    ['MAXPHYS_SIZE of 4 bytes', notes(19 => pack 'L<', 52), 5,
        qr/MAXPHYS_SIZE: expected 8 bytes of value 52, found 0x34 \(4 bytes\)/],
    ['MAXPHYS_SIZE of 46', notes(19 => pack 'Q<', 46), 5, qr/MAXPHYS_SIZE: expected 8 bytes of value 52, found 0x2e/],
    ['PHYS32_ENTRY', notes(18 => pack 'Q<', 0x200000), 5, qr/PHYS32_ENTRY: expected none, found one;/],
    ['SUPPORTED_FEATURES without XENFEAT_dom0', notes(17 => pack 'Q<', 1), 5,
        qr/expected the bit of XENFEAT_dom0 \(0x800\), found 0x1$/],
    ['ENTRY of 2 bytes', notes(1 => 'xx'), 5, qr/ENTRY: expected a number of 4 or 8 bytes, found 2 bytes/],
    ['INIT_P2M off by 2 MiB', notes(15 => pack 'Q<', 0xffffc90000200000), 5, qr/multiple of 512 GiB/],
    ['INIT_P2M off by 256 GiB', notes(15 => pack 'Q<', 0xffffc94000000000), 5, qr/multiple of 512 GiB/],
    ['INIT_P2M at the start of Xen', notes(15 => pack 'Q<', 0xffff800000000000), 5, qr/outside of Xen's/],
    ['INIT_P2M in the last slot of Xen', notes(15 => pack 'Q<', 0xffff878000000000), 5, qr/outside of Xen's/],
    ['INIT_P2M right after Xen', notes(15 => pack 'Q<', 0xffff880000000000), 5, undef],
    ['INIT_P2M right before VIRT_BASE', notes(15 => pack 'Q<', 0xffffff0000000000), 5, undef],
    ["INIT_P2M in VIRT_BASE's slot", notes(15 => pack 'Q<', 0xffffff8000000000), 5, qr/below that of VIRT_BASE/],
    ['INIT_P2M above VIRT_BASE', notes(3 => pack 'Q<', 0xffffc00000000000), 5,
        qr/below that of VIRT_BASE, 0xffffc00000000000/],
    ['INIT_P2M not canonical', notes(15 => pack 'Q<', 0x0000800000000000), 5, qr/expected a canonical address/],
    ['two notes INIT_P2M', notes() . elf_note(15, $good{15}), 5, qr/INIT_P2M: expected one note, found two/],
    ['a segment that is readable, writable and executable', notes(), 7, qr/is writable and executable, expected/],
    ['a segment that is writable and executable', notes(), 3, qr/is writable and executable, expected/],
);
for my $case (@cases) {
    my ($name, $notes, $rights, $sentence) = @$case;
    subtest $name => sub {
        my ($exit, $said) = check(elf($notes, $rights));
        my $code = $sentence ? 1 : 0;
        is $exit, $code, "$name: exit code is $code";
        like $said, $sentence // qr/^$/, $code ? "$name: the message says what was found" : "$name: there is no message";
        is $said =~ tr/\n//, 1, "$name: there is one message" if $sentence;
    };
}

for my $broken ('', "\x7fELF\x01\x01" . "\0" x 64, substr(elf(notes(), 5), 0, 100), substr(elf(notes(), 5), 0, 300)) {
    my ($exit, $said) = check($broken);
    my $name = 'a broken file of ' . length($broken) . ' bytes';
    is $exit, 1, "$name: exit code is 1";
    like $said, qr/^\S+kernel: expected (?:a 64-bit|.*beyond the end)/, "$name: the message says what was expected";
}
my ($exit, $said) = check(elf(notes() . pack('L<L<L<', 4, 1 << 20, 1), 5));
is $exit, 1, 'a note longer than its segment: exit code is 1';
like $said, qr/longer than the segment/, 'a note longer than its segment: the message says so';

write_file("$dir/kernel", elf(notes(), 5));
my (undef, $list) = run(script('check/notes'), '--print', "$dir/kernel");
like $list, qr/^INIT_P2M +0xffffc90000000000/m, '--print prints the number of a note';
like $list, qr/^GUEST_OS +"Xenolith"$/m, '--print prints the string of a note';
is((run(script('check/notes'), '--foo'))[0], 2, 'an unknown option: exit code is 2 (bad usage)');
is((run(script('check/notes'), "$dir/none"))[0], 1, 'a file that does not exist: exit code is 1');

done_testing;
