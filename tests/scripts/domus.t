#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# scripts/host/domus starts guests by xl, and scripts/boot --as domU calls it. Without
# this test, a guest could be started with other memory or arguments than the user
# gave, and a guest that crashed could count as passed.

use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Digest::SHA 'sha256_hex';
use Dom0;
use Run;
use Test::More;

my $kernel = write_file("$dir/kernel", 'kernel');
my $initrd = write_file("$dir/init,rd", 'ramdisk');
my $out    = "$dir/out";
grub_stand_in();
my @guest  = ('--out', $out, '--kernel', $kernel, '--guest', 'a');

# Puts a PV shim and a GRUB into the cache. The script in place of grub-mkimage writes the contents of
# its memory disk into the image, and its arguments to $dir/mkimage.
sub grub_stand_in {
    my %files = (
        "toolstack-4.17/usr/lib/xen-4.17/boot/xen-shim" => 'shim',
        'grub/bin/grub-mkimage'        => '',
        'grub/lib/ld-linux-x86-64.so.2' => <<'END',
#!/bin/bash
cd "$FAKE" && [ ! -e no-grub ] || exit 1
for arg; do
    case $arg in
    --memdisk=*) disk=${arg#*=} ;;
    --config=*) early=${arg#*=} ;;
    --output=*) exec >"${arg#*=}" ;;
    esac
done
printf '%s\n' "$@" | sed "s=$FAKE/==g" >mkimage
cat "$early"
tar xOf "$disk" ./grub.cfg
for file in $(tar tf "$disk" | grep -v '/$' | grep -v cfg | sort); do
    echo "$file: $(tar xOf "$disk" "$file")"
done
END
    );
    write_file("$dir/cache/$_", $files{$_}) for keys %files;
    chmod 0755, "$dir/cache/grub/lib/ld-linux-x86-64.so.2";
    for my $part (qw(toolstack-4.17 grub)) {
        my @sums = map { sha256_hex($files{$_}) . '  .' . s/^\Q$part//r . "\n" } grep { /^\Q$part/ } keys %files;
        write_file("$dir/cache/$part/SHA256SUMS", join '', @sums);
    }
    return;
}

# Bad input

