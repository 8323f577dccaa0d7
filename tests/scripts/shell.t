#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# scripts/shell, with a script in place of QEMU. Without this test, a wrong argument could start
# something else than the user asked for, QEMU could stay for ever after dom0 has powered off, and a
# crash could count as a normal end. tests/scenarios/shell.t types into the shell of the kernel.

use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Run;
use StandIn;
use Test::More;

my @shell  = ('shell', '--xen', $xen, $kernel);
my $reboot = 'say "xenolith> reboot: the domain ends here"';

for my $option ('--help', '-h') {
    my ($exit, $out, $err) = with_qemu($reboot, 'shell', $option);
    is "$exit:$err", '0:', "$option: exit code is 0, without messages";
    like $out, qr/^usage: scripts\/shell .*^    --xen /ms, "$option prints the usage with the options";
    is_deeply [grep { length > 80 } split /\n/, $out], [], "$option: no line is longer than 80 characters";
    ok !-e "$dir/pid", "$option does not start QEMU";
}

refuses \@shell,
    [['--foo'], qr/^shell: unknown option --foo \(scripts\/shell --help lists the options\)$/],
    [['--host-mem', '1'], qr/^shell: --host-mem 1: expected a number followed by K, M, G or T$/],
    [['--mem', '1GB'], qr/^shell: --mem 1GB: expected a value of Xen's dom0_mem= /],
    [[$kernel], qr/^shell: expected one KERNEL, found .* and /],
    [['--xen', $kernel], qr/expected a plain multiboot ELF, found a file that begins with the bytes 61 20 6b 65$/];
refuses ['shell'], [["$dir/none"], qr/none: no such file; run make$/];

is_deeply [with_qemu($reboot, @shell, '--host-mem', '3G', '--mem', '1G,max:2G', '--smp', 2, '--machine',
    'max-ram-below-4g=1G', '--xen-args', 'noreboot', '--', 'pattern_pages=4', 'test=p2m,ranges')],
    [0, "xenolith> reboot: the domain ends here\r\n", ''], 'reboot: standard output has the console';
is qemu_args(), '-accel tcg -machine pc,max-ram-below-4g=1G,memory-backend=m0'
    . ' -object memory-backend-ram,id=m0,size=3G,reserve=off -smp 2 -display none -monitor none -net none -no-reboot'
    . ' -chardev stdio,id=console,signal=on,logfile=TMP,,/console'
    . ' -serial chardev:console -cpu max -kernel TMP/xen -initrd TMP,,/kernel shell pattern_pages=4 test=p2m,,ranges'
    . ' -append console=com1 com1=115200,8n1 loglvl=error guest_loglvl=error bootscrub=0 dom0_mem=1G,max:2G noreboot',
    'arguments of QEMU: those of the options, and the kernel gets "shell" first';

ends \@shell,
    ['reboot', $reboot, 0, qr/reboot: the domain ends here/],
    ['poweroff, and QEMU stays', 'say "> poweroff: the domain ends here"; stays', 0, qr/poweroff/],
    ['crash', 'say "> crash: the domain ends here"', 6, qr/crash/],
    ['a panic of the kernel, and QEMU stays', 'say "" "Bail out! no memory"; stays', 6, qr/Bail out/],
    ['a panic of Xen, and QEMU stays', 'say "(XEN) Panic on CPU 0:"; stays', 6, qr/Panic/],
    ['an end without a last line', 'say "xenolith> "', 6, qr/\Axenolith> \r\n\z/],
    ['a console of random bytes before reboot', "head -c 4096 /dev/urandom | console; say; $reboot", 0, qr/reboot/],
    ['QEMU does not start', 'exit 1', 4, qr/\Ashell: QEMU did not start \(exit code 1\); its own message is above\n\z/],
    ['the end of the input reboots at the first prompt', 'sleep 0.3; printf "x> " | console;'
        . 'while [ -z "$command" ] && read -r command; do :; done; say "$command: the domain ends here"', 0,
        qr/\Ax> reboot: the domain ends here\r\n\z/];

done_testing;
