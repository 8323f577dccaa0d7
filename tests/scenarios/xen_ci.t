#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# The kernel boots by the exact command line with which Xen's own CI boots its PV test guest, and is
# judged as there: the console must have the line "Test result: SUCCESS". Without this test the
# kernel could depend on options of scripts/boot.

use strict;
use warnings;
use Test::More;

use FindBin;
use lib $FindBin::Bin, "$FindBin::Bin/../scripts";
use Host;
use Run;

my ($code, $path, $err) = run(script('fetch/xen'), 'hypervisor', xen);
is $code, 0, 'scripts/fetch/xen hypervisor exits with 0' or diag $err;
chomp $path;

# With noreboot, Xen halts at the end, and QEMU does not exit: this test ends QEMU.
my @qemu = (
    'qemu-system-x86_64', '-no-reboot', '-nographic', '-monitor', 'none', '-serial', 'stdio',
    '-m', '2048', '-smp', '2', '-kernel', $path, '-initrd', kernel,
    '-append', 'loglvl=all noreboot console_timestamps=boot console=com1'
);
my $pid = open my $console, '-|', @qemu or die "qemu: $!";
my $found = '';
local $SIG{ALRM} = sub { kill 'TERM', $pid };
alarm 120;
while (my $line = <$console>) {
    $line =~ s/\r?\n//;
    diag $line if $line =~ /^(?:#|not ok|Bail)/;
    $found = $1 if $line =~ /^Test result: (\w+)$/;
    last if $found;
}
alarm 0;
kill 'TERM', $pid;
close $console;
is $found, 'SUCCESS', 'the first "Test result:" line of the console is SUCCESS';

done_testing;
