#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# scripts/host/Machine.pm and Clock.pm: the supervisor of a guest machine. Without this test, a line of
# the console could be lost or joined with the next, a limit could depend on what else the machine
# does, and a killed runner could leave QEMU and files behind. A script replaces QEMU.

use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin, "$FindBin::Bin/../../scripts/host";
use Clock;
use Run;
use Test::More;

my $dir = tempdir();
write_file("$dir/kernel", 'kernel');
write_file("$dir/xen", "\x7fELF" . "\0" x 60 . "\x02\xb0\xad\x1b" . "\0" x 16);

# Runs scripts/boot, or COMMAND in place of it, with a QEMU that runs the Perl program $qemu.
sub boot {
    my ($qemu, $options, @command) = @_;
    unlink map { "$dir/$_" } qw(pid log);
    mkdir "$dir/tmp";
    write_file("$dir/bin/qemu-system-x86_64", <<"END");
#!/usr/bin/env perl
\@ARGV && \$ARGV[0] eq '--version' and exit;
\$| = 1;
open my \$pid, '>', '$dir/pid'; print \$pid \$\$; close \$pid;
$qemu
END
    chmod 0755, "$dir/bin/qemu-system-x86_64";
    my %env = (PATH => "$dir/bin:$ENV{PATH}", TMPDIR => "$dir/tmp");
    my @boot = (script('boot'), '--xen', "$dir/xen", '--log', "$dir/log", @$options, "$dir/kernel");
    return run({env => \%env}, @command, @boot);
}

# The console: each line is heard once, whole and in its order, however its bytes arrive. The pauses
# are about as long as the supervisor's period of 0.2 s, and the pieces end at each place of a line.

