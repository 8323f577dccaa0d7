#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# scripts/dom0 runs what tests the kernel as a domU. Without this, a job that
# failed, or never ran, could pass for one that succeeded.

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
    [[], qr/^dom0: a SCRIPT is missing/],
    [['--foo', $job], qr/^dom0: unknown option --foo/],
    [['--timeout'], qr/--timeout needs a value/],
    [['--host-mem', '4', $job], qr/--host-mem 4: expected a number followed by K, M, G or T/],
    [['--dom0-mem', '1', $job], qr/--dom0-mem 1: expected/],
    [['--smp', '0', $job], qr/--smp 0: expected a number from 1/],
    [["$dir/none"], qr/none: no such file/],
    [[$job, "$dir/none"], qr/none: no such file/],
    [[$job, "$dir/a file", "$dir/other/a file"], qr/other\/a file: another file of this name is there already/],
    [['--xen', $job, $job], qr/expected a plain multiboot ELF/],
    [['--toolstack', '4.14', $job], qr/^xen: no toolstack 4\.14 to be had: expected 4\.17/],
    [['--out', "$job/x", $job], qr/--out .*: cannot be made/],
    [['--log', "$dir/none/log", $job], qr/none\/log: cannot be written/],
);
for my $case (@bad) {
    my ($args, $sentence) = @$case;
    my $name = join(' ', @$args) =~ s/\Q$dir\E\///gr;
    my ($exit, $out, $err) = with_dom0('', 'dom0', @$args);
    is $exit, 2, "'$name': exit code";
    like $err, $sentence, "'$name': sentence";
    is $err =~ tr/\n//, 1, "'$name': one line";
    ok !-e "$dir/pid", "'$name': QEMU was not started";
    leaves_nothing("'$name'");
}

# What Xen, Linux and the job are given

my ($exit, $out, $err) = with_dom0('echo up; echo result >$out/r; echo 7 >$job/.exit', 'dom0', '--out', "$dir/out",
    '--log', "$dir/log", '--xen-args', 'noreboot', '--qemu-args', '-d int', $job, "$dir/a file");
is_deeply [$exit, $out, $err], [7, "up\n", ''], "the job's exit code is ours";
leaves_nothing('success');
is read_file("$dir/log"),        "up\n",       'log';
is read_file("$dir/out/r"),      "result\n",   'what the job wrote is kept';
is read_file("$dir/job/.script"), 'echo hello', 'the script';
is read_file("$dir/job/a file"),  'a',          'and its file';
like qemu_arg('-append'), qr/ dom0_mem=1024M,max:1024M dom0_max_vcpus=1 noreboot$/, "Xen's line";
like qemu_arg('-initrd'), qr{^\S+/vmlinux console=hvc0 [^,]*,\S+/ramdisk$}, "Linux's line";
is qemu_arg('-cpu'), 'max,-smap,-smep', 'cpu';
is qemu_arg('-smp'), 2, 'smp';
is qemu_arg('-d'), 'int', 'qemu-args';

(undef, $out) = with_dom0('cpio -t --quiet <"$(sed -n "s/.*,\(.*ramdisk\)$/\1/p" "$FAKE/args")"; echo 0 >$job/.exit',
    'dom0', $job);
like $out, qr/^$_$/m, "$_ is in the ramdisk" for qw(init lib/xenolith.sh etc/xen/xl.conf);
is((with_dom0('echo up; echo 0 >$job/.exit', 'dom0', '--quiet', $job))[1], '', 'quiet');

# Endings

my @ends = (
    ['QEMU does not start', 'exit 1', 4, qr/^dom0: QEMU did not start \(exit 1\)$/],
    ['time runs out', 'echo up; exec sleep 60', 124, qr/^dom0: timeout: 2 s ran out after: up$/],
    ['dom0 ends early', 'echo up', 6, qr/^dom0: crash: Xen or its dom0 ended before the script did: up$/],
    ['Linux panics', 'echo "[ 1.0] Kernel panic - not syncing: x"; echo "(XEN) Hardware Dom0 crashed: rebooting"', 6,
        qr/did: \[ 1\.0\] Kernel panic - not syncing: x$/],
    ['Xen panics and stays', 'echo "(XEN) Panic on CPU 0:"; exec sleep 60', 6, qr/did: \(XEN\) Panic on CPU 0:$/],
    ['dom0 is done and Xen stays', 'echo 3 >$job/.exit; echo "(XEN) Hardware Dom0 halted: halting machine"; exec sleep 60',
        3, qr/^$/],
    ['a guest that speaks like Xen', 'echo "a| (XEN) Panic on CPU 0:"; sleep 1; echo 0 >$job/.exit', 0, qr/^$/],
    ['another Xen', 'echo "(XEN) Xen version 4.14.6 (Debian)"; exec sleep 60', 2,
        qr/^dom0: this Xen is 4\.14\.6, and the toolstack of 4\.17 speaks only to its own Xen$/],
    ['a Xen whose version only begins alike', 'echo "(XEN) Xen version 4.170.0"; exec sleep 60', 2, qr/this Xen is 4\.170/],
    ['the right Xen', 'echo "(XEN) Xen version 4.17.7 (Debian)"; echo 0 >$job/.exit', 0, qr/^$/],
);
for my $case (@ends) {
    my ($name, $dom0, $code, $sentence) = @$case;
    my $timeout = $name eq 'time runs out' ? 2 : 20;
    my ($exit, undef, $err) = with_dom0($dom0, 'dom0', '--timeout', $timeout, $job);
    is $exit, $code, "$name: exit code";
    like $err, $sentence, "$name: sentence";
    leaves_nothing($name);
}

