# SPDX-License-Identifier: MIT
#
# A PV guest on another machine that runs Xen, by the xl of that machine. Everything goes through one
# ssh connection to a job on that machine (ssh_job.sh). The input of the job is a tar with the files, and
# stays open as long as this program runs: its end ends the job, also after a signal or a lost
# connection. The output of the job is the console of the guest. Its standard error has the other
# results. The job uses a directory made by mktemp, and a domain with the name of this directory.

package SshHost;

use strict;
use warnings;
use Exporter 'import';

use Guest;
use Machine;
use Options;

our @EXPORT = qw(check_ssh_host run_on_ssh_host);

my $block = 4096; # the tar has whole blocks, so that the other machine knows where it ends
my $extra = 400;  # seconds that the other machine may take beside the guest

# Returns [LOGIN, PORT] of [USER@]NAME[:PORT]. ssh would take a name with a dash in front for an option.
sub check_ssh_host {
    my ($host) = @_;
    my $word = '[A-Za-z0-9_][A-Za-z0-9_.-]*';
    my ($login, $port) = $host =~ /^((?:$word@)?(?:$word|\[[0-9A-Fa-f:.]+\]))(?::([1-9]\d{0,4}))?$/
        or bad("--host $host: expected [USER@]NAME[:PORT], with an IPv6 address in brackets");
    my ($ssh) = ssh();
    on_path($ssh) or bad("$ssh is not on the PATH; Debian's package openssh-client has ssh");
    return [$login =~ tr/[]//dr, $port];
}

sub ssh {
    my @words = split ' ', $ENV{XENOLITH_SSH} || 'ssh';
    return @words;
}

# The shell of the other machine may be of any kind: no single quotes, no exclamation mark. dd reads
# exactly the bytes of the tar; tar would wait for the end of the input.
my $there = <<'END';
trap : HUP INT TERM PIPE
d=$(mktemp -d "${TMPDIR:-/tmp}/xenolith.XXXXXX") || { echo "@@ cannot expected a directory made by mktemp in TMPDIR or /tmp, found none" >&2; exit 4; }
if dd bs=BLOCK count=COUNT iflag=fullblock 2>/dev/null | tar -x -f - -C "$d" 2>"$d/tar"; then
    cd "$d"
    sh job.sh TIMEOUT
    code=$?
    cd /
else
    echo "@@ cannot expected the files of the guest in $d, but tar says: $(head -n 1 "$d/tar")" >&2
    code=4
fi
rm -rf "$d"
exit $code
END

# run_on_ssh_host(HOST, GUEST, HEAR): HEAR gets the console. Returns how the guest ended (NAME.end of
# xenolith.sh), and references to the lines of xl and to those that Xen printed meanwhile.
sub run_on_ssh_host {
    my ($host, $guest, $hear) = @_;
    my ($login, $port) = @{check_ssh_host($host)};
    my $tar   = make_tar($guest);
    my %value = (BLOCK => $block, COUNT => (-s $tar) / $block, TIMEOUT => $guest->{timeout});
    my $job   = $there =~ s/\b(BLOCK|COUNT|TIMEOUT)\b/$value{$1}/gr;
    my ($said, $heard) = (tmp() . '/said', 0);
    open my $stderr, '>', $said or no_host("$said: cannot be opened: $!");
    start(
        [ssh(), qw(-T -o BatchMode=yes -o ConnectTimeout=10 -o ServerAliveInterval=15),
            defined $port ? ('-p', $port) : (), '--', $login, "sh -c '$job'"],
        hear => sub { $heard++; $hear->(@_) }, stdin => 'pipe', stderr => $stderr, signal => 'TERM', alone => 1,
    );
    open my $files, '<:raw', $tar or no_host("$tar: cannot be opened: $!");
    feed($files);
    my $end = watch($guest->{timeout} + $extra);
    end_machine();

    my @lines = lines_of($said);
    my $told = sub { my ($word) = @_; return map { /^\@\@ $word (.*)/ ? $1 : () } @lines };
    my ($how) = $told->('end');
    return ($how, [$told->('xl')], [$told->('xen')]) if defined $how;
    my ($why) = $told->('cannot');
    my $last  = (map { s/\r//gr } grep { !/^\@\@ / } @lines)[-1]; # the last line of ssh
    $last = defined $last ? ": $last" : '';
    $why //= $end eq 'timeout' ? 'expected the result of the guest in ' . ($guest->{timeout} + $extra) . ' s, found none'
        : $heard               ? "the ssh connection was lost while the guest ran$last"
        : exit_code() == 255   ? "ssh could not connect$last"
        :                        'the job on this host ended with exit code ' . exit_code() . ", expected 0$last";
    no_host("$host: $why");
}

sub make_tar {
    my ($guest) = @_;
    my ($dir, $tar) = (tmp() . '/send', tmp() . '/tar');
    mkdir $dir or no_host("$dir: cannot be made: $!");
    my %files = (
        kernel        => $guest->{kernel},
        initrd        => $guest->{initrd},
        'xenolith.sh' => top() . '/scripts/host/dom0.d/lib/xenolith.sh',
        'job.sh'      => top() . '/scripts/host/ssh_job.sh',
    );
    link_to($files{$_}, "send/$_") for grep { defined $files{$_} } keys %files;
    # relative to the directory of the job, in which xl runs
    my @load = xl_load('kernel', $guest->{args}, defined $guest->{initrd} ? 'initrd' : undef);
    write_lines('send/guest.cfg', xl_config($guest, @load));
    my ($failed) = run(qw(tar --create --dereference), "--record-size=$block", "--file=$tar", '-C', $dir, '.');
    no_host('tar could not pack the files of the guest; its message is above') if $failed;
    return $tar;
}

1;
