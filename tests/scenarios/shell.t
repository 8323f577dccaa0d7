#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# The shell on the console, as somebody uses it: through a pipe, on a terminal, by rlwrap, and in a
# domU by xl console. Without this a command could print what is not so, be obeyed though it makes no
# sense, or have no test at all; and scripts/shell could leave a QEMU behind, or never end.

use strict;
use warnings;
no warnings 'portable'; # numbers of 64 bits
use List::Util qw(sum0 max);
use Test::More;

use FindBin;
use lib $FindBin::Bin, "$FindBin::Bin/../scripts";
use Console;
use Host;
use Run;

my $PAGES  = 131072; # of 512 MiB
my $PTY    = "$FindBin::Bin/shell/pty.exp";
my $PROMPT = Console::PROMPT;

# A domU, meanwhile: lines for printf, and what must be answered

my @typed = (
    ['help'                      => qr/^  xs /m],
    ['xs ls data'                => qr/^command$/m],
    ['xs ls /local'              => qr/^error: xs ls \/local: -13 \(EACCES/],
    ['xs read domid'             => qr/\A[1-9]\d*\n\z/],
    ['xs read none'              => qr/^error: xs read none: -2 \(ENOENT/],
    ['xs write data/shell a  b'  => qr/\A\z/],
    ['xs read data/shell'        => qr/\Aa  b\n\z/],
    ['xs write data/shell'       => qr/\A\z/],
    ['xs read data/shell'        => qr/\A\n\z/],
    ['xs'                        => qr/^usage: xs /],
    ['xs write'                  => qr/^usage: xs /],
    ['granter'                      => qr/^usage: granter/],
    ['grantee x'                  => qr/^usage: grantee/],
    ['grantee 99'                 => qr/^error: grantee: the grants of domain 99 could not be mapped/],
    ['gr\\0303\\0244an\\0377ts'    => qr/^version /, 'high bytes are dropped'],
    ['balloon 1\\0003grants'      => qr/^version /m, 'Ctrl-C'],
    ['grants\\n'                  => qr/^version /, 'two ends of a line'],
    ['test p2m'                  => qr/^1\.\.1\nok 1 - p2m: .*\nTest result: SUCCESS$/m],
    ['balloon 99999999'          => qr/^balloon: this domain has \d+ pages, the target is 99999999$/m],
    ['walk 0xffffc90000000000'   => qr/level 1 .*: frame /],
);
my $dir = tempdir;
write_file("$dir/lines", join '', map { "$_->[0]\n" } @typed);
symlink kernel, "$dir/kernel" or die $!;
my $domu = Console->new(script('dom0'), '--xen', xen, '--quiet', '--out', "$dir/out", '--timeout', 120,
    "$FindBin::Bin/shell/job.sh", "$dir/kernel", "$dir/lines");

# All at once, since each waits for its Xen; the first has marked pages.
my @shell = (script('shell'), '--xen', xen);
my $main  = Console->new(@shell, '--mem', '512M', kernel, '--', 'pattern_pages=4');
my $tty   = Console->new($PTY, @shell, '--plain', '--mem', '64M', kernel);
my $rlwrap = Console->new($PTY, @shell, '--mem', '64M', kernel);

my $piped  = Console->new(@shell, '--mem', '64M', kernel);
$piped->type('grants'); # half a line, long before anybody listens
close $piped->{in};

my $hello = $main->until_prompt;
like $hello, qr/^A dom0 of 512 MiB on Xen [\d.]+\. "help" lists what can be asked\.$/m, 'it says hello';
$tty->until_prompt;
my $tty_waits = time;

# What each order says, if it is used well, and lines that get its usage

my %used; # the commands

sub ask {
    my ($line) = @_;
    $used{(split ' ', $line)[0]} = 1;
    return $main->ask($line);
}

sub says {
    my ($line, $expected, $name) = @_;
    my $said = ask($line);
    like $said, $expected, "$line: " . ($name // 'says so');
    return $said;
}

sub usage {
    my ($command, @lines) = @_;
    for my $line (@lines) {
        my $said = ask($line);
        like $said, qr/^usage: \Q$command\E(?: [^:]+)?: .+\n\z/, "$line: gets the usage";
    }
    return;
}

sub subtest_of {
    my ($command, $check) = @_;
    return subtest $command => $check;
}

subtest_of e820 => sub {
    my $said  = ask('e820');
    my @lines;
    while ($said =~ /^\[0x(\w+), 0x(\w+)\) type (\d) .+$/mg) {
        push @lines, [hex $1, hex $2, $3];
    }
    my ($nr) = $said =~ /^the machine's map, (\d+) entries$/m;
    is scalar(@lines), $nr, 'a line for each entry';
    cmp_ok $nr, '>', 3, 'and there are some';
    is_deeply [grep { $lines[$_][0] < $lines[$_ - 1][1] } 1 .. $#lines], [], 'in order';
    my $ram = sum0 map { $_->[2] == 1 ? $_->[1] - $_->[0] : () } @lines;
    cmp_ok $ram, '>', (1 << 30) - (2 << 20), 'a host of 1 GiB';
    cmp_ok $ram, '<', 1 << 30, 'and not more';
    usage 'e820', 'e820 all';
};

my ($identity, $empty); # PFNs
subtest_of ranges => sub {
    my $said = ask('ranges');
    my $next = 0;
    while ($said =~ /^PFNs \[0x(\w+), 0x(\w+)\) (\w+), (\d+) pages$/mg) {
        my ($start, $end, $kind, $nr) = (hex $1, hex $2, $3, $4);
        is $start, $next, sprintf '%s begins at 0x%x, where the last range ends', $kind, $next;
        is $nr, $end - $start, 'its pages';
        $next     = $end;
        $identity = $start if $kind eq 'identity' && !defined $identity;
        $empty    = $end - 1 if $kind eq 'ram';
    }
    like $said, qr/^beyond: identity$/m, "a dom0's last range";
    usage 'ranges', 'ranges 1';
};

my $frame; # of PFN 0x100
subtest_of 'p2m, m2p' => sub {
    my @said = split /\n/, ask('p2m 0x100 3');
    is scalar(@said), 3, 'a line for each PFN';
    for my $i (0 .. 2) {
        my ($pfn, $mfn) = $said[$i] =~ /^PFN (0x\w+): frame (0x\w+)(?:, which is free)?$/;
        is hex $pfn, 0x100 + $i, 'in order';
        $frame //= $mfn;
        says "m2p $mfn", qr/^frame $mfn: PFN $pfn of ours$/, 'and back';
    }
    says "p2m $identity", qr/^PFN 0x\w+: identity: the machine's 0x\w+\n\z/;
    says sprintf('p2m 0x%x', $identity), qr/^PFN (0x\w+): identity: the machine's \1$/, 'in hexadecimal';
    says "p2m $empty", qr/^PFN 0x\w+: ram, no frame$/;
    says 'p2m 0xfffffffffe', qr/^PFN 0xfffffffffe: identity/, 'beyond the list';
    is scalar(split /\n/, ask('p2m 0 256')), 256, 'as many as there may be';
    usage 'p2m', 'p2m', 'p2m x', 'p2m 1 0', 'p2m 1 257', 'p2m 1 1 1', 'p2m -1', 'p2m 0x10000000000',
        'p2m 99999999999999999999';
    says $_, qr/^frame 0x\w+: the M2P has no PFN for it$/ for 'm2p 0xfffffffff', 'm2p 0xffffffffffffffff';
    usage 'm2p', 'm2p', 'm2p 0x', 'm2p 1 1', 'm2p 18446744073709551616';
};

subtest_of walk => sub {
    my $list = '0xffffc90000000000';
    my @walk;
    my $said = ask("walk $list");
    while ($said =~ /^$list: level (\d) entry +(\d+) of table 0x(\w+) is \w{16}: frame 0x(\w+) P\b.*$/mg) {
        push @walk, {level => $1, table => $3, frame => $4};
    }
    is join(' ', map { $_->{level} } @walk), '4 3 2 1', 'four levels down to the list';
    is $walk[$_]{table}, $walk[$_ - 1]{frame}, 'a table is where its entry says' for 1 .. $#walk;
    says "m2p 0x$walk[-1]{frame}", qr/of ours$/, 'and the page is ours';
    says 'walk 0x1000', qr/^0x1000: level 4 entry +0 of table 0x\w+ is 0{16}: nothing is mapped\n\z/;
    says 'walk 0xffffffffa0000000', qr/: nothing is mapped\n\z/, 'the module area';
    says $_, qr/: no address: bits 47 to 63 of one are all the same$/
        for 'walk 0x800000000000', 'walk 0xffff7fffffffffff', 'walk 0x8000000000000000';
    says "walk $_", qr/: Xen's, whose tables are not ours to read$/
        for qw(0xffff800000000000 0xffff87ffffffffff);
    usage 'walk', 'walk', 'walk zz', 'walk 1 2', 'walk 0x10000000000000000';
};

subtest_of published => sub {
    my $said = ask('published');
    like $said, qr/^max_pfn 0x40000, p2m_vaddr 0xffffc90000000000, /, 'a list of 1 GiB, in its slot';
    like $said, qr/^list: a tool finds 512 leaves, and believes in 0x40000 PFNs$/m, 'has 512 leaves';
    like $said, qr/^tree: a tool finds 512 leaves$/m, 'and so has the tree';
    usage 'published', 'published 1';
};

# The pages that list says there are, and those up to a PFN.
sub listed {
    my ($said) = @_;
    my ($nr, %at) = (0);
    while ($said =~ /^list: PFN (0x\w+) MFN (0x\w+) pages (\d+)(?: downward)?$/mg) {
        $nr += $3;
        $at{$1} = $2;
    }
    return ($nr, \%at);
}

subtest_of p2m_list => sub {
    my ($nr, $at) = listed(ask('p2m_list'));
    is $nr, $PAGES, 'all pages are in it';
    is $at->{'0x100'}, $frame, 'and p2m says the same';
    my ($rest, $from) = listed(says('p2m_list 0x100', qr/^p2m_list: the P2M list ends at PFN 0x40000$/m));
    is $rest, $PAGES - 0x9f, 'from the first hole on';
    ok $from->{'0x100'} && !$from->{'0x0'}, 'and nothing before';
    is ask('p2m_list 0x40000'), "p2m_list: the P2M list ends at PFN 0x40000\n", 'from its end on';
    usage 'p2m_list', 'p2m_list x', 'p2m_list 1 2';
};

my $free;
subtest_of 'frame_pool, stats' => sub {
    my $said = ask('frame_pool');
    my $sum  = sum0 $said =~ /^PFNs \[0x\w+, 0x\w+\) free, (\d+) pages$/mg;
    ($free) = $said =~ /^(\d+) pages free in \d+ runs$/m;
    is $sum, $free, 'the runs are what is free';
    my $stats = ask('stats');
    like $stats, qr/^pages: $PAGES, of up to \d+; the list has room for PFNs below 0x40000$/m, 'pages';
    like $stats, qr/^frames: $free free in \d+ runs; asked for [1-9]\d* times$/m, 'frames';
    like $stats, qr/^$_: /m, $_ for qw(tables list events grants);
    usage $_, "$_ 1" for qw(frame_pool stats);
};

subtest_of 'grants, foreign, evtchn' => sub {
    says 'grants', qr/^version [12], [1-9]\d* of \d+ frames: 0 grants given, 0 to be ended\n\z/;
    my $window = ask('foreign');
    my @ranges = $window =~ /^\[0x\w+, 0x\w+\) \w+ of (?:our own|domain \d+), \d+ of \d+ pages mapped/mg;
    is $window =~ /^(\d+) ranges, /m ? $1 : -1, scalar(@ranges), 'foreign: a line for each range';
    my $ports = ask('evtchn');
    my @lines = $ports =~ /^port \d+: (.+)$/mg;
    is $ports =~ /^(\d+) ports; we listen to \d+$/m ? $1 : -1, scalar(@lines), 'evtchn: and for each port';
    is_deeply [grep { $_ eq 'VIRQ 0' || $_ eq 'VIRQ 2' } sort @lines], ['VIRQ 0', 'VIRQ 2'],
        'the timer and the console';
    usage $_, "$_ 1" for qw(grants foreign evtchn);
};

subtest_of balloon => sub {
    says 'balloon 100000', qr/^balloon: this domain has 100000 pages, the target is 100000\n\z/;
    says 'stats', qr/^pages: 100000, /;
    is((listed(ask('p2m_list')))[0], 100000, 'the list has as many');
    says 'balloon 1', qr/^balloon: this domain has \d+ pages, the target is 1$/m, 'what is in use stays';
    says 'stats', qr/^pages: (?!1,)\d{1,4}, /;
    says 'balloon 0x20000', qr/^balloon: this domain has $PAGES pages, the target is $PAGES$/m, 'and all of it back';
    says 'stats', qr/^pages: $PAGES, /;
    usage 'balloon', 'balloon', 'balloon 0', 'balloon -1', 'balloon all', 'balloon 5 5', 'balloon 0x';
};

subtest_of xs => sub {
    says "xs $_", qr/^error: xs: this domain has no xenstore\n\z/ for 'ls /', 'read domid', 'write a b c', 'write a';
    usage 'xs', 'xs', 'xs ls', 'xs ls / /', 'xs read', 'xs read a b', 'xs write', 'xs rm /', 'xs x';
};

subtest_of test => sub {
    my $said = ask('test p2m');
    like $said, qr/\ATAP version 14\n1\.\.1\nok 1 - p2m: .*\nTest result: SUCCESS\n\z/, 'just that';
    like ask('test p2m,ranges '), qr/^1\.\.2\nok 1.*\nok 2.*\nTest result: SUCCESS$/m, 'two, and a blank';
    my $wrong = ask('test nosuch');
    like $wrong, qr/"nosuch" is not the name of a self-test$/m, 'an unknown one is named';
    like $wrong, qr/^Test result: ERROR$/m, 'and is no success';
    like ask('test p2m ranges'), qr/"p2m ranges" is not the name of a self-test/, 'with a blank between them they are one';
};

subtest_of 'pattern_pages, churn, churn_end' => sub {
    my %at   = reverse ask('pattern_pages') =~ /^mark: PFN (0x\w+) sum 0x(\w{16})$/mg;
    my @pfns = values %at;
    is scalar(@pfns), 4, 'four marks';
    says "p2m $pfns[0]", qr/: frame 0x\w+\n\z/, 'which are in use';
    says 'churn', qr/^churn: on\n\z/;
    sleep 1;
    my ($generation) = says('churn_end', qr/^churn: off, generation of the pattern pages \d+\n\z/) =~ /pages (\d+)/;
    cmp_ok $generation, '>', 0, 'they were written';
    says 'stats', qr/^pages: $PAGES, /, 'and the balloon is where it was';
    unlike ask('pattern_pages'), qr/$_/, 'with something else' for keys %at;
    usage $_, "$_ 1" for qw(pattern_pages churn churn_end);
};

subtest_of 'generation, block_suspend, unblock_suspend' => sub {
    says 'generation', qr/^generation: shared_info.p2m_generation is 2\n\z/;
    says 'generation', qr/^generation: shared_info.p2m_generation is 4\n\z/;
    says 'published',  qr/p2m_generation 4, /;
    my ($before) = ask('stats') =~ /heap up to (0x\w+)/;
    says 'block_suspend', qr/^block_suspend: on\n\z/;
    says "walk $before", qr/level 1 .*: frame 0x\w+ P/, 'it is mapped';
    says 'unblock_suspend', qr/^block_suspend: off\n\z/;
    says "walk $before", qr/: nothing is mapped$/, 'and not any more';
    usage $_, "$_ 1" for qw(generation block_suspend unblock_suspend);
};

subtest_of 'granter, grantee' => sub {
    says 'granter 0 1',   qr/^error: granter: 1 pages could not be granted to domain 0: /;
    says 'grantee 0',   qr/^error: grantee: the grants of domain 0 could not be mapped: /;
    says 'granter_look', qr/^\{"report":"granter_look","pages":0,/;
    says 'granter_end',   qr/^\{"report":"granter_end","pages":0,/;
    says 'grantee_end', qr/^\{"report":"grantee_end","pages":0,/;
    like ask($_), qr/^usage: /, "$_: what was expected"
        for 'granter', 'granter x', 'granter 1', 'granter 1 0', 'granter 65535 1', 'grantee', 'grantee x', 'grantee 32752';
    says 'stats', qr/^frames: $free free /m, 'nothing was lost';
    usage $_, "$_ 1" for qw(granter_look granter_end grantee_end);
};

subtest_of suspend => sub {
    says 'suspend', qr/^error: suspend: no tool could resume a dom0\n\z/;
    usage 'suspend', 'suspend now';
};

subtest_of 'the ends' => sub {
    usage $_, "$_ now" for qw(poweroff reboot crash);
};

subtest 'what is no order' => sub {
    like $main->ask($_), qr/^error: unknown command "\Q$_\E": "help" prints the commands\n\z/, $_
        for 'foo', 'HELP', 'helpme', 'hel', '%s%n', 'p2m,1', '"', 'a' x 40;
    like $main->ask('b' x 60), qr/^error: unknown command "b{40}":/, 'a long one is cut';
    is $main->ask(''), '', 'an empty line';
    is $main->ask('    '), '', 'blanks';
    like $main->ask('   grants   '), qr/^version /, 'blanks around a command';
    usage 'help', 'help me';
};

# The line

subtest 'what is typed can be mended' => sub {
    my %lines = (
        'backspace'           => "grantz\bs",
        'delete'              => "grantz\x7fs",
        'more of it than typed' => "x\b\b\b\bgrants",
        'Ctrl-U'              => "balloon 1\x15grants",
        'Ctrl-C'              => "balloon 1\x03grants",
        'cursor keys'         => "gr\e[A\e[Ba\e[C\e[Dnts\eOA",
        'keys with numbers'   => "gra\e[3~\e[1;5Cn\e[200~ts",
        'a key by itself'     => "\exgrants",
        'control characters'  => "\x01\x02g\tr\x0ba\x1fn\x00ts",
        'high bytes, which lose their highest bit in Xen' => "gr\xff\x80a\xc3\xa4nts\x15grants",
        'half a key'          => "gran\e[\bnts",
        'Escape twice'        => "\e\e[Agrants",
    );
    for my $name (sort keys %lines) {
        like $main->ask($lines{$name}), qr/^version \d, .*\n\z/m, $name;
    }
    like $main->ask("grants\e"), qr/^version /m, 'Escape and Enter';
    my $echo = $main->raw("ab\x7f\x15\r");
    is $echo, "ab\b \b\b \b\r\n$PROMPT", 'it is taken back on the screen';
};

subtest 'a line too long' => sub {
    my $long = 'test ' . 'x' x 122; # 127
    like $main->ask($long), qr/"x{122}" is not the name of a self-test/, 'as long as it may be';
    like $main->ask("${long}y"),
        qr/\Aexpected a line of up to 127 characters: this one is longer, and not obeyed\n\z/,
        'one more: not obeyed';
    like $main->raw("${long}y\r"), qr/\A$long\a\r\n/, 'the bell rings for what is not taken';
    like $main->ask("${long}y\x7f\x15grants"), qr/^version /m, 'and mended';
    like $main->ask('y' x 400), qr/expected a line of up to 127 characters/, 'many more';
    like $main->ask('grants'), qr/^version /, 'and the next one is its own';
};

# Every order of help is among those above

my %help = ask('help') =~ /^  (\w+) (?: *|.*? {2,})(\S.*)$/mg;
cmp_ok scalar(keys %help), '>', 25, 'help lists the commands';
is_deeply [sort keys %used], [sort keys %help], 'each of them was used';
like $main->ask('help'), qr/^  .{36}  ?\S/m, 'in columns';

# Ends

$main->type("reboot\r");
is $main->ends, 0, 'reboot: exit code 0';
like $main->{text}, qr/^reboot: the domain ends here$/m, 'which was said';
unlike $main->{text}, qr/\Q$PROMPT\E\z/, 'and there is no prompt any more';

my $off   = Console->new(@shell, '--mem', '64M', kernel, '--', 'inject=map:holes:300');
my $crash = Console->new(@shell, '--mem', '64M', kernel);

subtest 'on a terminal' => sub {
    sleep max(0, 18 - (time - $tty_waits)); # Xen's watchdog has 15 seconds of patience
    like $tty->ask('grants'), qr/^version /, 'it waits for longer than the watchdog';
    $tty->type("\x03");
    is $tty->ends, 130, 'Ctrl-C: exit code 130';
};

subtest 'by rlwrap' => sub {
    $rlwrap->until_prompt if !$rlwrap->has_prompt;
    $rlwrap->type("grantz\x7fs\r");
    ok $rlwrap->waits_for(qr/version \d, .*grants given/), 'a command, mended';
    $rlwrap->type("\e[A\r"); # history
    ok $rlwrap->waits_for(qr/version \d, .*grants given/), 'and again, by the cursor key';
    $rlwrap->type("reboot\r");
    is $rlwrap->ends, 0, 'reboot: exit code 0';
};

$_->until_prompt for $off, $crash;

subtest 'a list of more runs than somebody reads' => sub {
    my ($said, $sum, $parts) = ($off->ask('p2m_list'), 0, 1);
    is $said =~ tr/\n//, 257, '256 of them, and where it goes on';
    while ($said =~ /^p2m_list: more runs follow: (p2m_list 0x\w+)$/m && $parts < 10) {
        my $next = $1;
        $sum += (listed($said))[0];
        $said = $off->ask($next);
        $parts++;
    }
    is $sum + (listed($said))[0], pages('64M'), "$parts parts have all pages";
};

$off->type("poweroff\r");
is $off->ends, 0, 'poweroff: exit code 0';
$crash->type("crash\r");
is $crash->ends, 6, 'crash: exit code 6';
like $crash->{text}, qr/^crash: the domain ends here$/m, 'which was said';

subtest 'input that has an end' => sub {
    is $piped->ends, 0, 'exit code 0';
    like $piped->{text}, qr/^version .* grants given/m, 'the line before that is obeyed';
};

subtest 'in a domU' => sub {
    is $domu->ends, 0, 'all was answered' or diag $domu->{text};
    my $text = -e "$dir/out/talker.con" ? read_file("$dir/out/talker.con") =~ s/\r//gr : '';
    $text =~ s/\^C\n\Q$PROMPT\E/^C/;
    my (undef, @said) = split /\Q$PROMPT\E/, $text;
    for my $i (0 .. $#typed) {
        my ($line, $expected, $name) = @{$typed[$i]};
        $said[$i] = '' if !defined $said[$i];
        like $said[$i] =~ s/\A.*\n//r, $expected, $name // $line;
        splice @said, $i, 1 if $line =~ /\\n\z/; # the prompt of the empty line
    }
    like $text, qr/\Q$PROMPT\Epoweroff\npoweroff: the domain ends here\n\z/, 'poweroff';
    is read_file("$dir/out/talker.end"), "poweroff\n", 'it has powered off';
    is read_file("$dir/out/sleeper.end"), "suspend\n", 'the other one has suspended';
    like read_file("$dir/out/list"), qr/^sleeper .* ---ss- .* 2 /m, 'as xl shows: by itself, and for good';
};

ok !$_->left, "nothing is left of it: @{$_->{command}}" for $domu, $main, $tty, $rlwrap, $piped, $off, $crash;

done_testing;
