# SPDX-License-Identifier: MIT
#
# Boots the kernel once with each row of tests/options. A row passes if the outcome is the expected
# one. If Xen, xl or QEMU fails by itself where the kernel was expected to boot, the row is skipped with
# what that program said: the kernel has not been tried.

package Sweep;

use strict;
use warnings;
use Exporter 'import';
use Test::More;

use FindBin;
use lib "$FindBin::Bin/..", "$FindBin::Bin/../../scripts";
use Host;
use Run;

our @EXPORT = qw(sweep_boots sweep_guests);

# The arguments of scripts/boot for a row. A boot takes three seconds of processor time; on some CPUs Xen hangs.
my @small = qw(--timeout 60 --host-mem 1G --mem 512M);
my %boot  = (
    xen      => sub { (@small, qw(--smp 2 --xen-args), $_[0]) },
    smp      => sub { (@small, qw(--cpu max,vendor=GenuineIntel), '--qemu-args', '-smp 2,cores=1,threads=2', '--xen-args', $_[0]) },
    dom0_mem => sub { (qw(--host-mem 1G --xen-args), $_[0]) },
    cpu      => sub { (@small, '--cpu', $_[0]) },
    domu     => sub { (qw(--as domU --mem 64M --xen-args), $_[0]) },
);

# The rows of tests/options for these places
sub rows {
    my %wanted = map { $_ => 1 } @_;
    my @rows;
    for my $line (split /\n/, read_file(script('../tests/options'))) {
        next if $line =~ /^(?:#|$)/;
        my ($where, $option, $expected, $text) = split /\s{2,}/, $line, 4;
        push @rows, {where => $where, option => $option, expected => $expected, text => $text // ''} if $wanted{$where};
    }
    return @rows;
}

# sweep_boots(WHERE, ...): one boot for each row.
sub sweep_boots {
    for my $row (rows(@_)) {
        my ($code, $log, $err) = boot_code([$boot{$row->{where}}->($row->{option})]);
        judge($row, "$row->{where}: $row->{option}", $code, $log, $err);
    }
    return;
}

# sweep_guests: all rows "xl", in one Linux dom0.
sub sweep_guests {
    my $dir  = tempdir;
    my @rows = rows('xl');
    my @guests = map { ('--guest', "g$_", '--guest-config', $rows[$_]{option}) } 0 .. $#rows;
    my ($code, undef, $err) = run(script('host/domus'), '--quiet', '--xen', xen, '--out', $dir, '--kernel', kernel, @guests);
    is $code, 0, 'scripts/host/domus exits with 0: xl tried to start each guest' or diag $err;
    for my $i (0 .. $#rows) {
        my ($log, $xl, $end) = map { -e "$dir/g$i.$_" ? read_file("$dir/g$i.$_") =~ s/\r//gr : '' } qw(log xl end);
        my ($code, undef, $why) = run(script('verdict'), "$dir/g$i.log");
        $code = 4 if $end =~ /^failed/;
        judge($rows[$i], "xl: $rows[$i]{option}", $code, $log, $end =~ /^failed/ ? $xl : "$end$why");
    }
    return;
}

# The line of Xen, xl or QEMU that says why the kernel did not run, or nothing if it ran.
sub obstacle {
    my ($code, $log, $err) = @_;
    return if $log =~ /^Xenolith /m;
    my ($panic) = $log =~ /^\(XEN\) Panic on CPU.*\n\(XEN\) (.*)$/m;
    my ($last)  = (grep { /\S/ } split /\n/, $err)[-1];
    return $panic // $last // 'no message';
}

sub judge {
    my ($row, $name, $code, $log, $err) = @_;
    my $obstacle = obstacle($code, $log, $err);
    if ($row->{expected} eq 'pass') {
        if (defined $obstacle) {
        SKIP: { skip "$name: the kernel was not started: $obstacle", 1 }
            return;
        }
        ok $code == 0 || $code == 3, "$name: the self-tests succeed"
            or diag $err, map { "$_\n" } grep { /^(?:#|not ok|Bail|trap|stage|\w+: .*expected)/ } split /\n/, $log;
        return;
    }
    ok defined $obstacle, "$name: $row->{expected} refuses, and the kernel is not started" or return;
    like "$log\n$err", qr/$row->{text}/, "$name: the message of $row->{expected}";
    return;
}

1;
