# SPDX-License-Identifier: MIT
#
# What the benchmarks share: a boot that counts instructions, the versions that a result depends on,
# and the table of results.

package Bench;

use strict;
use warnings;
use Exporter 'import';
use FindBin;
use lib "$FindBin::RealBin/../scripts/host";
use File::Basename 'basename';
use JSON::PP;

use Machine;
use Options;

our @EXPORT = qw(counting counted_boot versions keep_rows);

$Machine::me = 'bench/' . basename($0);

# counting(CPU): options of a host whose clocks start at a fixed time and count instructions, so that
# Xen's timers do the same. QEMU 10 stops with "Bad icount read" when Xen uses an x2APIC.
sub counting {
    my ($cpu) = @_;
    return ('--cpu', "$cpu,phys-bits=46,-x2apic", '--qemu-args',
        '-icount shift=0,sleep=off -rtc base=2020-01-01,clock=vm');
}

# counted_boot(OPTION, [SCRIPTS/BOOT ARGUMENT...], [KERNEL ARGUMENT...]): boots a dom0 under QEMU's
# -icount, and returns the reports by name. Without all of the reports that the caller names, the program
# says why, and the result is empty.
sub counted_boot {
    my ($option, $boot, $kernel, @wanted) = @_;
    my $json = tmp() . '/json';
    my ($code, @said) = run(merged(
        top() . '/scripts/boot', '--quiet', '--json', $json, @$boot, '--xen', $option->{xen}, '--timeout', $option->{timeout},
        counting('max'), $option->{kernel}, '--', 'loglevel=error', 'test=start_info', @$kernel
    ));
    my %report = map { $_->{report} => $_ } map { decode_json($_) } lines_of($json);
    return \%report if !$code && !grep { !$report{$_} } @wanted;
    print STDERR map { "$_\n" } @said;
    say("scripts/boot @$boot: expected exit code 0 and the reports @wanted, found exit code $code and the reports: "
        . (join(' ', sort keys %report) || 'none'));
    return;
}

# The part of a command's output that $pattern matches, or 'unknown'.
sub found {
    my ($pattern, @command) = @_;
    my ($code, @lines) = run(@command);
    return $code == 0 && join("\n", @lines) =~ $pattern ? $1 : 'unknown';
}

# versions(KERNEL): of the programs that made and ran the kernel; the last is that of this tree.
sub versions {
    my ($kernel) = @_;
    return (
        found(qr/version (\S+)/, qw(qemu-system-x86_64 --version)),
        found(qr/DW_AT_producer.*\): ((?:GNU C\d*|\S.*?version) [\d.]+)/, qw(readelf --debug-dump=info), $kernel),
        found(qr/^(\S+)/, 'git', '-C', top(), qw(describe --always --tags --dirty)),
    );
}

# keep_rows(FILE, COLUMNS, NEW, IS_OLD, ORDER): writes the rows NEW to a table, in place of the rows for
# which IS_OLD is true, sorted by ORDER.
sub keep_rows {
    my ($path, $columns, $new, $is_old, $order) = @_;
    my (undef, @lines) = lines_of($path);
    my @rows = @$new;
    for my $line (@lines) {
        my %row;
        @row{@$columns} = split /\t/, $line, -1;
        push @rows, \%row if !$is_old->(\%row);
    }
    my $file = writable($path);
    print $file map { join("\t", @$_) . "\n" } $columns, map { [@$_{@$columns}] } sort { $order->($a, $b) } @rows;
    return;
}

1;
