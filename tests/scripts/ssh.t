#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# scripts/boot --host ssh:HOST, with stand-ins for ssh and for the xl of the other machine. Without
# this a guest could be left running there after one of the many ways to end, or something else be
# started than was asked for.

use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Run;
use Test::More;

my $dir    = tempdir();
my $kernel = write_file("$dir/kernel", "kernel\n" x 5000);
my $initrd = write_file("$dir/init rd", 'ramdisk');

sub fake {
    my ($name, $body) = @_;
    write_file("$dir/bin/$name", "#!/bin/bash\n$body\n");
    chmod 0755, "$dir/bin/$name";
    return;
}

# ssh stays on this machine; its last argument is for a shell.
my $ssh = <<'END';
printf '%s\n' "${@:1:$#-1}" >"$FAKE/ssh"
export TMPDIR=$FAKE/there
exec sh -c "${@: -1}"
END

# xl knows one domain: $FAKE/domain is there as long as it is, and unpaused once it runs. What it
# says, and how it ends (a reason code; or "stays", or "destroyed"), is the test's to choose.
my $xl = <<'END';
case $1 in
info) . "$FAKE/info" ;;
create)
    . "$FAKE/create"
    cp guest.cfg kernel "$FAKE/job"
    [ ! -e initrd ] || cp initrd "$FAKE/job"
    : >"$FAKE/domain"
    echo 'Parsing config'
    echo 'Waiting for domain x (domid 7) to die [pid 1]'
    while [ -e "$FAKE/domain" ]; do
        if [ -e "$FAKE/said" ]; then
            end=$(<"$FAKE/end")
            case $end in
            stays) ;;
            destroyed) rm "$FAKE/domain" ;;
            *) echo "Domain 7 has shut down, reason code $end 0x$end" && exit ;;
            esac
        fi
        sleep 0.1
    done
    echo 'Domain 7 has been destroyed.'
    ;;
console)
    until [ -e "$FAKE/unpaused" ]; do sleep 0.1; done
    cat "$FAKE/console"
    : >"$FAKE/said"
    . "$FAKE/then"
    while [ -e "$FAKE/domain" ]; do sleep 0.1; done
    ;;
unpause) : >"$FAKE/unpaused" ;;
destroy) rm "$FAKE/domain" && echo "$2" >>"$FAKE/destroyed" ;;
domid) [ -e "$FAKE/domain" ] && echo 7 ;;
dmesg)
    echo '(XEN) early'
    [ ! -e "$FAKE/said" ] || echo '(XEN) d7 did it'
    ;;
esac
END

