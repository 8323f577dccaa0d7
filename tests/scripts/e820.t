#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# --e820 makes a host of a memory map that somebody pastes from a log. Without this test a range could be
# one byte too long, a map could be read from the wrong lines of a log, and a host could differ from the
# map without a word.

use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Run;
use StandIn;
use Test::More;

my @print = ('boot', '--print');

# prints(TEXT, EXPECTED LINES, NAME, MESSAGE): the map of a file with this text
sub prints {
    my ($text, $expected, $name, $message) = @_;
    my ($code, $out, $err) = run(script('boot'), '--print', '--e820', write_file("$dir/map", $text));
    is_deeply [$code, $out], [0, $expected], $name or diag $err;
    like $err, $message // qr/^$/, "$name: messages";
    return;
}

my $map = <<'END';
0x000000000 0x00009fc00 usable
0x00009fc00 0x0000a0000 reserved
0x000100000 0x0bfff0000 usable
0x0bfff0000 0x0bfff3000 ACPI NVS
0x0bfff3000 0x0c0000000 ACPI data
0x100000000 0x140000000 usable
END

# The formats, as the programs print them

my $linux = <<'END';
BIOS-e820: [mem 0x0000000000000000-0x000000000009fbff] usable
BIOS-e820: [mem 0x000000000009fc00-0x000000000009ffff] reserved
BIOS-e820: [mem 0x0000000000100000-0x00000000bffeffff] usable
BIOS-e820: [mem 0x00000000bfff0000-0x00000000bfff2fff] ACPI NVS
BIOS-e820: [mem 0x00000000bfff3000-0x00000000bfffffff] ACPI data
BIOS-e820: [mem 0x0000000100000000-0x000000013fffffff] usable
END
my $old_linux = <<'END';
BIOS-e820: 0000000000000000 - 000000000009fc00 (usable)
BIOS-e820: 000000000009fc00 - 00000000000a0000 (reserved)
BIOS-e820: 0000000000100000 - 00000000bfff0000 (usable)
BIOS-e820: 00000000bfff0000 - 00000000bfff3000 (ACPI NVS)
BIOS-e820: 00000000bfff3000 - 00000000c0000000 (ACPI data)
BIOS-e820: 0000000100000000 - 0000000140000000 (usable)
END
my $xen = <<'END';
[0000000000000000, 000000000009fbff] (usable)
[000000000009fc00, 000000000009ffff] (reserved)
[0000000000100000, 00000000bffeffff] (usable)
[00000000bfff0000, 00000000bfff2fff] (ACPI NVS)
[00000000bfff3000, 00000000bfffffff] (ACPI data)
[0000000100000000, 000000013fffffff] (usable)
END
my $old_xen = $old_linux =~ s/BIOS-e820: //gr;
my $iomem   = <<'END';
00000000-0009fbff : System RAM
0009fc00-0009ffff : Reserved
000a0000-000bffff : PCI Bus 0000:00
000f0000-000fffff : System ROM
00100000-bffeffff : System RAM
  2e000000-2ee031d0 : Kernel code
  30000000-300fffff : Reserved
bfff0000-bfff2fff : ACPI Non-volatile Storage
bfff3000-bfffffff : ACPI Tables
c0000000-febfffff : PCI Bus 0000:00
  fd000000-fdffffff : 0000:00:02.0
100000000-13fffffff : System RAM
END
my @sysfs = map { "/sys/firmware/memmap/$_" } (
    "1/type:Reserved\n", "1/start:0x9fc00\n", "1/end:0x9ffff\n", "0/start:0x0\n", "0/end:0x9fbff\n", "0/type:System RAM\n",
    "5/end:0x13fffffff\n", "5/start:0x100000000\n", "5/type:System RAM\n",
    "3/type:ACPI Non-volatile Storage\n", "3/start:0xbfff0000\n", "3/end:0xbfff2fff\n",
    "2/end:0xbffeffff\n", "2/type:System RAM\n", "2/start:0x100000\n",
    "4/end:0xbfffffff\n", "4/type:ACPI Tables\n", "4/start:0xbfff3000\n");
my $bare = $linux =~ s/BIOS-e820: //gr;

