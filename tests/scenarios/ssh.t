#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# scripts/boot --host ssh:HOST: boots the kernel as a domU on a machine that already runs Xen, by
# the xl of that machine. Here the machine is a Linux dom0 in QEMU with an ssh server
# (ssh_server.sh). Exit code, console and verdict of scripts/boot are compared with those of a boot
# in QEMU, and after each run the machine is searched for leftovers. Without this test scripts/boot
# could leave a guest running on a user's machine.

use strict;
use warnings;
use IO::Socket::INET;
use Test::More;

use FindBin;
use lib $FindBin::Bin, "$FindBin::Bin/../scripts";
use Host;
use Run;

my $dir = tempdir;
my $out = "$dir/out";
mkdir $out or die $!;
system('ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', "$dir/key") == 0 or die 'ssh-keygen failed';

# Returns a TCP port of this machine that is free at the moment.
sub free_port {
    my $socket = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1') or die "socket: $!";
    return $socket->sockport;
}

# Starts a command in its own process group, as a shell does, with its standard error in the file
# $err.
sub start {
    my ($err, @command) = @_;
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        setpgrp;
        open STDOUT, '>', '/dev/null' or die $!;
        open STDERR, '>', $err or die $!;
        exec @command or die "$command[0]: $!";
    }
    return $pid;
}

