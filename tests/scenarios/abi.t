#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# The self-tests of Xen's interface to a PV guest (tests/guest/abi_*.c, e820_fuzz.c, second_vcpu.c).
# A self-test skips itself on a host where it cannot run. The self-tests that ran are compared with
# the list of those that must run here. Without this test a self-test could be skipped on all hosts
# unnoticed.

use strict;
use warnings;
use Test::More;

use FindBin;
use lib $FindBin::Bin, "$FindBin::Bin/../scripts";
use Host;
use Run;

# The self-tests that a dom0 of one vCPU can run on any host.
my @EVERYWHERE = qw(
    abi_bad_bind abi_bad_callbacks abi_bad_gdt abi_bad_ports abi_callbacks abi_exchange abi_extents
    abi_gdt abi_l1tf abi_linear abi_m2p_end abi_m2p_owner abi_m2p_readonly abi_masked abi_mmu_command
    abi_multicall abi_multicall_preemption abi_no_vcpu abi_numbers abi_page_faults abi_partial
    abi_pdone abi_pointers abi_ports abi_preemption abi_readonly abi_superpage abi_table_stores
    abi_table_types abi_trap_table abi_traps abi_xen_frame abi_zero e820_fuzz
);
my @SECOND_VCPU = qw(abi_bad_vcpu second_vcpu);
# All self-tests, in the order in which they run, and those that skip themselves in a dom0 of two vCPUs: they need a
# domU, or must be named, or need a ramdisk, or a domain that has all its frames.
my @ALL = sort map { read_file($_) =~ /^TEST(?:_RULE)?\(\s*(\w+),/mg } glob "$FindBin::Bin/../guest/{,*/}*.c";
my @SKIPPED = qw(abi_foreign_frame abi_l1tf abi_ramdisk abi_reservation_max);

# The names of the self-tests that ran, and of those that were skipped, in the order of the console.
sub ran     { return $_[0] =~ /^ok \d+ - (\w+): (?!.*# SKIP)/mg }
sub skipped { return $_[0] =~ /^ok \d+ - (\w+): .*# SKIP/mg }

sub is_about_xen { return grep { /^abi_|^e820_fuzz$|^second_vcpu$/ } @_ }

my $list = join ',', @EVERYWHERE, @SECOND_VCPU, 'full';

boots 'a dom0 of one vCPU', ['--mem', '256M', '--', "test=$list"], sub {
    my (undef, undef, $log) = @_;
    is_deeply [is_about_xen(ran($log))], [sort @EVERYWHERE],
        'all self-tests of the Xen interface that need no second vCPU ran';
    is_deeply [skipped($log)], \@SECOND_VCPU, 'only the self-tests that need a second vCPU are skipped';
    like $log, qr/$_: .*# SKIP this domain has one vCPU, the test needs two$/m, "$_ names the reason of the skip: one vCPU"
        for @SECOND_VCPU;
    like $log, qr/^# e820_fuzz: seed=[1-9]\d{0,8}: 1000 maps /m,
        'e820_fuzz prints its seed and its number of maps: 1000';
    unlike $log, qr/^# abi_\w*preemption: free memory allows/m,
        'the preemption tests had memory for their large batch';
};

boots 'a dom0 of two vCPUs', ['--mem', '256M', '--smp', '2', '--', 'test=full'], sub {
    my ($r, undef, $log) = @_;
    is $r->{vcpus}, 2, 'the domain has two vCPUs';
    my %skipped = map { $_ => 1 } @SKIPPED;
    is_deeply [is_about_xen(ran($log))], [grep { !$skipped{$_} } is_about_xen(@ALL)],
        'all self-tests of the Xen interface that a dom0 can run unasked ran';
    is_deeply [is_about_xen(skipped($log))], \@SKIPPED, 'only the self-tests that a dom0 of two vCPUs cannot run are skipped: ' . join ', ', @SKIPPED;
};

# Runs e820_fuzz with a seed, and returns its line, which sums up the results of all maps.
sub fuzz_of {
    my ($seed) = @_;
    my $line = '';
    boots "e820_fuzz with seed=$seed", ['--mem', '64M', '--', 'test=e820_fuzz', "seed=$seed"], sub {
        ($line) = $_[2] =~ /^# e820_fuzz: (.*)/m;
        like $line // '', qr/^seed=$seed: /, "e820_fuzz prints its seed: $seed";
    };
    return $line;
}

my $first = fuzz_of(7);
is fuzz_of(7), $first, 'e820_fuzz: two runs with seed=7 have the same results';
isnt fuzz_of(8) =~ s/^seed=8/seed=7/r, $first,
    'e820_fuzz: runs with seed=8 and seed=7 have different results';

done_testing;
