#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# Random sequences of what can happen to a guest in a long life: xl saves, restores, checkpoints, pauses,
# resizes, reboots and shuts down the guest, gives it commands, and meanwhile daemons of the toolstack stand
# still, are killed, or send many events. After each sequence the guest must obey, its self-tests must
# succeed, and it must have the pages, event channel ports, watches and grants that it had in the beginning.
# Without this test a fault that needs two of these events after each other would be found by a user.
#
# The environment variable XENOLITH_SEED chooses the sequences: a whole number, or by default the time.
# XENOLITH_SEQUENCES is their number, by default 200. The same seed and number give the same sequences.

use strict;
use warnings;
use Test::More;

use FindBin;
use lib $FindBin::Bin, "$FindBin::Bin/../scripts";
use Host;
use Life;

my $seed = $ENV{XENOLITH_SEED} // time;
my $nr   = $ENV{XENOLITH_SEQUENCES} // 200;
/^\d{1,9}\d?$/ or BAIL_OUT "XENOLITH_SEED and XENOLITH_SEQUENCES: '$_' is not a whole number below 10^10" for $seed, $nr;
srand $seed;
note "XENOLITH_SEED=$seed XENOLITH_SEQUENCES=$nr";

sub one_of {
    return $_[int rand @_];
}

# Seconds for which something stands still. The kernel waits 20 s for xenstored and 10 s for a reader of
# its console; Xen's watchdog has 15 s. Long pauses are rare, so that the test ends in an hour.
sub pause {
    return one_of((1) x 10, (2) x 5, 5, 5, 17, 27);
}

sub mib {
    return 8 + int rand 17;
}

# xl create and xl restore wait for the end of the guest, and make it anew if it reboots. They stop to wait at
# a suspend, although the guest goes on after a checkpoint.
my $xl_waits = 1;

sub end_of_life {
    return $xl_waits ? one_of(['reboot_guest'], ['shutdown']) : ['shutdown'];
}

# What can happen next. Each makes one step.
my @events = (
    sub { ['save_restore'] },
    sub { ['checkpoint'] },
    sub { ['mem_set', mib()] },
    sub { ['pause_idle', pause()] },
    sub { ['pause_tests', pause()] },
    sub { ['guest_command', one_of(qw(generation p2m_list pattern_pages))] },
    sub { ['typed'] },
    sub { ['event_storm', 40] },
    sub { ['stopped_idle', one_of(qw(xenstored xenconsoled daemons)), pause()] },
    sub { ['stopped_tests', 'xenstored', pause(), one_of(0.1, 0.2, 0.4)] },
    sub { ['stopped_tests', one_of(qw(xenconsoled daemons)), one_of(1, 2, 5), 0.2] },
    sub { ['stopped_mem_set', one_of(qw(xenstored daemons)), pause(), mib()] },
    sub { ['stopped_save', 'xenstored', pause(), one_of(0.3, 0.6, 1)] },
    sub { ['console_killed', mib()] },
    \&end_of_life,
);

# The steps of one event: after a shutdown the next guest has the size of its configuration.
sub event {
    my $step = one_of(@events)->();
    $xl_waits = 0 if $step->[0] eq 'checkpoint';
    $xl_waits = 1 if $step->[0] =~ /^(?:save_restore|stopped_save|shutdown)$/;
    return $step->[0] eq 'shutdown' ? ($step, ['gone'], ['create']) : $step;
}

sub sequence {
    my @steps = map { event() } 1 .. 2 + rand 4;
    return (@steps, ['tests'], ['counts'], ['guest_command', 'stats']);
}

life ['--xen', xen],
    sequences => {
    title  => "$nr random sequences (XENOLITH_SEED=$seed)",
    memory => 16,
    args   => 'pattern_pages=64',
    config => ['maxmem=32'],
    steps  => [['create'], ['guest_command', 'stats'], (map { sequence() } 1 .. $nr), ['shutdown']],
    };

done_testing;
