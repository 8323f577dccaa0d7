#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# scripts/boot --host ssh:HOST, with a script in place of ssh and of the programs of the other machine.
# Without this test, a guest could keep running on the other machine after a signal, a lost connection
# or a failure, and xl could get other options than the user gave.

use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Run;
use StandIn;
use Test::More;

write_file($kernel, "kernel\n" x 5000);
my $initrd = write_file("$dir/init rd", 'ramdisk');
my @host   = ('boot', '--host', 'ssh:h', $kernel);
$ENV{XENOLITH_SSH} = '';

# ssh runs its last argument on this machine. xl knows one domain, which exists as long as the file
# "domain" in TMPDIR, and runs once the file "unpaused" exists. How the domain ends ($end) is a reason
# code, "stays" or "destroyed"; a test can also replace the functions.
program("$dir/bin/ssh", <<'END');
end=0
ssh() { exec sh -c "${@: -1}"; }
id() { echo 0; }
xl() { "$@"; }
says() { :; } # what the guest prints
info() { :; }
unpause() { : >"$HERE/unpaused"; }
destroy() { rm "$TMPDIR/domain" && echo "$1" >>"$HERE/destroyed"; }
domid() { [ -e "$TMPDIR/domain" ] && echo 7; }
dmesg() {
    echo '(XEN) early'
    [ ! -e "$HERE/said" ] || echo '(XEN) d7 did it'
}
create() {
    cp -r . "$HERE/job"
    : >"$TMPDIR/domain"
    echo 'Parsing config'
    echo 'Waiting for domain x (domid 7) to die [pid 1]'
    while [ -e "$TMPDIR/domain" ]; do
        sleep 0.1
        if [ -e "$HERE/said" ]; then
            case $end in
            stays) ;;
            destroyed) rm "$TMPDIR/domain" ;;
            *) echo "Domain 7 has shut down, reason code $end 0x$end" && exit ;;
            esac
        fi
    done
    echo 'Domain 7 has been destroyed.'
}
console() {
    until [ -e "$HERE/unpaused" ]; do sleep 0.1; done
    says
    : >"$HERE/said"
    while [ -e "$TMPDIR/domain" ]; do sleep 0.1; done
}
pass() { cat "$HERE/good"; }
signal() { kill "$1" "$(<"$HERE/boot")"; } # to scripts/boot
. "$HERE/qemu"
if [ "${0##*/}" = ssh ]; then
    rm -rf "$HERE"/{job,unpaused,said,destroyed}
    echo $$ >"$HERE/pid"
    echo $PPID >"$HERE/boot"
    printf '%s\n' "${@:1:$#-1}" >"$HERE/args"
fi
"${0##*/}" "$@"
END
mkdir "$dir/no-xl";
symlink "$dir/bin/ssh", "$dir/$_" or die $! for qw(bin/xl bin/id no-xl/id);

# Bad input

refuses ['boot'],
    [['--host'], qr/^boot: --host needs a value$/],
    [['--host', 'h', $kernel], qr/^boot: --host h: expected ssh:HOST$/],
    [['--host', 'ssh:', $kernel], qr/^boot: --host ssh:: expected ssh:HOST$/],
    (map { [['--host', "ssh:$_", $kernel], qr/^boot: --host \Q$_\E: expected \[USER\@\]NAME\[:PORT\], /] }
        '-oProxyCommand=x', '-v', 'a b', 'h:0', 'h:ssh', '@h', 'u@', 'a:b@h', 'fe80::1');
