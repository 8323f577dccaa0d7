#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# Domains of more than 512 GiB and 1 TiB, as large as a host in QEMU can be: a dom0 of all the
# host's memory, the legacy image, which cannot be such a dom0, a dom0 nearly all of whose frames
# lie in a hole, and a domU. The page counts and the shape of the P2M list are compared with the
# size. Without this test a limit of the kernel at 512 GiB or 1 TiB, such as a type that is too
# narrow, would go unnoticed. QEMU allocates only the memory that is touched, 13 GiB: run one host
# at a time.

use strict;
use warnings;
use Test::More;

use FindBin;
use lib $FindBin::Bin;
use Host;

# By default QEMU's CPU has machine addresses of 40 bits, which end at 1 TiB.
my @host_700  = ('--host-mem', '700G',  '--cpu', 'max,phys-bits=46');
my @host_1050 = ('--host-mem', '1050G', '--cpu');
my $tib       = pages('1024G');

# Xen keeps about 1 % of the host's memory: 40 bytes of metadata for each page of 4 KiB.
sub takes_all_of {
    my ($r, $size) = @_;
    cmp_ok $r->{nr_pages}, '>',  0.986 * pages($size), "nr_pages is more than 98.6 % of $size";
    cmp_ok $r->{nr_pages}, '<',  pages($size),         "nr_pages is less than $size";
    cmp_ok $r->{max_pages}, '>', pages($size),         "max_pages is above $size: Xen sets no limit";
    return;
}

# Returns start and end of the first PFN range of kind RAM that starts at or after $start.
sub ram_from {
    my ($r, $start) = @_;
    my ($range) = grep { $_->[2] eq 'ram' && $_->[0] >= $start } @{$r->{ranges}};
    return @{$range // [0, 0]};
}

boots 'dom0 of all memory of a host of 700 GiB', [@host_700], sub {
    my ($r, undef, $log) = @_;
    takes_all_of($r, '700G');
    is $r->{list}{old_1g}, 1, 'the builder mapped the P2M list with one page of 1 GiB';
    has_list_alone($r, $log);
};

# For the legacy image Xen maps the P2M list in the 2 GiB above VIRT_BASE, where a list of this size
# does not fit.
boot_fails 'legacy image as dom0 of 700 GiB: Xen panics', 6,
    ['--kernel', kernel . '-legacy', @host_700],
    qr/^\(XEN\) Panic on CPU 0:\n\(XEN\) Not enough RAM for domain 0 allocation/m,
    qr/crash: Xen printed: Panic on CPU 0/;

boots 'dom0 of all memory of a host of 1050 GiB, RAM contiguous from 4 GiB past 1 TiB',
    [@host_1050, 'max,phys-bits=46,vendor=GenuineIntel', '--timeout', 400], sub {
    my ($r, undef, $log) = @_;
    my ($start, $end) = ram_from($r, pages('3G'));
    takes_all_of($r, '1050G');
    is $start, pages('4G'), 'the RAM range above 3 GiB starts at 4 GiB';
    cmp_ok $end, '>', $tib, 'the RAM range above 3 GiB ends past 1 TiB';
    cmp_ok $r->{max_pfn}, '>', $tib, 'max_pfn is above 1 TiB';
    cmp_ok $r->{renumbered}, '<', pages('2G'), 'fewer frames than 2 GiB are renumbered';
    is $r->{list}{old_1g}, 2, 'the builder mapped the P2M list with two pages of 1 GiB';
    has_list_alone($r, $log);
    };

# The kernel prints the progress of long work, at most once a second.
sub counts_up {
    my ($log, $total) = @_;
    my @done = $log =~ /^renumber: progress: (\d+) of $total frames$/mg;
    cmp_ok scalar(@done), '>=', 10, 'the kernel prints at least 10 lines of progress of the renumbering';
    is_deeply \@done, [sort { $a <=> $b } @done], 'the numbers of renumbered frames increase';
    cmp_ok $done[-1] // 0, '<', $total, "the last progress line is less than $total";
    return;
}

# For a CPU of AMD, QEMU keeps the last 12 GiB below 1 TiB free, as AMD's machines do: it places all
# RAM that does not fit below 4 GiB past 1 TiB. With -icount the TSC counts instructions, of the
# kernel and of Xen.
my @icount = ('--qemu-args', '-icount shift=0,sleep=off -rtc base=2020-01-01,clock=vm');
boots 'dom0 of all memory of a host of 1050 GiB, RAM below 3 GiB and past 1 TiB',
    [@host_1050, 'max,phys-bits=46,-x2apic', @icount, '--timeout', 1500], sub {
    my ($r, undef, $log) = @_;
    my $list  = $r->{list};
    my $ticks = $r->{ticks}{renumber} - $r->{ticks}{revector};
    takes_all_of($r, '1050G');
    is +(ram_from($r, pages('3G')))[0], $tib, 'the RAM range above 3 GiB starts at 1 TiB';
    cmp_ok $r->{renumbered}, '>', 260e6, 'more than 260 million frames are renumbered';
    cmp_ok $ticks / $r->{renumbered}, '<=', 250,
        'renumbering takes at most 250 instructions for each frame';
    counts_up($log, $r->{renumbered});
    cmp_ok $list->{shared_pages}, '>=', ($tib - pages('3G')) / 512 - 1,
        'leaves of the P2M list inside the hole of 1021 GiB share one page';
    cmp_ok $list->{new_pages}, '<', pages('32G') / 512,
        'the P2M list has fewer new pages than 32 GiB of PFNs need';
    has_list_alone($r, $log);
    };

# The domU stays after its end (on_poweroff="preserve"), and QEMU ends while it is still there: when
# a domain is destroyed, Xen scrubs its memory, and QEMU would have to allocate all of it.
domus [
    '--host-mem', '700G', '--dom0-mem', '6144M', '--cpu', 'max,-smap,-smep,phys-bits=46'
    ],
    huge => {
    title   => 'domU of 600 GiB',
    options => ['--mem', '600G', '--timeout', 400],
    check   => sub {
        my ($r, undef, $log) = @_;
        is $r->{kind},        'domU',        'kind of the domain is domU';
        is $r->{nr_pages},    pages('600G'), 'nr_pages is 600 GiB';
        is $r->{max_pfn},     pages('600G'), 'max_pfn is 600 GiB';
        is $r->{renumbered},  0,             'number of renumbered frames is 0';
        is $r->{list}{found}, 'slot',        'the P2M list is at the address of the note INIT_P2M';
        has_list_alone($r, $log);
    },
    };

done_testing;
