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
write_file("$dir/bin/qemu-system-x86_64", <<'END');
#!/bin/bash
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
    my %env = (FAKE => "$dir", PATH => "$dir/bin:$ENV{PATH}", TMPDIR => "$dir/tmp");
    return run({env => \%env}, script('boot'), '--xen', "$dir/xen", @args);
}

sub leaves_nothing {
    my ($name) = @_;
    my $pid = -e "$dir/pid" ? 0 + read_file("$dir/pid") : 0;
    ok !$pid || !kill(0, $pid), "$name: QEMU is gone";
    is_deeply [glob "$dir/tmp/*"], [], "$name: no file is left";
    return;
}

# Bad input

my $kernel = "$dir/kernel";
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

for my $signal (qw(INT TERM HUP)) {
    my $kill = "kill -$signal \$PPID; exec sleep 60";
    my ($exit) = boot('', $kill, $kernel);
    is $exit, 130, "SIG$signal: exit code";
    leaves_nothing("SIG$signal");
}

is((run(script('boot'), '--help'))[0], 0, '--help');

done_testing;
