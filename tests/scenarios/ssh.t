#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# scripts/boot --host ssh:HOST: a guest on a machine that runs Xen already, by the xl that is there.
# The machine is a Linux dom0 in QEMU with an ssh server (ssh_server.sh). Without this a guest could
# be left running on somebody's machine, or a verdict there differ from one in QEMU.

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
system('ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', "$dir/key") == 0 or die 'no key';

# A port of this machine that nobody has, for now.
sub free_port {
    my $socket = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1') or die "socket: $!";
    return $socket->sockport;
}

# Starts a command, with its standard error in a file, as a group of its own, as a shell does.
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

sub soon {
    my ($seconds, $is_so) = @_;
    for (1 .. $seconds * 10) {
        return 1 if $is_so->();
        select undef, undef, undef, 0.1;
    }
    return 0;
}

my $port = free_port;
my @archives = map { my (undef, $path) = run(script('xen'), $_); $path =~ s/\n//r } qw(net dropbear);
my $dom0 = start("$dir/dom0.err", script('dom0'), '--quiet', '--xen', xen, '--out', $out, '--timeout', 600,
    '--log', "$dir/dom0.log", '--qemu-args',
    "-netdev user,id=n0,hostfwd=tcp:127.0.0.1:$port-:22 -device virtio-net-pci,netdev=n0,romfile=",
    "$FindBin::Bin/ssh_server.sh", "$dir/key.pub", @archives);
END { kill 'TERM', $dom0 if $dom0 }

my @ssh = ('ssh', '-i', "$dir/key", '-o', 'StrictHostKeyChecking=no', '-o', 'UserKnownHostsFile=/dev/null',
    '-o', 'LogLevel=ERROR');
my $host = 'root@127.0.0.1';
$ENV{XENOLITH_SSH} = "@ssh";

ok soon(120, sub { -e "$out/ready" }), 'a machine that runs Xen and an ssh server'
    or BAIL_OUT(read_file("$dir/dom0.err"));

# Nothing is left there: no domain, no directory, no process that reads a console.
sub nothing_is_there {
    my (undef, $there) = run(@ssh, '-p', $port, $host,
        '/usr/lib/xen/bin/xl list; ls -d /tmp/xenolith*; ps | grep -E "job[.]sh|xl c|xenconsole "');
    my @lines = $there =~ /^(.*\S)\s*$/mg;
    is scalar(grep { /^Domain-0 / } @lines), 1, 'xl lists Domain-0';
    is_deeply [grep { !/^(?:Name|Domain-0) / && !/ grep / } @lines], [], 'and nothing is left';
    return;
}

# there(TITLE, EXIT CODE, [ARGUMENTS], qr/what the console says/, qr/what scripts\/boot says/)
sub there {
    my ($title, $expected, $arguments, $console, $message) = @_;
    subtest $title => sub {
        my ($code, $log, $err) = boot_there(@$arguments);
        is $code, $expected, "exit code $expected" or diag $err;
        like $log, $console, 'its console';
        like $err, $message, 'and a sentence';
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
    return (script('boot'), '--quiet', '--log', "$dir/log", '--host', "ssh:$host:$port", @arguments, kernel, '--', @kernel);
}

sub boot_there {
    my ($code, $out, $err) = run(command(@_));
    return ($code, read_file("$dir/log"), $out . $err);
}

there 'a guest that passes', 0, ['--json', "$dir/json"],
    qr/\AXenolith .*^TAP version 14\n.*^Test result: SUCCESS$/ms, qr/^xenolith: \d+ passed, \d+ skipped$/;
like read_file("$dir/json"), qr/^\{"report":"boot","kind":"domU"/, 'its report is kept';

my $ramdisk = write_file("$dir/ramdisk", 'x' x 102_400);
there 'options of a domU, and a ramdisk', 0,
    ['--mem', '128M', '--maxmem', '256M', '--vcpus', 2, '--initrd', $ramdisk,
    '--', 'test=ramdisk,second_vcpu', 'say="\x"'],
    qr/^warning: argument "say="\\x"" is unknown and ignored.*: domU of 32768 pages.*^host: 2 vCPUs.*"bytes":102400\b/ms, qr/: 2 passed, 0 skipped$/;

there 'a guest that fails', 5, ['--', 'test=p2m', 'inject=entry'], qr/^not ok 1 - p2m: .*^Test result: FAILURE$/ms,
    qr/^xenolith: failure: 1 failed, .*p2m/;

there 'a guest that crashes', 6, ['--', 'inject=magic'], qr/^Bail out! /m, qr/^xenolith: crash: Bail out! /;

there 'a guest that hangs', 124, ['--timeout', 3, '--', 'inject=hang'], qr/^Xenolith /m, qr/timeout: time ran out after/;

there 'xl refuses the configuration', 4, ['--guest-config', 'x=[['], qr/\A\z/,
    qr/^guest\.cfg:\d+: config parsing error .*^boot: xl could not start the guest$/ms;

# Of one that hangs until its watchdog fires, much later: scripts/boot is ended meanwhile.
for my $case (['Ctrl-C', 'INT', 130], ['it is killed, and cannot see to anything', 'KILL', undef]) {
    my ($title, $signal, $code) = @$case;
    subtest $title => sub {
        unlink "$dir/log";
        my $boot = start("$dir/err", command('--', 'inject=hang'));
        ok soon(30, sub { -e "$dir/log" && read_file("$dir/log") =~ /^Xenolith /m }), 'the guest runs';
        kill $signal, -$boot;
        waitpid $boot, 0;
        is $? >> 8, $code, "exit code $code" if defined $code;
        sleep 5 if !defined $code;
        nothing_is_there;
    };
}

my $other = free_port;
my ($code, undef, $err) = run(script('boot'), '--quiet', '--host', "ssh:$host:$other", kernel);
is $code, 4, 'a port where nobody listens';
is $err, "ssh-domu: $host:$other: not to be reached: ssh: connect to host 127.0.0.1 port $other: Connection refused\n",
    'is one sentence';
($code, undef, $err) = run(script('boot'), '--quiet', '--host', "ssh:nobody\@127.0.0.1:$port", kernel);
is $code, 4, 'a login without the key';
like $err, qr/\Assh-domu: nobody\@127\.0\.0\.1:$port: not to be reached: .*Permission denied.*\n\z/, 'is one sentence';

write_file("$out/stop", '');
waitpid $dom0, 0;
is $? >> 8, 0, 'the machine came to its end' or diag read_file("$dir/dom0.err");
undef $dom0;

done_testing;
