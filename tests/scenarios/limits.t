#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# Hosts and domains with small limits or unusual rights: no memory is left in Xen, no grant mapping
# may be recorded, a domain has few event channels, the right to a device, a memory map that is
# smaller than its memory, a xenstore directory that it may not write to, or small quotas in
# xenstored. A limit is no fault: the tests that need more are skipped with that reason, and all
# others run. Without this test the kernel would call such a host or toolstack broken.

use strict;
use warnings;
use Test::More;

use FindBin;
use lib $FindBin::Bin, "$FindBin::Bin/../scripts";
use Host;
use Run;

my $dir = tempdir;

# Self-tests that map grants.
my @grants = qw(foreign_l1tf foreign_m2p foreign_rights grant_batch grant_deferred grant_end grant_self grant_unmap
    unpopulated_show);

# skipped(LOG, REASON, TEST...): these self-tests, and no others, are skipped with a reason that matches.
sub skipped {
    my ($log, $reason, @tests) = @_;
    my %found = map { $_ => 1 } $log =~ /^ok \d+ - (\w+): .* # SKIP $reason/mg;
    is_deeply [sort keys %found], [sort @tests], "self-tests that are skipped with the reason \"$reason\"";
    return;
}

sub not_skipped {
    my ($log, @tests) = @_;
    like $log, qr/^ok \d+ - $_: (?!.*# SKIP)/m, "self-test $_ is not skipped" for @tests;
    return;
}

# balloon=max takes what Xen has, less 2048 pages, also where that is little.
for my $case (['512M', '64M', 2048], ['512M', undef, 2048], ['1G', undef, 2048]) {
    my ($host, $mem, $back) = @$case;
    boots "balloon=max on a host of $host, dom0_mem=" . ($mem // 'default'),
        ['--host-mem', $host, $mem ? ('--mem', $mem) : (), '--', 'balloon=max test=all,full'], sub {
        my (undef, undef, $log) = @_;
        like $log, qr/^balloon: this domain grew by \d+ pages to \d+ pages: Xen allocates no more pages$/m,
            'Xen has no more pages';
        like $log, qr/^balloon: $back more pages were taken and given back: /m, "$back pages were given back";
        not_skipped($log, @grants, qw(abi_ports e820_fuzz grant_table_full accounting));
        };
}

my $no_maptrack = 'Xen cannot record a grant mapping \(GNTST_no_space\)';
my @all_maps = (@grants, qw(grant_bad_domain grant_copy grant_copy_refused grant_ended grant_guards grant_map_free
    grant_readonly));
boots 'gnttab_max_maptrack_frames=0', ['--xen-args', 'gnttab_max_maptrack_frames=0'], sub {
    skipped($_[2], $no_maptrack, @all_maps);
    not_skipped($_[2], qw(grant_table accounting));
};
for my $version (1, 2) {
    boots "gnttab_max_frames=4000 grants=$version",
        ['--xen-args', 'gnttab_max_frames=4000', '--', "grants=$version test=all,full"],
        sub { not_skipped($_[2], @grants, 'grant_table_full') };
}
boots 'badpage=: frames that Xen does not use', ['--xen-args', 'badpage=0x1000-0x10ff,0x8000'];

# Guests of one Linux dom0: lines of xl's configuration file, and what must hold.
my @few_ports = qw(abi_bad_bind abi_bad_callbacks abi_bad_ports abi_callbacks abi_masked abi_ports events
    events_nested events_wait);
my %guests = (
    maptrack => {
        title  => 'max_maptrack_frames=0',
        config => ['max_maptrack_frames=0'],
        check  => sub { skipped($_[2], $no_maptrack, @all_maps) },
    },
    ports3 => {
        title  => 'max_event_channels=3: the kernel itself has all',
        config => ['max_event_channels=3'],
        check  => sub {
            skipped($_[2], 'Xen allows this domain only 3 event channels', @few_ports);
            not_skipped($_[2], @grants);
        },
    },
    ports6 => {
        title  => 'max_event_channels=6',
        config => ['max_event_channels=6'],
        check  => sub { not_skipped($_[2], @few_ports) },
    },
    frames => {
        title  => 'max_grant_frames=1',
        config => ['max_grant_frames=1'],
        args   => 'test=all,full',
        check  => sub { not_skipped($_[2], qw(grant_table grant_table_full)) },
    },
    ioports => {
        title  => 'ioports=: the right to I/O ports',
        config => ['ioports=["2f8-2ff"]'],
        check  => sub { not_skipped($_[2], 'foreign_machine_domu') },
    },
    iomem => {
        title  => 'iomem=: the right to a device frame',
        config => ['iomem=["fed00,1"]'],
        check  => sub { not_skipped($_[2], 'foreign_machine_domu') },
    },
    maxmem => {
        title  => 'memory=64 maxmem=32: the E820 map has RAM for half of the pages',
        maxmem => '32M',
        check  => sub {
            my ($r, undef, $log) = @_;
            is $r->{nr_pages}, pages('32M'), 'nr_pages is 32 MiB';
            like $log, qr/^warning: plan: 8192 of 16384 pages of this domain have no PFN in the RAM of the E820 map; 8192 of these pages were given to Xen$/m,
                'the kernel prints the number of pages without a PFN';
        },
    },
    data => {
        title => 'data/ of xenstore was made again by dom0',
        start => 'start_without_data',
        check => sub {
            skipped($_[2], 'xenstore refuses writes to data/test \(EACCES\)',
                qw(store store_conflict store_list store_transaction store_watch));
            not_skipped($_[2], 'store_errors');
        },
    },
    quota_watches => {
        title => 'xenstored: quota watches=1, which allows two watches',
        start => 'with_quota watches 1',
        check => sub {
            skipped($_[2], 'xenstored refuses a request: E2BIG: quota of this domain', 'store_watch');
            like $_[2], one_warning('cannot watch data/command in xenstore: -7 (E2BIG: quota of this domain in ' .
                    'xenstored); the node is read every 5 seconds'), 'one message names the quota';
        },
    },
    quota_nodes => {
        title => 'xenstored: quota nodes=1, which libxl alone exceeds',
        start => 'with_quota nodes 1',
        check => sub {
            skipped($_[2], 'xenstored refuses a request: ENOSPC: quota of this domain',
                qw(store store_conflict store_list store_transaction store_watch));
            like $_[2], one_warning('cannot read or create data/command in xenstore: -28 (ENOSPC: quota of this ' .
                    'domain in xenstored); commands need a node that this domain can read'),
                'one message names the quota';
        },
    },
    quota_size => {
        title => 'xenstored: quota node-size=300',
        start => 'with_quota node-size 300',
        check => sub { skipped($_[2], 'xenstored refuses a request: ENOSPC: quota of this domain', 'store') },
    },
    quota_control => {
        title => 'xenstored: quotas nodes=1 and watches=1: the guest obeys a command and xl shutdown',
        start => 'control_with_quota',
        end   => 'poweroff', # by xl shutdown, after its result
        args  => 'done=wait test=p2m',
        check => sub {
            like $_[2], qr/^pages: /m, 'the guest obeys the command stats';
            like $_[2], qr/^data\/command: the command "stats" is done$/m, 'and says that it is done';
        },
    },
    quota_memory => {
        title => 'xenstored: quota memory=1: xenstored reads no request, until the quota is raised',
        start => 'stalled_by_quota',
        end   => 'poweroff', # by xl shutdown, after its result
        args  => 'done=wait test=p2m',
        check => sub {
            like $_[2], one_warning('xenstored has not answered for 20 seconds', 'xenstore'),
                'one message says that xenstored does not answer';
            like $_[2], qr/^xenstore: xenstored answers again; /m, 'xenstored answers when the quota is raised';
        },
    },
);

# A text in which store.c, or another module, has one warning, and it is this one.
sub one_warning {
    my ($text, $module) = @_;
    $module //= 'store';
    return qr/\A(?!.*^warning: $module: .*^warning: $module: ).*^warning: $module: \Q$text\E$/ms;
}

my $job = <<'END';
has_ended() { [ "$(domu_column "$1")" != - ]; }

# Between creation and start of the guest, dom0 removes the directory data/ and makes another.
start_without_data() {
    local path
    : >"/out/$1.log"
    ln -sf "/out/$1.log" "/var/log/xen/console/guest-$1.log"
    xl create -p "$2" "name='$1'" >"/out/$1.xl" 2>&1
    path=/local/domain/$(xl domid "$1")/data
    xenstore-rm "$path" && xenstore-write "$path" '' && xl unpause "$1"
    domu_until 60 has_ended "$1" && domu_until 60 domu_is_quiet "$1"
    [ "$(domu_column "$1")" != 0 ] || echo poweroff >"/out/$1.end"
    xl destroy "$1"
}

# The quotas are those of xenstored for each domain.
quota() { xenstore-control quota "$@"; }

# with_quota QUOTA VALUE NAME CONFIG: run a guest while a quota has this value
with_quota() {
    local before
    before=$(quota | awk -v quota="$1" '$1 == quota { print $3 }')
    quota set "$1" "$2" && domu "$3" "$4"
    quota set "$1" "$before"
}

control_with_quota() {
    quota set nodes 1
    quota set watches 1
    domu_start "$1" create "$2"
    domu_says "$1" '^.\?Test result: '
    domu_command "$1" stats
    xl shutdown "$1"
    domu_ends "$1"
    quota set nodes 1000
    quota set watches 128
}

stalled_by_quota() {
    quota set memory 1
    domu_start "$1" create "$2"
    domu_says "$1" '^.\?Test result: ' 120
    quota set memory 2621440
    xl shutdown "$1"
    domu_ends "$1"
}

# The guest ends by itself: domu_end would destroy a guest that has printed its result.
domu_ends() {
    domu_until 60 domu_has_ended "$1"
    domu_end "$1"
    xl destroy "$1" >/dev/null 2>&1
}
END
for my $name (sort keys %guests) {
    my $guest = $guests{$name};
    write_file("$dir/$name.cfg", config_file({
        mem => '64M', maxmem => $guest->{maxmem}, args => $guest->{args} // '', guest_config => $guest->{config},
    }));
    $job .= ($guest->{start} // 'domu') . " $name /job/$name.cfg\n";
}
write_file("$dir/job", "${job}true\n");
symlink kernel, "$dir/xenolith" or die $!;
my ($code, undef, $err) = run(script('host/dom0'), '--quiet', '--xen', xen, '--out', "$dir/out", "$dir/job",
    "$dir/xenolith", map { "$dir/$_.cfg" } sort keys %guests);
is $code, 0, 'scripts/host/dom0 exits with 0: the job ran to its end' or diag $err;
Host::check_domu("$dir/out", $_, $guests{$_}) for sort keys %guests;

done_testing;