prints $linux,          $map, 'Linux since 3.5';
prints $old_linux,      $map, 'Linux before 3.5';
prints $xen,            $map, 'Xen since 4.14';
prints $old_xen,        $map, 'Xen before 4.14';
prints $iomem,          $map, '/proc/iomem';
prints join('', @sysfs), $map, '/sys/firmware/memmap, whose files have any order';
prints join('', map { s{.*memmap/}{./}r } @sysfs), $map, '/sys/firmware/memmap, by grep in that directory';
prints $map,            $map, 'plain lines';
prints $bare,           $map, 'Linux without BIOS-e820';
prints $map =~ s/0x0+(?=\w)/0x/gr, $map, 'plain lines with short numbers';
prints $map =~ s/ usable/ 1/gr =~ s/ reserved/ type 2/r =~ s/ ACPI NVS/ (type 0x4)/r, $map, 'types by number';
prints "0x0 0xa0000 usable\n0x100000 0x200000 type 77\n0x200000 0x300000 soft reserved\n0x300000 0x400000 persistent (type 7)\n0x400000 0x5000000 usable\n",
    "0x00000000 0x000a0000 usable\n0x00100000 0x00200000 type 77\n0x00200000 0x00300000 soft reserved\n"
    . "0x00300000 0x00400000 persistent (type 7)\n0x00400000 0x05000000 usable\n", 'types of other kinds stay as they are';

# Prefixes, line ends, and what else is in a log

for my $case (
    ['a time stamp of Linux', '[    0.000000] '], ['syslog', 'Mar  3 10:00:01 box kernel: [    0.000000] '], ['Xen', '(XEN)  '],
    ['Xen with time', '(XEN) [2024-08-07 10:00:01]  '], ['a priority', '<6>[    0.000000] '], ['mail', '> > '], ['blanks', "\t   "],
    ) {
    my ($what, $prefix) = @$case;
    prints $_->[1] =~ s/^/$prefix/mgr, $map, "$_->[0] after $what"
        for ['Linux', $linux], ['old Linux', $old_linux], ['bare Linux', $bare], ['Xen', $xen], ['old Xen', $old_xen];
}
prints $linux =~ s/\n/\r\n/gr, $map, 'CR at the end of lines';
my $around = <<'END';
BIOS-provided physical RAM map:
MAP
NX (Execute Disable) protection: active
e820: update [mem 0x00000000-0x00000fff] usable ==> reserved
e820: remove [mem 0x000a0000-0x000fffff] usable
  node   0: [mem 0x0000000000001000-0x000000000009efff]
[mem 0xc0000000-0xfed1bfff] available for PCI devices
pci 0000:00:02.0: reg 0x10: [mem 0xfd000000-0xfdffffff pref]
init_memory_mapping: 0000000000000000-00000000c0000000
 0000000000 - 00c0000000 page 2M
ACPI: SRAT: Node 0 PXM 0 [mem 0x00000000-0x0009ffff]
END
for my $case (['Linux', $linux], ['old Linux', $old_linux], ['bare Linux', $bare], ['Xen', $xen], ['old Xen', $old_xen]) {
    prints $around =~ s/MAP\n/$case->[1]/r, $map, "the map of $case->[0] in a log of Linux";
}
prints "# a comment\n\n$map", $map, 'comments and empty lines';

prints $linux =~ s/\n/=\n\n/r =~ s/000(?=.*\n\z)/000=\n/r, $map, 'quoted-printable';
prints "\xef\xbb\xbf" . $map =~ s/^/\xc2\xa0/mgr, $map, 'the mark of UTF-8, and blanks that do not wrap';
prints $linux =~ s/^/\e[33m/mgr =~ s/\n/\e[0m\n/gr, $map, 'colours';
prints $linux =~ s/\n/<br>\n/gr, $map, 'a web page';
prints $linux =~ s/\n/\n\n\n\n/gr, $map, 'empty lines between the lines';
prints $linux =~ s/(.*\n)/$1$1/gr, $map, 'each line twice';
prints $linux =~ s/\n/\r/gr, $map, 'CR alone at the end of lines';
prints $linux =~ s/\] reserved/]  device reserved/r =~ s/(.*9fc00.*\n)/$1BIOS-e820: [gap 0x00000000000a0000-0x00000000000fffff]\n/r, $map,
    'Linux since 7.0';
prints $old_xen =~ s/\(reserved\)/type 9/r, $map =~ s/reserved/type 9/r, 'old Xen, a type without a name';
prints "pci 0000:00:02.0: [mem 0xfd000000-0xfdffffff] reserved\n\n\n\n\n$around\n$linux", $map, 'a line of a PCI device before the map';
prints $iomem =~ s/^/> /mgr, $map, '/proc/iomem in a mail';
prints $map =~ s/^/> /mgr,   $map, 'plain lines in a mail';
prints $linux =~ s/.*\n.*\n//r, $map =~ s/.*\n.*\n//r, 'a log whose first lines are lost',
    qr/the map begins at 0x100000; are the first lines missing\?$/;

