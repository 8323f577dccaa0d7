#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# scripts/boot is the runner everything else stands on. Without this, bad input
# could boot something else than was asked for, and a QEMU could be left behind.
# QEMU's part is played by a script, so that every ending can be had at will.

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

# Boots with a QEMU that prints the console and then does what ending says.
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
    [['--xen', $kernel, $kernel], qr/--xen .*kernel: expected a plain multiboot ELF, found a file that begins 6b/],
    [['--xen', '3.1', $kernel], qr/no Xen 3\.1 to be had: expected 4\.14, 4\.17/],
    [['--firmware', 'efi', $kernel], qr/--firmware efi: expected bios or uefi/],
    [['--as', 'domU', '--firmware', 'uefi', $kernel], qr/--firmware uefi is for a dom0/],
    [['--firmware', 'uefi', $kernel], qr/xen: expected a program for UEFI, found a file that begins 7f 45 4c 46/],
    [['--firmware', 'uefi', '--xen', $kernel, $kernel], qr/kernel: expected a program for UEFI, found .* 6b/],
    [['--xen', "$dir/xen.efi", $kernel], qr/xen\.efi: expected a plain multiboot ELF, found .* 4d 5a/],
    [['--firmware', 'uefi', '--xen', "$dir/xen.efi", $kernel, '--', 'a', 'b#c'],
        qr/without # and control characters, .*found a\\ b#c$/],
    [['--firmware', 'uefi', '--xen', "$dir/xen.efi", '--xen-args', "a\nb", $kernel],
        qr/without # and control characters, .*found \$'a\\nb'$/],
    [['--firmware', 'uefi', '--xen', "$dir/xen.efi", '--initrd', "$dir/huge", $kernel],
        qr/--firmware uefi: expected at most 450 MiB of kernel and ramdisk, found 451 MiB/],
    [['--gdb=http', $kernel], qr/--gdb=http: expected a port from 1 to 65535, or socket$/],
    [['--gdb=65536', $kernel], qr/--gdb=65536: expected a port/],
    [['--gdb=', $kernel], qr/--gdb=: expected a port/],
    [['--gdb', '--as', 'domU', $kernel], qr/--gdb is for a dom0/],
    [['--json', "$dir/none/json", $kernel], qr/none\/json: cannot be written/],
    [[$kernel, 'test=all'], qr/one KERNEL expected, found .*kernel and test=all/],
);
for my $case (@bad) {
    my ($args, $sentence) = @$case;
    my $name = join(' ', @$args) =~ s/\Q$dir\E\///gr;
    my ($exit, $out, $err) = boot('', '', @$args);
    is $exit, 2, "$name: exit code";
    like $err, $sentence, "$name: sentence";
    is $err =~ tr/\n//, 1, "$name: one line";
    ok !-e "$dir/pid", "$name: QEMU was not started";
    leaves_nothing($name);
}

# What QEMU and the kernel are given

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

# The argument that follows another.
sub qemu_arg {
    my ($option) = @_;
    return read_file("$dir/args") =~ /^\Q$option\E\n(.*)$/m ? $1 : undef;
}

my ($exit, $out, $err) = boot($good, '', $kernel);
is $exit, 0, 'success: exit code';
is $out, $good =~ s/\r//gr . "xenolith: 1 passed, 0 skipped\n", 'success: console and verdict';
is $err, '', 'success: no more';
leaves_nothing('success');
is qemu_arg('-machine'), 'pc,memory-backend=m0', 'machine';
is qemu_arg('-cpu'), 'max', 'cpu';
like qemu_arg('-object'), qr/size=512M,reserve=off/, 'sparse memory of the host';
like qemu_arg('-initrd'), qr/^\S+\/kernel$/, 'no arguments, no ramdisk';
unlike qemu_arg('-append'), qr/dom0_mem/, 'no dom0_mem unless asked for';

write_file("$dir/a b,c", 'ramdisk');
boot($good, '', '--mem', '1G,max:2364M', '--host-mem', '8G', '--xen-args', 'noreboot xpti=1',
    '--qemu-args', '-d int', '--machine', 'max-ram-below-4g=64M',
    '--initrd', "$dir/a b,c", '--cpu', 'none', '--smp', 2, $kernel, '--', 'test=e820,p2m', 'a');
like qemu_arg('-initrd'), qr{^\S+/kernel test=e820,,p2m a,\S+/initrd$},
    "the kernel's commas are doubled, the ramdisk's name is ours";
like qemu_arg('-append'), qr/ dom0_mem=1G,max:2364M noreboot xpti=1$/, "Xen's line";
like qemu_arg('-object'), qr/size=8G/, 'host-mem';
is qemu_arg('-machine'), 'pc,max-ram-below-4g=64M,memory-backend=m0', 'machine with options';
is qemu_arg('-d'), 'int', 'qemu-args';
is qemu_arg('-smp'), 2, 'smp';
is qemu_arg('-cpu'), undef, 'cpu none';
boot($good, '', '--machine', 'q35,max-ram-below-4g=1G', $kernel);
is qemu_arg('-machine'), 'q35,max-ram-below-4g=1G,memory-backend=m0', 'another machine';

# What is kept

($exit, $out) = boot($good, '', '--quiet', '--json', "$dir/json", '--log', "$dir/log", $kernel);
is $out, "xenolith: 1 passed, 0 skipped\n", 'quiet';
is read_file("$dir/json"), qq({"report":"boot","nr_pages":1}\n{"report":"p2m"}\n), 'json';
is read_file("$dir/log"), $good =~ s/\r//gr, 'log';

# Endings

my $silent = 'exec sleep 60';
my @ends   = (
    ['QEMU stays after the last line', $good, $silent, 0, qr/1 passed/],
    ['a last line that does not end', '', 'while sleep 0.1; do echo "Test result: SUCCESS"; done', 5, qr/failure/],
    ["QEMU stays after the domain's crash",
        "(XEN) Hardware Dom0 crashed: 'noreboot' set - not rebooting.\n", $silent, 6, qr/crash: Xen says/],
    ['a line that halts at a blank', $good =~ s/(?<=result:).*//sr, 'sleep 0.5; echo " SUCCESS"', 0, qr/1 passed/],
    ['a last line without an end', $good =~ s/\r\n\z//r, '', 0, qr/1 passed/],
    ['time runs out', "TAP version 14\n1..1\n", $silent, 124, qr/timeout: time ran out after: 1\.\.1/],
    ['time runs out while it talks', '', 'while sleep 0.1; do echo more; done', 124, qr/timeout: .*more/],
    ['QEMU dies at once', '', 'exit 1', 4, qr/QEMU did not start \(exit 1\)/],
    ['QEMU dies later', "TAP version 14\n", 'exit 1', 5, qr/failure: there is no plan/],
);
for my $case (@ends) {
    my ($name, $console, $ending, $code, $sentence) = @$case;
    my ($exit, $out, $err) = boot($console, $ending, '--timeout', 2, $kernel);
    is $exit, $code, "$name: exit code";
    like $out . $err, $sentence, "$name: sentence";
    leaves_nothing($name);
}

# Addresses get function, file and line, for people only: what the verdict reads is the guest's own

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
    # the guest's line, and what is added to it
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
is $exit, 6, 'a call trace: exit code';
is $out, $traced, 'a call trace: the console';
is read_file("$dir/log"), $traced, 'a call trace: the log';
like $err, qr/^xenolith: crash: Bail out! rip ffffffff80100020$/m, 'a call trace: the verdict';

my $flood = " [<ffffffff80100021>] S\n" x 300;
($exit, $out) = boot("$flood$good", '', $kernel);
is $exit, 0, 'a flood of addresses: exit code';
is scalar(() = $out =~ /alone/g), 200, 'a flood of addresses: so many are looked up';
is $out =~ tr/\n//, 300 + 8, 'a flood of addresses: no line is lost';

$ENV{CROSS_COMPILE} = 'none-';
($exit, $out) = boot(join('', map { "$_->[0]\n" } @places), '', $kernel);
is $out, join('', map { "$_->[0]\n" } @places), 'without addr2line: the console as it is';
delete $ENV{CROSS_COMPILE};

# gdb: QEMU waits for it, and its first commands are in a file

for my $case (['--gdb' => 'tcp:127.0.0.1:1234', '127.0.0.1:1234'], ['--gdb=4711' => 'tcp:127.0.0.1:4711', '127.0.0.1:4711'],
    ['--gdb=socket' => qr{^unix:(\Q$dir\E/tmp/\S+/gdb),server=on,wait=off$}, qr{\Q$dir\E/tmp/\S+/gdb}]) {
    my ($option, $stub, $at) = @$case;
    ($exit, $out, $err) = boot($good, 'cp "$TMPDIR"/*/attach "$FAKE"', $option, '--xen', "$dir/built/xen", $kernel);
    is $exit, 0, "$option: exit code";
    like read_file("$dir/args"), qr/^-S$/m, "$option: QEMU waits";
    like qemu_arg('-gdb'), ref $stub ? $stub : qr/^\Q$stub\E$/, "$option: where";
    like $err, qr/^boot: QEMU waits for gdb on $at\. .*\n    gdb -x \Q$dir\E\/tmp\/\S+\/attach$/m, "$option: sentence";
    like read_file("$dir/attach"), qr/^file "\Q$kernel\E"\nadd-symbol-file "\Q$dir\E\/built\/xen-syms"$/m, "$option: symbols";
    like read_file("$dir/attach"), qr/^target remote $at\nthbreak kernel_main\ncontinue\n\z/m, "$option: commands";
    leaves_nothing($option);
}
boot($good, 'cp "$TMPDIR"/*/attach "$FAKE"', '--gdb', $kernel);
unlike read_file("$dir/attach"), qr/add-symbol-file/, 'no xen-syms beside Xen, no symbols of Xen';
boot($good, '', $kernel);
unlike read_file("$dir/args"), qr/^-(?:S|gdb)$/m, 'without --gdb QEMU does not wait';
($exit) = boot('', $silent, '--gdb', '--timeout', 1, $kernel);
is $exit, 124, '--gdb: a limit that is asked for holds';

# Nothing is said after a panic of Xen, though QEMU may stay.
my $began = time;
($exit) = boot("(XEN) Panic on CPU 0:\n(XEN) Not enough RAM\n", $silent, '--timeout', 50, $kernel);
is $exit, 6, 'Xen panics: exit code';
cmp_ok time - $began, '<', 15, 'and it ends soon, whatever time there was left';
leaves_nothing('Xen panics');

# UEFI starts Xen from a disk, and speaks first

write_file("$dir/cache/ovmf/$_", $_) for qw(OVMF_CODE.fd OVMF_VARS.fd);
system("cd $dir/cache/ovmf && sha256sum * >../sums && mv ../sums SHA256SUMS") == 0 or die;
my @uefi   = ('--firmware', 'uefi', '--xen', "$dir/xen.efi", '--timeout', 20);
my $before = "\e[2J\e[01;01HBdsDxe: loading Boot0001\r\nXen 4.17.7 (c/s ) EFI loader\r\n\e[2J";

($exit, $out, $err) = boot($before . $good, 'cp -rL "$TMPDIR"/*/esp "$TMPDIR"/*/vars "$FAKE"',
    @uefi, '--mem', '1G', '--xen-args', 'noreboot', '--log', "$dir/log", $kernel, '--', 'test=e820,p2m', 'a');
is_deeply [$exit, $out, $err], [0, $good =~ s/\r//gr . "xenolith: 1 passed, 0 skipped\n", ''],
    'UEFI: exit code, console and verdict are those of a BIOS';
is read_file("$dir/log"), $good =~ s/\r//gr, 'UEFI: log';
leaves_nothing('UEFI');
my $esp = "$dir/esp/EFI/BOOT";
is read_file("$esp/BOOTX64.EFI"), read_file("$dir/xen.efi"), 'UEFI: Xen';
is read_file("$esp/kernel"), 'kernel', 'UEFI: the kernel';
my ($options, @lines) = map { s/^options=//r } reverse sort split /\n/, read_file("$esp/BOOTX64.cfg");
like $options, qr/^console=com1 .* dom0_mem=1G noreboot$/, "UEFI: Xen's line";
is_deeply \@lines, ['kernel=kernel test=e820,p2m a', 'default=xenolith', '[xenolith]', '[global]'],
    "UEFI: the kernel's, with its commas, and no ramdisk";
is read_file("$dir/vars"), 'OVMF_VARS.fd', "UEFI: its variables are a copy";
is qemu_arg('-kernel'), undef, 'UEFI: QEMU loads nothing itself';

boot($good, 'cp -rL "$TMPDIR"/*/esp "$FAKE"', @uefi, '--initrd', "$dir/a b,c", $kernel);
is read_file("$esp/initrd"), 'ramdisk', 'UEFI: the ramdisk';
like read_file("$esp/BOOTX64.cfg"), qr/^ramdisk=initrd$/m, 'UEFI: is named';

$began = time;
($exit, $out, $err) = boot("${before}No such file.\r\nBdsDxe: loading Boot0000 \"UiApp\" from Fv\r\n", $silent,
    @uefi, $kernel);
is_deeply [$exit, $out, $err], [4, '', "boot: UEFI did not start Xen: No such file.\n"],
    'UEFI returns to its menu';
cmp_ok time - $began, '<', 15, 'and it ends soon, whatever time there was left';
leaves_nothing('UEFI returns to its menu');

($exit, $out, $err) = boot('', $silent, @uefi, '--timeout', 1, $kernel);
is_deeply [$exit, $out, $err], [124, '', "boot: UEFI did not start Xen: it said nothing\n"], 'UEFI is silent';
leaves_nothing('UEFI is silent');

for my $signal (qw(INT TERM HUP)) {
    my $kill = "kill -$signal \$PPID; exec sleep 60";
    my ($exit) = boot('', $kill, $kernel);
    is $exit, 130, "SIG$signal: exit code";
    leaves_nothing("SIG$signal");
}

is((run(script('boot'), '--help'))[0], 0, '--help');

done_testing;
