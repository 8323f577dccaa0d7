# SPDX-License-Identifier: MIT
#
# The life of a guest machine: a process (QEMU, or ssh to another machine), its console line by line,
# its limits of time, its files, and the end of all of them, however the program ends.
#
#     program            starts the machine, hears the lines of its console, decides when it ends
#      |-- machine       has the program's directory as TMPDIR, and so have its descendants
#      `-- janitor       waits for the end of the program, then ends all processes that have the
#                        program's directory as TMPDIR, and removes the directory
#
# A program has one machine, so this module has the state of one. Exit codes: 130 after SIGINT,
# SIGTERM or SIGHUP, 141 if standard output is closed, 4 if the host cannot run the machine, 2 bad usage.

package Machine;

use strict;
use warnings;
use Cwd 'realpath';
use Exporter 'import';
use File::Basename 'basename';
use File::Path 'remove_tree';
use File::Temp ();
use IO::Async::Loop;
use IO::Async::Process;
use IO::Async::Stream;
use IO::Async::Timer::Periodic;
use POSIX ();

use Clock;

our @EXPORT = qw(bad no_host say show tmp link_to write_lines start feed run merged watch go_on finish_in follow lines_of hear_input
    every stop_watching end_machine exit_code needs_space);

our $me = basename($0); # in front of each message

my $loop = IO::Async::Loop->new;
my $tmp;            # the directory of this program
my $janitor;        # {pid, alive}: the janitor ends when the handle "alive" is closed
my $process;        # the machine, while it runs
my ($signal, $alone); # how it ends
my $status;         # of the machine that has ended, as wait(2) has it
my $clock;          # of the machine
my $limit;          # of watch(), in seconds of $clock
my $deadline;       # in seconds of $clock, or none
my $last_end;       # the same in seconds of the wall: the limit if the clock should stand still
my $finishing;      # the machine is expected to end now
my $on_tick;        # called five times a second
my @files;          # that are followed
my @space;          # files and directories that need free space

my $period   = 0.2; # seconds between two looks at the clock and at the files
my $patience = 10;  # a limit in seconds of the wall is this many times that of the clock

# A program under nohup, setsid or a CI service may have inherited "ignore". While a process starts, a
# signal waits until the process can be ended.
my ($starting, $signalled, $program) = (0, 0, $$);
for my $name (qw(INT TERM HUP)) {
    $SIG{$name} = sub {
        POSIX::_exit(130) if $$ != $program; # a child that is about to become the machine
        return $signalled = 1 if $starting;
        exit 130;
    };
}
$SIG{PIPE} = 'IGNORE'; # of a machine that has ended; for standard output see show()
$| = 1;

sub say {
    my ($message) = @_;
    print STDERR "$me: $message\n";
    return;
}

# Prints to standard output.
sub show {
    print STDOUT @_ or exit 141;
    return;
}

sub bad {
    say(@_);
    exit 2;
}

# The host lacks something that no option can replace.
sub no_host {
    say(@_);
    exit 4;
}

