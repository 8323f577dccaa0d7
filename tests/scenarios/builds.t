#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# Unusual builds of Xen 4.17, with assertions: without grant tables and shadow paging, and with XSM/FLASK,
# which enforces Xen's default policy. What such a Xen does not have or denies is no fault: the tests
# that need it are skipped with that reason, and all others run. Without this test the kernel would
# call these builds broken, or stop at a denied hypercall.

use strict;
use warnings;
use Test::More;

use FindBin;
use lib $FindBin::Bin, "$FindBin::Bin/../scripts";
use Host;
use Run;

# The names of the self-tests that are skipped with a reason that matches
sub skipped {
    my ($log, $reason) = @_;
    return [sort $log =~ /^ok \d+ - (\w+): .* # SKIP $reason/mg];
}

# The self-tests that grant pages
my @grants = sort qw(foreign_l1tf foreign_m2p foreign_rights unpopulated_show), map { "grant_$_" }
    qw(bad_domain batch copy copy_refused deferred end ended guards map_free readonly self table table_full
    table_reserved unmap);

boots 'dom0 without grant tables and shadow paging', ['--xen', '4.17-minimal', '--', 'test=all,full'], sub {
    my $log = $_[2];
    like $log, qr/^warning: grants: this domain has no grant table \(ENOSYS\): it cannot grant pages$/m,
        'the kernel says that it has no grant table';
    is_deeply skipped($log, 'Xen gives this domain no grant table'), \@grants,
        'the self-tests that grant pages are skipped, and no others for that reason';
};

# denied(LOG): what the access vector cache denied: permission and class, and by another way the rest
sub denied {
    my ($log) = @_;
    my %denied = map { $_ => 1 } $log =~ /avc:  denied  (\{ [\w ]+ \}) .* tclass=\w+/g,
        map { "state $_" } $log =~ /FLASK: Denying unknown event channel state: (\d+)/g;
    return [sort keys %denied];
}

sub check_flask {
    my ($log, @denied) = @_;
    like $log, qr/^host: XSM\/FLASK enforces a policy, which may deny hypercalls \(EPERM, EACCES\)$/m,
        'the kernel says that a policy is in force';
    is_deeply skipped($log, 'XSM/FLASK denies XENMEM_set_memory_map \(EACCES\)'), ['e820_fuzz'],
        'only e820_fuzz is skipped because of the policy';
    is_deeply denied($log), [sort 'state 0', 'state 1', '{ memorymap }', '{ status }', @denied],
        'the policy denies what docs/abi.md says, and nothing else';
    return;
}

my @flask = ('--xen', '4.17-flask', '--xen-args', 'flask=enforcing');
boots 'dom0 with XSM/FLASK', [@flask, '--', 'test=all,full'],
    sub { check_flask($_[2], '{ map_write }', '{ target_hack }') };

my $dir = tempdir;
my @domu = ('--as', 'domU', @flask, '--host-log', "$dir/host");
my @of_xen = ('{ map_read map_write }', '{ map_read }');
boots 'domU with XSM/FLASK', [@domu], sub { check_flask($_[2], @of_xen) };
boots 'domU with XSM/FLASK and the label isolated_domU_t',
    [@domu, '--guest-config', 'seclabel="system_u:system_r:isolated_domU_t"'], sub {
        check_flask($_[2], @of_xen);
        like $_[2], qr/scontext=system_u:system_r:isolated_domU_t /, 'the domain has this label';
    };

done_testing;
