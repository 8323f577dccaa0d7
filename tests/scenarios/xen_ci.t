#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# The command line by which Xen's own CI boots its PV test guest, to the letter, and its way of
# judging: one line to be found on the console. Without this our runner could be needed to make
# the kernel pass.

use strict;
use warnings;
use Test::More;

use FindBin;
use lib $FindBin::Bin, "$FindBin::Bin/../scripts";
use Host;
use Run;

my ($code, $path, $err) = run(script('xen'), 'hypervisor', xen);
is $code, 0, 'Xen is there' or diag $err;
chomp $path;

# noreboot: Xen halts in the end, and QEMU with it, until it is ended.
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
is $found, 'SUCCESS', 'Test result: SUCCESS';

done_testing;
