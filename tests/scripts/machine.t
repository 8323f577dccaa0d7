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
use StandIn;
use Test::More;

my @boot = ('boot', '--xen', $xen, '--log', "$dir/log", '--quiet', $kernel);

# The console: each line is heard once, whole and in its order, however its bytes arrive. The pauses
# are about as long as the supervisor's period of 0.2 s, and the pieces end at each place of a line.
# Programs in Perl, which use @lines, the lines of the console

my $lines = join '', map { "line $_ of 200\n" } 1 .. 200;
my @ways  = (
    ['each line at once', 'print @lines'],
    ['byte by byte', 'syswrite STDOUT, $_ for split //, "@lines"'],
    ['pauses between CR and LF', 'parts(0.197, s/\n//r, "\n") for @lines'],
    ['pauses in the line', 'parts(0.2, s/ of.*//sr, s/.*(?= of)//r) for @lines'],
    ['blocks of 4096 bytes', 'syswrite STDOUT, $_ for unpack "(a4096)*", "@lines"'],
    ['the last line has no end', '$lines[-1] =~ s/\s+\z//; print @lines'],
    ['the runner is stopped meanwhile',
        'kill STOP => getppid; print @lines[0 .. 149]; pause(0.5); kill CONT => getppid; print @lines[150 .. 199]'],
    ['empty lines', '@lines = ("\n", "\r\n", "a\n", "\n"); print @lines', "\n\na\n\n"],
);
for my $way (@ways) {
    my ($name, $writes, $expected) = @$way;
    write_file("$dir/writes", <<"END");
\$| = 1;
\$" = '';
\@lines = map { "line \$_ of 200\\r\\n" } 1 .. 200;
sub pause { select undef, undef, undef, shift }
sub parts { # with a pause between them, in every 20th line
    my (\$seconds, \$begin, \$end) = \@_;
    syswrite STDOUT, \$begin;
    pause(\$seconds) if ++\$n % 20 == 0;
    syswrite STDOUT, \$end;
}
$writes;
END
    my ($exit) = with_qemu('exec perl "$HERE/writes"', @boot);
    is $exit, 5, "$name: exit code is 5 (no TAP)";
    is read_file("$dir/log"), $expected // $lines, "$name: --log has each line once, whole and in order";
}

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
        write_file("$proc/$pid/task/$name/stat",
            join ' ', $name, '(CPU 0/TCG) S)', $state, (0) x 10, $user, $ticks{$name} - $user, 0, "\n");
    }
    return;
}

# Each step: seconds of the wall, threads, and the seconds that the clock must show for them
my @steps = (
    ['all threads sleep: the time that passes',           0.2, {a => ['S', 0],  b => ['S', 0]},   0.2],
    ['one computes on an idle host: the time that passes', 0.2, {a => ['R', 20], b => ['S', 0]},  0.2],
    ['one computes on a busy host: its processor time',    0.2, {a => ['R', 5],  b => ['S', 0]},  0.05],
    ['two compute: the processor time of the slower one',  0.2, {a => ['R', 4],  b => ['R', 12]}, 0.04],
    ['one computes, another has computed and sleeps',      0.2, {a => ['R', 12], b => ['S', 4]},  0.12],
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

my @ignoring = ('perl', '-e', '$SIG{$_} = "IGNORE" for qw(INT TERM HUP PIPE QUIT); exec @ARGV');
my %parents  = (plain => [], 'that ignores signals' => \@ignoring, 'nohup and setsid' => [qw(nohup setsid --wait)]);
for my $case (map { my $signal = $_; map { [$signal, $_] } sort keys %parents } qw(INT TERM HUP KILL)) {
    my ($signal, $parent) = @$case;
    my $name = "SIG$signal, parent $parent";
    my ($exit) = with_qemu({under => $parents{$parent}},
        qq(exec perl -e '\$SIG{TERM} = "IGNORE"; kill $signal => getppid; sleep 600'), @boot);
    is $exit, $signal eq 'KILL' ? -1 : 130, "$name: exit code";
    nothing_is_left($dir, $name);
}
ends \@boot, ['two signals', 'kill -HUP $PPID; kill -TERM $PPID; stays', 130, qr/\A\z/];

# A signal at the moment at which the machine has started
my ($code) = run($^X, "-I$FindBin::Bin/../../scripts/host", '-MMachine', '-e', <<'END');
my $add = \&IO::Async::Loop::add;
no warnings 'redefine';
*IO::Async::Loop::add = sub { $add->(@_); kill INT => $$ };
start(['sleep', 300]);
exit 0;
END
is $code, 130, 'SIGINT while the machine starts: exit code is 130';

# The signal of a program's end that comes just before poll(2) does not end poll(2). Here the signal always does.
($code, my $ended) = run(qw(timeout -s KILL 300), $^X, "-I$FindBin::Bin/../../scripts/host", '-MMachine', '-e', <<'END');
my $poll   = \&IO::Poll::_poll;
my $signal = POSIX::SigSet->new(POSIX::SIGCHLD());
no warnings 'redefine';
*IO::Poll::_poll = sub {
    POSIX::sigprocmask(POSIX::SIG_BLOCK(), $signal);
    my $nr = &$poll;
    POSIX::sigprocmask(POSIX::SIG_UNBLOCK(), $signal);
    return $nr;
};
print 'exit code ', (run(qw(sh -c), 'exec >&-; sleep 0.5; exit 7'))[0], "\n";
END
is $ended, "exit code 7\n", "a program's end is seen even if its signal does not end poll(2)";
is $code, 0, 'the runner ends by itself';

# QEMU gets no disposition of its parents. (glibc keeps signals 32 and 33 for itself.)
with_qemu({under => \@ignoring},
    q{exec perl -e 'printf "line %08x\n", hex(substr `grep SigIgn /proc/self/status`, -9) & 0x7fffffff'}, @boot);
is read_file("$dir/log"), "line 00000000\n", 'a parent ignores signals: QEMU starts with none ignored';

# A machine whose clock stands still: ten times the limit on the wall is the end
my ($exit) = with_qemu({under => [qw(timeout -s KILL 300)]}, 'say x; kill -STOP $$', @boot, '--timeout', 1);
is $exit, 124, 'QEMU is stopped: exit code is 124 (timeout)';
nothing_is_left($dir, 'QEMU is stopped');

# A reader of standard output that ends
with_qemu({under => ['sh', '-c', "{ \"\$@\"; echo \$? >$dir/code; } | head -n 1", 'sh']},
    'yes | head -n 100000; stays', grep { $_ ne '--quiet' } @boot);
is read_file("$dir/code"), "141\n", 'head closes standard output: exit code is 141';
nothing_is_left($dir, 'head closes standard output');

done_testing;
