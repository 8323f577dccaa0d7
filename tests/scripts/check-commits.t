#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# scripts/check/commits finds the commits of a branch that do not build. Without this test, it could
# build the working tree instead of a commit, or leave a worktree that git still lists.

use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Run;
use Test::More;

plan skip_all => 'git is not installed' if system('git --version >/dev/null 2>&1') != 0;

my $dir  = tempdir();
my $repo = "$dir/repo";
my %env  = (%git_env, PATH => "$dir/bin:$ENV{PATH}", TMPDIR => "$dir/tmp");
mkdir "$dir/$_" for qw(bin tmp repo);

sub commit {
    my ($subject, %files) = @_;
    write_file("$repo/$_", $files{$_}) for keys %files;
    git($repo, 'add', '.');
    git($repo, 'commit', '-q', '-m', $subject);
    return;
}

sub check_commits {
    my ($exit, $out, $err) = run({env => \%env, dir => $repo}, script('check/commits'), @_);
    is_deeply [glob "$dir/tmp/*"], [], "check-commits @_: no temporary file is left";
    is git($repo, 'worktree', 'list', '--porcelain') =~ s/^(?!worktree).*\n//gmr, "worktree $repo\n",
        "check-commits @_: git lists no other worktree";
    return ($exit, $out =~ s/\b[0-9a-f]{7,}\b/HASH/gr, $err);
}

# A script in place of make -C DIR TARGET; this one fails if DIR/fails has the line TARGET
sub fake_make { return write_script("$dir/bin/make", "#!/bin/bash\n$_[0]\n") }
fake_make('echo "$4 says no"; ! grep -qx "$4" "$3/fails"');

git($repo, 'init', '-q');
commit('first: a good one', 'fails' => '');
commit('second: broken',    'fails' => "unit\n");
commit('third: worse',      'fails' => "all\nunit\n");
write_file("$repo/fails", 'of the working tree');

my ($exit, $out, $err) = check_commits('HEAD~1');
is_deeply [$exit, $out, $err], [1, <<'END', ''], 'a range with a broken commit: exit code is 1, and its line has the target and the output of make';
HASH first: a good one: ok
HASH second: broken: make unit failed
    unit says no
END
is_deeply [check_commits('HEAD~2')], [0, "HASH first: a good one: ok\n", ''], 'a range of a good commit: exit code is 0';
is((check_commits())[1], <<'END', 'without a range: all, up to ten');
HASH first: a good one: ok
HASH second: broken: make unit failed
    unit says no
HASH third: worse: make all failed
    all says no
END
git($repo, 'update-ref', 'refs/remotes/origin/main', 'HEAD~1');
is((check_commits())[1], "HASH third: worse: make all failed\n    all says no\n", 'without range: the commits that origin/main does not have are checked');
is_deeply [check_commits('HEAD..HEAD')], [0, '', "check-commits: HEAD..HEAD: expected at least one commit, found none\n"],
    'an empty range: exit code is 0, and a message says so';
is read_file("$repo/fails"), 'of the working tree', 'the working tree is not changed';

for my $signal (qw(INT TERM HUP)) {
    fake_make("sleep 600 & echo \$! >$dir/pid; kill -$signal \$PPID; wait");
    is((check_commits('HEAD~2'))[0], 130, "SIG$signal: exit code is 130");
    nothing_is_left($dir, "SIG$signal");
}

for my $case (
    ['no range',       qr/^check-commits: nothing: expected a range of commits, as in main~3\.\.$/, 'nothing'],
    ['two ranges',     qr/^check-commits: expected one RANGE, found 2 arguments$/,                  'a', 'b'],
    ['unknown option', qr/^check-commits: unknown option --all/,                                    '--all'],
) {
    my ($name, $sentence, @args) = @$case;
    is_refused $name, 2, $sentence, {env => \%env, dir => $repo}, script('check/commits'), @args;
}
is_refused 'a directory without repository', 2, qr{^check-commits: $dir/tmp: expected a git repository$},
    {env => {%env, GIT_CEILING_DIRECTORIES => "$dir"}, dir => "$dir/tmp"}, script('check/commits');
is_deeply [glob "$dir/tmp/*"], [], 'bad usage leaves no temporary file';
like((run(script('check/commits'), '--help'))[1], qr/^usage: /, '--help prints the usage');

done_testing;
