#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# scripts/boot runs every boot of the kernel. Without this test, bad input could
# boot something else than the user asked for, a boot that failed could count as
# passed, and QEMU could keep running afterwards. A script replaces QEMU, so that
# the test can choose how QEMU ends.

use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Run;
use StandIn;
use Test::More;

my $efi    = write_file("$dir/xen.efi", 'MZ' . "\0" x 58 . "\x40\0\0\0" . "PE\0\0\x64\x86");
my $initrd = write_file("$dir/a b,c", 'ramdisk');
my @boot   = ('boot', '--xen', $xen, $kernel);
my @uefi   = ('--firmware', 'uefi', '--xen', $efi);
my $passed = "xenolith: 1 passed, 0 skipped\n";

# Bad input

truncate write_file("$dir/huge", ''), 450 << 20 or die $!;
refuses \@boot,
    [['--foo'], qr/^boot: unknown option --foo \(scripts\/boot --help lists the options\)$/],
    [['--mem'], qr/^boot: --mem needs a value$/],
    (map { [['--host-mem', $_], qr/--host-mem $_: expected a number followed by K, M, G or T$/] } qw(512 0G max:1G)),
    (map { [['--mem', $_], qr/--mem $_: expected a value of Xen's dom0_mem= /] } '1GB', '1G,', 'most:1G'),
    [['--smp', '0'], qr/--smp 0: expected a number from 1$/],
    [['--timeout', '1m'], qr/--timeout 1m: expected a number of seconds/],
    [['--initrd', "$dir/none"], qr/--initrd .*none: no such file/],
    [['--xen', "$dir/none"], qr/--xen .*none: no such file/],
    [['--xen', $kernel], qr/kernel: expected a plain multiboot ELF, found .* begins with the bytes 61 20 6b 65$/],
    [['--xen', '3.1'], qr/no such version: Xen 3\.1, expected 4\.14, 4\.17/],
    [['--firmware', 'efi'], qr/--firmware efi: expected bios or uefi/],
    [['--as', 'domU', '--firmware', 'uefi'], qr/--firmware uefi: expected --as dom0, found --as domU,/],
    [['--firmware', 'uefi'], qr/xen: expected a program for UEFI, found a file that begins with the bytes 7f 45 4c 46/],
    [['--firmware', 'uefi', '--xen', $kernel], qr/kernel: expected a program for UEFI, found .* 61/],
    [['--xen', $efi], qr/xen\.efi: expected a plain multiboot ELF, found .* 4d 5a/],
    [[@uefi, '--', 'a', 'b#c'], qr/without # and control characters, .*found "a b#c"$/],
    [[@uefi, '--xen-args', "a\nb"], qr/without # and control characters, .*found "a\\nb"$/],
    [[@uefi, '--initrd', "$dir/huge"], qr/uefi: expected at most 450 MiB of kernel and ramdisk, found 451 MiB$/],
    (map { [["--gdb=$_"], qr/--gdb=$_: expected a port from 1 to 65535, or socket$/] } qw(http 65536)),
    [['--gdb='], qr/--gdb needs a value/],
    [['--gdb', '--as', 'domU'], qr/--gdb is for a dom0/],
    [['--json', "$dir/none/json"], qr/none\/json: cannot write to this file$/],
    [['test=all'], qr/expected one KERNEL, found .*kernel and test=all/];
refuses ['boot', '--xen', $xen], [["$dir/none"], qr/^boot: \Q$dir\E\/none: no such file; run make$/];

# The arguments of QEMU, Xen and the kernel

my $shown = "(XEN) Xen version 4.17.7\n$good";
my $works = 'say "(XEN) Xen version 4.17.7"; pass';
is_deeply [with_qemu($works, @boot)], [0, $shown . $passed, ''],
    'success: standard output has the console and the verdict';
nothing_is_left($dir, 'success');
is qemu_args(), '-accel tcg -machine pc,memory-backend=m0 -object memory-backend-ram,id=m0,size=512M,reserve=off -smp 1'
    . ' -display none -monitor none -net none -no-reboot -serial stdio -cpu max -kernel TMP/xen -initrd TMP,,/kernel watchdog=150'
    . ' -append console=com1 com1=115200,8n1 loglvl=all guest_loglvl=all bootscrub=0 serial_tx_buffer=256k',
    'without options: arguments of QEMU';
with_qemu('', @boot, '--mem', '1G,max:2364M', '--host-mem', '8G', '--smp', 2, '--machine', 'q35,max-ram-below-4g=64M',
    '--cpu', 'none', '--xen-args', 'noreboot xpti=1', '--qemu-args', '-d int', '--initrd', $initrd,
    '--', 'test=a,b', 'c');
is qemu_args(), '-accel tcg -machine q35,max-ram-below-4g=64M,memory-backend=m0'
    . ' -object memory-backend-ram,id=m0,size=8G,reserve=off -smp 2'
    . ' -display none -monitor none -net none -no-reboot -serial stdio -kernel TMP/xen'
    . ' -initrd TMP,,/kernel watchdog=600 test=a,,b c,TMP,,/initrd' # a single comma starts the next module
    . ' -append console=com1 com1=115200,8n1 loglvl=all guest_loglvl=all bootscrub=0 serial_tx_buffer=256k'
    . ' dom0_mem=1G,max:2364M noreboot xpti=1 -d int', 'with options: arguments of QEMU';

my $report = '{"report":"p2m"}';
is((with_qemu("say '$report'; pass", @boot, '--quiet', '--json', "$dir/json", '--log', "$dir/log"))[1], $passed,
    '--quiet: standard output has only the verdict');
is read_file("$dir/json"), qq($report\n{"report":"boot","nr_pages":1}\n), '--json: the file has the reports';
is read_file("$dir/log"), "$report\n$good", '--log: the file has the console';

# Ends of QEMU

ends [@boot, '--timeout', 2],
    ['QEMU stays after the last line', 'pass; stays', 0, qr/1 passed/],
    ['a line "Test result" without end', 'while sleep 0.1; do say "Test result: SUCCESS"; done', 5, qr/failure/],
    ["QEMU stays after the domain's crash", 'say "(XEN) Hardware Dom0 crashed: x"; stays', 6,
        qr/crash: Xen printed: Hardware/, '--timeout', 600],
    ['QEMU stays after a panic of Xen', 'say "(XEN) Panic on CPU 0:" "(XEN) Not enough RAM"; stays', 6,
        qr/crash: .*Panic/, '--timeout', 600],
    ['a line that arrives in two parts',
        'printf %s "$(pass | sed "s/ SUCCESS.*//")"; sleep 0.5; say " SUCCESS"', 0, qr/1 passed/],
    ['a last line without a line end', 'printf %s "$(pass)"', 0, qr/1 passed/],
    ['time runs out', 'say "TAP version 14" 1..1; stays', 124, qr/timeout: time ran out after the line: 1\.\.1/],
    ['time runs out while the guest prints', 'while sleep 0.1; do say more; done', 124, qr/timeout: .*more/],
    ['QEMU dies at once', 'exit 1', 4, qr/QEMU did not start \(exit code 1\); its own message is above/],
    ['QEMU dies later', 'say "TAP version 14"; exit 1', 5, qr/failure: the console: expected a TAP plan, found none/],
    ['QEMU waits for gdb', 'stays', 124, qr/timeout/, '--gdb'];

# Xen prints between two pieces of a line of dom0

my $interrupted = q{printf '%s\r\n' '{"report":"boot","n":(XEN) Platform timer' '(XEN) again' '1,"m":(XEN) more' '2}' };
with_qemu("$interrupted; pass; printf 'the end(XEN) Hardware Dom0 shutdown\r\n'", 'boot', '--json', "$dir/json", '--log', "$dir/log", $kernel);
like read_file("$dir/json"), qr/\A\{"report":"boot","n":1,"m":2\}$/m, 'a line of dom0 that Xen interrupts: the report is whole';
like read_file("$dir/log"), qr/\A\(XEN\) Platform timer\n\(XEN\) again\n\(XEN\) more\n\{"report":"boot","n":1,"m":2\}\n/,
    "a line of dom0 that Xen interrupts: Xen's lines come first";
like read_file("$dir/log"), qr/^\(XEN\) Hardware Dom0 shutdown\nthe end\n\z/m, 'a line without a rest is the last one';

# Addresses get function, file and line, on standard output and in the log, but not for the verdict

program("$dir/bin/fake-addr2line", <<'END');
[ "$1 $2 $3 $4" = "-f -i -e $HERE/kernel" ] || exit 1
case $5 in
0xffffffff80100010) printf 'inner\n./a.c:1\nouter\n./b.c:2 (discriminator 1)\n' ;;
0xffffffff80100020) printf 'alone\na.c:3\n' ;;
*) printf '??\n??:0\n' ;;
esac
END

my @places = (
    # the line of the guest, and the text that is added to it
    ['trap: vector 14, error code 0x2, at e033:ffffffff80100020, flags 86, events masked', ', in alone (a.c:3)'],
    ['trap: vector 14, error code 0x10, at e033:0000000000000000, flags 86, events masked', ''],
    ['Call trace:', ''],
    [' [<ffffffff80100010>] R', ' inner (a.c:1), inlined in outer (b.c:2 (discriminator 1))'],
    [' [<ffffffff80100021>] S', ' alone (a.c:3)'],
    [' [<ffffffff80100011>] S', ' inner (a.c:1), inlined in outer (b.c:2 (discriminator 1))'],
    [' [<ffffffff80109999>] S', ''],
    ['# [<ffffffff80100021>] S', ''],
    ['(XEN) RIP:    e033:[<ffffffff80100020>]', ' in alone (a.c:3)'],
    ['(XEN) RIP:    e008:[<ffff82d040100020>] a+0/1', ''],
    ['Bail out! rip ffffffff80100020', ''],
    ['Test result: CRASH', ''],
);
my $traced = join '', map { "$_->[0]$_->[1]\n" } @places;
my $traces = join ' ', 'say', map { "'$_->[0]'" } @places;
my %cross  = (env => {CROSS_COMPILE => 'fake-'});
my ($exit, $out, $err) = with_qemu(\%cross, $traces, @boot, '--log', "$dir/log");
is_deeply [$exit, $out, $err], [6, $traced, "xenolith: crash: Bail out! rip ffffffff80100020\n"],
    'a call trace: standard output has functions, files and lines, and the verdict has the line of the guest alone';
is read_file("$dir/log"), $traced, 'a call trace: --log has the functions, files and lines';

($exit, $out) = with_qemu(\%cross, 'for i in {1..300}; do say " [<ffffffff80100021>] S"; done; pass', @boot);
is_deeply [$exit, scalar(() = $out =~ /alone/g), $out =~ tr/\n//], [0, 200, 300 + 6],
    '300 addresses: the first 200 are looked up, and the console has all lines';
is((with_qemu({env => {CROSS_COMPILE => 'none-'}}, $traces, @boot))[1], join('', map { "$_->[0]\n" } @places),
    'without addr2line: the console is that of the guest');

# --gdb: QEMU waits for gdb; the first commands of gdb are in a file

write_file("$dir/built/xen", read_file($xen));
my $symbols = write_file("$dir/built/xen-syms", 'symbols');
my $top     = script('..') =~ s{/scripts/\.\.$}{}r;
for my $case (
    ['--gdb', '127.0.0.1:1234', "$dir/built/xen"],
    ['--gdb=4711', '127.0.0.1:4711', $xen],
    ['--gdb=socket', '', $xen],
) {
    my ($option, $at, $xen) = @$case;
    my ($exit, undef, $err) = with_qemu($works, @boot, $option, '--xen', $xen);
    my ($tmp) = $err =~ m{^    gdb -x (\Q$dir\E/tmp/\S+)/attach$}m;
    my $stub = $at ? "tcp:$at" : 'unix:TMP,,/gdb,server=on,wait=off';
    $at ||= "$tmp/gdb";
    is $exit, 0, "$option: exit code is 0";
    like qemu_args(), qr/ -S -gdb $stub$/, "$option: QEMU waits, and gets the address for gdb";
    like $err, qr/^boot: QEMU waits for gdb on \Q$at\E\. /, "$option: the message has the address";
    my $of_xen = $xen =~ /built/ ? "add-symbol-file \"$symbols\"\n" : '';
    is read_file("$dir/seen/attach"), <<"END", "$option: gdb gets the symbols, and stops in kernel_main";
set confirm off
file "$kernel"
${of_xen}set confirm on
directory $top
source $top/scripts/gdb.d/xenolith.py
target remote $at
thbreak kernel_main
continue
END
}

# UEFI starts Xen from a disk, and prints before Xen does

cached('ovmf', map { $_ => $_ } qw(OVMF_CODE.fd OVMF_VARS.fd));
my $before = 'printf "\e[2J\e[01;01HBdsDxe: loading Boot0001\r\nXen 4.17.7 (c/s ) EFI loader\r\n\e[2J"';
my @more   = ('--mem', '1G', '--xen-args', 'noreboot', '--initrd', $initrd, '--log', "$dir/log", '--', 'test=a,b', 'c');
is_deeply [with_qemu("$before; $works", @boot, @uefi, @more)], [0, $shown . $passed, ''],
    'UEFI: exit code, console and verdict are the same as with BIOS';
is read_file("$dir/log"), $shown, 'UEFI: --log has only the lines from Xen on';
my %esp = (kernel => "a kernel\n", initrd => 'ramdisk', 'BOOTX64.EFI' => read_file($efi), 'BOOTX64.cfg' => <<'END');
[global]
default=xenolith
[xenolith]
options=console=com1 com1=115200,8n1 loglvl=all guest_loglvl=all bootscrub=0 serial_tx_buffer=256k dom0_mem=1G noreboot
kernel=kernel watchdog=150 test=a,b c
ramdisk=initrd
END
is_deeply {map { $_ => read_file("$dir/seen/esp/EFI/BOOT/$_") } keys %esp}, \%esp,
    'UEFI: the disk has Xen, its configuration, the kernel and the ramdisk';
is read_file("$dir/seen/vars"), 'OVMF_VARS.fd', "UEFI: QEMU gets a copy of UEFI's variables";
unlike qemu_args(), qr/ -kernel /, 'UEFI: QEMU gets no -kernel';
ends [@boot, @uefi],
    ['UEFI shows its menu', "$before; " . q{say 'No such file.' 'BdsDxe: loading Boot0000 "UiApp" from Fv'; stays}, 4,
        qr/\Aboot: UEFI did not start Xen: No such file\.\n\z/, '--timeout', 600],
    ['UEFI prints nothing', 'stays', 124,
        qr/\Aboot: UEFI did not start Xen: expected a message of UEFI, found none\n\z/, '--timeout', 1];

done_testing;
