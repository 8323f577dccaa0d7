# SPDX-License-Identifier: MIT
#
# The console of a guest that runs a shell, at the other end of a command: lines are typed, and what
# is said up to the next prompt is the answer. Nothing waits for longer than a minute.

package Console;

use strict;
use warnings;
use IO::Select;
use IPC::Open3;
use Time::HiRes qw(sleep time);

use constant PROMPT => 'xenolith> ';

my $PATIENCE = 60;
my @all;

sub new {
    my ($class, @command) = @_;
    my ($in, $out);
    my $mark = join '.', 'console', $$, scalar @all;
    local $ENV{XENOLITH_CONSOLE} = $mark; # by which its processes are known
    my $pid = open3($in, $out, undef, 'setsid', @command);
    binmode $_ for $in, $out;
    my $self = bless {mark => $mark, command => \@command, pid => $pid, in => $in, out => $out, text => ''}, $class;
    push @all, $self;
    return $self;
}

# What has come, without carriage returns.
sub take {
    my ($self) = @_;
    my $text = $self->{text} =~ s/\r//gr;
    $self->{text} = '';
    return $text;
}

# Waits until that is the end of what has come, or is in it: false if it does not come.
sub waits_for {
    my ($self, $what) = @_;
    my ($select, $end) = (IO::Select->new($self->{out}), time + $PATIENCE);
    while ($self->{text} !~ $what) {
        return 0 if time > $end;
        next if !$select->can_read(0.2);
        sysread($self->{out}, $self->{text}, 65536, length $self->{text}) or return 0;
    }
    return 1;
}

sub has_prompt {
    my ($self) = @_;
    return $self->{text} =~ /\Q@{[PROMPT]}\E/;
}

sub until_prompt {
    my ($self) = @_;
    $self->waits_for(qr/\Q@{[PROMPT]}\E\z/)
        or die "no prompt from @{$self->{command}}: $self->{text}\n";
    return $self->take;
}

# Xen keeps 128 bytes of what is typed while nobody reads.
sub type {
    my ($self, $bytes) = @_;
    local $SIG{PIPE} = 'IGNORE';
    while ($bytes =~ /\G(.{1,32})/gs) {
        syswrite $self->{in}, $1;
        sleep 0.1 if length $1 == 32;
    }
    return;
}

# Each byte that comes until the prompt; Ctrl-C gets one of its own.
sub raw {
    my ($self, $bytes) = @_;
    my $before = $bytes =~ tr/\x03//;
    $self->{text} = '';
    $self->type($bytes);
    $self->waits_for(qr/(?:\n\Q@{[PROMPT]}\E.*){$before}\n\Q@{[PROMPT]}\E\z/s);
    return $self->{text};
}

# The answer to a line, without the line as it is shown, and without the prompt.
sub ask {
    my ($self, $line) = @_;
    my $said = $self->raw("$line\r") =~ s/\r//gr;
    $said =~ s/\Q@{[PROMPT]}\E\z//;
    $said =~ s/\A.*?\n// or die "no answer to \"$line\" from @{$self->{command}}: $said\n";
    $said =~ s/\A\Q@{[PROMPT]}\E.*?\n//; # Ctrl-C began another line
    $self->{text} = '';
    return $said;
}

# The exit code, once the command has ended by itself; what it said last is in text.
sub ends {
    my ($self) = @_;
    1 while $self->waits_for(qr/(?!)/);
    $self->{text} =~ s/\r//g;
    my $end = time + 10;
    until (waitpid $self->{pid}, 1) {
        return 'none' if time > $end;
        sleep 0.1;
    }
    my $status = $?;
    $self->{ended} = 1;
    return $status & 127 ? 'signal ' . ($status & 127) : $status >> 8;
}

# The processes that are left of it, wherever they have gone: on another terminal, in a group of
# their own. They have some seconds.
sub left {
    my ($self) = @_;
    my $end = time + 5;
    my @left;
    while ((@left = grep { is_of($_, $self->{mark}) } glob '/proc/[0-9]*') && time < $end) { sleep 0.1 }
    return scalar @left;
}

sub is_of {
    my ($process, $mark) = @_;
    open my $file, '<:raw', "$process/environ" or return 0;
    local $/;
    return (<$file> // '') =~ /(?:\A|\0)XENOLITH_CONSOLE=\Q$mark\E\0/;
}

END {
    local $?;
    for my $self (grep { !$_->{ended} } @all) {
        kill 'TERM', -$self->{pid};
        waitpid $self->{pid}, 0;
    }
}

1;
