# SPDX-License-Identifier: MIT
#
# The time of a guest machine, which a busy host does not shorten: limits are in seconds of this
# clock. The machine is a process with its descendants, and each of their threads is in one of these
# states:
#
#     all threads sleep        the guest waits for a time or for a peer: the clock runs
#     some are runnable        the guest computes: the clock runs as fast as that runnable thread which
#                              gets the least of the processors, because the others may wait for it
#                              in a loop. On an idle host this is the speed of time itself
#     stopped, or in disk wait the guest cannot go on: the clock stands still
#
# On an idle host a hang is found as fast as by a clock on the wall. On a host where other programs
# have the processors, the guest gets the same work done in the same number of seconds.

package Clock;

use strict;
use warnings;
use POSIX qw(sysconf _SC_CLK_TCK);
use Time::HiRes qw(clock_gettime CLOCK_MONOTONIC);

our $proc = "/proc"; # a test has another
my $ticks_per_second = sysconf(_SC_CLK_TCK);

# A longer step means that the caller of tick() did not run meanwhile, and so perhaps not the guest.
my $max_step = 1;

# new(PID): the process must have started.
sub new {
    my ($class, $pid) = @_;
    my $self = bless {pid => $pid, seconds => 0, last => now(), used => {}}, $class;
    $self->tick;
    return $self;
}

# Seconds of the wall, which no change of the date moves.
sub now {
    return clock_gettime(CLOCK_MONOTONIC);
}

# Brings the clock up to date, and returns the seconds since new(). To be called several times a
# second: the states of the threads are sampled.
sub tick {
    my ($self) = @_;
    my $now  = now();
    my $step = $now - $self->{last};
    $self->{last} = $now;
    $step = $max_step if $step > $max_step;

    my ($states, $slowest) = $self->threads;
    return $self->{seconds} if $states =~ /[DTt]/;
    $step = $slowest if defined $slowest && $slowest < $step;
    return $self->{seconds} += $step;
}

# The directories in /proc of all threads of a process and of its descendants
sub tree {
    my ($pid) = @_;
    my @threads = glob "$proc/$pid/task/*";
    return (@threads, map { tree($_) } map { split } map { first_line("$_/children") } @threads);
}

sub first_line {
    my ($path) = @_;
    open my $file, '<', $path or return ''; # the thread has ended
    return <$file> // '';
}

# Returns the state letters of all threads (proc(5)), and, if some are runnable, the least of the seconds of
# processor time that one of them has used since the last call.
sub threads {
    my ($self) = @_;
    my ($states, $slowest, %used) = ('');
    for my $thread (tree($self->{pid})) {
        my ($state, @fields) = split ' ', first_line("$thread/stat") =~ s/^.*\) //r or next;
        my $ticks = $fields[10] + $fields[11]; # utime and stime
        my $step  = ($ticks - ($self->{used}{$thread} // $ticks)) / $ticks_per_second;
        $slowest = $step if $state eq 'R' && (!defined $slowest || $step < $slowest);
        $used{$thread} = $ticks;
        $states .= $state;
    }
    $self->{used} = \%used;
    return ($states, $slowest);
}

1;
