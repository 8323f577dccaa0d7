#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# Processors without the NX bit, on which Xen prints a warning and goes on. The kernel must boot, say
# once that data can be executed, and skip exactly the self-tests that need the bit. And Xen's option
# pv-l1tf=, for processors with L1TF: Xen ends a dom0 that writes what the self-test abi_l1tf writes,
# so that test must not run unasked. Without this test each page-table entry of the kernel could have
# a bit that Xen refuses, or a self-test could end the domain, which then has no result.

use strict;
use warnings;
use Test::More;

use FindBin;
use lib $FindBin::Bin, "$FindBin::Bin/../scripts";
use Host;
use Run;

my @skipped = qw(abi_page_faults data_no_exec foreign_rights page_rights);

for my $version (xen, '4.14', '4.20') {
    my ($code, undef, $err) = run(script('fetch/xen'), 'hypervisor', $version);
    SKIP: {
        skip $err, 1 if $code == 3;
        subtest "Xen $version" => sub { on_xen($version) };
    }
}

sub on_xen {
    my ($version) = @_;
    for my $cpu ('max,-nx', 'Nehalem,-nx') {
        boots "-cpu $cpu", ['--xen', $version, '--mem', '64M', '--cpu', $cpu], sub {
            my (undef, undef, $log) = @_;
            my @said = $log =~ /^(warning: protect: .*)$/mg;
            is_deeply \@said,
                ['warning: protect: CPUID 0x80000001 has no NX bit: data can be executed in this domain'],
                'the kernel says once that the CPU has no NX bit';
            is_deeply [$log =~ /^ok \d+ - (\w+): .*# SKIP this CPU has no NX bit/mg], \@skipped,
                'the self-tests that need NX are skipped, and no others';
        };
    }
    for my $option ('pv-l1tf=dom0', 'pv-l1tf=true') {
        boots $option, ['--xen', $version, '--mem', '64M', '--xen-args', $option], sub {
            like $_[2], qr/^ok \d+ - abi_l1tf: .*# SKIP abi_l1tf would end a dom0 of a Xen with pv-l1tf=dom0/m,
                'abi_l1tf is skipped, with the reason';
        };
    }
    boots 'test=abi_l1tf', ['--xen', $version, '--mem', '64M', '--', 'test=abi_l1tf'], sub {
        unlike $_[2], qr/# SKIP/, 'abi_l1tf runs if test= names it';
    };
    return;
}

done_testing;
