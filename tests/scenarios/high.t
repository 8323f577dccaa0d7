#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# RAM at 2^44 and 2^46, past the 2^32 frame numbers of a version 1 grant entry. A dom0 there uses version 2 and
# passes its self-tests; a kernel as narrow as Linux was in 2017 refuses the host with a message; and xl cannot
# create a domU whose rings lie there, because libxenguest grants them by version 1 entries. Without this test
# the kernel's note MAXPHYS_SIZE would be a promise that nobody has tried.

use strict;
use warnings;
use Test::More;

use FindBin;
use lib $FindBin::Bin;
use Host;
use Run;

sub map_file {
    my ($name) = @_;
    return script("../tests/maps/made-up-$name.map");
}

for my $bits (44, 46) {
    boots "dom0 with all RAM of a host that has RAM at 2^$bits", ['--e820', map_file("high-${bits}u"), '--', 'loglevel=debug'], sub {
        my ($r, undef, $log) = @_;
        cmp_ok $r->{max_mfn}, '>', 1 << ($bits - 12), "max_mfn is above 2^$bits / 4096";
        like $log, qr/^grants: the grant table has version 2 /m, 'the kernel chooses version 2 of the grant table';
        like $log, qr/^ok \d+ - $_: (?!.*# SKIP)/m, "self-test $_ is not skipped"
            for qw(grant_self grant_copy foreign_frames unpopulated unpopulated_show);
    };
}
boots 'dom0 of 256 MiB that the balloon grows to 1 GiB, in RAM at 2^46',
    ['--e820', map_file('high-46u'), '--mem', '256M,max:1G', '--', 'balloon=max'], sub {
    my ($r) = @_;
    is $r->{ballooned}, pages('1G') - pages('256M'), 'the balloon grew to 1 GiB';
    };

my $dir = tempdir;
my ($code, $out, $err) = run('make', '-s', '-C', script('..'), "B=$dir/46", 'PADDR_BITS=46', "$dir/46/xenolith");
is $code, 0, 'make PADDR_BITS=46 builds a kernel' or diag $out, $err;
boot_fails 'a kernel that handles 46 bits, on a host with RAM at 2^46', 6,
    ['--kernel', "$dir/46/xenolith", '--e820', map_file('high-46u')],
    qr/^Bail out! machine addresses have 48 bits by CPUID 0x80000008 and \d+ by Xen's CPUID .*, expected at most 46$/m,
    qr/crash/;
boots 'the same kernel on a host of 512 MiB', ['--kernel', "$dir/46/xenolith"], sub { };

# The second processor is in the node of the RAM at 2^46, and so are the frames of a guest that runs on it.
domus ['--e820', map_file('domu-46u'), '--smp', 2, '--xen-args', 'dom0_nodes=0', '--dom0-mem', '2560M'],
    high => {
    title   => 'domU whose rings lie above 2^46: xl cannot create it',
    options => ['--guest-config', 'cpus="1"'],
    end     => 'failed',
    check   => sub {
        my (undef, undef, undef, $xl) = @_;
        like $xl, qr/console tty: timed out/, 'xenconsoled could not map the console ring';
    },
    };

done_testing;
