#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# scripts/boot --host ssh:HOST, with scripts in place of ssh and of the xl on the other machine.
# Without this test, a guest could keep running on the other machine after a signal, a lost connection
# or a failure, and xl could get other options than the user gave.

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

# This ssh runs its last argument in a shell of this machine.
my $ssh = <<'END';
printf '%s\n' "${@:1:$#-1}" >"$FAKE/ssh"
export TMPDIR=$FAKE/there
exec sh -c "${@: -1}"
END

# This xl knows one domain, which exists as long as the file $FAKE/domain, and runs once the file
# $FAKE/unpaused exists. The test chooses the console of the domain, and how it ends (a reason code,
# "stays" or "destroyed").
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

# Boots; $there has what differs from a machine that works: console, end, then, info, create, ...
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
    soon(sub { !-e "$dir/domain" && is_empty("$dir/there") }); # after SIGKILL, the job on the other machine ends by itself
    ok !-e "$dir/domain", "$name: no domain is left";
    is_deeply [glob "$dir/there/* $dir/tmp/*"], [], "$name: no file is left on either machine";
    return;
}

# Bad input

my @host = ('--host', 'ssh:h');
my @bad  = (
    [['--host'], qr/^boot: --host needs a value$/],
    [['--host', 'h', $kernel], qr/^boot: --host h: expected ssh:HOST$/],
    [['--host', 'ssh:', $kernel], qr/^boot: --host ssh:: expected ssh:HOST$/],
    (map { [['--host', "ssh:$_", $kernel], qr/^boot: --host \Q$_\E: expected \[USER\@\]NAME\[:PORT\], /] }
        '-oProxyCommand=x', 'a b', 'h:0', 'h:ssh', '@h', 'u@', 'a:b@h', 'fe80::1'),
    (map { [[@host, '--as', $_, $kernel], qr/^boot: --as $_: expected domU, the only kind that --host can start$/] }
        qw(dom0 shim grub)),
    (map { [[@host, $_, /mem/ ? '1G' : '1', $kernel], qr/^boot: $_ applies to a host in QEMU, and --host is another machine$/] }
        qw(--xen --firmware --host-mem --smp --machine --cpu --xen-args --qemu-args --dom0-mem --toolstack)),
    [[@host, '--mem', '64', $kernel], qr/^boot: --mem 64: expected a number followed by/],
    [[@host, '--mem', '65K', $kernel], qr/^boot: --mem 65K: expected a multiple of 1 MiB, the unit of xl$/],
    [[@host, '--maxmem', '1', $kernel], qr/^boot: --maxmem 1: expected a number followed by/],
    [[@host, '--vcpus', '0', $kernel], qr/^boot: --vcpus 0: expected a number from 1$/],
    [[@host, '--initrd', "$dir/none", $kernel], qr/--initrd .*none: no such file$/],
    [[@host, "$dir/none"], qr/none: no such file; run make$/],
);
for my $case (@bad) {
    my ($args, $sentence) = @$case;
    my $name = join(' ', @$args) =~ s/\Q$dir\E\///gr;
    my ($exit, undef, $err) = boot({}, @$args);
    is $exit, 2, "$name: exit code is 2 (bad usage)";
    like $err, $sentence, "$name: the message says what was found and expected";
    is $err =~ tr/\n//, 1, "$name: the message is one line";
    ok !-e "$dir/ssh", "$name: ssh is not called";
    leaves_nothing($name);
}
is_deeply [(boot({env => {XENOLITH_SSH => 'no-ssh -x'}}, @host, $kernel))[0, 2]],
    [2, "boot: no-ssh is not on the PATH; Debian's package openssh-client has ssh\n"],
    'XENOLITH_SSH is no program: exit code is 2 (bad usage)';

# The files and the options on the other machine

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
is_deeply [$exit, $out, $err], [0, "${shown}xenolith: 1 passed, 0 skipped\n", ''], 'success: standard output has the console, the lines of Xen, and the verdict';
is read_file("$dir/log"), $shown, '--log: the file has the console and the lines of Xen';
is read_file("$dir/json"), qq({"report":"boot","nr_pages":1}\n), '--json: the file has the reports';
is read_file("$dir/host"), "\@\@ begin guest\n(XEN) d7 did it\n\@\@ end guest\n", '--host-log: the file has the lines of Xen';
is read_file("$dir/job/guest.cfg"), <<'END', 'the configuration for xl has all options of the guest';
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
is read_file("$dir/job/kernel"), read_file($kernel), 'the other machine has the kernel';
is read_file("$dir/job/initrd"), 'ramdisk', 'the other machine has the ramdisk';
like read_file("$dir/destroyed"), qr/^xenolith\.\w+\n\z/, 'the domain has the name of the directory';
is read_file("$dir/ssh"), join("\n", '-i', 'key', '-T', qw(-o BatchMode=yes -o ConnectTimeout=10 -o ServerAliveInterval=15
    -p 2222 -- root@xen.example), ''), 'ssh gets the options of XENOLITH_SSH first';
leaves_nothing('success');
boot({console => $good}, '--host', 'ssh:[fe80::1]', $kernel);
like read_file("$dir/ssh"), qr/15\n--\nfe80::1\n\z/, '--host ssh:[fe80::1]: ssh gets an IPv6 address without brackets and no port';
is read_file("$dir/job/guest.cfg") =~ s/^on_.*\n//gmr, "kernel=\"kernel\"\nextra=\"\"\nmemory=64\nvcpus=1\n", 'without options: the configuration has only the defaults';