# Several maps

my $user = $linux =~ s/BIOS-e820/user/gr =~ s/bffeffff/7ffeffff/r;
prints "$linux$user", $map, 'the map of the BIOS before that of memmap=',
    qr/map has a map of kind BIOS-e820 from line 1 on, and one of kind user from line 7 on; the first one is used\n/;
prints $linux . $linux, $map, 'two boots in one log', qr/one of kind BIOS-e820 from line 7 on; the first one is used\n/;
prints $linux . $linux =~ s/9fbff/9efff/r =~ s/9fc00/9f000/r, $map, 'two boots with different maps', qr/from line 7 on/;
prints $iomem . $iomem =~ s/9fbff/9efff/r, $map, 'two files of /proc/iomem', qr/from line 13 on/;
prints $xen =~ s/^/(XEN)  /mgr . $linux =~ s/BIOS-e820/Xen/gr, $map, "Xen's map before that of its dom0", qr/one of kind Xen from line 7/;

# Damaged maps

sub refused {
    my ($text, $message, $name) = @_;
    my ($code, $out, $err) = run(script('boot'), '--print', '--e820', write_file("$dir/map", $text));
    is_deeply [$code, $out], [2, ''], "$name: exit code 2";
    like $err, $message, "$name: the message";
    return;
}
for my $case (['Linux', $linux], ['old Linux', $old_linux], ['Xen', $xen], ['old Xen', $old_xen], ['plain lines', $map], ['bare Linux', $bare]) {
    my ($what, $text) = @$case;
    my @lines = split /^/, $text;
    my $third = $lines[2];
    for my $cut (grep { $_ > 4 } map { int(length($third) * $_ / 8) } 1 .. 7) {
        my @wrapped = @lines;
        next if $third =~ /^.{0,$cut}\bus?a?b?l?e?/ && $what ne 'plain lines'; # a type that is cut in its middle
        $wrapped[2] = substr($third, 0, $cut) . "\n" . substr $third, $cut;
        my ($code, $out, $err) = run(script('boot'), '--print', '--e820', write_file("$dir/map", join '', @wrapped));
        is_deeply [$code, $out], [2, ''], "$what: line 3 wrapped after $cut characters is refused" or diag $wrapped[2];
        like $err, qr/line [34]: expected a range with start, end and type/, "$what: a line wrapped after $cut characters has its number";
    }
}
refused $linux =~ s/ACPI NVS/ACPI XYZ/r, qr/line 4: expected a range with start, end and type .*ACPI XYZ$/, 'an unknown type';
# A change of one line of a map that is refused, whatever the line: name, map, pattern, replacement
for my $case (
    ['two joined lines of old Xen',  $old_xen,   qr/\(reserved\)\n/,         '(reserved) '],
    ['two joined lines of Linux',    $linux,     qr/reserved\n/,               'reserved '],
    ['a lost digit',                 $linux,     qr/0x0000000100000000/,       '0x000000100000000'],
    ['a lost digit of Xen',          $xen,       qr/0000000100000000/,         '000000100000000'],
    ['a lost digit of old Linux',    $old_linux, qr/0000000100000000/,         '000000100000000'],
    ['a lost type',                  $old_linux, qr/ \(usable\)\n\z/,         "\n"],
    ['a first line with a lost type', $old_linux, qr/ \(usable\)/,             ''],
    ['a garbled first line',         $linux,     qr/BIOS-e820/,                'BIOS-e82'],
    ['a garbled last line',          $linux,     qr/BIOS-e820(?=.*\n\z)/,      'BIOS-e82'],
    ['a first line in three parts',  $linux,     qr/-0x000000000009fbff\] /,   "\n-0x000000000009fbff]\n"],
    ['three lines inside the map',   $linux,     qr/\n/,                       "\nfoo 1\nfoo 2\nfoo 3\n"],
    ['one line inside the map',      $xen,       qr/\n/,                       "\nfoo 1\n"],
    ['a lost 0x in the last line',   $map,       qr/0x(?=1.*\n\z)/,            ''],
    ['a wrapped line of iomem',      $iomem,     qr/ : System RAM/,            "\n : System RAM"],
    ) {
    my ($name, $text, $pattern, $replacement) = @$case;
    my $changed = $text =~ s/$pattern/$replacement/r;
    isnt $changed, $text, "$name: the map is changed";
    refused $changed, qr/line \d: expected a range with start, end and type .*damaged or wrapped/, $name;
}
refused join('', grep { !m{/1/} } @sysfs), qr{found no 1/start$}, '/sys/firmware/memmap without one directory';
refused join('', @sysfs, @sysfs), qr/line 19: expected a range/, '/sys/firmware/memmap of two machines';
refused $linux =~ s/0x000000013fffffff/0xffffffffffffffff/r, qr/line 6: expected an end below 2\^64/, 'an end at 2^64';
refused "0x1000 0x0 usable\n", qr/line 1: expected a start that is not above the end, found: 0x1000 0x0 usable$/, 'a start above the end';
refused "hello\n",             qr/expected a memory map .*, found no line of one$/, 'a file without a map';
refused '',                    qr/found no line of one$/,                           'an empty file';
refused "00000000-00000000 : System RAM\n" x 3, qr{/proc/iomem shows addresses to root alone$}, '/proc/iomem as another user';
refused join('', grep { !/5\/type/ } @sysfs), qr/found no 5\/type$/, '/sys/firmware/memmap without a type';

