#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# scripts/host/dom0 runs the scenarios of the kernel as a domU. Without this test, a
# script that failed, or never ran, could count as one that succeeded, and a
# function of scripts/host/dom0.d/lib/xenolith.sh could wait for ever or hide a failure.

use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Run;
use StandIn;
use Test::More;

my @dom0  = ('host/dom0', '--xen', $xen);
my $job   = write_file("$dir/job.sh", 'echo hello');
my @files = map { write_file("$dir/$_", $_) } 'a file', 'other/a file';

# Bad input

refuses \@dom0,
    [[], qr/^dom0: expected a SCRIPT, found none/],
    [['--dom0-mem', '1', $job], qr/--dom0-mem 1: expected/],
    [["$dir/none"], qr/none: no such file/],
    [[$job, "$dir/none"], qr/none: no such file/],
    [[$job, @files], qr/other\/a file: expected FILEs with different names, found a second a file$/],
    [['--xen', $job, $job], qr/expected a plain multiboot ELF/],
    [['--toolstack', '4.13', $job], qr/^xen: no such version: toolstack 4\.13, expected 4\.14/],
    [['--out', "$job/x", $job], qr/--out .*: cannot make this directory$/],
    [['--log', "$dir/none/log", $job], qr/none\/log: cannot write to this file$/];

# The arguments of Xen and Linux, and the files of the script

my @outputs = ('--out', "$dir/out", '--log', "$dir/log", '--xen-args', 'noreboot', '--qemu-args', '-d int');
is_deeply [with_qemu('say up; echo result >$out/r; script_ends 7', @dom0, @outputs, $job, $files[0])], [7, "up\n", ''],
    'a script that ends: scripts/host/dom0 has its exit code and shows the console';
nothing_is_left($dir, 'a script that ends');
my %expected = (log => "up\n", 'out/r' => "result\n",
    'seen/job/.script' => 'echo hello', 'seen/job/a file' => 'a file');
is_deeply {map { $_ => read_file("$dir/$_") } keys %expected}, \%expected,
    '--log has the console, --out the results, and dom0 has the script and the FILE in /job';
my $ramdisk = `cpio -t --quiet <$dir/seen/ramdisk`;
like $ramdisk, qr/^$_$/m, "the ramdisk has $_" for qw(init lib/xenolith.sh etc/xen/xl.conf);
my $initrd = 'TMP,,/vmlinux console=hvc0 quiet panic=1 cryptomgr.notests rodata=off ima=off norandmaps acpi_no_memhotplug,TMP,,/ramdisk';
like qemu_args(), qr/ -smp 1 .* -cpu max,-smap,-smep -kernel TMP\/xen -initrd $initrd -append .* -d int$/,
    'arguments of QEMU: CPU, Linux with its arguments, the ramdisk, and --qemu-args';
like qemu_args(), qr/ spec-ctrl=eager-fpu dom0_mem=1024M,max:1024M dom0_max_vcpus=1 noreboot -virtfs local,path=TMP,,\/job,/,
    '--xen-args: Xen gets them after its own arguments';

# Endings

my $none = qr/\A\z/;
ends [@dom0, '--quiet', '--timeout', 20, $job],
    ['QEMU does not start', 'exit 1', 4, qr/\Adom0: QEMU did not start \(exit code 1\); its own message is above$/],
    ['time runs out', 'say up; stays', 124,
        qr/\Adom0: timeout: SCRIPT has not ended, and the console had no new line for 2 s; the last line is: up$/,
        '--timeout', 2],
    ['dom0 ends before the script', 'say up', 6,
        qr/\Adom0: crash: Xen or dom0 ended before SCRIPT; the line that says why is: up$/],
    ['Linux panics', 'say "[ 1.0] Kernel panic - not syncing: x" "(XEN) Hardware Dom0 crashed: rebooting"', 6,
        qr/why is: \[ 1\.0\] Kernel panic - not syncing: x$/],
    ['Xen panics and QEMU stays', 'say "(XEN) Panic on CPU 0:"; stays', 6, qr/why is: \(XEN\) Panic on CPU 0:$/],
    ['the script ends and QEMU stays',
        'script_ends 3; say "(XEN) Hardware Dom0 halted: halting machine"; stays', 3, $none],
    ['a guest prints a line of Xen', 'say "a| (XEN) Panic on CPU 0:" last', 6, qr/why is: last$/],
    ['a Xen of another version than xl', 'say "(XEN) Xen version 4.14.6 (Debian)"; stays', 2,
        qr/\Adom0: --toolstack 4\.17: expected Xen 4\.17, found Xen 4\.14\.6; /],
    ['Xen 4.170 with xl 4.17', 'say "(XEN) Xen version 4.170.0"; stays', 2,
        qr/expected Xen 4\.17, found Xen 4\.170\.0;/],
    ['a Xen of the same version as xl', 'say "(XEN) Xen version 4.17.7 (Debian)"; script_ends 0', 0, $none],
    ['a script that takes longer than --timeout, and prints meanwhile',
        'for i in 1 2 3 4 5; do say $i; sleep 1; done; script_ends 0', 0, $none, '--timeout', 3],
    ['SIGTERM', 'kill -TERM $PPID; stays', 130, $none];

