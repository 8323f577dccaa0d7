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
use Test::More;

my $dir = tempdir();
write_file("$dir/kernel", 'kernel');
write_file("$dir/xen", "\x7fELF" . "\0" x 60 . "\x02\xb0\xad\x1b" . "\0" x 16);
write_file("$dir/xen.efi", 'MZ' . "\0" x 58 . "\x40\0\0\0" . "PE\0\0\x64\x86");
write_file("$dir/bin/qemu-system-x86_64", <<'END');
#!/bin/bash
[ "$1" != --version ] || { echo "QEMU emulator version ${FAKE_VERSION:-7.2.22 (Debian)}"; exit; }
echo $$ >"$FAKE/pid"
printf '%s\n' "$@" >"$FAKE/args"
cat "$FAKE/console"
. "$FAKE/ending"
END
chmod 0755, "$dir/bin/qemu-system-x86_64";

# Boots with a QEMU that prints the console and then runs the commands of $ending.
sub boot {
    my ($console, $ending, @args) = @_;
    unlink map { "$dir/$_" } qw(pid args);
    write_file("$dir/console", $console);
    write_file("$dir/ending",  $ending);
    mkdir "$dir/tmp";
    my %env = (FAKE => "$dir", PATH => "$dir/bin:$ENV{PATH}", TMPDIR => "$dir/tmp",
        XENOLITH_CACHE => "$dir/cache");
    return run({env => \%env}, script('boot'), '--xen', "$dir/xen", @args);
}

sub leaves_nothing {
    my ($name) = @_;
    return nothing_is_left($dir, $name);
}

# Bad input