refuses \@host,
    (map { [['--as', $_], qr/^boot: --as $_: expected domU, the only kind that --host can start$/] }
        qw(dom0 shim grub)),
    (map { [[$_, /mem/ ? '1G' : '1'], qr/^boot: $_ applies to a host in QEMU, and --host is another machine$/] }
        qw(--xen --firmware --host-mem --smp --machine --cpu --xen-args --qemu-args --dom0-mem --toolstack)),
    [['--gdb'], qr/^boot: --gdb applies to a host in QEMU/],
    [['--mem', '65K'], qr/^boot: --mem 65K: expected a multiple of 1 MiB, the unit of xl$/],
    [['--initrd', "$dir/none"], qr/--initrd .*none: no such file$/];
{
    local $ENV{XENOLITH_SSH} = 'no-ssh -x';
    refuses \@host, [[], qr/^boot: no-ssh is not on the PATH; Debian's package openssh-client has ssh$/];
}

# The files and the options on the other machine

my $shown = $good . "(XEN) d7 did it\n";
is_deeply [with_qemu({env => {XENOLITH_SSH => 'ssh -i key'}}, 'says() { pass; }', 'boot', '--host',
    'ssh:root@xen.example:2222', '--mem', '2G', '--maxmem', '3G', '--vcpus', 2, '--initrd', $initrd,
    '--guest-config', 'e820_host=1', '--guest-config', 'x=1', '--json', "$dir/json", '--log', "$dir/log",
    '--host-log', "$dir/host", $kernel, '--', q{say="a\b" it's}, 'x')],
    [0, "${shown}xenolith: 1 passed, 0 skipped\n", ''],
    'success: standard output has the console, the lines of Xen, and the verdict';
is read_file("$dir/log"), $shown, '--log: the file has the console and the lines of Xen';
is read_file("$dir/json"), qq({"report":"boot","nr_pages":1}\n), '--json: the file has the reports';
is read_file("$dir/host"), "\@\@ begin guest\n(XEN) d7 did it\n\@\@ end guest\n",
    '--host-log: the file has the lines of Xen';
my $load = qq{kernel="kernel"\nramdisk="initrd"\nextra="say=\\"a\\\\b\\" it's x"\n};
is read_file("$dir/job/guest.cfg") =~ s/^on_\w+="preserve"\n//gmr,
    "${load}memory=2048\nmaxmem=3072\nvcpus=2\ne820_host=1\nx=1\n",
    'the configuration for xl has all options of the guest';
is_deeply [map { read_file("$dir/job/$_") } qw(kernel initrd)], [read_file($kernel), 'ramdisk'],
    'the other machine has the kernel and the ramdisk';
like read_file("$dir/destroyed"), qr/^xenolith\.\w+\n\z/, 'the domain has the name of the directory';
my $always = '-T -o BatchMode=yes -o ConnectTimeout=10 -o ServerAliveInterval=15';
is qemu_args(), "-i key $always -p 2222 -- root\@xen.example", 'ssh gets the options of XENOLITH_SSH first';
nothing_is_left($dir, 'success');
with_qemu('', 'boot', '--host', 'ssh:[fe80::1]', $kernel);
is qemu_args(), "$always -- fe80::1", '--host ssh:[fe80::1]: ssh gets an IPv6 address without brackets and no port';

# Ends of the guest, of the connection and of scripts/boot

my ($where, $verdict) = ('\Aboot: h:', '\Axenolith:');
my $loses = <<'END';
end=stays
says() { echo TAP; kill $(<"$HERE/link"); }
ssh() {
    mkfifo "$HERE/wire"
    cat <&0 >"$HERE/wire" &
    echo $! >"$HERE/link"
    sh -c "${@: -1}" <"$HERE/wire"
    echo broken >&2
    exit 255
}
END
ends [@host, '--timeout', 4, '--quiet'],
    ['success', 'says() { pass; }', 0, qr/$verdict 1 passed, 0 skipped\n\z/],
    ['a guest that stays after its result', 'end=stays; says() { pass; }', 0, qr/$verdict 1 passed, 0 skipped\n\z/],
    ['a guest that crashes after its result', 'end=3; says() { pass; }', 6,
        qr/$verdict crash: xl reports crash, expected poweroff, reboot or stays\n\z/],
    ['a guest that is destroyed', 'end=destroyed; says() { pass; }', 6,
        qr/$verdict crash: xl reports destroyed, expected .*\n\z/],
    ['xl refuses', 'create() { echo "so not" >&2; }', 4,
        qr/\Aso not\nboot: xl could not start the guest; the messages of xl are above\n\z/],
    ['xl console fails', 'console() { echo "no tty" >&2; : >"$HERE/said"; exit 1; }', 4,
        qr/$where xl console says: no tty\n\z/],
    ['a machine without xl', 'ssh() { PATH=$HERE/no-xl:/usr/bin:/bin exec sh -c "${@: -1}"; }', 4,
        qr/$where expected xl on the PATH, found none; .*\n\z/],
    ['a machine without Xen', 'info() { printf "no /proc/xen\nmore\n" >&2; exit 1; }', 4,
        qr/$where expected xl info to succeed, but xl says: no \/proc\/xen; .*\n\z/],
    ['a login that is not root', 'id() { [ "$1" != -un ] || exec echo me; echo 1000; }', 4,
        qr/$where expected the user root, which xl needs, found me\n\z/],
    ['a machine without a directory for temporary files', 'export TMPDIR=/none', 4,
        qr/$where expected a directory made by mktemp in TMPDIR or \/tmp, found none\n\z/],
    ['ssh is refused', 'ssh() { echo "ssh: refused" >&2; exit 255; }', 4,
        qr/$where ssh could not connect: ssh: refused\n\z/],
    ['ssh fails without a message', 'ssh() { exit 255; }', 4, qr/$where ssh could not connect\n\z/],
    ['a login shell that cannot run the job', 'ssh() { echo "what?" >&2; exit 127; }', 4,
        qr/$where the job on this host ended with exit code 127, expected 0: what\?\n\z/],
    ['a connection that ends while files are sent', 'ssh() { head -c 9000 | sh -c "${@: -1}"; }', 4,
        qr/$where expected the files of the guest in \S+, but tar says: tar: .*\n\z/],
    ['a connection that ends while the guest runs', $loses, 4,
        qr/$where the ssh connection was lost while the guest ran: broken\n\z/],
    (map { ["SIG$_", "end=stays; says() { echo x; signal -$_; }", $_ eq 'KILL' ? -1 : 130, qr/\A\z/] }
        qw(INT TERM HUP KILL)),
    ['SIGINT while xl makes the domain', 'create() { : >"$TMPDIR/domain"; signal -INT; exec sleep 300; }', 130,
        qr/\A\z/];

# After SIGKILL, the job on the other machine ends by itself; after SIGINT, scripts/boot waits for its end.
with_qemu('end=stays; says() { echo x; signal -INT; }', @host);
ok !-e "$dir/tmp/domain", 'SIGINT: the domain is gone when scripts/boot ends';

done_testing;
