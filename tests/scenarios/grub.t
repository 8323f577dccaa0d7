#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# The kernel started by GRUB. GRUB is itself a PV guest, and builds the kernel's memory from inside
# the domain: it makes no promise to the tools about the P2M list, leaves its relocator mapped at
# address 0, with page tables of its own, and passes on console and xenstore rings that it has used.
# The boot report, the self-tests and the ramdisk are compared with what was passed to GRUB. Without
# this test the kernel could use GRUB's page tables as free memory, or treat a used ring as empty.

use strict;
use warnings;
use Test::More;

use FindBin;
use lib $FindBin::Bin, "$FindBin::Bin/../scripts";
use Host;
use Run;

my $dir     = tempdir;
my $bytes   = (24 << 20) + 1;
my $ramdisk = write_file("$dir/ramdisk", pack('Q*', map { $_ * 0x9e3779b1 } 1 .. 3 << 20) . 'x');
my $text    = write_file("$dir/text", "no kernel\n");

# The first digits of the P2M list's address: at the address of the note INIT_P2M, or in the kernel
# mapping.
my %place = (slot => '0xffffc9', 'kernel mapping' => '0xffffffff8');

sub by_grub {
    my ($size, $found, $flags, $r, $log) = @_;
    like $log, qr/Welcome to GRUB!/, 'the console has the greeting of GRUB';
    is $r->{kind},     'domU',       'kind of the domain is domU';
    is $r->{builder},  'GRUB',       'builder of the domain is GRUB';
    is $r->{nr_pages}, pages($size), "nr_pages is $size";
    like $log, qr/^start_info: domU of \d+ pages, P2M list at $place{$found}\w+, flags $flags$/m,
        "flags of start_info are $flags: GRUB does not tell the tools that there is a P2M list";
    is $r->{list}{found}, $found, "place of the builder's P2M list is \"$found\"";
    is $r->{renumbered}, 0, 'number of renumbered frames is 0';
    like $log, qr/^ok \d+ - $_: (?!.*# SKIP)/m, "self-test $_ is not skipped"
        for qw(guards p2m published_list store accounting);
    return;
}

sub has_ramdisk {
    my ($reports) = @_;
    is $reports->{ramdisk}{bytes}, $bytes, 'size of the ramdisk is that of the file';
    is $reports->{ramdisk}{sum}, ramdisk_sum($ramdisk), 'checksum of the ramdisk is that of the file';
    return;
}

# Checks that GRUB refuses the kernel or the ramdisk. xl itself reports no error: it has started
# GRUB.
sub refused {
    my ($why) = @_;
    return sub {
        my (undef, undef, $log) = @_;
        like $log, qr/error: \Q$why\E\.$/m, "GRUB prints the error: $why";
        unlike $log, qr/Xenolith/, 'the kernel does not start';
    };
}

domus ['--builder', 'grub'],
    small => {
    title   => 'domU of 64 MiB: kernel arguments with blanks, commas and quotes',
    options => ['--mem', '64M', '--args', 'x=$y,{z};  "q  r" #&|<'],
    check   => sub {
        my ($r, undef, $log) = @_;
        by_grub('64M', 'slot', '0x0', $r, $log);
        my @unknown = $log =~ /^warning: kernel argument "(.*)" is unknown and ignored/mg;
        is_deeply \@unknown, ['x=$y,{z};', '"q', 'r"', '#&|<'], 'the kernel gets its arguments unchanged';
        },
    },
    large => {
    title   => 'domU of 512 MiB with a ramdisk, passed by PFN',
    options => ['--mem', '512M', '--initrd', $ramdisk],
    check   => sub {
        my ($r, $reports, $log) = @_;
        by_grub('512M', 'slot', '0x8', $r, $log);
        has_ramdisk($reports);
        },
    },
    legacy => {
    title   => 'legacy image with a ramdisk: ramdisk and P2M list behind the kernel',
    options => ['--mem', '128M', '--kernel', kernel . '-legacy', '--initrd', $ramdisk],
    check   => sub {
        my ($r, $reports, $log) = @_;
        by_grub('128M', 'kernel mapping', '0x0', $r, $log);
        has_ramdisk($reports);
        },
    },
    no_kernel => {
    title   => 'GRUB refuses a file that is not a kernel',
    options => ['--kernel', $text],
    end     => 'failed',
    check   => refused('not xen image'),
    },
    no_room => {
    title   => 'GRUB refuses a ramdisk that does not fit into its memory',
    options => ['--mem', '40M', '--initrd', $ramdisk],
    end     => 'failed',
    check   => refused('out of memory'),
    };

done_testing;