# Returns the program's directory. Neither the directory nor a process that this program starts from
# now on outlives the program.
sub tmp {
    return $tmp if defined $tmp;
    my $path = eval { File::Temp::tempdir('xenolith.XXXXXX', TMPDIR => 1) } // '';
    no_host('TMPDIR: expected a writable directory with free space, found ' . ($ENV{TMPDIR} // '/tmp'))
        if $path eq '' || defined $ENV{TMPDIR} && index($path, $ENV{TMPDIR}) != 0;
    if ($path =~ /\s/) {
        rmdir $path;
        no_host("TMPDIR: expected a path without blanks, which QEMU cannot load a module from, found $ENV{TMPDIR}");
    }
    start_janitor($path);
    needs_space($path);
    $ENV{TMPDIR} = $path;
    return $tmp = $path;
}

# link_to(FILE, NAME): makes a link in the program's directory, and returns its path.
sub link_to {
    my ($path, $name) = @_;
    my $link = tmp() . "/$name";
    return $link if $path eq $link;
    symlink realpath($path), $link or no_host("$link: cannot be made: $!");
    return $link;
}

# write_lines(NAME, LINE, ...): writes a file of the program's directory, and returns its path.
sub write_lines {
    my ($name, @lines) = @_;
    my $path = tmp() . "/$name";
    open my $file, '>', $path or no_host("$path: cannot be written: $!");
    print $file map { "$_\n" } @lines;
    close $file or no_host("$path: cannot be written: $!");
    return $path;
}

# The janitor holds the reading end of a pipe into which nobody writes. The pipe ends with the program,
# even if the program is killed.
sub start_janitor {
    my ($path) = @_;
    pipe my $ends, my $alive or no_host("pipe: $!");
    my $pid = fork // no_host("fork: $!");
    if ($pid) {
        $janitor = {pid => $pid, alive => $alive};
        return;
    }
    POSIX::setsid(); # Ctrl-C is for the program alone
    local @SIG{qw(INT TERM HUP)} = ('IGNORE') x 3;
    close $alive;
    POSIX::dup2(POSIX::open('/dev/null', POSIX::O_RDWR()), $_) for 0 .. 2;
    sysread $ends, my $nothing, 1;
    for my $try (1 .. 100) { # a process that ends may still write to the directory
        my @left = having_tmpdir($path);
        kill $try <= 50 ? 'TERM' : 'KILL', @left;
        remove_tree($path, {error => \my $errors});
        last if !@left && !-e $path;
        select undef, undef, undef, 0.1;
    }
    POSIX::_exit(0);
}

# The processes that have this directory as TMPDIR, and so are descendants of the program
sub having_tmpdir {
    my ($path) = @_;
    local $/ = "\0"; # between two variables
    return grep {
        my $is_left = open my $environ, '<', "/proc/$_/environ";
        $is_left && grep { /^TMPDIR=\Q$path\E\0?$/ } <$environ>;
    } map { m{(\d+)$} } glob '/proc/[0-9]*';
}

# start([COMMAND...], OPTION => VALUE...): starts the machine, or a program that is needed before it.
#     hear     function that gets each line of standard output, without its line end; without it the
#              machine has the standard output of this program
#     stdin    'pipe', into which feed() writes, or 'keep': that of this program (/dev/null)
#     stderr   a file handle, instead of standard error
#     signal   the signal that ends the machine (KILL)
#     alone    the machine ends by itself at the end of its standard input, and has ten seconds for it
sub start {
    my ($command, %option) = @_;
    my $stdin = $option{stdin} // '';
    $signal = $option{signal} // 'KILL';
    $alone  = $option{alone};
    tmp(); # from now on the janitor ends what is left of the machine
    my @command = @$command;
    unshift @command, 'setsid' if $stdin ne 'keep'; # Ctrl-C is for this program
    unshift @command, qw(env --default-signal);     # what this program inherited or ignores is no default
    open my $null, '<', '/dev/null' or no_host("/dev/null: $!");
    $process = IO::Async::Process->new(
        command => \@command,
        setup   => [$stdin eq '' ? (stdin => $null) : (), $option{stderr} ? (stderr => $option{stderr}) : ()],
        $stdin eq 'pipe' ? (stdin  => {via     => 'pipe_write'})             : (),
        $option{hear}    ? (stdout => {on_read => splitter($option{hear})}) : (),
        on_finish => sub { $status = $_[1]; undef $process; $loop->stop('gone') },
    );
    $starting = 1;
    $loop->add($process);
    $starting = 0;
    exit 130 if $signalled;
    return;
}

# feed(BYTES or FILE HANDLE, ...): to the machine's standard input, in the background.
sub feed {
    for my $what (@_) {
        my $more = sub {
            my $block;
            return sysread($what, $block, 65536) ? $block : undef;
        };
        $process->stdin->write(ref $what ? $more : $what, on_error => sub { }) if $process;
    }
    return;
}

# run([HEAR,] COMMAND...): runs a program to its end, and returns its exit code and the lines of its
# output, each of which HEAR gets at once.
sub run {
    my $hear = ref $_[0] ? shift : sub { };
    my @lines;
    start([@_], hear => sub { push @lines, @_; $hear->(@_) }, signal => 'TERM');
    run_loop(sub { });
    return (exit_code(), @lines);
}

# merged(COMMAND...): the command, with its standard error among its standard output.
sub merged {
    return ('sh', '-c', 'exec "$@" 2>&1', 'sh', @_);
}

# The exit code of the machine or program that has ended by itself. After a signal it is 128 and more,
# as in a shell.
sub exit_code {
    return $status & 127 ? 128 + ($status & 127) : $status >> 8;
}

# Returns a function for IO::Async::Stream that calls @$hear for each line. A line is whole, however
# its bytes arrive; the last may lack a line end.
sub splitter {
    my ($hear) = @_;
    return sub {
        my (undef, $buffer, $eof) = @_;
        while ($$buffer =~ s/^([^\n]*)\n//) {
            $hear->($1 =~ s/\r\z//r);
        }
        if ($eof && $$buffer ne '') {
            $hear->($$buffer =~ s/\r\z//r);
            $$buffer = '';
        }
        return 0;
    };
}

# follow(FILE, HEAR, PART): calls HEAR for each line of FILE, while watch() runs, as lines are added;
# calls PART with a last line that has no end yet.
sub follow {
    my ($path, $hear, $part) = @_;
    open my $file, '<:raw', $path or no_host("cannot read $path: $!");
    push @files, {file => $file, buffer => '', split => splitter($hear), part => $part // sub { }};
    return;
}

# The lines of a file, or none if it cannot be read
sub lines_of {
    my ($path) = @_;
    open my $file, '<', $path or return;
    chomp(my @lines = <$file>);
    return @lines;
}

sub read_files {
    my ($all) = @_;
    for my $follow (@files) {
        my $new = 0;
        $new = 1 while sysread $follow->{file}, $follow->{buffer}, 65536, length $follow->{buffer};
        $follow->{split}->(undef, \$follow->{buffer}, $all);
        $follow->{part}->($follow->{buffer}) if $new;
    }
    return;
}

# hear_input(HEAR): calls HEAR with the bytes of this program's standard input, and at its end with undef.
sub hear_input {
    my ($hear) = @_;
    my $read = sub {
        my (undef, $buffer, $eof) = @_;
        $hear->($$buffer) if $$buffer ne '';
        $$buffer = '';
        $hear->(undef) if $eof;
        return 0;
    };
    $loop->add(IO::Async::Stream->new(read_handle => \*STDIN, on_read => $read));
    return;
}

# every(FUNCTION): calls the function with the time of the machine's clock, five times a second while
# watch() runs.
sub every {
    ($on_tick) = @_;
    return;
}

# stop_watching(WORD): ends watch(), which returns WORD.
sub stop_watching {
    my ($word) = @_;
    $loop->stop($word);
    return;
}

# watch(SECONDS): hears the machine until it ends ('gone'), until SECONDS of its clock have passed
# ('timeout'), until the time of finish_in has passed ('finished'), or until stop_watching(WORD). 0: there
# is no limit.
sub watch {
    my ($seconds) = @_;
    return 'gone' if !$process;
    $clock     = Clock->new($process->pid);
    $finishing = 0;
    undef $deadline;
    $limit     = $seconds;
    set_deadline($seconds) if $seconds;
    my $end = run_loop(\&tick);
    read_files(1);
    check_space();
    return $end eq 'timeout' && $finishing ? 'finished' : $end;
}

# Runs the event loop until something stops it, and calls TICK five times a second. Without a timer the loop
# could sleep for ever: Perl notes a signal, such as that of a child's end, and handles it between two of its own
# operations. A signal that comes after the last operation before poll(2) is handled after poll(2).
sub run_loop {
    my ($tick) = @_;
    my $timer = IO::Async::Timer::Periodic->new(interval => $period, on_tick => $tick);
    $loop->add($timer->start);
    my $end = $loop->run;
    $loop->remove($timer);
    return $end;
}

sub set_deadline {
    my ($seconds) = @_;
    $deadline = $clock->tick + $seconds;
    $last_end = Clock::now() + $patience * $seconds;
    return;
}

sub tick {
    my $time = $clock->tick;
    read_files(0);
    $on_tick->($time) if $on_tick;
    $loop->stop('timeout') if defined $deadline && ($time >= $deadline || Clock::now() >= $last_end);
    return;
}

# go_on(): the machine shows progress. Its time begins again, but not that of the wall.
sub go_on {
    $deadline = $clock->tick + $limit if defined $deadline && !$finishing;
    return;
}

# finish_in(SECONDS): ends watch() after this time at the latest. Xen, and so QEMU, may stay after
# the end of the guest.
sub finish_in {
    my ($seconds) = @_;
    return if $finishing && $clock->tick + $seconds >= $deadline;
    $finishing = 1;
    set_deadline($seconds);
    return;
}

# Ends the machine, and waits for its end.
sub end_machine {
    return if !$process || !defined $process->pid;
    if ($alone) {
        $process->stdin->close_now;
        for (1 .. 100) {
            return undef $process if waitpid $process->pid, POSIX::WNOHANG();
            select undef, undef, undef, 0.1;
        }
    }
    kill $signal => $process->pid;
    waitpid $process->pid, 0;
    undef $process;
    return;
}

END {
    my $code = $?;
    local @SIG{qw(INT TERM HUP PIPE)} = ('IGNORE') x 4; # a second signal would interrupt the cleanup
    end_machine();
    if ($janitor) {
        close $janitor->{alive};
        waitpid $janitor->{pid}, 0;
    }
    $? = $code;
}

# needs_space(PATH...): files and directories that this program and the machine write. If one of them
# has no space when the machine has ended, a console may be incomplete, and allows no verdict.
sub needs_space {
    push @space, @_;
    return;
}

sub check_space {
    for my $place (grep { -f || -d } @space) {
        open my $df, '-|', 'df', '--output=avail', '-k', $place or next;
        my ($free) = ((<$df>)[-1] // '') =~ /(\d+)/ or next;
        next if $free >= 64;
        $place =~ s{/xenolith\.[^/]*$}{};
        no_host("no space is left in $place; make room, or set TMPDIR to another directory");
    }
    return;
}

1;
