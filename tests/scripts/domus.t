#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# scripts/domus, and scripts/boot --as domU, which stands on it. Without this, a
# guest could be started with other memory or arguments than it was said to
# have, and one that crashed could pass for one that ended well.

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

# A shim in the cache, and a GRUB whose grub-mkimage writes down what it is told: of what the memory
# disk holds, and what for.
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
    [[], qr/^domus: no --guest/],
    [['--guest', 'a'], qr/^domus: --out is missing/],
    [['--foo'], qr/^domus: unknown option --foo/],
    [[@guest, '--mem'], qr/--mem needs a value/],
    [[@guest, '--mem', '64'], qr/--mem 64: expected a number followed by K, M, G or T/],
    [[@guest, '--mem', '65K'], qr/--mem 65K: xl counts in whole MiB/],
    [[@guest, '--maxmem', 'x'], qr/--maxmem x: expected/],
    [[@guest, '--vcpus', '0'], qr/--vcpus 0: expected a number from 1/],
    [[@guest, '--timeout', 'x'], qr/--timeout x: expected a number of seconds/],
    [[@guest, '--kernel', "$dir/none"], qr/none: no such file; run make/],
    [[@guest, '--initrd', "$dir/none"], qr/--initrd .*none: no such file/],
    [[@guest, '--guest', 'a'], qr/--guest a: there are two of this name/],
    [[@guest, '--guest', 'b c'], qr/--guest b c: expected letters, digits, _ and -/],
    [['--out', "$kernel/x", @guest[2 .. 5]], qr/--out .*: cannot be made/],
    [[@guest, '--host-mem', 'x'], qr/--host-mem x: expected/],
    [[@guest, '--builder', 'xm'], qr/--builder xm: expected xl, shim or grub/],
    [[@guest, '--builder', 'grub', '--initrd', "$dir/none"], qr/--initrd .*none: no such file/],
    (map { [[@guest, '--builder', 'grub', '--args', $_],
        qr/^grub-image: --args: expected no backslashes, and no quotes but double ones .*, found \Q$_\E$/] }
        q{it's}, q{a\\b}, q{"b"}, q{x="a b"}, q{"a b",c}, q{"a b}),
    [[@guest, '--builder', 'grub', '--args', "a\nb"], qr/expected no control characters, .*, found \$'a\\nb'$/],
    [[@guest, '--builder', 'grub', '--args', 'x' x 1023], qr/expected at most 1022 bytes, .* found 1023$/],
);
for my $case (@bad) {
    my ($args, $sentence) = @$case;
    my $name = join(' ', @$args) =~ s/\Q$dir\E\///gr;
    my ($exit, undef, $err) = with_dom0('', 'domus', @$args);
    is $exit, 2, "'$name': exit code";
    like $err, $sentence, "'$name': sentence";
    is $err =~ tr/\n//, 1, "'$name': one line";
    leaves_nothing("'$name'");
}

# What xl is given

my ($exit, $said, $err) = with_dom0('ls $out; echo 0 >$job/.exit', 'domus', '--out', "$dir/two", '--kernel', $kernel,
    '--mem', '8M', '--guest-config', 'pci=[]',
    '--guest', 'one', '--args', 'say="a\b" x', '--mem', '2G', '--maxmem', '3G', '--guest-config', 'e820_host=1',
    '--guest', 'two', '--initrd', $initrd, '--vcpus', 2, '--timeout', 7);
is_deeply [$exit, $err], [0, ''], 'two guests';
is $said, "one.log\ntwo.log\n", 'their logs can be followed from the start';
leaves_nothing('two guests');
is read_file("$dir/job/one.cfg"), <<'END', 'the first';
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
is read_file("$dir/job/two.cfg") =~ s/^on_.*\n//gmr, <<'END', 'the second';
kernel="/job/file0"
ramdisk="/job/file1"
extra=""
memory=8
vcpus=2
pci=[]
END
is read_file("$dir/job/file0"), 'kernel',  'the kernel is there once';
is read_file("$dir/job/file1"), 'ramdisk', 'and the ramdisk';
is read_file("$dir/job/.script"), <<'END', 'one after the other';
domu_start one create /job/one.cfg
domu_end one 60
xl destroy one 2>/dev/null
domu_start two create /job/two.cfg
domu_end two 7
END
like qemu_arg('-object'), qr/size=4656M,/, 'memory for the largest guest, dom0 and Xen';
with_dom0('', 'domus', @guest, '--host-mem', '9G');
like qemu_arg('-object'), qr/size=9G,/, 'or as asked for';
with_dom0('', 'domus', @guest);
like qemu_arg('-object'), qr/size=4096M,/, 'and never less than 4 GiB by itself';
is((with_dom0('echo up; echo 5 >$job/.exit', 'domus', @guest))[0], 5, "dom0's failure is ours");

for my $signal (qw(INT TERM)) {
    is((with_dom0("kill -$signal \$(cut -d ' ' -f 4 /proc/\$PPID/stat); exec sleep 60", 'domus', @guest))[0], 130, "SIG$signal: exit code");
    leaves_nothing("SIG$signal");
}

# Other builders

($exit, undef, $err) = with_dom0('echo up; echo 0 >$job/.exit', 'domus', '--out', "$dir/kinds", '--kernel', $kernel,
    '--guest', 'plain', '--guest', 'shim', '--builder', 'shim', '--args', 'say="a\b" x', '--initrd', $initrd,
    '--guest', 'grub', '--builder', 'grub', '--args', q{a  "b  c" ,$d # }, '--initrd', $initrd, '--mem', '1G',
    '--guest', 'bare', '--builder', 'grub');
is_deeply [$exit, $err], [0, ''], 'guests of all builders';
is read_file("$dir/job/shim.cfg") =~ s/^on_.*\n//gmr, <<'END', 'the shim';
type="pvh"
pvshim=1
pvshim_path="/job/file1"
kernel="/job/file0"
ramdisk="/job/file2"
extra="say=\"a\\b\" x"
memory=64
vcpus=1
END
is read_file("$dir/job/file1"), 'shim', 'is there';
is read_file("$dir/job/grub.cfg") =~ s/^on_.*\n//gmr, <<'END', 'of GRUB, xl sees only the image';
kernel="/job/grub.grub"
memory=1024
vcpus=1
END
is read_file("$dir/job/grub.grub"), <<'END', 'which is made of all the rest';
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
is read_file("$dir/job/bare.grub") =~ s/.*(?=^if)//smr, <<'END', 'or of less';
if linux (memdisk)/kernel; then
boot
fi
./kernel: kernel
END
like read_file("$dir/mkimage"),
    qr{^--library-path\ncache/grub/lib\ncache/grub/bin/grub-mkimage\n--directory=cache/grub/x86_64-xen\n},
    "its tool runs with its own libraries";
like read_file("$dir/job/.script"),
    qr{^domu_end grub 60\nif grep -q 'GRUB: cannot start' /out/grub\.log; then echo failed >/out/grub\.end; fi$}m,
    "GRUB's end is not the kernel's";
is qemu_arg('-cpu'), 'max,-smap,-smep,family=16', 'a CPU for the shim';
with_dom0('', 'domus', @guest, '--builder', 'shim', '--cpu', 'host');
is qemu_arg('-cpu'), 'host', 'or the one asked for';
with_dom0('', 'domus', @guest);
is qemu_arg('-cpu'), 'max,-smap,-smep', 'and none of this without a shim';

write_file("$dir/no-grub", '');
is_deeply [(with_dom0('', 'domus', @guest, '--builder', 'grub'))[0, 2]],
    [4, "grub-image: grub-mkimage of $dir/cache/grub could not make the image\n"], 'a grub-mkimage that fails';
leaves_nothing('a grub-mkimage that fails');
unlink "$dir/no-grub";

# scripts/boot --as domU: the same verdict as on a dom0, and how the guest ended

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
    [$good, 'crash',     6,   qr/^xenolith: crash: xl says how the guest ended: crash$/],
    [$good, 'destroyed', 6,   qr/^xenolith: crash: xl says how the guest ended: destroyed$/],
    [$fail, 'poweroff',  5,   qr/failure: 1 failed/],
    [$fail, 'watchdog',  6,   qr/ended: watchdog$/],
    [$bail, 'crash',     6,   qr/^xenolith: crash: Bail out! bad$/],
    ["TAP version 14\n", 'poweroff', 5, qr/failure: there is no plan/],
    ["TAP version 14\n", 'timeout', 124, qr/timeout: time ran out after: TAP/],
    ['', 'poweroff', 5, qr/failure: the guest said nothing/],
    ['', 'failed',   4, qr/^xl\nboot: xl could not start the guest$/],
);
for my $case (@ends) {
    my ($console, $end, $code, $sentence) = @$case;
    my $name = join ', ', $console =~ /(.*)\n\z/ ? $1 : 'silence', $end;
    my ($exit, $out, $err) = boot($console, $end, '--quiet', $kernel);
    is $exit, $code, "$name: exit code";
    like $out . $err, $sentence, "$name: sentence";
    leaves_nothing($name);
}

($exit, $said, $err) = boot($good =~ s/\n/\r\n/gr, 'poweroff', '--mem', '128M', '--maxmem', '1G', '--initrd', $initrd,
    '--vcpus', 2, '--guest-config', 'e820_host=1', '--guest-config', 'x=1', '--host-mem', '9G', '--json', "$dir/json",
    '--log', "$dir/log", '--host-log', "$dir/host", $kernel, '--', 'test=p2m,list', 'done=crash');
my $shown = $good . "(XEN) d1 did it\n";
is $said, "${shown}xenolith: 1 passed, 0 skipped\n", "the guest's console, and what Xen said meanwhile";
is read_file("$dir/log"), $shown, 'log';
is read_file("$dir/json"), qq({"report":"boot","nr_pages":1}\n), 'json';
like read_file("$dir/host"), qr/early.*guest\| x.*late/s, 'host-log';
is read_file("$dir/job/guest.cfg") =~ s/^on_.*\n//gmr, <<'END', 'all of it reaches xl';
kernel="/job/file0"
ramdisk="/job/file1"
extra="test=p2m,list done=crash"
memory=128
maxmem=1024
vcpus=2
e820_host=1
x=1
END
like qemu_arg('-object'), qr/size=9G,/, 'host-mem';

# The shim turns line ends round, and GRUB speaks to a terminal; what went wrong is one sentence
my $at = 'libxl: neither hap nor shadow paging available';
for my $case (
    ['shim', $good =~ s/\n/\n\r/gr, 'poweroff', 0, qr/^xenolith: 1 passed, 0 skipped$/],
    ['shim', '', 'failed', 4, qr/^xl\nboot: xl could not start the guest$/],
    ['shim', '', 'failed', 4,
        qr/^$at\nboot: the shim is a PVH guest: expected .*, found none with --cpu as it is$/, \$at],
    ['grub', "\e[30mWelcome to GRUB!\n\r\n\r\e[37m\e[40mXenolith\n$good", 'poweroff', 0, qr/1 passed/],
    ['grub', "\r\e[1;1Herror: not so.\n\rGRUB: cannot start the kernel\n\r", 'failed', 4,
        qr/^boot: GRUB could not start the kernel: error: not so\.$/],
    ['grub', '', 'failed', 4, qr/^xl\nboot: xl could not start the guest$/],
) {
    my ($as, $console, $end, $code, $sentence, @xl) = @$case;
    my ($exit, $out, $err) = boot($console, $end, @xl, '--as', $as, '--quiet', '--json', "$dir/json",
        $kernel);
    is $exit, $code, "--as $as, $end: exit code";
    like $out . $err, $sentence, "--as $as, $end: sentence";
    is read_file("$dir/json"), $code ? '' : qq({"report":"boot","nr_pages":1}\n), "--as $as, $end: reports";
    leaves_nothing("--as $as, $end");
    like read_file("$dir/job/guest.cfg"), $as eq 'shim' ? qr/^pvshim=1$/m : qr/^kernel=.*grub"$/m, 'by that builder';
}

for my $case (
    [['--as', 'domu'], qr/^boot: --as domu: expected dom0, domU, shim or grub$/],
    [['--vcpus', 2], qr/^boot: --vcpus is for a domU: --as domU is missing$/],
    [['--host-log', "$dir/x"], qr/^boot: --host-log is for a domU/],
    [['--as', 'domU', '--mem', '1G,max:2G'], qr/^boot: --mem 1G,max:2G: expected a number followed by/],
    [['--as', 'domU', '--mem', '65K'], qr/^domus: --mem 65K: xl counts in whole MiB$/],
) {
    my ($args, $sentence) = @$case;
    my ($exit, undef, $err) = with_dom0('', 'boot', @$args, $kernel);
    is $exit, 2, "@$args: exit code";
    like $err, $sentence, "@$args: sentence";
    leaves_nothing("@$args");
}

done_testing;
