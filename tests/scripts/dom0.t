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
use Dom0;
use Run;
use Test::More;

my $job = write_file("$dir/job.sh", 'echo hello');
write_file("$dir/a file", 'a');
write_file("$dir/other/a file", 'b');

# Bad input

my @bad = (
    [[], qr/^dom0: expected a SCRIPT, found none/],
    [['--foo', $job], qr/^dom0: unknown option --foo/],
    [['--timeout'], qr/--timeout needs a value/],
    [['--host-mem', '4', $job], qr/--host-mem 4: expected a number followed by K, M, G or T/],
    [['--dom0-mem', '1', $job], qr/--dom0-mem 1: expected/],
    [['--smp', '0', $job], qr/--smp 0: expected a number from 1/],
    [["$dir/none"], qr/none: no such file/],
    [[$job, "$dir/none"], qr/none: no such file/],
    [[$job, "$dir/a file", "$dir/other/a file"], qr/other\/a file: expected FILEs with different names, found a second a file$/],
    [['--xen', $job, $job], qr/expected a plain multiboot ELF/],
    [['--toolstack', '4.14', $job], qr/^xen: no such version: toolstack 4\.14, expected 4\.17/],
    [['--out', "$job/x", $job], qr/--out .*: cannot make this directory$/],
    [['--log', "$dir/none/log", $job], qr/none\/log: cannot write to this file$/],
);
for my $case (@bad) {
    my ($args, $sentence) = @$case;
    my $name = join(' ', @$args) =~ s/\Q$dir\E\///gr;
    my ($exit, $out, $err) = with_dom0('', 'host/dom0', @$args);
    is $exit, 2, "'$name': exit code is 2 (bad usage)";
    like $err, $sentence, "'$name': the message says what was found and expected";
    is $err =~ tr/\n//, 1, "'$name': the message is one line";
    ok !-e "$dir/pid", "'$name': QEMU is not started";
    leaves_nothing("'$name'");
}

# The arguments of Xen and Linux, and the files of the script

my ($exit, $out, $err) = with_dom0('echo up; echo result >$out/r; echo 7 >$job/.exit', 'host/dom0', '--out', "$dir/out",
    '--log', "$dir/log", '--xen-args', 'noreboot', '--qemu-args', '-d int', $job, "$dir/a file");
is_deeply [$exit, $out, $err], [7, "up\n", ''], "a script that ends: scripts/host/dom0 has its exit code and shows the console";
leaves_nothing('a script that ends');
is read_file("$dir/log"),        "up\n",       '--log: the file has the console';
is read_file("$dir/out/r"),      "result\n",   '--out: the directory has the files that the script wrote to /out';
is read_file("$dir/job/.script"), 'echo hello', 'dom0 has the script in /job';
is read_file("$dir/job/a file"),  'a',          'dom0 has the FILE in /job';
like qemu_arg('-append'), qr/ dom0_mem=1024M,max:1024M dom0_max_vcpus=1 noreboot$/, '--xen-args: Xen gets them after its own arguments';
like qemu_arg('-initrd'), qr{^\S+/vmlinux console=hvc0 [^,]*,\S+/ramdisk$}, 'QEMU gets Linux with its arguments and the ramdisk';
is qemu_arg('-cpu'), 'max,-smap,-smep', 'without --cpu: QEMU gets max,-smap,-smep';
is qemu_arg('-smp'), 1, 'without --smp: QEMU gets one processor';
is qemu_arg('-d'), 'int', '--qemu-args: QEMU gets them';

(undef, $out) = with_dom0('cpio -t --quiet <"$(sed -n "s/.*,\(.*ramdisk\)$/\1/p" "$FAKE/args")"; echo 0 >$job/.exit',
    'host/dom0', $job);
like $out, qr/^$_$/m, "the ramdisk has $_" for qw(init lib/xenolith.sh etc/xen/xl.conf);
is((with_dom0('echo up; echo 0 >$job/.exit', 'host/dom0', '--quiet', $job))[1], '', '--quiet: the console is not shown');

# Endings