# Ends of the guest, of the connection and of scripts/boot

my $where = 'boot: h:';
my @ends  = (
    ['success', {console => $good}, 0, qr/^xenolith: 1 passed, 0 skipped$/],
    ['a guest that stays after its result', {console => $good, end => 'stays'}, 0, qr/1 passed/],
    ['a guest in which a test fails', {console => $fail}, 5, qr/failure: 1 failed/],
    ['a guest that prints nothing', {}, 5, qr/failure: expected output of the guest, found none/],
    ['a guest that panics', {console => $bail, end => 3}, 6, qr/^xenolith: crash: Bail out! bad$/],
    ['a guest that crashes after its result', {console => $good, end => 3}, 6, qr/^xenolith: crash: xl reports crash, expected poweroff, reboot or stays$/],
    ['a guest whose watchdog fires', {console => $good, end => 4}, 6, qr/xl reports watchdog, expected/],
    ['a guest that is destroyed', {console => $good, end => 'destroyed'}, 6, qr/xl reports destroyed, expected/],
    ['a guest that hangs', {console => "TAP version 14\n", end => 'stays'}, 124, qr/timeout: time ran out after the line: TAP/],
    ['xl refuses', {create => 'echo "so not" >&2; exit 1'}, 4, qr/^so not\nboot: xl could not start the guest; the messages of xl are above$/],
    ['xl console fails', {then => 'echo "no tty" >&2; exit 1'}, 4, qr/^$where xl console says: no tty$/],
    ['a machine without xl', {xl => ''}, 4, qr/^$where expected xl on the PATH, found none; /],
    ['a machine without Xen', {info => 'echo "no /proc/xen" >&2; echo more >&2; exit 1'}, 4,
        qr/^$where expected xl info to succeed, but xl says: no \/proc\/xen; /],
    ['a login that is not root', {id => '[ "$1" != -un ] || exec echo me; echo 1000'}, 4, qr/^$where expected the user root, which xl needs, found me$/],
    ['a machine without a directory for temporary files', {nowhere => 1}, 4, qr/^$where expected a directory made by mktemp in TMPDIR or \/tmp, found none$/],
    ['ssh is refused', {ssh => 'echo "ssh: refused" >&2; exit 255'}, 4, qr/^$where ssh could not connect: ssh: refused$/],
    ['ssh fails without a message', {ssh => 'exit 255'}, 4, qr/^$where ssh could not connect$/],
    ['a login shell that cannot run the job', {ssh => 'echo "what?" >&2; exit 127'}, 4, qr/^$where the job on this host ended with exit code 127, expected 0: what\?$/],
    ['a connection that ends while files are sent', {ssh => $ssh =~ s/^exec/head -c 9000 |/mr}, 4, qr/^$where expected the files of the guest in \S+, but tar says: tar: /],
    ['a connection that ends while the guest runs', {console => "TAP version 14\n", end => 'stays',
            then => 'kill $(<"$FAKE/link")',
            ssh  => "cat <&0 >\"\$FAKE/wire\" & echo \$! >\"\$FAKE/link\"\n" . $ssh =~ s/^exec (.*)/$1 <"\$FAKE\/wire"; echo broken >&2; exit 255/mr},
        4, qr/^$where the ssh connection was lost while the guest ran: broken$/],
);
system('mkfifo', "$dir/wire") == 0 or die 'mkfifo';
for my $case (@ends) {
    my ($name, $there, $code, $sentence) = @$case;
    my ($exit, $out, $err) = boot($there, @host, '--timeout', 4, '--quiet', $kernel);
    my $nr_lines = $name eq 'xl refuses' ? 2 : 1;
    is $exit, $code, "$name: exit code is $code";
    like $out . $err, $sentence, "$name: the verdict says why";
    is(($out . $err) =~ tr/\n//, $nr_lines, "$name: the number of lines is $nr_lines");
    leaves_nothing($name);
}

for my $signal (qw(INT TERM HUP)) {
    ($exit) = boot({console => "x\n", end => 'stays', then => "kill -$signal \$(<\"\$FAKE/boot\")"}, @host, $kernel);
    is $exit, 130, "SIG$signal: exit code is 130";
    ok !-e "$dir/domain", "SIG$signal: the domain is gone when scripts/boot ends";
    leaves_nothing("SIG$signal");
}
boot({create => ': >"$FAKE/domain"; kill -INT $(<"$FAKE/boot"); exec sleep 20'}, @host, $kernel);
leaves_nothing('SIGINT while xl makes the domain');

($exit) = boot({console => "x\n", end => 'stays', then => 'kill -KILL $(<"$FAKE/boot") $(pgrep -P $(<"$FAKE/boot"))'}, @host, $kernel);
is $exit, -1, 'SIGKILL ends scripts/boot';
soon(sub { !-e "$dir/domain" && is_empty("$dir/there") });
ok !-e "$dir/domain", 'SIGKILL: the job on the other machine destroys the domain';
is_deeply [glob "$dir/there/*"], [], 'SIGKILL: the job on the other machine removes its directory';

done_testing;
