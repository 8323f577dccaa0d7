#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# The tests of Xen's interface to a PV guest (tests/guest/abi_*.c, e820_fuzz.c, second_vcpu.c). Each
# of them may skip itself where it cannot be made; without this one could do so everywhere, and
# nobody would know that it never ran.

use strict;
use warnings;
use Test::More;

use FindBin;
use lib $FindBin::Bin;
use Host;

# All that a dom0 can make on any host.
my @EVERYWHERE = qw(
    abi_bad_ports abi_callbacks abi_extents abi_foreign_frame abi_gdt abi_l1tf abi_linear
    abi_m2p_owner abi_m2p_readonly abi_masked abi_multicall abi_numbers abi_page_faults abi_partial
    abi_pointers abi_ports abi_preemption abi_readonly abi_superpage abi_table_types abi_trap_table
    abi_traps abi_zero e820_fuzz
);

# The names of the tests that were made, in the order of the console; and of those skipped.
sub made    { return $_[0] =~ /^ok \d+ - (\w+): (?!.*# SKIP)/mg }
sub skipped { return $_[0] =~ /^ok \d+ - (\w+): .*# SKIP/mg }

sub is_about_xen { return grep { /^abi_|^e820_fuzz$|^second_vcpu$/ } @_ }

my $list = join ',', @EVERYWHERE, 'second_vcpu', 'full';

boots 'a dom0 of one vCPU', ['--mem', '256M', '--', "test=$list"], sub {
    my (undef, undef, $log) = @_;
    is_deeply [is_about_xen(made($log))], [sort @EVERYWHERE], 'all that need no second vCPU ran';
    is_deeply [skipped($log)], ['second_vcpu'], 'which is the only one that was skipped';
    like $log, qr/second_vcpu: .*# SKIP the domain has one vCPU$/m, 'and says why';
    like $log, qr/^# e820_fuzz: seed=[1-9]\d{0,8}: 1000 maps /m, 'a thousand maps, of a seed';
    unlike $log, qr/^# abi_preemption: memory for /m, 'the large batch is as large as it should be';
};

boots 'a dom0 of two vCPUs', ['--mem', '256M', '--smp', '2', '--', 'test=full'], sub {
    my ($r, undef, $log) = @_;
    is $r->{vcpus}, 2, 'there are two';
    is_deeply [is_about_xen(made($log))], [sort @EVERYWHERE, 'second_vcpu'], 'all of them ran';
    is_deeply [is_about_xen(skipped($log))], [], 'none was skipped';
};

# The same seed makes the same maps; what became of them is in the line.
sub fuzz_of {
    my ($seed) = @_;
    my $line = '';
    boots "seed=$seed", ['--mem', '64M', '--', 'test=e820_fuzz', "seed=$seed"], sub {
        ($line) = $_[2] =~ /^# e820_fuzz: (.*)/m;
        like $line // '', qr/^seed=$seed: /, 'is the seed that is said';
    };
    return $line;
}

my $first = fuzz_of(7);
is fuzz_of(7), $first, 'the same seed makes the same maps';
isnt fuzz_of(8) =~ s/^seed=8/seed=7/r, $first, 'and another one others';

done_testing;