my $kernel = "$dir/kernel";
write_file("$dir/built/xen", read_file("$dir/xen"));
write_file("$dir/built/xen-syms", 'symbols');
truncate write_file("$dir/huge", ''), 450 << 20 or die $!;
my @bad    = (
    [['--foo', $kernel], qr/^boot: unknown option --foo/],
    [['--mem'], qr/--mem needs a value/],
    [['--host-mem', '512', $kernel], qr/--host-mem 512: expected a number followed by K, M, G or T/],
    [['--host-mem', '0G',  $kernel], qr/--host-mem 0G: expected/],
    [['--host-mem', 'max:1G', $kernel], qr/--host-mem max:1G: expected/],
    [['--mem', '1GB', $kernel], qr/--mem 1GB: expected/],
    [['--mem', '1G,', $kernel], qr/--mem 1G,: expected/],
    [['--mem', 'most:1G', $kernel], qr/--mem most:1G: expected/],
    [['--smp', '0', $kernel], qr/--smp 0: expected/],
    [['--timeout', '1m', $kernel], qr/--timeout 1m: expected a number of seconds/],
    [["$dir/none"], qr/none: no such file; run make/],
    [['--initrd', "$dir/none", $kernel], qr/--initrd .*none: no such file/],
    [['--xen', "$dir/none", $kernel], qr/--xen .*none: no such file/],
    [['--xen', $kernel, $kernel], qr/--xen .*kernel: expected a plain multiboot ELF, found a file that begins with the bytes 6b/],
    [['--xen', '3.1', $kernel], qr/no such version: Xen 3\.1, expected 4\.14, 4\.17/],
    [['--firmware', 'efi', $kernel], qr/--firmware efi: expected bios or uefi/],
    [['--as', 'domU', '--firmware', 'uefi', $kernel], qr/--firmware uefi: expected --as dom0, found --as domU,/],
    [['--firmware', 'uefi', $kernel], qr/xen: expected a program for UEFI, found a file that begins with the bytes 7f 45 4c 46/],
    [['--firmware', 'uefi', '--xen', $kernel, $kernel], qr/kernel: expected a program for UEFI, found .* 6b/],
    [['--xen', "$dir/xen.efi", $kernel], qr/xen\.efi: expected a plain multiboot ELF, found .* 4d 5a/],
    [['--firmware', 'uefi', '--xen', "$dir/xen.efi", $kernel, '--', 'a', 'b#c'],
        qr/without # and control characters, .*found "a b#c"$/],
    [['--firmware', 'uefi', '--xen', "$dir/xen.efi", '--xen-args', "a\nb", $kernel],
        qr/without # and control characters, .*found "a\\nb"$/],
    [['--firmware', 'uefi', '--xen', "$dir/xen.efi", '--initrd', "$dir/huge", $kernel],
        qr/--firmware uefi: expected at most 450 MiB of kernel and ramdisk, found 451 MiB/],
    [['--gdb=http', $kernel], qr/--gdb=http: expected a port from 1 to 65535, or socket$/],
    [['--gdb=65536', $kernel], qr/--gdb=65536: expected a port/],
    [['--gdb=', $kernel], qr/--gdb needs a value/],
    [['--gdb', '--as', 'domU', $kernel], qr/--gdb is for a dom0/],
    [['--json', "$dir/none/json", $kernel], qr/none\/json: cannot write to this file$/],
    [[$kernel, 'test=all'], qr/expected one KERNEL, found .*kernel and test=all/],
);
for my $case (@bad) {
    my ($args, $sentence) = @$case;
    my $name = join(' ', @$args) =~ s/\Q$dir\E\///gr;
    my ($exit, $out, $err) = boot('', '', @$args);
    is $exit, 2, "$name: exit code is 2 (bad usage)";
    like $err, $sentence, "$name: the message says what was found and expected";
    is $err =~ tr/\n//, 1, "$name: the message is one line";
    ok !-e "$dir/pid", "$name: QEMU is not started";
    leaves_nothing($name);
}

# The arguments of QEMU, Xen and the kernel

my $good = <<'END';
(XEN) Xen version 4.17.7
TAP version 14
1..1
ok 1 - e820
{"report":"boot","nr_pages":1}
{"report":"p2m"}
Test result: SUCCESS
END
$good =~ s/\n/\r\n/g;

# The argument of QEMU that follows an option
sub qemu_arg {
    my ($option) = @_;
    return read_file("$dir/args") =~ /^\Q$option\E\n(.*)$/m ? $1 : undef;
}

my ($exit, $out, $err) = boot($good, '', $kernel);
is $exit, 0, 'success: exit code is 0';
is $out, $good =~ s/\r//gr . "xenolith: 1 passed, 0 skipped\n", 'success: standard output has the console and the verdict';
is $err, '', 'success: standard error is empty';
leaves_nothing('success');
is qemu_arg('-machine'), 'pc,memory-backend=m0', 'without --machine: QEMU gets pc';
is qemu_arg('-cpu'), 'max', 'without --cpu: QEMU gets max';
like qemu_arg('-object'), qr/size=512M,reserve=off/, 'without --host-mem: QEMU gets 512M that is allocated when touched';
like qemu_arg('-initrd'), qr/^\S+\/kernel$/, 'without arguments and --initrd: QEMU gets the kernel alone';
unlike qemu_arg('-append'), qr/dom0_mem/, 'without --mem: Xen gets no dom0_mem=';

write_file("$dir/a b,c", 'ramdisk');
boot($good, '', '--mem', '1G,max:2364M', '--host-mem', '8G', '--xen-args', 'noreboot xpti=1',
    '--qemu-args', '-d int', '--machine', 'max-ram-below-4g=64M',
    '--initrd', "$dir/a b,c", '--cpu', 'none', '--smp', 2, $kernel, '--', 'test=e820,p2m', 'a');
like qemu_arg('-initrd'), qr{^\S+/kernel test=e820,,p2m a,\S+/initrd$},
    "commas in the kernel's arguments are doubled, because a comma starts the next module";
like qemu_arg('-append'), qr/ dom0_mem=1G,max:2364M noreboot xpti=1$/, '--mem and --xen-args: Xen gets both';
like qemu_arg('-object'), qr/size=8G/, '--host-mem: QEMU gets this size';
is qemu_arg('-machine'), 'pc,max-ram-below-4g=64M,memory-backend=m0', '--machine OPTION: QEMU gets pc with the option';
is qemu_arg('-d'), 'int', '--qemu-args: QEMU gets them';
is qemu_arg('-smp'), 2, '--smp: QEMU gets this number';
is qemu_arg('-cpu'), undef, '--cpu none: QEMU gets no -cpu';
boot($good, '', '--machine', 'q35,max-ram-below-4g=1G', $kernel);
is qemu_arg('-machine'), 'q35,max-ram-below-4g=1G,memory-backend=m0', '--machine NAME,OPTION: QEMU gets this machine';

# The files and the output

($exit, $out) = boot($good, '', '--quiet', '--json', "$dir/json", '--log', "$dir/log", $kernel);
is $out, "xenolith: 1 passed, 0 skipped\n", '--quiet: standard output has only the verdict';
is read_file("$dir/json"), qq({"report":"boot","nr_pages":1}\n{"report":"p2m"}\n), '--json: the file has the reports';
is read_file("$dir/log"), $good =~ s/\r//gr, '--log: the file has the console';

# Ends of QEMU

my $silent = 'exec sleep 60';
my @ends   = (
    ['QEMU stays after the last line', $good, $silent, 0, qr/1 passed/],
    ['a line "Test result" without end of output', '', 'while sleep 0.1; do echo "Test result: SUCCESS"; done', 5, qr/failure/],
    ["QEMU stays after the domain's crash",
        "(XEN) Hardware Dom0 crashed: 'noreboot' set - not rebooting.\n", $silent, 6, qr/crash: Xen printed: Hardware/],
    ['a line that arrives in two parts', $good =~ s/(?<=result:).*//sr, 'sleep 0.5; echo " SUCCESS"', 0, qr/1 passed/],
    ['a last line without a line end', $good =~ s/\r\n\z//r, '', 0, qr/1 passed/],
    ['time runs out', "TAP version 14\n1..1\n", $silent, 124, qr/timeout: time ran out after the line: 1\.\.1/],
    ['time runs out while the guest prints', '', 'while sleep 0.1; do echo more; done', 124, qr/timeout: .*more/],
    ['QEMU dies at once', '', 'exit 1', 4, qr/QEMU did not start \(exit code 1\); its own message is above/],
    ['QEMU dies later', "TAP version 14\n", 'exit 1', 5, qr/failure: expected a TAP plan, found none/],
);
for my $case (@ends) {
    my ($name, $console, $ending, $code, $sentence) = @$case;
    my ($exit, $out, $err) = boot($console, $ending, '--timeout', 2, $kernel);
    is $exit, $code, "$name: exit code is $code";
    like $out . $err, $sentence, "$name: the verdict says why";
    leaves_nothing($name);
}

# Addresses get function, file and line, on standard output and in the log, but not for the verdict

write_file("$dir/bin/fake-addr2line", <<'END');
#!/bin/sh
[ "$1 $2 $3 $4" = "-f -i -e $FAKE/kernel" ] || exit 1
case $5 in
0xffffffff80100010) printf 'inner\n./a.c:1\nouter\n./b.c:2 (discriminator 1)\n' ;;
0xffffffff80100020) printf 'alone\na.c:3\n' ;;
*) printf '??\n??:0\n' ;;
esac
END
chmod 0755, "$dir/bin/fake-addr2line";
$ENV{CROSS_COMPILE} = 'fake-';

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
($exit, $out, $err) = boot(join('', map { "$_->[0]\r\n" } @places), '', '--log', "$dir/log", $kernel);
is $exit, 6, 'a call trace: exit code is 6 (crash)';
is $out, $traced, 'a call trace: standard output has the functions, files and lines';
is read_file("$dir/log"), $traced, 'a call trace: --log has the functions, files and lines';
like $err, qr/^xenolith: crash: Bail out! rip ffffffff80100020$/m, 'a call trace: the verdict has the line of the guest alone';

my $flood = " [<ffffffff80100021>] S\n" x 300;
($exit, $out) = boot("$flood$good", '', $kernel);
is $exit, 0, '300 addresses: exit code is 0';
is scalar(() = $out =~ /alone/g), 200, '300 addresses: the first 200 are looked up';
is $out =~ tr/\n//, 300 + 8, '300 addresses: the console has all lines';

$ENV{CROSS_COMPILE} = 'none-';
($exit, $out) = boot(join('', map { "$_->[0]\n" } @places), '', $kernel);
is $out, join('', map { "$_->[0]\n" } @places), 'without addr2line: the console is that of the guest';
delete $ENV{CROSS_COMPILE};

# --gdb: QEMU waits for gdb; the first commands of gdb are in a file

for my $case (['--gdb' => 'tcp:127.0.0.1:1234', '127.0.0.1:1234'], ['--gdb=4711' => 'tcp:127.0.0.1:4711', '127.0.0.1:4711'],
    ['--gdb=socket' => qr{^unix:(\Q$dir\E/tmp/\S+/gdb),server=on,wait=off$}, qr{\Q$dir\E/tmp/\S+/gdb}]) {
    my ($option, $stub, $at) = @$case;
    ($exit, $out, $err) = boot($good, 'cp "$TMPDIR"/attach "$FAKE"', $option, '--xen', "$dir/built/xen", $kernel);
    is $exit, 0, "$option: exit code is 0";
    like read_file("$dir/args"), qr/^-S$/m, "$option: QEMU gets -S, and waits";
    like qemu_arg('-gdb'), ref $stub ? $stub : qr/^\Q$stub\E$/, "$option: QEMU gets the address for gdb";
    like $err, qr/^boot: QEMU waits for gdb on $at\. .*\n    gdb -x \Q$dir\E\/tmp\/\S+\/attach$/m, "$option: the message has the command that attaches gdb";
    like read_file("$dir/attach"), qr/^file "\Q$kernel\E"\nadd-symbol-file "\Q$dir\E\/built\/xen-syms"$/m, "$option: the file of gdb has the symbols of the kernel and of Xen";
    like read_file("$dir/attach"), qr/^target remote $at\nthbreak kernel_main\ncontinue\n\z/m, "$option: the file of gdb stops in kernel_main";
    leaves_nothing($option);
}
boot($good, 'cp "$TMPDIR"/attach "$FAKE"', '--gdb', $kernel);
unlike read_file("$dir/attach"), qr/add-symbol-file/, '--gdb without xen-syms beside Xen: the file of gdb has no symbols of Xen';
boot($good, '', $kernel);
unlike read_file("$dir/args"), qr/^-(?:S|gdb)$/m, 'without --gdb: QEMU gets neither -S nor -gdb';
($exit) = boot('', $silent, '--gdb', '--timeout', 1, $kernel);
is $exit, 124, '--gdb --timeout 1: exit code is 124 (timeout)';

# Xen prints nothing after a panic, but QEMU may stay.
my $began = time;
($exit) = boot("(XEN) Panic on CPU 0:\n(XEN) Not enough RAM\n", $silent, '--timeout', 50, $kernel);
is $exit, 6, 'Xen panics: exit code is 6 (crash)';
cmp_ok time - $began, '<', 15, 'Xen panics: scripts/boot ends within 15 s, not at --timeout 50';
leaves_nothing('Xen panics');

# UEFI starts Xen from a disk, and prints before Xen does

write_file("$dir/cache/ovmf/$_", $_) for qw(OVMF_CODE.fd OVMF_VARS.fd);
system("cd $dir/cache/ovmf && sha256sum * >../sums && mv ../sums SHA256SUMS") == 0 or die;
my @uefi   = ('--firmware', 'uefi', '--xen', "$dir/xen.efi", '--timeout', 20);
my $before = "\e[2J\e[01;01HBdsDxe: loading Boot0001\r\nXen 4.17.7 (c/s ) EFI loader\r\n\e[2J";

($exit, $out, $err) = boot($before . $good, 'cp -rL "$TMPDIR"/esp "$TMPDIR"/vars "$FAKE"',
    @uefi, '--mem', '1G', '--xen-args', 'noreboot', '--log', "$dir/log", $kernel, '--', 'test=e820,p2m', 'a');
is_deeply [$exit, $out, $err], [0, $good =~ s/\r//gr . "xenolith: 1 passed, 0 skipped\n", ''],
    'UEFI: exit code, console and verdict are the same as with BIOS';
is read_file("$dir/log"), $good =~ s/\r//gr, 'UEFI: --log has only the lines from Xen on';
leaves_nothing('UEFI');
my $esp = "$dir/esp/EFI/BOOT";
is read_file("$esp/BOOTX64.EFI"), read_file("$dir/xen.efi"), 'UEFI: BOOTX64.EFI is Xen';
is read_file("$esp/kernel"), 'kernel', 'UEFI: the disk has the kernel';
my ($options, @lines) = map { s/^options=//r } reverse sort split /\n/, read_file("$esp/BOOTX64.cfg");
like $options, qr/^console=com1 .* dom0_mem=1G noreboot$/, "UEFI: the configuration has Xen's arguments";
is_deeply \@lines, ['kernel=kernel test=e820,p2m a', 'default=xenolith', '[xenolith]', '[global]'],
    "UEFI: the configuration has the kernel's arguments, with single commas, and no ramdisk";
is read_file("$dir/vars"), 'OVMF_VARS.fd', "UEFI: QEMU gets a copy of UEFI's variables";
is qemu_arg('-kernel'), undef, 'UEFI: QEMU gets no -kernel';

boot($good, 'cp -rL "$TMPDIR"/esp "$FAKE"', @uefi, '--initrd', "$dir/a b,c", $kernel);
is read_file("$esp/initrd"), 'ramdisk', 'UEFI with --initrd: the disk has the ramdisk';
like read_file("$esp/BOOTX64.cfg"), qr/^ramdisk=initrd$/m, 'UEFI with --initrd: the configuration names the ramdisk';

$began = time;
($exit, $out, $err) = boot("${before}No such file.\r\nBdsDxe: loading Boot0000 \"UiApp\" from Fv\r\n", $silent,
    @uefi, $kernel);
is_deeply [$exit, $out, $err], [4, '', "boot: UEFI did not start Xen: No such file.\n"],
    'UEFI shows its menu: exit code is 4, and the message has its last line';
cmp_ok time - $began, '<', 15, 'UEFI shows its menu: scripts/boot ends within 15 s, not at --timeout 20';
leaves_nothing('UEFI shows its menu');

($exit, $out, $err) = boot('', $silent, @uefi, '--timeout', 1, $kernel);
is_deeply [$exit, $out, $err], [124, '', "boot: UEFI did not start Xen: expected a message of UEFI, found none\n"],
    'UEFI prints nothing: exit code is 124 (timeout)';
leaves_nothing('UEFI prints nothing');

for my $signal (qw(INT TERM HUP)) {
    my $kill = "kill -$signal \$PPID; exec sleep 60";
    my ($exit) = boot('', $kill, $kernel);
    is $exit, 130, "SIG$signal: exit code is 130";
    leaves_nothing("SIG$signal");
}

is((run(script('boot'), '--help'))[0], 0, '--help: exit code is 0');

done_testing;