my $port = free_port;
my @archives = map { my (undef, $path) = run(script('fetch/xen'), $_); $path =~ s/\n//r } qw(net dropbear);
my $dom0 = start("$dir/dom0.err", script('host/dom0'), '--quiet', '--xen', xen, '--out', $out, '--timeout', 600,
    '--log', "$dir/dom0.log", '--qemu-args',
    "-netdev user,id=n0,hostfwd=tcp:127.0.0.1:$port-:22 -device virtio-net-pci,netdev=n0,romfile=",
    "$FindBin::Bin/ssh_server.sh", "$FindBin::Bin/network.sh", "$dir/key.pub", @archives);
END { kill 'TERM', $dom0 if $dom0 }

my @ssh = ('ssh', '-i', "$dir/key", '-o', 'StrictHostKeyChecking=no', '-o', 'UserKnownHostsFile=/dev/null',
    '-o', 'LogLevel=ERROR');
my $host = 'root@127.0.0.1';
$ENV{XENOLITH_SSH} = "@ssh";

ok soon(sub { -e "$out/ready" }), 'the ssh server of the Linux dom0 starts'
    or BAIL_OUT(read_file("$dir/dom0.err"));

# Checks that no domU, no temporary directory and no process of scripts/boot is left on the machine,
# which may still be about to remove them.
sub nothing_is_there {
    my ($answers, @left);
    soon(sub {
        my (undef, $there) = run(@ssh, '-p', $port, $host,
            '/usr/sbin/xl list; ls -d /tmp/xenolith*; ps | grep -E "job[.]sh|xl c|xenconsole "');
        my @lines = $there =~ /^(.*\S)\s*$/mg;
        $answers = grep { /^Domain-0 / } @lines;
        @left    = grep { !/^(?:Name|Domain-0) / && !/ grep / } @lines;
        return $answers && !@left;
    });
    is $answers, 1, 'the machine answers: xl lists Domain-0';
    is_deeply \@left, [], 'list of domUs, temporary directories and processes left on the machine is empty';
    return;
}

# there(TITLE, EXIT CODE, [ARGUMENTS], qr/text of the console/, qr/output of scripts\/boot/)
sub there {
    my ($title, $expected, $arguments, $console, $message) = @_;
    subtest $title => sub {
        my ($code, $log, $err) = boot_there(@$arguments);
        is $code, $expected, "scripts/boot exits with $expected" or diag $err;
        like $log, $console, 'the console has the expected lines';
        like $err, $message, 'scripts/boot prints the expected verdict';
        nothing_is_there;
    };
    return;
}

sub command {
    my @arguments = @_;
    my @kernel;
    while (@arguments && $arguments[-1] ne '--') { unshift @kernel, pop @arguments }
    if (@arguments) { pop @arguments }
    else            { (@arguments, @kernel) = @kernel; @kernel = () }
    return (script('boot'), '--quiet', '--log', "$dir/log", '--host', "ssh:$host:$port", @arguments, kernel,
        '--', @kernel);
}

sub boot_there {
    my ($code, $out, $err) = run(command(@_));
    return ($code, read_file("$dir/log"), $out . $err);
}

there 'a guest that passes', 0, ['--json', "$dir/json"],
    qr/\AXenolith .*^TAP version 14\n.*^Test result: SUCCESS$/ms, qr/^xenolith: \d+ passed, \d+ skipped$/;
like read_file("$dir/json"), qr/^\{"report":"boot","kind":"domU"/, '--json FILE contains the boot report';

my $ramdisk = write_file("$dir/ramdisk", 'x' x 102_400);
there 'a guest with --maxmem, --vcpus and --initrd', 0,
    ['--mem', '128M', '--maxmem', '256M', '--vcpus', 2, '--initrd', $ramdisk,
    '--', 'test=ramdisk,second_vcpu', 'say="\x"'],
    qr/^warning: kernel argument "say="\\x"" is unknown and ignored.*: domU of 32768 pages.*^host: this domain has 2 vCPUs.*"bytes":102400\b/ms, qr/: 2 passed, 0 skipped$/;

there 'a guest with a self-test that fails', 5, ['--', 'test=p2m', 'inject=entry'],
    qr/^not ok 1 - p2m: .*^Test result: FAILURE$/ms,
    qr/^xenolith: failure: 1 failed, .*p2m/;

there 'a guest that crashes', 6, ['--', 'inject=magic'], qr/^Bail out! /m, qr/^xenolith: crash: Bail out! /;

there 'a guest that hangs', 124, ['--timeout', 3, '--', 'inject=hang'], qr/^Xenolith /m,
    qr/timeout: time ran out after/;

there 'a guest configuration that xl refuses', 4, ['--guest-config', 'x=[['], qr/\A\z/,
    qr/^guest\.cfg:\d+: config parsing error .*^boot: xl could not start the guest; the messages of xl are above$/ms;

# scripts/boot is ended while the guest hangs, long before its watchdog fires. A KILL signal leaves
# scripts/boot no chance to clean up: the machine itself must notice that the connection is gone.
for my $case (['Ctrl-C ends scripts/boot', 'INT', 130], ['a KILL signal ends scripts/boot', 'KILL', undef]) {
    my ($title, $signal, $code) = @$case;
    subtest $title => sub {
        unlink "$dir/log";
        my $boot = start("$dir/err", command('--', 'inject=hang'));
        ok soon(sub { -e "$dir/log" && read_file("$dir/log") =~ /hangs from now on/ }),
            'the guest hangs before the signal';
        kill $signal, -$boot;
        waitpid $boot, 0;
        is $? >> 8, $code, "scripts/boot exits with $code" if defined $code;
        nothing_is_there;
    };
}

my $other = free_port;
my ($code, undef, $err) = run(script('boot'), '--quiet', '--host', "ssh:$host:$other", kernel);
is $code, 4, 'a port without a listener: scripts/boot exits with 4';
is $err, "boot: $host:$other: ssh could not connect: "
    . "ssh: connect to host 127.0.0.1 port $other: Connection refused\n",
    'a port without a listener: scripts/boot prints one sentence with the reason';
($code, undef, $err) = run(script('boot'), '--quiet', '--host', "ssh:nobody\@127.0.0.1:$port", kernel);
is $code, 4, 'a login that the machine refuses: scripts/boot exits with 4';
like $err, qr/\Aboot: nobody\@127\.0\.0\.1:$port: ssh could not connect: .*Permission denied.*\n\z/,
    'a login that the machine refuses: scripts/boot prints one sentence with the reason';

write_file("$out/stop", '');
waitpid $dom0, 0;
is $? >> 8, 0, 'scripts/host/dom0 exits with 0: the machine ran to its end' or diag read_file("$dir/dom0.err");
undef $dom0;

done_testing;
