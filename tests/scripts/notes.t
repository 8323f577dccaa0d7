#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# scripts/check-notes is the last look at the image before a builder takes it at
# its word. Without this, a rule of it could stop holding unseen.

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

# A kernel of a text segment with these rights, and notes padded to a page's end.
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
    my ($exit, $out, $err) = run(script('check-notes'), write_file("$dir/kernel", $elf));
    is $out, '', 'nothing on stdout';
    return ($exit, $err);
}

# The notes of a good kernel with some changed; undef leaves one out.
sub notes {
    my %notes = (%good, @_);
    return join '', map { elf_note($_, $notes{$_}) } grep { defined $notes{$_} } sort { $a <=> $b } keys %notes;
}

my @cases = (
    ['good', notes(), 5, undef],
    ["another owner's notes", elf_note(18, 'x', "GNU\0") . notes(), 5, undef],
    (map { ["without type $_", notes($_ => undef), 5, qr/note [A-Z0-9_]+ is missing/] } sort { $a <=> $b } keys %good),
    ["MAXPHYS_SIZE of another owner", notes(19 => undef) . elf_note(19, $good{19}, "Zen\0"), 5,
        qr/MAXPHYS_SIZE is missing/],
    ['MAXPHYS_SIZE of 4 bytes', notes(19 => pack 'L<', 52), 5,
        qr/MAXPHYS_SIZE is 0x34 \(4 bytes\), expected 8 bytes of value 52/],
    ['MAXPHYS_SIZE of 46', notes(19 => pack 'Q<', 46), 5, qr/MAXPHYS_SIZE is 0x2e/],
    ['PHYS32_ENTRY', notes(18 => pack 'Q<', 0x200000), 5, qr/PHYS32_ENTRY is there/],
    ['no dom0 bit', notes(17 => pack 'Q<', 1), 5, qr/expected the dom0 bit/],
    ['ENTRY of 2 bytes', notes(1 => 'xx'), 5, qr/ENTRY has 2 bytes, expected a number/],
    ['INIT_P2M off by 2 MiB', notes(15 => pack 'Q<', 0xffffc90000200000), 5, qr/multiple of 512 GiB/],
    ['INIT_P2M off by 256 GiB', notes(15 => pack 'Q<', 0xffffc94000000000), 5, qr/multiple of 512 GiB/],
    ['INIT_P2M at the start of Xen', notes(15 => pack 'Q<', 0xffff800000000000), 5, qr/inside Xen's/],
    ['INIT_P2M in the last slot of Xen', notes(15 => pack 'Q<', 0xffff878000000000), 5, qr/inside Xen's/],
    ['INIT_P2M right after Xen', notes(15 => pack 'Q<', 0xffff880000000000), 5, undef],
    ['INIT_P2M right before VIRT_BASE', notes(15 => pack 'Q<', 0xffffff0000000000), 5, undef],
    ["INIT_P2M in VIRT_BASE's slot", notes(15 => pack 'Q<', 0xffffff8000000000), 5, qr/below that of VIRT_BASE/],
    ['INIT_P2M above VIRT_BASE', notes(3 => pack 'Q<', 0xffffc00000000000), 5,
        qr/below that of VIRT_BASE, 0xffffc00000000000/],
    ['INIT_P2M not canonical', notes(15 => pack 'Q<', 0x0000800000000000), 5, qr/no canonical address/],
    ['a note twice', notes() . elf_note(15, $good{15}), 5, qr/INIT_P2M is there twice/],
    ['writable and executable', notes(), 7, qr/can be written and executed/],
    ['writable and executable, not readable', notes(), 3, qr/can be written and executed/],
);
for my $case (@cases) {
    my ($name, $notes, $rights, $sentence) = @$case;
    subtest $name => sub {
        my ($exit, $said) = check(elf($notes, $rights));
        is $exit, $sentence ? 1 : 0, 'exit code';
        like $said, $sentence // qr/^$/, 'sentence';
        is $said =~ tr/\n//, 1, 'one error, one line' if $sentence;
    };
}

for my $broken ('', "\x7fELF\x01\x01" . "\0" x 64, substr(elf(notes(), 5), 0, 100), substr(elf(notes(), 5), 0, 300)) {
    my ($exit, $said) = check($broken);
    is $exit, 1, 'a broken file of ' . length($broken) . ' bytes: exit code';
    like $said, qr/^\S+kernel: (?:not a 64-bit|.*beyond the end)/, 'sentence';
}
my ($exit, $said) = check(elf(notes() . pack('L<L<L<', 4, 1 << 20, 1), 5));
is $exit, 1, 'a note longer than its segment: exit code';
like $said, qr/longer than its segment/, 'sentence';

write_file("$dir/kernel", elf(notes(), 5));
my (undef, $list) = run(script('check-notes'), '--print', "$dir/kernel");
like $list, qr/^INIT_P2M +0xffffc90000000000/m, '--print shows a number';
like $list, qr/^GUEST_OS +"Xenolith"$/m, '--print shows a string';
is((run(script('check-notes'), '--foo'))[0], 2, 'unknown option');
is((run(script('check-notes'), "$dir/none"))[0], 1, 'no such file');

done_testing;