# What a host cannot have

my $low = "0x0 0xa0000 usable\n";
refused "${low}0x100000 0xf0000000 usable\n", qr/no host has RAM \[0xefe00000, 0xf0000000\): QEMU has at most 3838 MiB .*--e820-fit it becomes reserved$/, 'RAM at 3840 MiB';
refused "0x0 0x100000 usable\n0x100000 0x10000000 usable\n", qr/no host has RAM \[0xa0000, 0x100000\): QEMU has video memory/, 'RAM at 640 KiB';
refused "${low}0x100000 0x10000000 usable\n0x7fffffe00000 0x800000200000 usable\n", qr/RAM \[0x800000000000, 0x800000200000\): Xen has no frame/, 'RAM at 2^47';
refused "${low}0x100000 0x10000000 usable\n0x400000000000 0x400040000000 usable\n",
    qr/RAM \[0x400000000000, 0x400040000000\): Xen has page structures for 16 TiB/, 'RAM far away without RAM at 4 GiB';
refused "${low}0x100000 0x10000000 usable\n0x100000000 0x110000000 usable\n0x400000000000 0x400040000000 usable\n",
    qr/the gap \[0x110000000, 0x3fffc0000000\): Xen looks at each page/, 'a gap of 64 TiB';
refused "${low}0x100000 0x10000000 usable\n0x100000000 0x110000000 usable\n0x110000000 0x400000000000 reserved\n0x400000000000 0x400040000000 usable\n",
    qr/the gap \[0x110000000, 0x3fffc0000000\): Xen looks at each page/, 'a reserved range of 64 TiB';
refused $low . join('', map { sprintf "0x%x 0x%x usable\n", ($_ << 20) + 4096, ($_ + 1) << 20 } 1 .. 140),
    qr/no host has the range \[0x8c01000, 0x8d00000\): Xen reads 128 ranges, and the map has 141 \(and 12 more ranges\).* is left out$/, 'more than 128 ranges';
refused "0x100000000 0x200000000 usable\n", qr/expected 64 MiB of RAM below 4 GiB for Xen and dom0, found 0 MiB$/, 'no low RAM';
refused "${low}0x100000 0x10000000 usable\n0x100000000 0x200000000000 usable\n", qr/RAM \[0x100000000000, 0x200000000000\): Xen has page structures for 16 TiB/, '32 TiB of RAM';
refused "${low}0x100000 0x10000000 usable\n0x100000000 0xf0000000000 usable\n", qr/RAM \[0x[0-9a-f]+, 0xf0000000000\): Xen and dom0 touch/, '15 TiB of RAM';

sub fits {
    my ($text, $expected, $messages, $name) = @_;
    my ($code, $out, $err) = run(script('boot'), '--print', '--e820-fit', '--e820', write_file("$dir/map", $text));
    is_deeply [$code, $out], [0, $expected], "$name: the map that is made to fit";
    like $err, $messages, "$name: the message";
    return;
}
fits "${low}0x100000 0xf0000000 usable\n", "0x00000000 0x000a0000 usable\n0x00100000 0xefe00000 usable\n0xefe00000 0xf0000000 reserved\n",
    qr/^boot: --e820-fit: RAM \[0xefe00000, 0xf0000000\) becomes reserved: QEMU has .*\n$/, 'RAM at 3840 MiB';
