#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# Live migration between two hosts: two machines in QEMU, connected by a network card each, and xl over
# dropbear. A guest goes from the first host to the second one and back. Without this test only migration to
# the same host would be tested, where the frames that Xen gives the guest are as many, and in the same places.
#
# The test needs a debug build of Xen: Debian's build cannot migrate a PV guest, since it lacks shadow page
# tables, which find the dirty pages.

use strict;
use warnings;
use IO::Socket::INET;
use Test::More;

BEGIN { $ENV{XENOLITH_XEN} //= '4.17-debug' }

use FindBin;
use lib $FindBin::Bin, "$FindBin::Bin/../scripts";
use Host;
use Life;
use Run;

my $dir = tempdir;
system('ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', "$dir/key") == 0 or die 'ssh-keygen failed';
my @archives = map { my (undef, $path) = run(script('fetch/xen'), $_); $path =~ s/\n//r } qw(net dropbear);

# The cable: each QEMU sends what its card sends to the UDP port of the other one, whichever of them starts first.
my @ports = map { $_->sockport } my @free = map { IO::Socket::INET->new(Proto => 'udp', LocalAddr => '127.0.0.1') } 0, 1;
close $_ for @free;

# host(NUMBER, MEMORY): options of scripts/host/dom0
sub host {
    my ($number, $memory) = @_;
    my ($here, $there) = @ports[$number, 1 - $number];
    return ['--xen', xen, '--host-mem', $memory, '--qemu-args',
        "-netdev socket,id=n0,udp=127.0.0.1:$there,localaddr=127.0.0.1:$here " .
        "-device virtio-net-pci,netdev=n0,mac=52:54:00:00:00:0$number,romfile="];
}

life_between_hosts guest => {
    title  => '32 MiB: live migration to another host and back',
    memory => 32,
    args   => 'pattern_pages=4000',
    hosts  => [
        ['the host of the guest', host(0, '4G'), ['enter_network', '10.0.3.1'], ['create'], ['counts'],
            ['migrate_to', '10.0.3.2'], ['arrives'], ['counts'], ['mem_set', 20], ['save_restore'], ['shutdown']],
        ['the other host', host(1, '3G'), ['enter_network', '10.0.3.2'], ['arrives'], ['counts'], ['mem_set', 20],
            ['tests'], ['mem_set', 32], ['migrate_to', '10.0.3.1']],
    ],
}, "$FindBin::Bin/network.sh", "$dir/key", "$dir/key.pub", @archives;

done_testing;