my @bad = (
    [[], qr/^domus: expected at least one --guest, found none/],
    [['--guest', 'a'], qr/^domus: expected --out DIR, found none/],
    [['--foo'], qr/^domus: unknown option --foo/],
    [[@guest, '--mem'], qr/--mem needs a value/],
    [[@guest, '--mem', '64'], qr/--mem 64: expected a number followed by K, M, G or T/],
    [[@guest, '--mem', '65K'], qr/--mem 65K: expected a multiple of 1 MiB/],
    [[@guest, '--maxmem', 'x'], qr/--maxmem x: expected/],
    [[@guest, '--vcpus', '0'], qr/--vcpus 0: expected a number from 1/],
    [[@guest, '--timeout', 'x'], qr/--timeout x: expected a number of seconds/],
    [[@guest, '--kernel', "$dir/none"], qr/none: no such file; run make/],
    [[@guest, '--initrd', "$dir/none"], qr/--initrd .*none: no such file/],
    [[@guest, '--guest', 'a'], qr/--guest a: expected guests with different names, found a second a$/],
    [[@guest, '--guest', 'b c'], qr/--guest b c: expected a letter, then letters, digits, _ and -/],
    [['--out', "$kernel/x", @guest[2 .. 5]], qr/--out .*: cannot make this directory$/],
    [[@guest, '--host-mem', 'x'], qr/--host-mem x: expected/],
    [[@guest, '--builder', 'xm'], qr/--builder xm: expected xl, shim or grub/],
    [[@guest, '--builder', 'grub', '--initrd', "$dir/none"], qr/--initrd .*none: no such file/],
    (map { [[@guest, '--builder', 'grub', '--args', $_],
        qr/^domus: --args: expected no backslashes, and no quotes but double ones .*, found \Q$_\E$/] }
        q{it's}, q{a\\b}, q{"b"}, q{x="a b"}, q{"a b",c}, q{"a b}),
    [[@guest, '--builder', 'grub', '--args', "a\nb"], qr/expected no control characters, .*, found "a\\nb"$/],
    [[@guest, '--builder', 'grub', '--args', 'x' x 1023], qr/expected at most 1022 bytes, .* found 1023$/],
);
for my $case (@bad) {
    my ($args, $sentence) = @$case;
    my $name = join(' ', @$args) =~ s/\Q$dir\E\///gr;
    my ($exit, undef, $err) = with_dom0('', 'host/domus', @$args);
    is $exit, 2, "'$name': exit code is 2 (bad usage)";
    like $err, $sentence, "'$name': the message says what was found and expected";
    is $err =~ tr/\n//, 1, "'$name': the message is one line";
    leaves_nothing("'$name'");
}

# The files for xl

my ($exit, $said, $err) = with_dom0('ls $out; echo 0 >$job/.exit', 'host/domus', '--out', "$dir/two", '--kernel', $kernel,
    '--mem', '8M', '--guest-config', 'pci=[]',
    '--guest', 'one', '--args', 'say="a\b" x', '--mem', '2G', '--maxmem', '3G', '--guest-config', 'e820_host=1',
    '--guest', 'two', '--initrd', $initrd, '--vcpus', 2, '--timeout', 7);
is_deeply [$exit, $err], [0, ''], 'two guests: exit code is 0, without messages';
is $said, "one.log\ntwo.log\n", 'two guests: both logs exist before the dom0 starts';
leaves_nothing('two guests');
is read_file("$dir/job/one.cfg"), <<'END', 'two guests: the configuration of the first has its own and the common options';
on_poweroff="preserve"
on_reboot="preserve"
on_crash="preserve"
on_watchdog="preserve"
kernel="/job/file0"
extra="say=\"a\\b\" x"
memory=2048
maxmem=3072
vcpus=1
pci=[]
e820_host=1
END
is read_file("$dir/job/two.cfg") =~ s/^on_.*\n//gmr, <<'END', 'two guests: the configuration of the second has its own and the common options';
kernel="/job/file0"
ramdisk="/job/file1"
extra=""
memory=8
vcpus=2
pci=[]
END
is read_file("$dir/job/file0"), 'kernel',  'two guests with one kernel: dom0 has one copy of it';
is read_file("$dir/job/file1"), 'ramdisk', 'dom0 has the ramdisk';
is read_file("$dir/job/.script"), <<'END', 'two guests: the script runs them one after the other';
domu_start one create /job/one.cfg
domu_end one 60
xl destroy one 2>/dev/null
domu_start two create /job/two.cfg
domu_end two 7
END
like qemu_arg('-object'), qr/size=4656M,/, 'without --host-mem: the host has memory for the largest guest, dom0 and Xen';
with_dom0('', 'host/domus', @guest, '--host-mem', '9G');
like qemu_arg('-object'), qr/size=9G,/, '--host-mem: the host has this size';
with_dom0('', 'host/domus', @guest);
like qemu_arg('-object'), qr/size=4096M,/, 'without --host-mem: the host has at least 4 GiB';
is((with_dom0('echo up; echo 5 >$job/.exit', 'host/domus', @guest))[0], 5, 'a script that fails in dom0: scripts/host/domus has its exit code');

for my $signal (qw(INT TERM)) {
    is((with_dom0("kill -$signal \$PPID; exec sleep 60", 'host/domus', @guest))[0], 130, "SIG$signal: exit code is 130");
    leaves_nothing("SIG$signal");
}

# The other domain builders

($exit, undef, $err) = with_dom0('echo up; echo 0 >$job/.exit', 'host/domus', '--out', "$dir/kinds", '--kernel', $kernel,
    '--guest', 'plain', '--guest', 'shim', '--builder', 'shim', '--args', 'say="a\b" x', '--initrd', $initrd,
    '--guest', 'grub', '--builder', 'grub', '--args', q{a  "b  c" ,$d # }, '--initrd', $initrd, '--mem', '1G',
    '--guest', 'bare', '--builder', 'grub');
is_deeply [$exit, $err], [0, ''], 'guests of all builders: exit code is 0, without messages';
is read_file("$dir/job/shim.cfg") =~ s/^on_.*\n//gmr, <<'END', '--builder shim: the configuration has the shim, the kernel and its arguments';
type="pvh"
pvshim=1
pvshim_path="/job/file1"
kernel="/job/file0"
ramdisk="/job/file2"
extra="say=\"a\\b\" x"
memory=64
vcpus=1
END
is read_file("$dir/job/file1"), 'shim', '--builder shim: dom0 has the shim';
is read_file("$dir/job/grub.cfg") =~ s/^on_.*\n//gmr, <<'END', '--builder grub: the configuration has only the image of GRUB';
kernel="/job/grub.grub"
memory=1024
vcpus=1
END
is read_file("$dir/job/grub.grub"), <<'END', '--builder grub: the image has the kernel, its arguments and its ramdisk';
configfile (memdisk)/grub.cfg
echo 'GRUB: cannot start the kernel'
halt
if linux (memdisk)/kernel 'a' '' 'b  c' ',$d' '#' ''; then
if initrd (memdisk)/initrd; then
boot
fi
fi
./initrd: ramdisk
./kernel: kernel
END
is read_file("$dir/job/bare.grub") =~ s/.*(?=^if)//smr, <<'END', '--builder grub without --args and --initrd: the image has only the kernel';
if linux (memdisk)/kernel; then
boot
fi
./kernel: kernel
END
like read_file("$dir/mkimage"),
    qr{^--library-path\ncache/grub/lib\ncache/grub/bin/grub-mkimage\n--directory=cache/grub/x86_64-xen\n},
    '--builder grub: grub-mkimage runs with the libraries in the cache';
like read_file("$dir/job/.script"),
    qr{^domu_end grub 60\nif grep -q 'GRUB: cannot start' /out/grub\.log; then echo failed >/out/grub\.end; fi$}m,
    '--builder grub: a kernel that GRUB cannot start counts as failed, not as poweroff';
is qemu_arg('-cpu'), 'max,-smap,-smep,family=16', '--builder shim: QEMU gets a CPU with SVM';
with_dom0('', 'host/domus', @guest, '--builder', 'shim', '--cpu', 'host');
is qemu_arg('-cpu'), 'host', '--builder shim with --cpu: QEMU gets this CPU';
with_dom0('', 'host/domus', @guest);
is qemu_arg('-cpu'), 'max,-smap,-smep', 'without a shim: QEMU gets the default CPU of scripts/host/dom0';

write_file("$dir/no-grub", '');
is_deeply [(with_dom0('', 'host/domus', @guest, '--builder', 'grub'))[0, 2]],
    [4, "domus: grub-mkimage in $dir/cache/grub could not make the image; its message is above\n"],
    'a grub-mkimage that fails: exit code is 4';
leaves_nothing('a grub-mkimage that fails');
unlink "$dir/no-grub";

# scripts/boot --as domU: the verdict depends on the console, and on how the guest ended

sub boot {
    my ($console, $end, @args) = @_;
    my $xl = @args && ref $args[0] ? ${shift @args} : 'xl';
    write_file("$dir/console", $console);
    my $dom0 = 'echo "(XEN) early"; echo "@@ begin guest"; cat "$FAKE/console" >>$out/guest.log; sleep 0.3;'
        . 'echo "(XEN) d1 did it"; echo "guest| x"; echo "@@ end guest"; echo "(XEN) late"; '
        . "echo '$xl' >\$out/guest.xl;"
        . "echo $end >\$out/guest.end; echo 0 >\$job/.exit";
    return with_dom0($dom0, 'boot', '--as', 'domU', @args);
}

my $good = <<'END';
TAP version 14
1..1
ok 1 - e820
{"report":"boot","nr_pages":1}
Test result: SUCCESS
END
my $bail = "Bail out! bad\nTest result: CRASH\n";
my $fail = $good =~ s/^ok/not ok/mr =~ s/SUCCESS/FAILURE/r;

my @ends = (
    [$good, 'poweroff',  0,   qr/^xenolith: 1 passed, 0 skipped$/],
    [$good, 'reboot',    0,   qr/1 passed/],
    [$good, 'stays',     0,   qr/1 passed/],
    [$good, 'crash',     6,   qr/^xenolith: crash: xl reports crash, expected poweroff, reboot or stays$/],
    [$good, 'destroyed', 6,   qr/^xenolith: crash: xl reports destroyed, expected poweroff, reboot or stays$/],
    [$fail, 'poweroff',  5,   qr/failure: 1 failed/],
    [$fail, 'watchdog',  6,   qr/xl reports watchdog, expected/],
    [$bail, 'crash',     6,   qr/^xenolith: crash: Bail out! bad$/],
    ["TAP version 14\n", 'poweroff', 5, qr/failure: expected a TAP plan, found none/],
    ["TAP version 14\n", 'timeout', 124, qr/timeout: time ran out after the line: TAP/],
    ['', 'poweroff', 5, qr/failure: expected output of the guest, found none/],
    ['', 'failed',   4, qr/^xl\nboot: xl could not start the guest; the messages of xl are above$/],
);
for my $case (@ends) {
    my ($console, $end, $code, $sentence) = @$case;
    my $name = $console =~ /(.*)\n\z/ ? "last line '$1', $end" : "no output, $end";
    my ($exit, $out, $err) = boot($console, $end, '--quiet', $kernel);
    is $exit, $code, "$name: exit code is $code";
    like $out . $err, $sentence, "$name: the verdict says why";
    leaves_nothing($name);
}

($exit, $said, $err) = boot($good =~ s/\n/\r\n/gr, 'poweroff', '--mem', '128M', '--maxmem', '1G', '--initrd', $initrd,
    '--vcpus', 2, '--guest-config', 'e820_host=1', '--guest-config', 'x=1', '--host-mem', '9G', '--json', "$dir/json",
    '--log', "$dir/log", '--host-log', "$dir/host", $kernel, '--', 'test=p2m,list', 'done=crash');
my $shown = $good . "(XEN) d1 did it\n";
is $said, "${shown}xenolith: 1 passed, 0 skipped\n", 'standard output has the console of the guest, the lines of Xen at that time, and the verdict';
is read_file("$dir/log"), $shown, '--log: the file has the same lines';
is read_file("$dir/json"), qq({"report":"boot","nr_pages":1}\n), '--json: the file has the reports';
like read_file("$dir/host"), qr/early.*guest\| x.*late/s, '--host-log: the file has the console of Xen and Linux';
is read_file("$dir/job/guest.cfg") =~ s/^on_.*\n//gmr, <<'END', 'the configuration for xl has all options of the guest';
kernel="/job/file0"
ramdisk="/job/file1"
extra="test=p2m,list done=crash"
memory=128
maxmem=1024
vcpus=2
e820_host=1
x=1
END
like qemu_arg('-object'), qr/size=9G,/, '--as domU --host-mem: the host has this size';

# The shim ends lines with "\n\r", and GRUB prints escape codes; a failure is one sentence
my $at = 'libxl: neither hap nor shadow paging available';
for my $case (
    ['shim', $good =~ s/\n/\n\r/gr, 'poweroff', 0, qr/^xenolith: 1 passed, 0 skipped$/],
    ['shim', '', 'failed', 4, qr/^xl\nboot: xl could not start the guest; /],
    ['shim', '', 'failed', 4,
        qr/^$at\nboot: the PV shim is a PVH guest: expected .*, found none with --cpu max,-smap,-smep,family=16$/, \$at],
    ['grub', "\e[30mWelcome to GRUB!\n\r\n\r\e[37m\e[40mXenolith\n$good", 'poweroff', 0, qr/1 passed/],
    ['grub', "\r\e[1;1Herror: not so.\n\rGRUB: cannot start the kernel\n\r", 'failed', 4,
        qr/^boot: GRUB could not start the kernel: error: not so\.$/],
    ['grub', '', 'failed', 4, qr/^xl\nboot: xl could not start the guest; /],
) {
    my ($as, $console, $end, $code, $sentence, @xl) = @$case;
    my ($exit, $out, $err) = boot($console, $end, @xl, '--as', $as, '--quiet', '--json', "$dir/json",
        $kernel);
    is $exit, $code, "--as $as, $end: exit code is $code";
    like $out . $err, $sentence, "--as $as, $end: the verdict says why";
    is read_file("$dir/json"), $code ? '' : qq({"report":"boot","nr_pages":1}\n), "--as $as, $end: --json has the reports of a guest that started";
    leaves_nothing("--as $as, $end");
    like read_file("$dir/job/guest.cfg"), $as eq 'shim' ? qr/^pvshim=1$/m : qr/^kernel=.*grub"$/m, "--as $as, $end: xl gets the configuration for $as";
}

for my $case (
    [['--as', 'domu'], qr/^boot: --as domu: expected dom0, domU, shim or grub$/],
    [['--vcpus', 2], qr/^boot: --vcpus applies to a domU: expected --as domU, shim or grub, found dom0$/],
    [['--host-log', "$dir/x"], qr/^boot: --host-log applies to a domU/],
    [['--as', 'domU', '--mem', '1G,max:2G'], qr/^boot: --mem 1G,max:2G: expected a number followed by/],
    [['--as', 'domU', '--mem', '65K'], qr/^boot: --mem 65K: expected a multiple of 1 MiB, the unit of xl$/],
) {
    my ($args, $sentence) = @$case;
    my ($exit, undef, $err) = with_dom0('', 'boot', @$args, $kernel);
    is $exit, 2, "@$args: exit code is 2 (bad usage)";
    like $err, $sentence, "@$args: the message says what was found and expected";
    leaves_nothing("@$args");
}

done_testing;
