# SPDX-License-Identifier: MIT
#
# Drives the shell of the kernel through a command that connects to the guest's console, such as
# scripts/shell: types a line, and returns the text up to the next prompt. No function waits longer
# than a minute of the machine's clock.

package Console;

use strict;
use warnings;
use IO::Select;
use IPC::Open3;

use FindBin;
use lib map { "$FindBin::Bin/../$_" } qw(scripts ../scripts/host);
use Clock;
use Run;

use constant PROMPT => 'xenolith> ';

my $PATIENCE = 60;
my @all;

sub new {
    my ($class, @command) = @_;
    my ($in, $out);
    my $tag = join '.', 'console', $$, scalar @all;
    local $ENV{XENOLITH_CONSOLE} = $tag; # inherited by all processes of the command
    my $pid = open3($in, $out, undef, 'setsid', @command);
    binmode $_ for $in, $out;
    my $self = bless {
        tag => $tag, command => \@command, pid => $pid,
        in => $in, out => $out, text => '',
    }, $class;
    push @all, $self;
    return $self;
}

# Returns the text received since the last call, without carriage returns.
sub take {
    my ($self) = @_;
    my $text = $self->{text} =~ s/\r//gr;
    $self->{text} = '';
    return $text;
}

# Waits until the received text matches the pattern $what. False if it does not within $patience
# seconds ($PATIENCE) of the machine's clock.
sub waits_for {
    my ($self, $what, $patience) = @_;
    my ($select, $clock) = (IO::Select->new($self->{out}), Clock->new($self->{pid}));
    while ($self->{text} !~ $what) {
        return 0 if $clock->tick > ($patience // $PATIENCE);
        next if !$select->can_read(0.1);
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

# Sends at most 32 bytes at once, and waits for their echo: Xen buffers 128 bytes of input that the
# guest has not read. The shell does not echo every byte, so the wait ends after two seconds.
sub type {
    my ($self, $bytes) = @_;
    local $SIG{PIPE} = 'IGNORE';
    while ($bytes =~ /\G(.{1,32})/gs) {
        my $echoed = length($self->{text}) + 32;
        syswrite $self->{in}, $1;
        $self->waits_for(qr/\A.{$echoed}/s, 2) if length $1 == 32;
    }
    return;
}

# Types $bytes, and returns all text up to the prompt, with carriage returns. Each Ctrl-C in $bytes
# brings one more prompt.
sub raw {
    my ($self, $bytes) = @_;
    my $before = $bytes =~ tr/\x03//;
    $self->{text} = '';
    $self->type($bytes);
    $self->waits_for(qr/(?:\n\Q@{[PROMPT]}\E.*){$before}\n\Q@{[PROMPT]}\E\z/s);
    return $self->{text};
}

# Types a line, and returns the answer: the text without the echo of the line and without the
# prompt.
sub ask {
    my ($self, $line) = @_;
    my $said = $self->raw("$line\r") =~ s/\r//gr;
    $said =~ s/\Q@{[PROMPT]}\E\z//;
    $said =~ s/\A.*?\n// or die "no answer to \"$line\" from @{$self->{command}}: $said\n";
    $said =~ s/\A\Q@{[PROMPT]}\E.*?\n//; # the echo after a Ctrl-C, which starts a new line
    $self->{text} = '';
    return $said;
}

# Waits until the command ends by itself, and returns its exit code, "signal N", or "none" if the
# command still runs. {text} holds its last output.
sub ends {
    my ($self) = @_;
    1 while $self->waits_for(qr/(?!)/);
    $self->{text} =~ s/\r//g;
    my $status;
    soon(sub { waitpid($self->{pid}, 1) ? ($status = $?, 1) : 0 }) or return 'none';
    $self->{ended} = 1;
    return $status & 127 ? 'signal ' . ($status & 127) : $status >> 8;
}

# Waits for all processes of the command to end, and returns the number of those that still run. The
# tag in the environment also finds processes on another terminal or in another group.
sub left {
    my ($self) = @_;
    my @left;
    soon(sub { !(@left = grep { is_of($_, $self->{tag}) } glob '/proc/[0-9]*') });
    return scalar @left;
}

sub is_of {
    my ($process, $tag) = @_;
    open my $file, '<:raw', "$process/environ" or return 0;
    local $/;
    return (<$file> // '') =~ /(?:\A|\0)XENOLITH_CONSOLE=\Q$tag\E\0/;
}

END {
    local $?;
    for my $self (grep { !$_->{ended} } @all) {
        kill 'TERM', -$self->{pid};
        waitpid $self->{pid}, 0;
    }
}

1;
