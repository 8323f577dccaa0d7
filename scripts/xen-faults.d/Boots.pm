# SPDX-License-Identifier: MIT
#
# Builds a tree of Xen, boots the kernel on it, and says which tests fail. A test is a self-test, or a scenario of
# tests/matrix. What ends a boot without the name of a test is a crash: Xen, its dom0 or the kernel gives up, or the
# time of the machine's clock runs out.

package Boots;

use strict;
use warnings;
use Cwd 'realpath';
use Exporter 'import';
use File::Basename 'dirname';
use File::Path 'make_path';
use lib dirname(__FILE__) . '/../host';

use Command;

our @EXPORT = qw(build boots_of boot_all ramdisk);

my $top = realpath(dirname(__FILE__) . '/../..');

# A broken Xen may hang. A hang of the kernel is found earlier, by scripts/boot.
my @limit = ('--timeout', 60);

# boots_of(BOOT of a row): the names of its boots. Each row boots dom0 twice.
sub boots_of {
    my ($boot) = @_;
    return ('dom0', 'two_cpus', $boot eq 'dom0' ? () : $boot eq 'two' ? 'scenario grants' : $boot);
}

sub command_of {
    my ($boot, $xen, $kernel, $dir) = @_;
    my @one = ("$top/scripts/boot", '--quiet', '--xen', $xen, '--log', "$dir/$boot.log", @limit);
    return (@one, qw(--host-mem 1G --mem 512M), $kernel) if $boot eq 'dom0';
    return (@one, qw(--smp 2 --host-mem 2G --mem 512M --machine max-ram-below-4g=256M --initrd), "$dir/../ramdisk", $kernel)
        if $boot eq 'two_cpus';
    return (@one, qw(--as domU --mem 64M), $kernel, qw(-- test=full)) if $boot eq 'domU'; # with the tests of rules
    return ("$top/scripts/matrix", '--xen', $xen, '--logs', $dir, $boot =~ s/^scenario //r);
}

# The ramdisk of the boots with two CPUs: a part of its last page is left over
sub ramdisk {
    return pack 'N*', 1 .. 300_001;
}

# build(DIRECTORY of a tree): returns the path of the hypervisor, or undef and a sentence with the first error of the
# compiler. A build without xen.efi and xen.gz, which no boot needs, takes half of the time.
sub build {
    my ($tree) = @_;
    my ($code, $said) = output_of(qw(make -s -C), "$tree/xen", qw(XEN_TARGET_ARCH=x86_64 efi-y= CONFIG_XEN_INSTALL_SUFFIX= build));
    return "$tree/xen/xen" if !$code;
    my ($error) = $said =~ /^(.*\b(?:error|undefined reference)\b.*)$/m;
    return (undef, 'does not build: ' . ($error // (split /\n/, $said)[-1] // "make failed with exit code $code"));
}

# boot_all(XEN, KERNEL, DIRECTORY for the consoles, BOOT...): returns the tests that fail in any of the boots, in the
# order of the boots, and the crashes as sentences.
sub boot_all {
    my ($xen, $kernel, $dir, @boots) = @_;
    my (@tests, @crashes, %seen);
    make_path($dir);
    local $ENV{XENOLITH_KERNEL} = $kernel; # for scenarios
    for my $boot (@boots) {
        my ($code, $said) = output_of(command_of($boot, $xen, $kernel, $dir));
        my ($failed, $crash) = $boot =~ /^scenario (.*)/ ? judge_scenario($code, $1, $dir) : judge($code, $said, "$dir/$boot.log");
        push @tests, grep { !$seen{$_}++ } @$failed;
        push @crashes, "$boot: $crash" if defined $crash;
    }
    return (\@tests, \@crashes);
}

# The self-tests that failed on this console, and how the boot ended if it did not end by their results.
sub judge {
    my ($code, $said, $log) = @_;
    my @failed = map { /^not ok \d+ - (\w+)/ } lines_of($log);
    return (\@failed) if $code == 0 || $code == 3 || $code == 5 && @failed;
    my ($last) = (grep { /\S/ } split /\n/, $said)[-1];
    return (\@failed, ($last // "exit code $code") =~ s/^xenolith: //r);
}

# A scenario has a name, which stands for all of its checks.
sub judge_scenario {
    my ($code, $name, $dir) = @_;
    return ([]) if !$code;
    my ($crash) = grep { /Panic on CPU|Hardware Dom0 crashed|Bail out!/ } lines_of("$dir/$name.tap");
    return ([], $crash =~ s/^[\s#]+//r) if defined $crash;
    return ([$name]);
}

sub lines_of {
    my ($path) = @_;
    open my $file, '<', $path or return;
    return map { s/\r?\n//r } <$file>;
}

1;
