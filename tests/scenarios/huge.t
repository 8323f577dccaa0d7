#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# Domains as large as QEMU can make a host for them, past 512 GiB and 1 TiB: a dom0 of a whole
# host, the image that such a host must refuse, a dom0 nearly all of whose frames lie in a hole, and
# a domU. Without this only arithmetic would say that nothing in the kernel ends at some power of
# two. Memory is made only where it is touched, which is 13 GiB of it: one host at a time.

use strict;
use warnings;
use Test::More;

use FindBin;
use lib $FindBin::Bin;
use Host;

# Machine addresses of 40 bits, as QEMU has them by itself, end at 1 TiB.
my @host_700  = ('--host-mem', '700G',  '--cpu', 'max,phys-bits=46');
my @host_1050 = ('--host-mem', '1050G', '--cpu');
my $tib       = pages('1024G');

# Xen keeps a hundredth of a host: 40 bytes of its own for each page.
sub takes_all_of {
    my ($r, $size) = @_;
    cmp_ok $r->{nr_pages}, '>',  0.986 * pages($size), 'of all that Xen left';
    cmp_ok $r->{nr_pages}, '<',  pages($size),         'which is not more than there is';
    cmp_ok $r->{max_pages}, '>', pages($size),         'and no limit is named';
    return;
}

# The first range of RAM from $start on: [start, end).
sub ram_from {
    my ($r, $start) = @_;
    my ($range) = grep { $_->[2] eq 'ram' && $_->[0] >= $start } @{$r->{ranges}};
    return @{$range // [0, 0]};
}

boots 'dom0 of all of 700 GiB', [@host_700], sub {
    my ($r, undef, $log) = @_;
    takes_all_of($r, '700G');
    is $r->{list}{old_1g}, 1, 'the list began with a page of 1 GiB';
    has_list_alone($r, $log);
};

# Xen maps the list of such a kernel in the 2 GiB above its VIRT_BASE.
boot_fails 'the legacy image as such a dom0: its list has no place', 6,
    ['--kernel', kernel . '-legacy', @host_700],
    qr/^\(XEN\) Panic on CPU 0:\n\(XEN\) Not enough RAM for domain 0 allocation/m,
    qr/crash: Xen says: Panic on CPU 0/;

boots 'dom0 of all of 1050 GiB, RAM contiguous from 4 GiB past 1 TiB',
    [@host_1050, 'max,phys-bits=46,vendor=GenuineIntel', '--timeout', 400], sub {
    my ($r, undef, $log) = @_;
    my ($start, $end) = ram_from($r, pages('3G'));
    takes_all_of($r, '1050G');
    is $start, pages('4G'), 'RAM begins again at 4 GiB';
    cmp_ok $end, '>', $tib, 'and ends past 1 TiB';
    cmp_ok $r->{max_pfn}, '>', $tib, 'as does the list';
    cmp_ok $r->{renumbered}, '<', pages('2G'), 'what lies in the hole below 4 GiB is renumbered';
    is $r->{list}{old_1g}, 2, 'the list began with two pages of 1 GiB';
    has_list_alone($r, $log);
    };

# Long work says how far it is, once a second at most, and counts up.
sub counts_up {
    my ($log, $total) = @_;
    my @done = $log =~ /^renumber: (\d+) of $total frames$/mg;
    cmp_ok scalar(@done), '>=', 10, 'renumbering says how far it is';
    is_deeply \@done, [sort { $a <=> $b } @done], 'and counts up';
    cmp_ok $done[-1] // 0, '<', $total, 'as long as it is not done';
    return;
}

# QEMU keeps the last 12 GiB below 1 TiB free, as AMD's machines do, by moving RAM: all that does
# not fit below 4 GiB lies past 1 TiB. With -icount the TSC counts instructions, ours and Xen's.
my @icount = ('--qemu-args', '-icount shift=0,sleep=off -rtc base=2020-01-01,clock=vm');
boots 'dom0 of all of 1050 GiB, RAM below 3 GiB and past 1 TiB',
    [@host_1050, 'max,phys-bits=46', @icount, '--timeout', 1500], sub {
    my ($r, undef, $log) = @_;
    my $list  = $r->{list};
    my $ticks = $r->{ticks}{renumber} - $r->{ticks}{revector};
    takes_all_of($r, '1050G');
    is +(ram_from($r, pages('3G')))[0], $tib, 'RAM begins again at 1 TiB';
    cmp_ok $r->{renumbered}, '>', 260e6, 'all frames but those of 3 GiB are renumbered';
    cmp_ok $ticks / $r->{renumbered}, '<=', 250, 'with 250 instructions for each';
    counts_up($log, $r->{renumbered});
    cmp_ok $list->{shared_pages}, '>=', ($tib - pages('3G')) / 512 - 1, 'a hole of 1021 GiB';
    cmp_ok $list->{new_pages}, '<', pages('32G') / 512, 'takes no page of the list';
    has_list_alone($r, $log);
    };

# It stays after its end (on_poweroff="preserve"), and QEMU ends with it still there: to destroy it
# would be to scrub it, and scrubbing makes its memory real.
domus [
    '--host-mem', '700G', '--dom0-mem', '6144M', '--cpu', 'max,-smap,-smep,phys-bits=46'
    ],
    huge => {
    title   => 'domU of 600 GiB',
    options => ['--mem', '600G', '--timeout', 400],
    check   => sub {
        my ($r, undef, $log) = @_;
        is $r->{kind},        'domU',        'a domU';
        is $r->{nr_pages},    pages('600G'), 'of 600 GiB';
        is $r->{max_pfn},     pages('600G'), 'with a list for as much';
        is $r->{renumbered},  0,             'nothing lies in a hole';
        is $r->{list}{found}, 'slot',        'the list is where INIT_P2M asked for it';
        has_list_alone($r, $log);
    },
    };

done_testing;
