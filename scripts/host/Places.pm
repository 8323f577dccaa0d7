# SPDX-License-Identifier: MIT
#
# Functions, files and lines for the addresses of the kernel on a console, from the debug information
# of the kernel's image.

package Places;

use strict;
use warnings;
no warnings qw(portable); # hex() of 64 bits

# Each look-up takes 10 ms, so the console of a guest that crashes in a loop gets at most these.
my $max_places = 200;

sub new {
    my ($class, $kernel) = @_;
    return bless {kernel => $kernel, left => $max_places}, $class;
}

# Returns what is added to a line of the console, or ''. An address of the kernel is in a call trace
# (" [<ADDRESS>] R", or S), in the line of a trap ("trap: ... at CS:ADDRESS, ..."), or in Xen's dump of
# a domain that it crashed ("RIP: CS:[<ADDRESS>]"):
#
#     [<ffffffff801026be>] R parse (kernel/selftest/inject.c:116), inlined in inject_stage (...)
#
# A word of the stack (S) is a return address, and the call is the instruction before it.
sub of_line {
    my ($self, $line) = @_;
    if ($line =~ /^ \[<([0-9a-f]{16})>\] ([RS])$/) {
        return $self->place(hex($1) - ($2 eq 'S'), ' ');
    } elsif ($line =~ /^trap: .* at [0-9a-f]{4}:([0-9a-f]{16}),/) {
        return $self->place(hex($1), ', in ');
    } elsif ($line =~ /^\(XEN\) .*RIP: +[0-9a-f]{4}:\[<(f{8}[0-9a-f]{8})>\]$/) {
        return $self->place(hex($1), ' in ');
    }
    return '';
}

# addr2line prints two lines a function, the innermost inlined one first.
sub place {
    my ($self, $address, $prefix) = @_;
    return '' if $self->{left}-- <= 0;
    my @command = (($ENV{CROSS_COMPILE} // '') . 'addr2line', '-f', '-i', '-e', $self->{kernel}, sprintf '0x%x', $address);
    my @found   = split /\n/, output_of(@command);
    my $place   = '';
    while (my ($function, $at) = splice @found, 0, 2) {
        last if $function eq '??' || ($at // '??') =~ /^\?\?/;
        $place .= "$prefix$function (" . ($at =~ s{^\./}{}r) . ')';
        $prefix = ', inlined in ';
    }
    return $place;
}

# The output of a command, or nothing if there is no such command.
sub output_of {
    my (@command) = @_;
    open my $pipe, '-|', 'sh', '-c', 'exec "$@" 2>/dev/null </dev/null', 'sh', @command or return '';
    local $/;
    return <$pipe> // '';
}

1;