fits "${low}0x100000 0x10000000 usable\n0x100000000 0x110000000 usable\n0x400000000000 0x400040000000 usable\n",
    "0x000000000000 0x0000000a0000 usable\n0x000000100000 0x000010000000 usable\n0x000100000000 0x000110000000 usable\n"
    . "0x000110000000 0x3fffc0000000 unusable\n0x400000000000 0x400040000000 usable\n",
    qr/the gap \[0x110000000, 0x3fffc0000000\) becomes unusable/, 'a gap of 64 TiB';

fits "${low}0x100000 0x10000000 usable\n0xd0000000 0xf0000000 unusable\n",
    "0x00000000 0x000a0000 usable\n0x00100000 0x10000000 usable\n0xd0000000 0xefe00000 unusable\n0xefe00000 0xf0000000 reserved\n",
    qr/the range \[0xefe00000, 0xf0000000\) becomes reserved/, 'an unusable range up to 3840 MiB';

# Options

refuses \@print,
    [[], qr/^boot: --print applies to the map of --e820, and there is no --e820$/],
    [['--e820', "$dir/none"], qr/^boot: --e820 .*none: No such file/],
    [['--e820', 'random:1', '--host-mem', '1G'], qr/^boot: --host-mem: the map of --e820 decides this$/],
    [['--e820', 'random:1', '--machine', 'q35'], qr/^boot: --machine: the map of --e820 decides this$/],
    [['--e820', 'random:1', '--firmware', 'uefi'], qr/^boot: --e820: expected --firmware bios, found uefi/];
refuses ['boot', '--e820-fit'], [[], qr/^boot: --e820-fit applies to the map of --e820, and there is no --e820$/];

# The machine in QEMU, whose types the function machines prints

sub machines { return 'if [ "$2" = help ]; then printf "pc-i440fx-%s  Standard PC\\n" ' . "@_; exit; fi; pass" }

for my $case ([8, 'pc'], [1003, 'pc'], [2048, 'pc-i440fx-7.0']) {
    my ($gib, $machine) = @$case;
    my $name = "RAM up to $gib GiB";
    my $end  = $gib << 30;
    my ($exit, undef, $said) = with_qemu(machines('11.1', '7.1', '6.2', '7.0', '2.12'), 'boot', '--xen', $StandIn::xen, '--e820',
        write_file("$dir/map", "${low}0x100000 0x10000000 usable\n0x100000000 0x100200000 usable\n" .
            sprintf("0x%x 0x%x usable\n", $end - (4 << 20), $end)), '--e820-fit', $kernel);
    is $exit, 0, "$name: exit code of scripts/boot" or diag $said;
    like qemu_args(), qr/ -machine \Q$machine\E,max-ram-below-4g=4026531840,/, "$name: the machine is $machine";
    like qemu_args(), qr/ -acpitable sig=SRAT,/, "$name: the host has an SRAT";
}
with_qemu('pass', 'boot', '--xen', $StandIn::xen, '--e820', write_file("$dir/map", "${low}0x100000 0x10000000 usable\n0x100000000 0x1a00000000 usable\n"),
    $kernel);
like qemu_args(), qr/ watchdog=440 /, '100 GiB of RAM: a kernel may be silent for 15 seconds and 29 more; its watchdog has ten times the sum';
ends ['boot', '--xen', $StandIn::xen, '--e820', write_file("$dir/map", "${low}0x100000 0x10000000 usable\n0x1ffff000000 0x20000000000 usable\n"),
    '--e820-fit', $kernel],
    ['RAM up to 2 TiB, and no old machine', machines('11.1', '7.1'), 4, qr/RAM past 1004 GiB: expected a QEMU that has a machine pc-i440fx up to 7.0/];

# Random maps

my @maps = map { [run(script('boot'), '--print', '--e820', "random:$_")] } 5, 5, 6;
is_deeply $maps[0], $maps[1], 'one seed gives one map';
isnt $maps[0][1], $maps[2][1], 'another seed gives another map';
like $maps[0][2], qr/^boot: --e820 random:5 is a map of \d+ ranges$/, 'the seed is printed';
my ($code, $out, $err) = run(script('boot'), '--print', '--e820', 'random');
my ($seed) = $err =~ /random:(\d+) is a map/;
is +(run(script('boot'), '--print', '--e820', "random:$seed"))[1], $out, 'random prints the seed of its map';

done_testing;
