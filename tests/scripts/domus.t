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
use Run;
use StandIn;
use Test::More;

my $initrd = write_file("$dir/init,rd", "a ramdisk\n");
my @domus  = ('host/domus', '--xen', $xen, '--kernel', $kernel);
my @guest  = (@domus, '--out', "$dir/out", '--guest', 'a');

# A PV shim and a GRUB. The script in place of grub-mkimage puts the text of all files into the image.
cached('grub', 'bin/grub-mkimage' => '', 'lib/ld-linux-x86-64.so.2' => <<'END');
#!/bin/bash
printf '%s ' "$@" >"$HERE/mkimage"
[ ! -e "$HERE/no-grub" ] || exit 1
for arg; do
    case $arg in
    --config=*) early=${arg#*=} ;;
    --memdisk=*) disk=${arg#*=} ;;
    --output=*) exec >"${arg#*=}" ;;
    esac
done
cat "$early"
for file in $(tar -tf "$disk" | grep -v '/$' | sort); do
    tar -xOf "$disk" "$file"
done
END
chmod 0755, "$dir/cache/grub/lib/ld-linux-x86-64.so.2";

# The configuration of a guest for xl, without the lines that each guest has
sub config {
    my ($guest) = @_;
    my $common = join '', map { "on_$_=\"preserve\"\n" } qw(poweroff reboot crash watchdog);
    return read_file("$dir/seen/job/$guest.cfg") =~ s/\A\Q$common\E//r;
}

# Bad input

refuses [@domus, '--out', "$dir/out"],
    [[], qr/^domus: expected at least one --guest, found none/],
    [['--guest', 'b c'], qr/--guest b c: expected a letter, then letters, digits, _ and -/];
refuses [@domus, '--guest', 'a'],
    [[], qr/^domus: expected --out DIR, found none/],
    [['--out', "$kernel/x"], qr/--out .*: cannot make this directory$/];
refuses \@guest,
    [['--mem', '65K'], qr/--mem 65K: expected a multiple of 1 MiB/],
    [['--maxmem', 'x'], qr/--maxmem x: expected/],
    [['--vcpus', '0'], qr/--vcpus 0: expected a number from 1/],
    [['--kernel', "$dir/none"], qr/none: no such file; run make/],
    [['--guest', 'a'], qr/--guest a: expected guests with different names, found a second a$/],
    [['--builder', 'xm'], qr/--builder xm: expected xl, shim or grub/];