my @ends = (
    ['QEMU does not start', 'exit 1', 4, qr/^dom0: QEMU did not start \(exit code 1\); its own message is above$/],
    ['time runs out', 'echo up; exec sleep 60', 124, qr/^dom0: timeout: SCRIPT has not ended, and the console had no new line for 2 s; the last line is: up$/],
    ['dom0 ends before the script', 'echo up', 6, qr/^dom0: crash: Xen or dom0 ended before SCRIPT; the line that says why is: up$/],
    ['Linux panics', 'echo "[ 1.0] Kernel panic - not syncing: x"; echo "(XEN) Hardware Dom0 crashed: rebooting"', 6,
        qr/why is: \[ 1\.0\] Kernel panic - not syncing: x$/],
    ['Xen panics and QEMU stays', 'echo "(XEN) Panic on CPU 0:"; exec sleep 60', 6, qr/why is: \(XEN\) Panic on CPU 0:$/],
    ['the script ends and QEMU stays', 'echo 3 >$job/.exit; echo "(XEN) Hardware Dom0 halted: halting machine"; exec sleep 60',
        3, qr/^$/],
    ['a guest prints a line of Xen', 'echo "a| (XEN) Panic on CPU 0:"; sleep 1; echo 0 >$job/.exit', 0, qr/^$/],
    ['a Xen of another version than xl', 'echo "(XEN) Xen version 4.14.6 (Debian)"; exec sleep 60', 2,
        qr/^dom0: --toolstack 4\.17: expected Xen 4\.17, found Xen 4\.14\.6; /],
    ['Xen 4.170 with xl 4.17', 'echo "(XEN) Xen version 4.170.0"; exec sleep 60', 2, qr/expected Xen 4\.17, found Xen 4\.170\.0;/],
    ['a Xen of the same version as xl', 'echo "(XEN) Xen version 4.17.7 (Debian)"; echo 0 >$job/.exit', 0, qr/^$/],
);
for my $case (@ends) {
    my ($name, $dom0, $code, $sentence) = @$case;
    my $timeout = $name eq 'time runs out' ? 2 : 20;
    my ($exit, undef, $err) = with_dom0($dom0, 'host/dom0', '--timeout', $timeout, $job);
    is $exit, $code, "$name: exit code is $code";
    like $err, $sentence, $code ? "$name: the message says why" : "$name: there is no message";
    leaves_nothing($name);
}

my ($slow) = with_dom0('for i in 1 2 3 4 5; do echo $i; sleep 1; done; echo 0 >$job/.exit', 'host/dom0', '--timeout', 3, $job);
is $slow, 0, 'a script that takes longer than --timeout, and prints meanwhile: exit code is 0';

for my $signal (qw(INT TERM HUP)) {
    is((with_dom0("kill -$signal \$PPID; exec sleep 60", 'host/dom0', $job))[0], 130, "SIG$signal: exit code is 130");
    leaves_nothing("SIG$signal");
}

is((run(script('host/dom0'), '--help'))[0], 0, '--help: exit code is 0');

# The functions that a script can call, with a replacement for the toolstack: nodes of xenstore are
# files, and a domain lives while a file with its name exists.

my $lib = read_file(script('host/dom0.d/lib/xenolith.sh')) =~ s{(?<=[ "=])/var/}{$dir/fake/var/}gr;
write_file("$dir/fake/$_/x", '') for qw(out run var/log/xen/console);
write_file("$dir/fake/lib.sh", $lib);
my %tools = (
    xl => <<'END',
case $1 in
create) exec sh "$3" ;;
domid) [ -e "$DOM0/$2" ] && echo 7 ;;
list) [ ! -e "$DOM0/$3" ] || printf 'Name\n%s 7 64 1 -b---- 0.1 uuid -\n' "$3" ;;
mem-set) echo "$BALLOON" >"$DOM0/store/local/domain/7/data/balloon" ;;
dmesg) [ "$2" = -c ] || printf '%s\n' "$DMESG" ;;
esac
END
    'xenstore-read'  => 'cat "$DOM0/store$1"',
    'xenstore-write' => 'echo "$2" >>"$DOM0/written"; [ -z "$OBEYS" ] || echo >"$DOM0/store$1"',
    stat             => 'exec /usr/bin/stat "$@"',
);
for (keys %tools) {
    write_file("$dir/fake/bin/$_", "#!/bin/sh\n$tools{$_}\n");
    chmod 0755, "$dir/fake/bin/$_";
}

