#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# The kernel as a domU, started by xl in a Linux dom0: small, odd and large, with room to grow,
# with holes inside its memory, and as a kernel of 2012, whose ramdisk and list are mapped with it.
# Without this only Xen's own domain builder would be known to be understood.

use strict;
use warnings;
use Test::More;

use FindBin;
use lib $FindBin::Bin, "$FindBin::Bin/../scripts";
use Host;
use Run;

my $dir     = tempdir;
my $ramdisk = write_file("$dir/ramdisk", join '', map { pack 'Q', $_ } 1 .. 100 << 17);

my $sum = ramdisk_sum($ramdisk);

sub of_size {
    my ($pages) = @_;
    return sub {
        my ($r, undef, $log) = @_;
        is $r->{kind},     'domU',     'a domU';
        is $r->{builder},  'libxenguest', 'built by libxenguest';
        is $r->{nr_pages}, $pages,     'of the right size';
        is $r->{renumbered}, 0,        'nothing lies in a hole';
        is $r->{beyond},   'missing',  'nothing lies beyond its memory';
        is $r->{list}{found}, 'slot',  'the list is where INIT_P2M asked for it';
        is $r->{list}{old_2m} + $r->{list}{old_1g}, 0, 'in pages of 4 KiB';
        like $log, qr/\AXenolith /, 'its first line is on its console';
    };
}

domus ['--host-mem', '8G'],
    tiny => {
    title   => '8 MiB',
    options => ['--mem', '8M'],
    check   => of_size(pages('8M')),
    },
    small => {
    title   => '64 MiB',
    options => ['--mem', '64M'],
    check   => of_size(pages('64M')),
    },
    odd => {
    title   => '2049 MiB: more than two tables of list, the last one hardly used',
    options => ['--mem', '2049M'],
    check   => of_size(pages('2049M')),
    },
    grow => {
    title   => '256 MiB with maxmem=1024: the list reaches to what may come',
    options => ['--mem', '256M', '--maxmem', '1024M'],
    check   => sub {
        my ($r) = @_;
        is $r->{nr_pages}, pages('256M'), 'begins with 256 MiB';
        is $r->{max_pfn}, pages('1024M'), 'has a list for 1024 MiB';
        },
    },
    holes => {
    title   => '4 GiB with e820_host=1 on a host of 8 GiB: holes inside its memory',
    options => ['--mem', '4G', '--guest-config', 'e820_host=1'],
    check   => sub {
        my ($r) = @_;
        cmp_ok $r->{renumbered}, '>', 0, 'frames in holes are renumbered';
        ok +(grep { $_->[2] eq 'identity' && $_->[1] <= pages('4G') } @{$r->{ranges}}),
            'a hole below 4 GiB is identity';
        is $r->{ranges}[0][2], 'ram', 'the first MiB is RAM';
        },
    },
    vcpus => {
    title   => 'two vCPUs',
    options => ['--mem', '64M', '--vcpus', '2'],
    check   => sub {
        my ($r, undef, $log) = @_;
        is $r->{vcpus}, 2, 'both are seen';
        like $log, qr/^host: 2 vCPUs; the kernel runs on vCPU 0/m, 'and it is said what for';
        like $log, qr/^ok \d+ - second_vcpu: (?!.*# SKIP)/m, 'the second one sweeps beside the first';
        },
    },
    ramdisk => {
    title   => 'a ramdisk of 100 MiB, by PFN',
    options => ['--mem', '256M', '--initrd', $ramdisk],
    check   => sub {
        my (undef, $reports) = @_;
        is $reports->{ramdisk}{sum}, $sum, 'is what it was';
        },
    },
    legacy => {
    title   => 'the legacy image with a ramdisk of 100 MiB: ramdisk and list behind the kernel',
    options => ['--kernel', kernel . '-legacy', '--mem', '256M', '--initrd', $ramdisk],
    check   => sub {
        my ($r, $reports) = @_;
        is $r->{list}{found}, 'kernel mapping', 'the list was in the kernel mapping';
        is $reports->{ramdisk}{sum}, $sum, 'the ramdisk is what it was';
        cmp_ok $r->{teardown_pages}, '<', 2048, 'and was not taken for free memory';
        },
    },
    scattered => {
    title   => '64 small holes in 8 MiB',
    options => ['--mem', '8M', '--args', 'inject=map:holes:64'],
    check   => sub {
        my ($r) = @_;
        is $r->{renumbered}, 64, 'each takes a frame to another number';
        },
    },
    over_kernel => {
    title   => 'a hole over the kernel itself',
    options => ['--mem', '64M', '--args', 'inject=map:image'],
    check   => sub { cmp_ok $_[0]->{renumbered}, '>', 20, 'all of it is renumbered' },
    },
    over_list => {
    title   => 'a hole over the list, legacy image',
    options =>
        ['--kernel', kernel . '-legacy', '--mem', '64M', '--args', 'inject=map:list'],
    check => sub { is $_[0]->{renumbered}, 32, 'all of it is renumbered' },
    },
    panic => {
    title   => 'start_info that is none is a crash with a sentence',
    options => ['--mem', '64M', '--args', 'inject=magic'],
    end     => 'crash',
    check   => sub {
        like $_[2], qr/^Bail out! start_info\.magic is "nen-3\.0-x86_64", expected "xen-/m,
            'on its console';
        },
    },
    trap => {
    title   => 'a trap in early boot is a crash with registers',
    options => ['--mem', '64M', '--args', 'inject=trap'],
    end     => 'crash',
    check   => sub { like $_[2], qr/^trap: vector 14, .*\nrax /m, 'on its console' },
    },
    hang => {
    title   => 'a hang ends by itself',
    options => ['--mem', '64M', '--args', 'inject=hang', '--timeout', '40'],
    end     => 'watchdog',
    },
    large => {
    title   => 'p2m=tree, and the few pages that xl lets a guest grow by itself',
    options => ['--mem', '128M', '--maxmem', '512M', '--args', 'p2m=tree balloon=max'],
    check   => sub { cmp_ok $_[0]->{ballooned}, '>', 0, 'it grew' },
    };

# The ring is full after two thirds of the log; who waits for its reader waits for ever. xl itself
# waits for xenconsoled, so the guest is made first and run when nobody reads any more.
subtest 'a console that nobody reads' => sub {
    my $config = "name=\"mute\"\nkernel=\"/job/xenolith\"\nmemory=64\n";
    $config .= "on_$_=\"preserve\"\n" for qw(poweroff crash watchdog);
    write_file("$dir/guest.cfg", $config);
    write_file("$dir/job",       <<'END');
xl create -p /job/guest.cfg
kill -STOP $(pidof xenconsoled)
xl unpause mute
for i in $(seq 300); do
    [ "$(domu_column mute)" = - ] || break
    sleep 0.1
done
domu_column mute >/out/reason
END
    symlink kernel, "$dir/xenolith" or die $!;
    my ($code, undef, $err) = run(script('dom0'), '--quiet', '--out', "$dir/mute", "$dir/job",
        "$dir/guest.cfg", "$dir/xenolith");
    is $code, 0, 'the job ran' or diag $err;
    is read_file("$dir/mute/reason"), "0\n", 'it went on, and came to its end: poweroff';
};

done_testing;
