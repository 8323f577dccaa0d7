#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# Hostile input: E820 maps with a hole over each object that the builder placed, a corrupt
# start_info, and a frame pool that is empty at the N-th request. With each of them either all
# self-tests must succeed, or the kernel must panic with one sentence that names what was found.
# Without this test such input could cause a hang, a trap without a message, or a false success.

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
    my $image  = $legacy ? 'legacy image' : 'default image';
    for my $hole (qw(image start_info tables list ramdisk nvs holes:64 holes:1000)) {
        boots "inject=map:$hole: $image", [@kernel, '--mem', '128M', '--initrd', $ramdisk, '--',
            "inject=map:$hole"], sub {
            my ($r, $reports) = @_;
            is $r->{list}{found}, $legacy ? 'kernel mapping' : 'slot', "place of the builder's P2M list";
            cmp_ok $r->{renumbered}, '>', 97,
                'number of renumbered frames is more than 97, the size of the low hole';
            is $reports->{ramdisk}{sum}, $sum, 'checksum of the ramdisk is that of the file';
            };
    }
}

# The largest E820 map that Xen accepts: 1,024 entries in descending order, with a hole after each.
my @entries = map { pack 'Q<Q<L<', ($_ << 16), 0xf000, 1 } reverse 32 .. 32 + 1021;
my $map = write_file("$dir/map", join '', pack('Q<Q<L<', 0, 0x200000, 1),
    @entries, pack 'Q<Q<L<', 1 << 32, 1 << 32, 1);
boots 'E820 map of 1,024 entries', ['--mem', '128M', '--initrd', $map, '--', 'inject=map:file'],
    sub {
    my ($r) = @_;
    cmp_ok scalar @{$r->{ranges}}, '>', 2000, 'number of PFN ranges is more than 2000';
    };

for my $case (
    ['magic',    qr/^Bail out! start_info\.magic is "nen-3\.0-x86_64", expected "xen-\.\.\."$/m],
    ['nr_pages', qr/^Bail out! start_info\.nr_pages is 0x4000000000000, expected 1 to 0x1\d+$/m],
    ['mfn_list', qr/^Bail out! start_info\.mfn_list reaches 0x\w+, which is not mapped, expected a mapped address$/m],
    ['nonsense', qr/^error: argument inject=nonsense: expected a fault of kernel\/selftest\/inject\.h$/m],
    ) {
    my ($fault, $sentence) = @$case;
    boot_fails "inject=$fault: the kernel panics", 6, ['--mem', '64M', '--', "inject=$fault"],
        $sentence, qr/crash/;
}

boot_fails 'E820 map without RAM: the kernel panics', 6,
    ['--mem', '64M', '--initrd', write_file("$dir/none", pack 'Q<Q<L<', 0, 1 << 30, 2), '--',
    'inject=map:file'], qr/^error: map: the E820 map has \d+ entries and no page of RAM, expected at least 1$/m, qr/crash/;
boots 'no E820 map: the kernel assumes one range of RAM',
    ['--mem', '64M', '--initrd', write_file("$dir/empty", 'x'), '--', 'inject=map:file'], sub {
    is_deeply $_[0]->{ranges}, [[0, pages('64M'), 'ram']], 'the only PFN range is RAM [0, nr_pages)';
    };

boots 'E820 map with RAM at 2^48, beyond any P2M list',
    ['--mem', '64M', '--initrd',
    write_file("$dir/far", pack('Q<Q<L<', 0, 1 << 26, 1) . pack 'Q<Q<L<', 1 << 48, 1 << 20, 1),
    '--', 'inject=map:file'];

boots 'E820 map with RAM for half of the pages, and a hole: the other half is given to Xen',
    ['--mem', '64M', '--initrd',
    write_file("$dir/half", pack('Q<Q<L<', 0, 20 << 20, 1) . pack 'Q<Q<L<', 1 << 30, 12 << 20, 1),
    '--', 'inject=map:file'], sub {
    my ($r, undef, $log) = @_;
    is $r->{nr_pages}, 8192, 'nr_pages is the number of RAM pages of the map';
    like $log, qr/^warning: plan: 8192 of 16384 pages of this domain have no PFN in the RAM of the E820 map; 8192 of these pages were given to Xen$/m,
        'the kernel prints the number of pages without a PFN';
    };

# 64 MiB of the domain move to PFNs above a gap of 64 TiB. What reads the P2M list must not look at each
# of the 2^34 entries of the gap.
boots 'E820 map with RAM at 2^46: the self-tests pass over the gap in the P2M list',
    ['--mem', '128M', '--initrd',
    write_file("$dir/gap", pack('Q<Q<L<', 0, 1 << 26, 1) . pack 'Q<Q<L<', 1 << 46, 1 << 32, 1),
    '--', 'inject=map:file'], sub {
    my ($r, undef, $log) = @_;
    is $r->{max_pfn}, (1 << 34) + pages('64M'), 'the P2M list reaches to 64 MiB above 2^46';
    unlike $log, qr/only samples are checked/, 'no self-test takes samples';
    };

boot_fails 'E820 map with less RAM than the builder has used: the kernel panics', 6,
    ['--mem', '64M', '--initrd', write_file("$dir/little", pack 'Q<Q<L<', 0, 1 << 20, 1), '--',
    'inject=map:file'], qr/^error: plan: the E820 map has 0x100 pages of RAM, too few for nr_pages 0x4000: -12 \(ENOMEM/m,
    qr/crash/;

# The number of requests to the frame pool in a boot. The last boot below checks that there are no
# more.
my $requests = 0;
boots 'a boot reports its number of requests to the frame pool', ['--mem', '64M'], sub {
    $requests = $_[0]->{frame_requests};
    cmp_ok $requests, '>', 25, 'frame_requests is more than 25';
};

# Each N on the debug Xen, which make check-full uses, and each 12th N elsewhere. The unit tests try
# each N.
my $step = xen =~ /debug/ ? 1 : 12;
subtest "request N to the frame pool fails, for each N that is a multiple of $step" => sub {
    for my $n (grep { $_ % $step == 0 } 1 .. $requests) {
        my ($code, $log, $err) = boot_code(['--mem', '64M', '--', "inject=alloc:$n"]);
        my $said = $code == 6 ? qr/^Bail out! boot stage \w+ .* failed: -12 \(ENOMEM/m : qr/^not ok/m;
        ok +(grep { $code == $_ } 4, 5, 6),
            "request $n fails: exit code $code is an error, a failure or a crash"
            or diag $err;
        like $log, $said, "request $n fails: the console names the stage or the self-test" or diag $err;
    }
    my ($code) = boot_code(['--mem', '64M', '--', 'inject=alloc:' . ($requests + 1)]);
    is $code, 0, 'request ' . ($requests + 1) . ' is not made: scripts/boot exits with 0';
};

done_testing;