# Runs a script with the functions, and returns its exit code and its output.
sub job {
    my ($job, %env) = @_;
    system('rm', '-rf', map { "$dir/fake/$_" } qw(store written out/g.log out/g.steps));
    write_file("$dir/fake/store/local/domain/7/data/$_", '') for qw(command balloon);
    write_file("$dir/fake/g", '');
    %env = (domu_out => "$dir/fake/out", domu_run => "$dir/fake/run", DOM0 => "$dir/fake", PATH => "$dir/fake/bin:$ENV{PATH}", OBEYS => 1, %env);
    my ($code, $out, $err) = run({env => \%env}, 'sh', '-c', ". $dir/fake/lib.sh; out=$dir/fake/out; $job");
    is $err, '', "standard error is empty: $job";
    return ($code, $out);
}

($exit, $out) = job('echo before >$out/g.log; step g sh -c "echo said; printf more >>$out/g.log; exit 3"; echo $?; cat $out/g.1');
is $out, "\@\@ step g: sh -c echo said; printf more >>$dir/fake/out/g.log; exit 3\n3\nsaid\n", 'step says what it does, returns the exit code of its command, and stores its output';
like read_file("$dir/fake/out/g.steps"), qr/\A1 3 [01] 7 11 sh -c echo said/, 'step notes the part of the console that its command caused';

is_deeply [job('echo 7 >$out/.clock; now; rm $out/.clock')], [0, "7\n"], "now prints the seconds of the machine's clock";
like((job('now'))[1], qr/^\d+\n\z/, 'now without this clock prints the seconds of uptime');

($exit) = job('domu_until 1 test -e $out/nothing');
is $exit, 1, 'domu_until fails when its command has not succeeded in time';
($exit) = job('(sleep 0.3; : >$out/thing) & domu_until 9 test -e $out/thing');
is $exit, 0, 'domu_until succeeds when its command does';

my $result = 'echo Test result: SUCCESS >>$out/g.log';
($exit) = job("echo sleep 2 >\$out/cfg; domu_tests g domu_start g create \$out/cfg >/dev/null & " .
        "sleep 0.5; $result; wait \$!");
is $exit, 0, 'domu_tests succeeds when the guest has printed a new result';
($exit, $out) = job("$result; echo true >\$out/cfg; rm $dir/fake/g; domu_tests g domu_start g create \$out/cfg");
is $exit, 1, 'domu_tests fails when the guest ends without a new result';
like $out, qr/^g: expected a line "Test result" in 300 s after 'domu_start g create .*', found none$/m,
    'domu_tests names the guest and the command';

($exit) = job('domu_command g test');
is $exit, 0, 'domu_command succeeds when the guest empties data/command';
is read_file("$dir/fake/written"), "test\n", 'domu_command writes the command to xenstore';
($exit, $out) = job('domu_until() { return 1; }; domu_command g test', OBEYS => '');
is_deeply [$exit, $out], [1, "g: expected the command 'test' to be done in 120 s; data/command is: \n"],
    'domu_command fails when the guest does not empty data/command';

($exit) = job('domu_mem g 16', BALLOON => '4096 of 4096 pages');
is $exit, 0, 'domu_mem succeeds when data/balloon has the target';
($exit, $out) = job('domu_mem g 16', BALLOON => '4000 of 4096 pages: the rest is in use');
is_deeply [$exit, $out],
    [1, "g: expected 4096 of 4096 pages in data/balloon, found: 4000 of 4096 pages: the rest is in use\n"],
    'domu_mem fails when data/balloon has fewer pages than the target';

($exit, $out) = job('domu_counts g', DMESG => <<'END');
(XEN) General information for domain 0:
(XEN)     nr_pages=1 xenheap_pages=1 dirty_cpus={0} max_pages=1
(XEN) General information for domain 7:
(XEN)     nr_pages=2048 xenheap_pages=2 dirty_cpus={1} max_pages=2304
(XEN) General information for domain 71:
(XEN)     nr_pages=5 xenheap_pages=5 dirty_cpus={1} max_pages=5
(XEN) Shared frames 0 -- Saved frames 0
END
is $out, "nr_pages=2048 xenheap_pages=2 max_pages=2304 \n", 'domu_counts prints the pages of the guest from the output of debug key q';

done_testing;