refuses [@guest, '--builder', 'grub'],
    [['--initrd', "$dir/none"], qr/--initrd .*none: no such file/],
    (map { [['--args', $_], qr/^domus: --args: expected no backslashes, and no quotes but double .*, found \Q$_\E$/] }
        q{it's}, q{a\\b}, q{"b"}, q{x="a b"}, q{"a b",c}, q{"a b}),
    [['--args', "a\nb"], qr/expected no control characters, .*, found "a\\nb"$/],
    [['--args', 'x' x 1023], qr/expected at most 1022 bytes, .* found 1023$/];

# The files for xl

is_deeply [with_qemu('ls "$out"; script_ends 0', @domus, '--out', "$dir/two", '--mem', '8M', '--guest-config', 'pci=[]',
    '--guest', 'one', '--args', 'say="a\b" x', '--mem', '2G', '--maxmem', '3G', '--guest-config', 'e820_host=1',
    '--guest', 'two', '--initrd', $initrd, '--vcpus', 2, '--timeout', 7)], [0, "one.log\ntwo.log\n", ''],
    'two guests: exit code is 0, without messages, and both logs exist before the dom0 starts';
nothing_is_left($dir, 'two guests');
is config('one'), <<'END', 'two guests: the configuration of the first has its own and the common options';
kernel="/job/file0"
extra="say=\"a\\b\" x"
memory=2048
maxmem=3072
vcpus=1
pci=[]
e820_host=1
END
is config('two'), <<'END', 'two guests: the configuration of the second has its own and the common options';
kernel="/job/file0"
ramdisk="/job/file1"
extra=""
memory=8
vcpus=2
pci=[]
END
is_deeply [map { read_file("$dir/seen/job/file$_") } 0, 1], ["a kernel\n", "a ramdisk\n"],
    'two guests with one kernel: dom0 has one copy of it, and the ramdisk';
is read_file("$dir/seen/job/.script"), <<'END', 'two guests: the script runs them one after the other';
domu_start one create /job/one.cfg
domu_end one 60
xl destroy one 2>/dev/null
domu_start two create /job/two.cfg
domu_end two 7
END
like qemu_args(), qr/,size=4656M,/, 'without --host-mem: the host has memory for the largest guest, dom0 and Xen';

# The other domain builders

is_deeply [with_qemu('say up; script_ends 0', @domus, '--out', "$dir/kinds", '--guest', 'plain',
    '--guest', 'shim', '--builder', 'shim', '--args', 'say="a\b" x', '--initrd', $initrd,
    '--guest', 'grub', '--builder', 'grub', '--args', q{a  "b  c" ,$d # }, '--initrd', $initrd, '--mem', '1G',
    '--guest', 'bare', '--builder', 'grub')], [0, "up\n", ''], 'guests of all builders: exit code is 0, no messages';
my $load = qq{kernel="/job/file0"\nramdisk="/job/file2"\nextra="say=\\"a\\\\b\\" x"\n};
is config('shim'), qq{type="pvh"\npvshim=1\npvshim_path="/job/file1"\n${load}memory=64\nvcpus=1\n},
    '--builder shim: the configuration has the shim, the kernel and its arguments';
is read_file("$dir/seen/job/file1"), 'shim 4.17', '--builder shim: dom0 has the shim';
is config('grub'), qq{kernel="/job/grub.grub"\nmemory=1024\nvcpus=1\n}, '--builder grub: only the image of GRUB';
is read_file("$dir/seen/job/grub.grub"), <<'END', '--builder grub: the image has kernel, arguments and ramdisk';
configfile (memdisk)/grub.cfg
echo 'GRUB: cannot start the kernel'
halt
if linux (memdisk)/kernel 'a' '' 'b  c' ',$d' '#' ''; then
if initrd (memdisk)/initrd; then
boot
fi
fi
a ramdisk
a kernel
END
like read_file("$dir/seen/job/bare.grub"), qr/^if linux \(memdisk\)\/kernel; then\nboot\nfi\na kernel\n\z/m,
    '--builder grub without --args and --initrd: the image has only the kernel';
my $grub = "$dir/cache/grub";
like read_file("$dir/mkimage"), qr{^--library-path $grub/lib $grub/bin/grub-mkimage --directory=$grub/x86_64-xen },
    '--builder grub: grub-mkimage runs with the libraries in the cache';
like read_file("$dir/seen/job/.script"),
    qr{^domu_end grub 60\nif grep -q 'GRUB: cannot start' /out/grub\.log; then echo failed >/out/grub\.end; fi$}m,
    '--builder grub: a kernel that GRUB cannot start counts as failed, not as poweroff';
like qemu_args(), qr/ -cpu max,-smap,-smep,family=16,-xsave,-rdtscp /, '--builder shim: QEMU gets a CPU with SVM';

# The version of Xen and xl
for my $version ('4.17', '4.20') {
    cached("xen-$version", xen => "Xen $version");
    cached("toolstack-$version", toolstack($version));
}
for my $case (
    ['4.17', '4.17'],
    ['4.17', '4.17', '--builder', 'shim'],
    ['4.20', '4.20', {env => {QEMU_VERSION => '9.1.0'}}, '--builder', 'shim'],
    ['4.17', '4.17', {env => {QEMU_VERSION => '10.0.2'}}],
    ['4.17', '4.17', '--builder', 'shim', '--xen', '4.17'],
    ['4.20', '4.20', '--xen', '4.20'],
    ['4.20', '4.17', '--xen', '4.20', '--toolstack', '4.17'],
) {
    my ($of_xen, $of_xl, @options) = @$case;
    my $environment = ref $options[0] ? shift @options : {};
    with_qemu($environment, 'script_ends 0', 'host/domus', '--kernel', $kernel, '--out', "$dir/out", '--guest', 'a', @options);
    is_deeply [read_file("$dir/seen/xen"), read_file("$dir/seen/ramdisk") =~ /ELF xl\n.*\[(libxenlight.*)\]/],
        ["Xen $of_xen", "libxenlight.so.$of_xl"],
        "versions of Xen and xl with @options, QEMU " . ($environment->{env}{QEMU_VERSION} // 7.2);
}

for my $case (
    [qr/,size=4096M,.* -cpu max,-smap,-smep /],
    [qr/ -cpu host /, '--builder', 'shim', '--cpu', 'host'],
    [qr/,size=9G,/, '--host-mem', '9G'],
) {
    my ($expected, @options) = @$case;
    with_qemu('script_ends 0', @guest, @options);
    like qemu_args(), $expected, "arguments of QEMU with @options";
}

ends \@guest,
    ['a script that fails in dom0', 'say up; script_ends 5', 5, qr/\Aup$/],
    ['SIGINT', 'kill -INT $PPID; stays', 130, qr/\A\z/];
write_file("$dir/no-grub", '');
ends \@guest, ['a grub-mkimage that fails', '', 4,
    qr/\Adomus: grub-mkimage in $grub could not make the image; its message is above\n\z/, '--builder', 'grub'];
unlink "$dir/no-grub";

# scripts/boot --as domU: the verdict depends on the console of the guest, the input of this function,
# and on how the guest ended

my $guest = <<'END';
guest() {
    say '(XEN) early' '@@ begin guest'
    cat >>"$out/guest.log"
    say '(XEN) d1 did it' 'guest| x' '@@ end guest' '(XEN) late'
    echo "${2:-xl}" >"$out/guest.xl"
    echo "$1" >"$out/guest.end"
    script_ends 0
}
END
sub guest_ends {
    my ($command, @cases) = @_;
    return ends ['boot', '--xen', $xen, '--as', @$command], map {
        my ($console, $end, @expected) = @$_;
        ["$console, $end", "$guest $console | guest $end", @expected]
    } @cases;
}

my $why   = 'expected poweroff, reboot or stays';
my $fails = 'pass | sed "s/^ok/not ok/; s/SUCCESS/FAILURE/"';
my $bails = 'say "Bail out! bad" "Test result: CRASH"';
guest_ends ['domU', '--quiet', $kernel],
    ['pass', 'poweroff', 0, qr/\Axenolith: 1 passed, 0 skipped\n\z/],
    ['pass', 'reboot', 0, qr/1 passed/],
    ['pass', 'stays', 0, qr/1 passed/],
    ['pass', 'crash', 6, qr/\Axenolith: crash: xl reports crash, $why\n\z/],
    ['pass', 'destroyed', 6, qr/\Axenolith: crash: xl reports destroyed, $why\n\z/],
    [$fails, 'poweroff', 5, qr/failure: 1 failed/],
    [$fails, 'watchdog', 6, qr/xl reports watchdog, expected/],
    [$bails, 'crash', 6, qr/\Axenolith: crash: Bail out! bad\n\z/],
    ['say "TAP version 14"', 'poweroff', 5, qr/failure: the console: expected a TAP plan, found none/],
    ['say "TAP version 14"', 'timeout', 124, qr/timeout: time ran out after the line: TAP/],
    [':', 'poweroff', 5, qr/failure: expected output of the guest, found none/],
    [':', 'failed', 4, qr/\Axl\nboot: xl could not start the guest; the messages of xl are above\n\z/];

# The shim ends lines with "\n\r", and GRUB prints escape codes; a failure is one sentence
my $no_svm = 'libxl: neither hap nor shadow paging available';
guest_ends ['shim', '--quiet', $kernel],
    ['pass | sed "s/^/\r/; s/\r$//"', 'poweroff', 0, qr/\Axenolith: 1 passed, 0 skipped\n\z/],
    [':', 'failed', 4, qr/\Axl\nboot: xl could not start the guest; /],
    [':', "failed '$no_svm'", 4,
        qr/\A$no_svm\nboot: the PV shim is a PVH guest: .* --cpu max,-smap,-smep,family=16,-xsave,-rdtscp\n\z/];
like config('guest'), qr/^pvshim=1$/m, '--as shim: xl gets the configuration of the shim';
guest_ends ['grub', '--quiet', '--json', "$dir/json", $kernel],
    ['(printf "\e[30mWelcome to GRUB!\n\r\n\r\e[37m\e[40mXenolith\n"; pass)', 'poweroff', 0, qr/1 passed/],
    ['printf "\r\e[1;1Herror: not so.\n\rGRUB: cannot start the kernel\n\r"', 'failed', 4,
        qr/\Aboot: GRUB could not start the kernel: error: not so\.\n\z/],
    [':', 'failed', 4, qr/\Axl\nboot: xl could not start the guest; /];
is read_file("$dir/json"), '', '--as grub, a guest that did not start: --json has no reports';
like config('guest'), qr/\Akernel=".*grub"$/m, '--as grub: xl gets the configuration of GRUB';

my $shown = $good . "(XEN) d1 did it\n";
is_deeply [with_qemu("$guest pass | guest poweroff", qw(boot --as domU --xen), $xen, '--mem', '128M', '--maxmem', '1G',
    '--initrd', $initrd, '--vcpus', 2, '--guest-config', 'e820_host=1', '--guest-config', 'x=1', '--host-mem', '9G',
    '--json', "$dir/json", '--log', "$dir/log", '--host-log', "$dir/host", $kernel, '--', 'test=p2m,list', 'x=1')],
    [0, "${shown}xenolith: 1 passed, 0 skipped\n", ''],
    'standard output has the console of the guest, the lines of Xen at that time, and the verdict';
is read_file("$dir/log"), $shown, '--log: the file has the same lines';
is read_file("$dir/json"), qq({"report":"boot","nr_pages":1}\n), '--json: the file has the reports';
like read_file("$dir/host"), qr/early.*guest\| x.*late/s, '--host-log: the file has the console of Xen and Linux';
$load = qq{kernel="/job/file0"\nramdisk="/job/file1"\nextra="test=p2m,list x=1"\n};
is config('guest'), "${load}memory=128\nmaxmem=1024\nvcpus=2\ne820_host=1\nx=1\n",
    'the configuration for xl has all options of the guest';
like qemu_args(), qr/,size=9G,/, '--as domU --host-mem: the host has this size';

refuses ['boot', $kernel],
    [['--as', 'domu'], qr/^boot: --as domu: expected dom0, domU, shim or grub$/],
    [['--vcpus', 2], qr/^boot: --vcpus applies to a domU: expected --as domU, shim or grub, found dom0$/],
    [['--host-log', "$dir/x"], qr/^boot: --host-log applies to a domU/],
    [['--as', 'domU', '--mem', '1G,max:2G'], qr/^boot: --mem 1G,max:2G: expected a number followed by/],
    [['--as', 'domU', '--mem', '65K'], qr/^boot: --mem 65K: expected a multiple of 1 MiB, the unit of xl$/];

done_testing;