# What the other machine is, where it is not as it should be: console, end, then, info, create, ...
sub boot {
    my ($there, @args) = @_;
    my %there = (console => '', end => 0, then => '', info => '', create => '', id => 'echo 0', ssh => $ssh, xl => $xl, %$there);
    system('rm', '-rf', map { "$dir/$_" } qw(job domain unpaused said destroyed ssh bin there tmp));
    mkdir "$dir/$_" for 'tmp', 'job', $there{nowhere} ? () : 'there';
    fake($_, $there{$_}) for grep { $there{$_} } qw(ssh xl id);
    write_file("$dir/$_", $there{$_}) for qw(console end then info create);
    my %env = (FAKE => "$dir", PATH => "$dir/bin:$ENV{PATH}", TMPDIR => "$dir/tmp", XENOLITH_SSH => '', %{$there{env} // {}});
    return run({env => \%env}, 'bash', '-c', "echo \$\$ >$dir/boot; exec \"\$@\"", 'bash', script('boot'), @args);
}

sub leaves_nothing {
    my ($name) = @_;
    for (1 .. 30) { # if we were killed, the other machine has a word of its own
        last if !-e "$dir/domain" && !glob "$dir/there/*";
        select undef, undef, undef, 0.1;
    }
    ok !-e "$dir/domain", "$name: the domain is gone";
    is_deeply [glob "$dir/there/* $dir/tmp/*"], [], "$name: no file is left";
    return;
}

# Bad input

my @host = ('--host', 'ssh:h');
my @bad  = (
    [['--host'], qr/^boot: --host needs a value$/],
    [['--host', 'h', $kernel], qr/^boot: --host h: expected ssh:HOST$/],
    [['--host', 'ssh:', $kernel], qr/^boot: --host ssh:: expected ssh:HOST$/],
    (map { [['--host', "ssh:$_", $kernel], qr/^ssh-domu: --host \Q$_\E: expected \[USER\@\]NAME\[:PORT\], /] }
        '-oProxyCommand=x', 'a b', 'h:0', 'h:ssh', '@h', 'u@', 'a:b@h', 'fe80::1'),
    (map { [[@host, '--as', $_, $kernel], qr/^boot: --as $_: on a machine that runs Xen \(--host\) there is domU alone$/] }
        qw(dom0 shim grub)),
    (map { [[@host, $_, '1', $kernel], qr/^boot: $_ is for a host in QEMU, and --host is another machine$/] }
        qw(--xen --firmware --host-mem --smp --machine --cpu --xen-args --qemu-args --dom0-mem --toolstack)),
    [[@host, '--mem', '64', $kernel], qr/^boot: --mem 64: expected a number followed by/],
    [[@host, '--mem', '65K', $kernel], qr/^ssh-domu: --mem 65K: xl counts in whole MiB$/],
    [[@host, '--maxmem', '1', $kernel], qr/^ssh-domu: --maxmem 1: expected a number followed by/],
    [[@host, '--vcpus', '0', $kernel], qr/^ssh-domu: --vcpus 0: expected a number from 1$/],
    [[@host, '--initrd', "$dir/none", $kernel], qr/--initrd .*none: no such file$/],
    [[@host, "$dir/none"], qr/none: no such file; run make$/],
);
for my $case (@bad) {
    my ($args, $sentence) = @$case;
    my $name = join(' ', @$args) =~ s/\Q$dir\E\///gr;
    my ($exit, undef, $err) = boot({}, @$args);
    is $exit, 2, "$name: exit code";
    like $err, $sentence, "$name: sentence";
    is $err =~ tr/\n//, 1, "$name: one line";
    ok !-e "$dir/ssh", "$name: ssh was not called";
    leaves_nothing($name);
}
is_deeply [(boot({env => {XENOLITH_SSH => 'no-ssh -x'}}, @host, $kernel))[0, 2]],
    [2, "ssh-domu: no-ssh is not on the PATH; Debian's package openssh-client has ssh\n"], 'no ssh';

# What the other machine is given

my $good = <<'END';
TAP version 14
1..1
ok 1 - e820
{"report":"boot","nr_pages":1}
Test result: SUCCESS
END
my $bail = "Bail out! bad\nTest result: CRASH\n";
my $fail = $good =~ s/^ok/not ok/mr =~ s/SUCCESS/FAILURE/r;

my ($exit, $out, $err) = boot({console => $good =~ s/\n/\r\n/gr, env => {XENOLITH_SSH => 'ssh -i key'}},
    '--host', 'ssh:root@xen.example:2222', '--mem', '2G', '--maxmem', '3G', '--vcpus', 2, '--initrd', $initrd,
    '--guest-config', 'e820_host=1', '--guest-config', 'x=1', '--json', "$dir/json", '--log', "$dir/log",
    '--host-log', "$dir/host", $kernel, '--', q{say="a\b" it's}, 'x');
my $shown = $good . "(XEN) d7 did it\n";
is_deeply [$exit, $out, $err], [0, "${shown}xenolith: 1 passed, 0 skipped\n", ''], 'the console, what Xen said, the verdict';
is read_file("$dir/log"), $shown, 'log';
is read_file("$dir/json"), qq({"report":"boot","nr_pages":1}\n), 'json';
is read_file("$dir/host"), "\@\@ begin guest\n(XEN) d7 did it\n\@\@ end guest\n", 'host-log';
is read_file("$dir/job/guest.cfg"), <<'END', 'all of it reaches xl';
on_poweroff="preserve"
on_reboot="preserve"
on_crash="preserve"
on_watchdog="preserve"
kernel="kernel"
ramdisk="initrd"
extra="say=\"a\\b\" it's x"
memory=2048
maxmem=3072
vcpus=2
e820_host=1
x=1
END
is read_file("$dir/job/kernel"), read_file($kernel), 'the kernel';
is read_file("$dir/job/initrd"), 'ramdisk', 'the ramdisk';
like read_file("$dir/destroyed"), qr/^xenolith\.\w+\n\z/, 'the domain has a name of its own';
is read_file("$dir/ssh"), join("\n", '-i', 'key', '-T', qw(-o BatchMode=yes -o ConnectTimeout=10 -o ServerAliveInterval=15
    -p 2222 -- root@xen.example), ''), "ssh's options, ours last";
leaves_nothing('success');
boot({console => $good}, '--host', 'ssh:[fe80::1]', $kernel);
like read_file("$dir/ssh"), qr/15\n--\nfe80::1\n\z/, 'an address of IPv6, and no port';
is read_file("$dir/job/guest.cfg") =~ s/^on_.*\n//gmr, "kernel=\"kernel\"\nextra=\"\"\nmemory=64\nvcpus=1\n", 'nothing more than that';

# Endings

my $where = 'ssh-domu: h:';
my @ends  = (
    ['success', {console => $good}, 0, qr/^xenolith: 1 passed, 0 skipped$/],
    ['it stays', {console => $good, end => 'stays'}, 0, qr/1 passed/],
    ['failure', {console => $fail}, 5, qr/failure: 1 failed/],
    ['silence', {}, 5, qr/failure: the guest said nothing/],
    ['a panic', {console => $bail, end => 3}, 6, qr/^xenolith: crash: Bail out! bad$/],
    ['a crash', {console => $good, end => 3}, 6, qr/^xenolith: crash: xl says how the guest ended: crash$/],
    ['its watchdog', {console => $good, end => 4}, 6, qr/ended: watchdog$/],
    ['somebody destroys it', {console => $good, end => 'destroyed'}, 6, qr/ended: destroyed$/],
    ['a hang', {console => "TAP version 14\n", end => 'stays'}, 124, qr/timeout: time ran out after: TAP/],
    ['xl refuses', {create => 'echo "so not" >&2; exit 1'}, 4, qr/^so not\nboot: xl could not start the guest$/],
    ['xl console fails', {then => 'echo "no tty" >&2; exit 1'}, 4, qr/^$where xl console says: no tty$/],
    ['no xl', {xl => ''}, 4, qr/^$where expected a machine that runs Xen, found no xl$/],
    ['no Xen', {info => 'echo "no /proc/xen" >&2; echo more >&2; exit 1'}, 4,
        qr/^$where expected a machine that runs Xen, but xl says: no \/proc\/xen$/],
    ['not root', {id => '[ "$1" != -un ] || exec echo me; echo 1000'}, 4, qr/^$where expected root, which xl needs, found me$/],
    ['no room', {nowhere => 1}, 4, qr/^$where no directory can be made there$/],
    ['nobody listens', {ssh => 'echo "ssh: refused" >&2; exit 255'}, 4, qr/^$where not to be reached: ssh: refused$/],
    ['nobody listens, in silence', {ssh => 'exit 255'}, 4, qr/^$where not to be reached$/],
    ['a shell that knows nothing', {ssh => 'echo "what?" >&2; exit 127'}, 4, qr/^$where the job ended with exit code 127: what\?$/],
    ['half of the files', {ssh => $ssh =~ s/^exec/head -c 9000 |/mr}, 4, qr/^$where the files cannot be copied to \S+: tar: /],
    ['the connection breaks', {console => "TAP version 14\n", end => 'stays',
            then => 'kill $(<"$FAKE/link")',
            ssh  => "cat <&0 >\"\$FAKE/wire\" & echo \$! >\"\$FAKE/link\"\n" . $ssh =~ s/^exec (.*)/$1 <"\$FAKE\/wire"; echo broken >&2; exit 255/mr},
        4, qr/^$where the connection was lost: broken$/],
);
system('mkfifo', "$dir/wire") == 0 or die 'mkfifo';
for my $case (@ends) {
    my ($name, $there, $code, $sentence) = @$case;
    my ($exit, $out, $err) = boot($there, @host, '--timeout', 4, '--quiet', $kernel);
    is $exit, $code, "$name: exit code";
    like $out . $err, $sentence, "$name: sentence";
    is(($out . $err) =~ tr/\n//, $name eq 'xl refuses' ? 2 : 1, "$name: one line");
    leaves_nothing($name);
}

for my $signal (qw(INT TERM HUP)) {
    ($exit) = boot({console => "x\n", end => 'stays', then => "kill -$signal \$(<\"\$FAKE/boot\")"}, @host, $kernel);
    is $exit, 130, "SIG$signal: exit code";
    ok !-e "$dir/domain", "SIG$signal: the domain went first";
    leaves_nothing("SIG$signal");
}
boot({create => ': >"$FAKE/domain"; kill -INT $(<"$FAKE/boot"); exec sleep 20'}, @host, $kernel);
leaves_nothing('SIGINT while xl makes the domain');

($exit) = boot({console => "x\n", end => 'stays', then => 'kill -KILL $(<"$FAKE/boot") $(pgrep -P $(<"$FAKE/boot"))'}, @host, $kernel);
is $exit, -1, 'SIGKILL';
for (1 .. 50) { last if !-e "$dir/domain" && !glob "$dir/there/*"; select undef, undef, undef, 0.1 }
ok !-e "$dir/domain", 'SIGKILL: the domain is gone all the same';
is_deeply [glob "$dir/there/*"], [], 'SIGKILL: and its directory';

is((run(script('ssh-domu'), '--help'))[0], 0, '--help');

done_testing;