my $lines = join '', map { "line $_ of 200\r\n" } 1 .. 200;
my @ways  = (
    ['each line at once'         => q{print "line $_ of 200\r\n" for 1 .. 200;}],
    ['byte by byte'              => q{for (1 .. 200) { syswrite STDOUT, $_ for split //, "line $_ of 200\r\n" }}],
    ['pauses between CR and LF'  => q{for (1 .. 200) { syswrite STDOUT, "line $_ of 200\r"; select undef, undef, undef, 0.197 if $_ % 20 == 0; syswrite STDOUT, "\n" }}],
    ['pauses in the line'        => q{for (1 .. 200) { syswrite STDOUT, "line $_"; select undef, undef, undef, 0.2 if $_ % 20 == 0; syswrite STDOUT, " of 200\r\n" }}],
    ['blocks of 4096 bytes'      => q{my $all = join '', map { "line $_ of 200\r\n" } 1 .. 200; syswrite STDOUT, $_ for unpack '(a4096)*', $all;}],
    ['the last line has no end'  => q{my $all = join '', map { "line $_ of 200\r\n" } 1 .. 200; $all =~ s/\r\n\z//; syswrite STDOUT, $all;}],
    ['lines while the runner is stopped' => q{kill STOP => getppid; print "line $_ of 200\r\n" for 1 .. 150; system 'sleep', 0.5; kill CONT => getppid; print "line $_ of 200\r\n" for 151 .. 200;}],
);
for my $way (@ways) {
    my ($name, $qemu) = @$way;
    my ($exit) = boot($qemu, ['--quiet']);
    is $exit, 5, "$name: exit code is 5 (no TAP)";
    is read_file("$dir/log"), $lines =~ s/\r//gr, "$name: --log has each line once, whole and in order";
}

boot(q{print "\n\r\na\n\n";}, ['--quiet']);
is read_file("$dir/log"), "\n\na\n\n", 'empty lines: --log has them';

# The clock of a machine, with /proc and time in the hands of the test

my ($time, $proc) = (100, "$dir/proc");
{
    no warnings 'redefine';
    *Clock::now = sub { return $time };
}
$Clock::proc = $proc;

# Sets the state of each thread, and adds hundredths of a second of processor time to it.
my %ticks;
sub threads {
    my (%threads) = @_;
    system 'rm', '-rf', $proc;
    for my $name (keys %threads) {
        my ($state, $used) = @{$threads{$name}};
        $ticks{$name} += $used;
        my $user = int $ticks{$name} / 2;
        my $pid = $name eq 'child' ? 8 : 7;
        write_file("$proc/7/task/$name/children", '8 ') if $name eq 'a';
        write_file("$proc/$pid/task/$name/stat", join ' ', $name, '(CPU 0/TCG) S)', $state, (0) x 10, $user, $ticks{$name} - $user, 0, "\n");
    }
    return;
}

# Each step: seconds of the wall, threads, and the seconds that the clock must show for them
my @steps = (
    ['all threads sleep: the time that passes',           0.2, {a => ['S', 0],  b => ['S', 0]},   0.2],
    ['one computes on an idle host: the time that passes', 0.2, {a => ['R', 20], b => ['S', 0]},  0.2],
    ['one computes on a busy host: its processor time',    0.2, {a => ['R', 5],  b => ['S', 0]},  0.05],
    ['two compute: the processor time of the busier one',  0.2, {a => ['R', 4],  b => ['R', 12]}, 0.12],
    ['one waits for a processor and gets none',            0.2, {a => ['R', 0],  b => ['S', 0]},  0],
    ['one waits for the disk',                             0.2, {a => ['D', 0],  b => ['S', 0]},  0],
    ['the machine is stopped',                             0.2, {a => ['T', 0],  b => ['T', 0]},  0],
    ['more processor time than time: rounding of the ticks', 0.2, {a => ['R', 30], b => ['S', 0]}, 0.2],
    ['the runner did not run for a minute',                60,  {a => ['S', 0],  b => ['S', 0]},  1],
    ['a child of the process sleeps',                      0.2, {a => ['S', 0],  child => ['S', 0]}, 0.2],
    ['a child of the process computes',                    0.2, {a => ['S', 0],  child => ['R', 7]}, 0.07],
    ['a new thread: what it used before does not count',   0.2, {a => ['S', 0],  c => ['R', 500]}, 0],
    ['the process is gone: the time that passes',          0.2, {},                               0.2],
);
threads(a => ['S', 0], b => ['S', 0]);
my $clock = Clock->new(7);
my $shown = 0;
for my $step (@steps) {
    my ($name, $passed, $threads, $expected) = @$step;
    $time += $passed;
    threads(%$threads);
    my $now = $clock->tick;
    is sprintf('%.2f', $now - $shown), sprintf('%.2f', $expected), "clock: $name: $expected s";
    $shown = $now;
}

# The end of the runner

my $sleep = q{print "TAP version 14\n"; $SIG{TERM} = 'IGNORE'; sleep 60;};
for my $case (['INT', 130], ['TERM', 130], ['HUP', 130], ['KILL', -1]) {
    my ($signal, $code) = @$case;
    my ($exit) = boot("kill $signal => getppid; $sleep", []);
    is $exit, $code, "SIG$signal: exit code is $code";
    nothing_is_left($dir, "SIG$signal");
    my @ignoring = ('perl', '-e', '$SIG{$_} = "IGNORE" for qw(INT TERM HUP PIPE QUIT); exec @ARGV');
    ($exit) = boot("kill $signal => getppid; $sleep", [], @ignoring);
    is $exit, $code, "SIG$signal under a parent that ignores signals: exit code is $code";
    nothing_is_left($dir, "SIG$signal under a parent that ignores signals");
}
my ($exit) = boot("kill INT => getppid; $sleep", [], 'nohup', 'setsid', '--wait');
is $exit, 130, 'SIGINT under nohup and setsid: exit code is 130';
nothing_is_left($dir, 'SIGINT under nohup and setsid');

# QEMU gets no disposition of its parents. (glibc keeps signals 32 and 33 for itself.)
boot(q{printf "line %08x\n", hex(substr `grep -h SigIgn /proc/self/status`, -9) & 0x7fffffff;}, [], 'perl', '-e',
    '$SIG{$_} = "IGNORE" for qw(INT TERM HUP PIPE QUIT); exec @ARGV');
is read_file("$dir/log"), "line 00000000\n", 'a parent ignores signals: QEMU starts with none ignored';

# A machine whose clock stands still: ten times the limit on the wall is the end
($exit) = boot(q{print "TAP version 14\n"; kill STOP => $$;}, ['--quiet', '--timeout', 1], qw(timeout -s KILL 60));
is $exit, 124, 'QEMU is stopped: exit code is 124 (timeout)';
nothing_is_left($dir, 'QEMU is stopped');

# A reader of standard output that ends
boot(q{print "x\n" x 100000; sleep 60;}, [], 'sh', '-c', "{ \"\$@\"; echo \$? >$dir/code; } | head -n 1", 'sh');
like read_file("$dir/code"), qr/^141$/, 'head closes standard output: exit code is 141';
nothing_is_left($dir, 'head closes standard output');

done_testing;
