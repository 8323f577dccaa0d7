#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# The kernel on a debug build of Xen, as dom0 and as a domU. Its assertions check page types and
# reference counts that a release build does not check, and it gives dom0 its frames in reverse order,
# so that consecutive PFNs have no consecutive MFNs. All self-tests must succeed there. Without this
# test the kernel could depend on what a release build happens to do. (make check-full runs all dom0
# scenarios on the debug build.)
#
# A debug Xen logs the requests that it refuses, and the self-tests provoke refusals. An engineer who
# works on Xen must still find the lines that tell something new. So all lines that Xen prints while
# a guest runs are counted, and the lines of a default run are compared with the table in
# docs/testing.md. Without this test a loop in a self-test could fill the log.

use strict;
use warnings;
use Test::More;

BEGIN { $ENV{XENOLITH_XEN} = '4.17-debug' }

use FindBin;
use lib $FindBin::Bin, "$FindBin::Bin/../scripts";
use Host;
use Run;

my $MOST_LINES = 220;

# The rows of the table in docs/testing.md: the forms of a line, and the number of lines of a dom0 and
# of a domU.
my @rows;
for (split /\n/, read_file(script('../docs/testing.md'))) {
    my ($form, $dom0, $domU) = /^\| (`[^|]*`) \| (\d+) \| (\d+) \|/ or next;
    my @forms = map { join '.*', map { quotemeta } split /\*/, $_, -1 } $form =~ /`(.*?)`/g;
    push @rows, {form => $form, dom0 => $dom0, domU => $domU, match => qr/^(?:@{[join '|', @forms]})/};
}

# The row of a line that names a vCPU of the guest. Other lines, such as those about Xen's clock, do
# not depend on the guest alone.
sub row_of {
    my ($line) = @_;
    my ($text) = $line =~ /^\(XEN\) (?:\S+:\d+:)?d\d+v\d+ (.*)$/ or return;
    my ($row) = grep { $text =~ $_->{match} } @rows;
    return $row // {form => $line, dom0 => 0, domU => 0};
}

# @lines are those of Xen's log between the start and the end of a guest. (dN) is the prefix of what a
# domU writes to Xen's console itself.
sub is_quiet {
    my ($kind, $has_table, @lines) = @_;
    @lines = grep { /^\((?:XEN|d\d+)\) / } map { s/\r//gr } @lines;
    my (%nr, %row);
    for my $line (@lines) {
        my $row = row_of($line);
        my $form = $row ? $row->{form} : $line;
        $nr{$form}++;
        $row{$form} = $row if $row;
    }
    cmp_ok scalar @lines, '<=', $MOST_LINES, "Xen printed at most $MOST_LINES lines while the guest ran" or do {
        my @forms = sort { $nr{$b} <=> $nr{$a} || $a cmp $b } keys %nr;
        diag map { "$nr{$_} lines: $_\n" } grep { defined } @forms[0 .. 9];
    };
    return if !$has_table;
    my %expected = map { $_->{form} => $_->{$kind} } @rows, values %row;
    is $nr{$_} // 0, $expected{$_}, "docs/testing.md has the number of lines of a $kind: $_" for sort keys %expected;
    return;
}

# From the first line of the kernel on: Xen's lines before it tell of the host.
sub dom0_is_quiet {
    my ($name, $has_table, $arguments) = @_;
    boots $name, $arguments, sub {
        my $log = $_[2];
        like $log, qr/^\(XEN\) Xen version .* debug=y/m, 'this Xen is a debug build';
        is_quiet('dom0', $has_table, split /\n/, $log =~ s/\A.*?^(?=Xenolith )//msr);
    };
    return;
}

cmp_ok scalar @rows, '>', 0, 'docs/testing.md has a table of the lines in the log of Xen';
dom0_is_quiet('dom0 of 1000001 KiB', 1, ['--host-mem', '2G', '--mem', '1000001K']);
dom0_is_quiet('dom0 of 6 GiB, across the hole below 4 GiB: all tests, two vCPUs', 0,
    ['--host-mem', '8G', '--mem', '6G', '--smp', '2', '--', 'test=full']);
dom0_is_quiet('dom0 of 1 GiB, most of it in a hole', 1,
    ['--host-mem', '4G', '--mem', '1G', '--machine', 'max-ram-below-4g=64M']);

my $dir = tempdir;
boots 'domU of 64 MiB', ['--as', 'domU', '--mem', '64M', '--host-log', "$dir/host"], sub {
    my $host = read_file("$dir/host");
    like $host, qr/^\(XEN\) Xen version .* debug=y/m, 'this Xen is a debug build';
    my ($lines) = $host =~ /^\@\@ begin guest\b.*?\n(.*)^\@\@ end guest/ms;
    ok defined $lines, 'the log of the host has the start and the end of the guest' or return;
    is_quiet('domU', 1, split /\n/, $lines);
};

done_testing;
