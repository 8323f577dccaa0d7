# SPDX-License-Identifier: MIT
#
# Runs a script of this repository as a user would, and returns its exit code and its output. Makes
# and reads files, and checks that a script leaves no process and no file.

package Run;

use strict;
use warnings;
use Cwd 'realpath';
use Exporter 'import';
use File::Basename 'dirname';
use File::Path 'make_path';
use File::Temp;
use Test::More ();

our @EXPORT = qw(run is_refused script write_file write_script program read_file tempdir soon nothing_is_left
    git %git_env);

my $top = realpath(dirname(__FILE__) . '/../..');

# The environment of git, without the settings of the user
our %git_env = (
    (map { ("GIT_${_}_NAME" => 'a', "GIT_${_}_EMAIL" => 'a@example.org') } qw(AUTHOR COMMITTER)),
    GIT_CONFIG_GLOBAL => '/dev/null',
    GIT_CONFIG_SYSTEM => '/dev/null',
);

sub script {
    my ($name) = @_;
    return "$top/scripts/$name";
}

# A directory that is removed when the test ends.
sub tempdir {
    return File::Temp->newdir;
}

sub write_file {
    my ($path, $text) = @_;
    make_path(dirname($path));
    open my $file, '>:raw', $path or die "cannot write $path: $!";
    print $file $text;
    close $file or die "cannot write $path: $!";
    return $path;
}

# Like write_file, for a program that stands for another one.
sub write_script {
    my ($path, $text) = @_;
    chmod 0755, write_file($path, $text);
    return $path;
}

# program(PATH, TEXT): a Bash script that stands for another program.
sub program {
    my ($path, $text) = @_;
    return write_script($path, "#!/bin/bash\n$text\n");
}

sub read_file {
    my ($path) = @_;
    open my $file, '<:raw', $path or die "cannot read $path: $!";
    local $/;
    return scalar <$file>;
}

# run({env => {...}, dir => ...}, COMMAND...): returns (exit code, stdout, stderr). The options may
# be left out. A command that a signal ended has exit code -1.
sub run {
    my $options = ref $_[0] ? shift : {};
    my @command = @_;
    my ($out, $err) = (File::Temp->new, File::Temp->new);
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        # A parent may have ignored signals, as nohup does; bash cannot trap what is ignored at its start.
        $SIG{$_} = 'DEFAULT' for qw(HUP INT QUIT PIPE TERM);
        chdir $options->{dir} or die "$options->{dir}: $!" if $options->{dir};
        %ENV = (%ENV, %{$options->{env} // {}});
        open STDIN,  '<', '/dev/null' or die $!;
        open STDOUT, '>', $out->filename or die $!;
        open STDERR, '>', $err->filename or die $!;
        exec @command or die "$command[0]: $!";
    }
    waitpid $pid, 0;
    return ($? & 127 ? -1 : $? >> 8, read_file($out->filename), read_file($err->filename));
}

# is_refused(NAME, EXIT CODE, SENTENCE, COMMAND as for run): checks that a command fails so, with one line on
# standard error that matches SENTENCE, and prints nothing else.
sub is_refused {
    my ($name, $code, $sentence, @command) = @_;
    my ($exit, $out, $err) = run(@command);
    Test::More::is("$exit:$out", "$code:", "$name: exit code is $code, and standard output is empty");
    Test::More::like($err, $sentence, "$name: the message says what was found and expected");
    Test::More::like($err, qr/\A[^\n]+\n\z/, "$name: the message is one line");
    return;
}

# git(DIRECTORY, ARGUMENTS...): runs git without the settings of the user, and returns its output.
sub git {
    my ($dir, @arguments) = @_;
    my ($code, $out, $err) = run({env => \%git_env, dir => $dir}, 'git', @arguments);
    $code == 0 or die "git @arguments: $err";
    return $out;
}

# Waits until $is_so->() is true. Returns false after five minutes: only a fault takes so long, so that
# no verdict depends on the speed of the machine.
sub soon {
    my ($is_so) = @_;
    my $end = time + 300;
    until ($is_so->()) {
        return 0 if time > $end;
        select undef, undef, undef, 0.05;
    }
    return 1;
}

# Checks that a run has left no process and no file. The script that replaces QEMU has written its
# process id to $dir/pid, and would run for ten minutes; the temporary files of the run were in
# $dir/tmp. A process that was killed may need some time to end.
sub nothing_is_left {
    my ($dir, $name) = @_;
    my $pid = -e "$dir/pid" ? 0 + read_file("$dir/pid") : 0;
    Test::More::ok(soon(sub { !$pid || !kill 0, $pid }), "$name: no process is left");
    my @left;
    soon(sub { !(@left = glob "$dir/tmp/*") });
    Test::More::is_deeply(\@left, [], "$name: no temporary file is left");
    return;
}

1;