for my $signal (qw(INT TERM HUP)) {
    is((with_dom0("kill -$signal \$PPID; exec sleep 60", 'dom0', $job))[0], 130, "SIG$signal: exit code");
    leaves_nothing("SIG$signal");
}

is((run(script('dom0'), '--help'))[0], 0, '--help');

# What jobs can call, with a toolstack that is none: xenstore is files, and a domain lives while
# there is a file of its name.

my $lib = read_file(script('dom0.d/lib/xenolith.sh')) =~ s{(?<=[ "=])/var/}{$dir/fake/var/}gr;
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

# The job's exit code, and what it said.
sub job {
    my ($job, %env) = @_;
    system('rm', '-rf', map { "$dir/fake/$_" } qw(store written out/g.log out/g.steps));
    write_file("$dir/fake/store/local/domain/7/data/$_", '') for qw(order balloon);
    write_file("$dir/fake/g", '');
    %env = (domu_out => "$dir/fake/out", domu_run => "$dir/fake/run", DOM0 => "$dir/fake", PATH => "$dir/fake/bin:$ENV{PATH}", OBEYS => 1, %env);
    my ($code, $out, $err) = run({env => \%env}, 'sh', '-c', ". $dir/fake/lib.sh; out=$dir/fake/out; $job");
    is $err, '', "nothing goes wrong in: $job";
    return ($code, $out);
}

($exit, $out) = job('echo before >$out/g.log; step g sh -c "echo said; printf more >>$out/g.log; exit 3"; echo $?; cat $out/g.1');
is $out, "3\nsaid\n", 'a step fails as its command does, and keeps what it printed';
like read_file("$dir/fake/out/g.steps"), qr/\A1 3 [01] 7 11 sh -c echo said/, 'and what came on the console meanwhile';

($exit) = job('domu_until 1 test -e $out/nothing');
is $exit, 1, 'what does not come is not waited for for ever';
($exit) = job('(sleep 0.3; : >$out/thing) & domu_until 9 test -e $out/thing');
is $exit, 0, 'what comes is seen';

my $result = 'echo Test result: SUCCESS >>$out/g.log';
($exit) = job("echo sleep 2 >\$out/cfg; domu_tests g domu_start g create \$out/cfg >/dev/null & " .
        "sleep 0.5; $result; wait \$!");
is $exit, 0, 'a guest that has tested itself';
($exit, $out) = job("$result; echo true >\$out/cfg; rm $dir/fake/g; domu_tests g domu_start g create \$out/cfg");
is $exit, 1, 'a guest that has not, and is gone';
like $out, qr/^g has not tested itself after: domu_start g create/m, 'is said to be so';

($exit) = job('domu_command g test');
is $exit, 0, 'an order that is obeyed';
is read_file("$dir/fake/written"), "test\n", 'is written to the store';
($exit, $out) = job('domu_until() { return 1; }; domu_command g test', OBEYS => '');
is_deeply [$exit, $out], [1, "g does not obey: test\n"], 'one that is not';

($exit) = job('domu_mem g 16', BALLOON => '4096 of 4096 pages');
is $exit, 0, 'a guest that comes to its target';
($exit, $out) = job('domu_mem g 16', BALLOON => '4000 of 4096 pages: the rest is in use');
is_deeply [$exit, $out], [1, "g has not come to 4096 pages; data/balloon: 4000 of 4096 pages: the rest is in use\n"],
    'one that comes near';

($exit, $out) = job('domu_counts g', DMESG => <<'END');
(XEN) General information for domain 0:
(XEN)     nr_pages=1 xenheap_pages=1 dirty_cpus={0} max_pages=1
(XEN) General information for domain 7:
(XEN)     nr_pages=2048 xenheap_pages=2 dirty_cpus={1} max_pages=2304
(XEN) General information for domain 71:
(XEN)     nr_pages=5 xenheap_pages=5 dirty_cpus={1} max_pages=5
(XEN) Shared frames 0 -- Saved frames 0
END
is $out, "nr_pages=2048 xenheap_pages=2 max_pages=2304 \n", "a guest's pages, as Xen counts them";

done_testing;
