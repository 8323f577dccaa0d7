#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# What nobody wishes to be handed: memory maps with holes over each thing that the builder placed,
# corrupt start_info, and memory that runs out at any moment. Each must be survived with every
# self-test green, or end in a crash that says in one sentence what was found.

use strict;
use warnings;
use Test::More;

use FindBin;
use lib $FindBin::Bin, "$FindBin::Bin/../scripts";
use Host;
use Run;

my $dir     = tempdir;
my $ramdisk = write_file("$dir/ramdisk", join '', map { pack 'Q', $_ } 1 .. 1 << 20);

my $sum = ramdisk_sum($ramdisk);

for my $legacy (0, 1) {
    my @kernel = $legacy ? ('--kernel', kernel . '-legacy') : ();
    my $image  = $legacy ? 'legacy image, ' : '';
    for my $hole (qw(image start_info tables list ramdisk nvs holes:64 holes:1000)) {
        boots "${image}map:$hole", [@kernel, '--mem', '128M', '--initrd', $ramdisk, '--',
            "inject=map:$hole"], sub {
            my ($r, $reports) = @_;
            is $r->{list}{found}, $legacy ? 'kernel mapping' : 'slot', 'the list was where expected';
            cmp_ok $r->{renumbered}, '>', 97, 'something was renumbered for the hole';
            is $reports->{ramdisk}{sum}, $sum, 'the ramdisk is what it was';
            };
    }
}

# A map from a file, the largest that Xen takes: 1,024 entries, backwards, every other a hole.
my @entries = map { pack 'Q<Q<L<', ($_ << 16), 0xf000, 1 } reverse 32 .. 32 + 1021;
my $map = write_file("$dir/map", join '', pack('Q<Q<L<', 0, 0x200000, 1),
    @entries, pack 'Q<Q<L<', 1 << 32, 1 << 32, 1);
boots 'map:file of 1,024 entries', ['--mem', '128M', '--initrd', $map, '--', 'inject=map:file'],
    sub {
    my ($r) = @_;
    cmp_ok scalar @{$r->{ranges}}, '>', 2000, 'thousands of ranges';
    };

for my $case (
    ['magic',    qr/^Bail out! start_info\.magic is "nen-3\.0-x86_64", expected "xen-\.\.\."$/m],
    ['nr_pages', qr/^Bail out! start_info\.nr_pages is 0x4000000000000, expected 1 to 0x1\d+$/m],
    ['mfn_list', qr/^Bail out! start_info\.mfn_list reaches 0x\w+, where nothing is mapped$/m],
    ['nonsense', qr/^error: argument inject=nonsense: expected a fault of kernel\/selftest\/inject\.h$/m],
    ) {
    my ($fault, $sentence) = @$case;
    boot_fails "inject=$fault", 6, ['--mem', '64M', '--', "inject=$fault"], $sentence, qr/crash/;
}

boot_fails 'a map without RAM', 6,
    ['--mem', '64M', '--initrd', write_file("$dir/none", pack 'Q<Q<L<', 0, 1 << 30, 2), '--',
    'inject=map:file'], qr/^error: map: the E820 map has \d+ entries and no page of RAM$/m, qr/crash/;
boots 'a domain without a map: one range of RAM',
    ['--mem', '64M', '--initrd', write_file("$dir/empty", 'x'), '--', 'inject=map:file'], sub {
    is_deeply $_[0]->{ranges}, [[0, pages('64M'), 'ram']], 'as large as it is';
    };

boots 'a map with RAM where no list reaches',
    ['--mem', '64M', '--initrd',
    write_file("$dir/far", pack('Q<Q<L<', 0, 1 << 26, 1) . pack 'Q<Q<L<', 1 << 48, 1 << 20, 1),
    '--', 'inject=map:file'];

boot_fails 'a map with too little RAM', 6,
    ['--mem', '64M', '--initrd', write_file("$dir/little", pack 'Q<Q<L<', 0, 1 << 20, 1), '--',
    'inject=map:file'], qr/^error: plan: the E820 map has 0x100 pages of RAM, expected at least 0x4000$/m,
    qr/crash/;

# As many requests as a boot makes by its own count; one more is never made.
my $requests = 0;
boots 'a boot that counts its requests for memory', ['--mem', '64M'], sub {
    $requests = $_[0]->{frame_requests};
    cmp_ok $requests, '>', 25, "$requests of them";
};

# Each of them on the debug Xen, which is asked rarely; unit tests do it each time.
my $step = xen =~ /debug/ ? 1 : 12;
subtest "memory that runs out at the N-th request, for each N that is a multiple of $step" => sub {
    for my $n (grep { $_ % $step == 0 } 1 .. $requests) {
        my ($code, $log, $err) = boot_code(['--mem', '64M', '--', "inject=alloc:$n"]);
        my $said = $code == 6 ? qr/^Bail out! stage \w+ .* failed: -12 \(ENOMEM/m : qr/^not ok/m;
        ok +(grep { $code == $_ } 4, 5, 6), "request $n: exit code $code, no success, no hang"
            or diag $err;
        like $log, $said, "request $n: and says why" or diag $err;
    }
    my ($code) = boot_code(['--mem', '64M', '--', 'inject=alloc:' . ($requests + 1)]);
    is $code, 0, 'request ' . ($requests + 1) . ' is not made';
};

done_testing;