# The functions that a script can call when they fail (the scenarios show that they succeed), with a
# replacement for the toolstack: nodes of xenstore are files, and a domain lives while a file with its
# name exists.

my $lib = read_file(script('host/dom0.d/lib/xenolith.sh')) =~ s{(?<=[ "=])/var/}{$dir/fake/var/}gr;
write_file("$dir/fake/$_/x", '') for qw(out run var/log/xen/console);
write_file("$dir/fake/lib.sh", $lib);
program("$dir/fake/bin/xl", <<'END');
case $1 in
create) exec sh "$3" ;;
domid) [ -e "$DOM0/$2" ] && echo 7 ;;
list) [ ! -e "$DOM0/$3" ] || printf 'Name\n%s 7 64 1 -b---- 0.1 uuid -\n' "$3" ;;
mem-set) echo "$BALLOON" >"$DOM0/store/local/domain/7/data/balloon" ;;
dmesg) echo 'Shared frames' ;; # the end of the output of the debug keys
esac
END
program("$dir/fake/bin/xenstore-read",  'cat "$DOM0/store$1"');
program("$dir/fake/bin/xenstore-write", 'echo "$2" >"$DOM0/store$1"');

# job(NAME, JOB, EXIT CODE, OUTPUT, VARIABLE => VALUE...): runs a script with the functions.
sub job {
    my ($name, $job, $code, $output, %env) = @_;
    system('rm', '-rf', map { "$dir/fake/$_" } qw(store out/g.log));
    write_file("$dir/fake/store/local/domain/7/data/$_", '') for qw(command balloon);
    write_file("$dir/fake/g", '');
    %env = (domu_out => "$dir/fake/out", domu_run => "$dir/fake/run", DOM0 => "$dir/fake",
        PATH => "$dir/fake/bin:$ENV{PATH}", %env);
    my ($exit, $out, $err) = run({env => \%env}, 'sh', '-c', ". $dir/fake/lib.sh; out=$dir/fake/out; $job");
    is "$exit:$err", "$code:", "$name: exit code is $code, and standard error is empty";
    like $out, ref $output ? $output : qr/\A\Q$output\E\z/, "$name: standard output";
    return;
}

job("look_at_clock reads the seconds of the machine's clock", 'echo 7 >$out/.clock; look_at_clock; echo $now; rm $out/.clock',
    0, "7\n");
job('look_at_clock without this clock reads the seconds of uptime', 'look_at_clock; echo $now', 0, qr/\A\d+\n\z/);
job('domu_until fails when its command has not succeeded in time', 'domu_until 1 test -e $out/nothing', 1, '');
job('domu_tests fails when the guest ends without a new result, and names the guest and the command',
    'echo Test result: SUCCESS >>$out/g.log; : >$out/cfg; rm $DOM0/g; domu_tests g domu_start g create $out/cfg', 1,
    qr/^guest g: expected a new line "Test result" on the console in 300 s after 'domu_start g create .*', found none$/m);
job('domu_command fails when the guest does not say that the command is done', 'domu_until() { shift; "$@"; }; domu_command g test',
    1, "guest g: expected the command 'test' to be done in 120 s; xenstore node data/command is: test\n");
job('domu_mem fails when data/balloon has fewer pages than the target', 'domu_mem g 16', 1,
    "guest g: xenstore node data/balloon: expected 4096 of 4096 pages, found: 4000 of 4096 pages: the rest is in use\n",
    BALLOON => '4000 of 4096 pages: the rest is in use');

done_testing;
