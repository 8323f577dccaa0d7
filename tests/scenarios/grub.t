#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# The kernel started by GRUB, which is itself a PV guest and builds the domain anew from inside: it
# asks for nothing of the tools, leaves its relocator mapped at address 0, behind tables of its own,
# and hands on rings that it has used. Without this a kernel could hand out those tables as free
# memory, or take a ring for new.

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

# Where the list was: at INIT_P2M, or in the kernel mapping.
my %place = (slot => '0xffffc9', 'kernel mapping' => '0xffffffff8');

sub by_grub {
    my ($size, $found, $flags, $r, $log) = @_;
    like $log, qr/Welcome to GRUB!/, 'GRUB was first';
    is $r->{kind},     'domU',       'a domU';
    is $r->{builder},  'GRUB',       'built by GRUB';
    is $r->{nr_pages}, pages($size), 'of the right size';
    like $log, qr/^start_info: domU of \d+ pages, P2M list at $place{$found}\w+, flags $flags$/m,
        'the flags are not those that xl gives: the tools are promised no list';
    is $r->{list}{found}, $found, "the list is where it should be: $found";
    is $r->{renumbered}, 0, 'nothing lies in a hole';
    like $log, qr/^ok \d+ - $_: (?!.*# SKIP)/m, "$_ is tested, and not skipped"
        for qw(guards p2m published_list store accounting);
    return;
}

sub has_ramdisk {
    my ($reports) = @_;
    is $reports->{ramdisk}{bytes}, $bytes, 'the ramdisk has all its bytes';
    is $reports->{ramdisk}{sum}, ramdisk_sum($ramdisk), 'and the right ones';
    return;
}

# GRUB itself is built by xl, and so sees no difference to other guests until it says so.
sub refused {
    my ($why) = @_;
    return sub {
        my (undef, undef, $log) = @_;
        like $log, qr/error: \Q$why\E\.$/m, 'GRUB says why';
        unlike $log, qr/Xenolith/, 'and does not start anything else';
    };
}

domus ['--builder', 'grub'],
    small => {
    title   => '64 MiB, and arguments with blanks, commas and quotes',
    options => ['--mem', '64M', '--args', 'x=$y,{z};  "q  r" #&|<'],
    check   => sub {
        my ($r, undef, $log) = @_;
        by_grub('64M', 'slot', '0x0', $r, $log);
        my @unknown = $log =~ /^warning: argument "(.*)" is unknown and ignored/mg;
        is_deeply \@unknown, ['x=$y,{z};', '"q', 'r"', '#&|<'], 'they come as they are';
        },
    },
    large => {
    title   => '512 MiB and a ramdisk, by PFN',
    options => ['--mem', '512M', '--initrd', $ramdisk],
    check   => sub {
        my ($r, $reports, $log) = @_;
        by_grub('512M', 'slot', '0x8', $r, $log);
        has_ramdisk($reports);
        },
    },
    legacy => {
    title   => 'the legacy image and a ramdisk: ramdisk and list behind the kernel',
    options => ['--mem', '128M', '--kernel', kernel . '-legacy', '--initrd', $ramdisk],
    check   => sub {
        my ($r, $reports, $log) = @_;
        by_grub('128M', 'kernel mapping', '0x0', $r, $log);
        has_ramdisk($reports);
        },
    },
    no_kernel => {
    title   => 'a file that is no kernel',
    options => ['--kernel', $text],
    end     => 'failed',
    check   => refused('not xen image'),
    },
    no_room => {
    title   => 'a ramdisk that GRUB has no room for',
    options => ['--mem', '40M', '--initrd', $ramdisk],
    end     => 'failed',
    check   => refused('out of memory'),
    };

done_testing;
