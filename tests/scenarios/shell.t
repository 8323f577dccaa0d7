#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# The kernel's shell (kernel/shell/) and scripts/shell, with input from a pipe, from a terminal, from
# rlwrap, and in a domU from xl console. Without this test a command could print wrong values, run
# with wrong arguments, or have no test at all; and scripts/shell could leave a QEMU process behind or
# never exit.

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

my $PAGES  = 131072; # pages of 512 MiB
my $PTY    = "$FindBin::Bin/shell/pty.exp";
my $PROMPT = Console::PROMPT;

# A domU, started first because it takes longest: lines for printf, and the expected answers

my @typed = (
    ['help'                      => qr/^  xs /m],
    ['xs ls data'                => qr/^command$/m],
    ['xs ls /local'              => qr/^error: xs ls \/local: xenstore request failed: -13 \(EACCES/],
    ['xs read domid'             => qr/\A[1-9]\d*\n\z/],
    ['xs read none'              => qr/^error: xs read none: xenstore request failed: -2 \(ENOENT/],
    ['xs write data/shell a  b'  => qr/\A\z/],
    ['xs read data/shell'        => qr/\Aa  b\n\z/],
    ['xs write data/shell'       => qr/\A\z/],
    ['xs read data/shell'        => qr/\A\n\z/],
    ['xs'                        => qr/^usage: xs /],
    ['xs write'                  => qr/^usage: xs /],
    ['granter'                   => qr/^usage: granter/],
    ['grantee x'                 => qr/^usage: grantee/],
    ['grantee 99'                => qr/^error: grantee: the grants of domain 99 could not be mapped/],
    ['gr\\0303\\0244an\\0377ts'    => qr/^grant table version /, 'bytes above 0x7f are ignored'],
    ['balloon 1\\0003grants'      => qr/^grant table version /m, 'Ctrl-C deletes the line'],
    ['grants\\n'                  => qr/^grant table version /, '\n and \r end two lines'],
    ['test p2m'                  => qr/^1\.\.1\nok 1 - p2m: .*\nTest result: SUCCESS$/m],
    ['balloon 99999999'          => qr/^balloon: this domain has \d+ pages, the target is 99999999$/m],
    ['walk 0xffffc90000000000'   => qr/level 1 .*: MFN /],
);
my $dir = tempdir;
write_file("$dir/lines", join '', map { "$_->[0]\n" } @typed);
write_file("$dir/guest.cfg", config_file({mem => '64M', args => 'shell'}));
my $domu = Console->new(script('host/dom0'), '--xen', xen, '--quiet', '--out', "$dir/out", '--timeout', 120,
    "$FindBin::Bin/shell/job.sh", kernel, "$dir/lines", "$dir/guest.cfg");

# Started at the same time, because each waits for its Xen to boot.
my @shell = (script('shell'), '--xen', xen);
my $main  = Console->new(@shell, '--mem', '512M', kernel, '--', 'pattern_pages=4');
my $tty   = Console->new($PTY, @shell, '--plain', '--mem', '64M', kernel);
my $rlwrap = Console->new($PTY, @shell, '--mem', '64M', kernel);

my $piped  = Console->new(@shell, '--mem', '64M', kernel);
$piped->type('grants'); # a line without an end, before QEMU has started
close $piped->{in};

my $hello = $main->until_prompt;
like $hello, qr/^shell: dom0 of 512 MiB on Xen [\d.]+; "help" prints the commands$/m, 'shell_start prints a greeting';
$tty->until_prompt;
my $tty_waits = time;

# Each command: its output with correct arguments, and its usage with wrong arguments

my %used; # commands that this test has typed

sub ask {
    my ($line) = @_;
    $used{(split ' ', $line)[0]} = 1;
    return $main->ask($line);
}

sub says {
    my ($line, $expected, $name) = @_;
    my $said = ask($line);
    like $said, $expected, "$line: " . ($name // 'output');
    return $said;
}

sub usage {
    my ($command, @lines) = @_;
    for my $line (@lines) {
        my $said = ask($line);
        like $said, qr/^usage: \Q$command\E(?: [^:]+)?: .+\n\z/, "$line: prints the usage of $command";
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
    my ($nr) = $said =~ /^E820 map of the machine, (\d+) entries$/m;
    is scalar(@lines), $nr, 'e820 prints one line per entry';
    cmp_ok $nr, '>', 3, 'the E820 map has more than 3 entries';
    is_deeply [grep { $lines[$_][0] < $lines[$_ - 1][1] } 1 .. $#lines], [], 'the entries ascend and do not overlap';
    my $ram = sum0 map { $_->[2] == 1 ? $_->[1] - $_->[0] : () } @lines;
    cmp_ok $ram, '>', (1 << 30) - (2 << 20), 'RAM of a 1 GiB host: lower bound';
    cmp_ok $ram, '<', 1 << 30, 'RAM of a 1 GiB host: upper bound';
    usage 'e820', 'e820 all';
};

my ($identity, $empty); # PFNs
subtest_of ranges => sub {
    my $said = ask('ranges');
    my $next = 0;
    while ($said =~ /^PFNs \[0x(\w+), 0x(\w+)\) (\w+), (\d+) pages$/mg) {
        my ($start, $end, $kind, $nr) = (hex $1, hex $2, $3, $4);
        is $start, $next, sprintf 'the %s range starts at 0x%x, where the range before ends', $kind, $next;
        is $nr, $end - $start, sprintf 'pages of the %s range at 0x%x', $kind, $start;
        $next     = $end;
        $identity = $start if $kind eq 'identity' && !defined $identity;
        $empty    = $end - 1 if $kind eq 'ram';
    }
    like $said, qr/^PFNs from 0x\w+ on: identity$/m, 'in a dom0, PFNs behind the last range are identity';
    usage 'ranges', 'ranges 1';
};

my $frame; # of PFN 0x100
subtest_of 'p2m, m2p' => sub {
    my @said = split /\n/, ask('p2m 0x100 3');
    is scalar(@said), 3, 'p2m prints one line per PFN';
    for my $i (0 .. 2) {
        my ($pfn, $mfn) = $said[$i] =~ /^PFN (0x\w+): MFN (0x\w+)(?:, free)?$/;
        is hex $pfn, 0x100 + $i, "PFN in line $i";
        $frame //= $mfn;
        says "m2p $mfn", qr/^MFN $mfn: PFN $pfn of this domain$/, 'the M2P entry is the PFN';
    }
    says "p2m $identity", qr/^PFN 0x\w+: identity, machine frame 0x\w+\n\z/, 'an identity PFN in decimal';
    says sprintf('p2m 0x%x', $identity), qr/^PFN (0x\w+): identity, machine frame \1$/,
        'an identity PFN in hexadecimal';
    says "p2m $empty", qr/^PFN 0x\w+: ram, no frame$/, 'a RAM PFN without a frame';
    says 'p2m 0xfffffffffe', qr/^PFN 0xfffffffffe: identity/, 'a PFN behind the P2M list';
    is scalar(split /\n/, ask('p2m 0 256')), 256, 'p2m prints up to 256 PFNs';
    usage 'p2m', 'p2m', 'p2m x', 'p2m 1 0', 'p2m 1 257', 'p2m 1 1 1', 'p2m -1', 'p2m 0x10000000000',
        'p2m 99999999999999999999';
    says $_, qr/^MFN 0x\w+: the M2P has no PFN of this MFN$/, 'an MFN behind the M2P'
        for 'm2p 0xfffffffff', 'm2p 0xffffffffffffffff';
    usage 'm2p', 'm2p', 'm2p 0x', 'm2p 1 1', 'm2p 18446744073709551616';
};

subtest_of walk => sub {
    my $list = '0xffffc90000000000';
    my @walk;
    my $said = ask("walk $list");
    while ($said =~ /^$list: level (\d) entry +(\d+), in table MFN 0x(\w+), is \w{16}: MFN 0x(\w+) P\b.*$/mg) {
        push @walk, {level => $1, table => $3, frame => $4};
    }
    is join(' ', map { $_->{level} } @walk), '4 3 2 1', 'walk prints the entries of levels 4 to 1';
    is $walk[$_]{table}, $walk[$_ - 1]{frame}, "table $_ is the frame of the entry before" for 1 .. $#walk;
    says "m2p 0x$walk[-1]{frame}", qr/of this domain$/, 'the leaf of the P2M list is a frame of this domain';
    says 'walk 0x1000', qr/^0x1000: level 4 entry +0, in table MFN 0x\w+, is 0{16}: not present\n\z/, 'an address without a level 4 entry';
    says 'walk 0xffffffffa0000000', qr/^0xffffffffa0000000: level \d entry +\d+, in table MFN 0x\w+, is 0{16}: not present\n\z/m,
        'the module area of Linux is not mapped';
    says $_, qr/^error: walk: 0x\w+ is not canonical: expected bits 47 to 63 to be equal$/, 'not canonical'
        for 'walk 0x800000000000', 'walk 0xffff7fffffffffff', 'walk 0x8000000000000000';
    says "walk $_", qr/^virtual address $_ is in Xen.s area: \N+\n\z/, q{Xen's area is not read}
        for qw(0xffff800000000000 0xffff87ffffffffff);
    usage 'walk', 'walk', 'walk zz', 'walk 1 2', 'walk 0x10000000000000000';
};

subtest_of published => sub {
    my $said = ask('published');
    like $said, qr/^max_pfn 0x40000, p2m_vaddr 0xffffc90000000000, /, 'max_pfn and p2m_vaddr of a 1 GiB host';
    like $said, qr/^P2M list: a tool reads 512 leaves, for 0x40000 PFNs$/m, 'leaves of the P2M list';
    like $said, qr/^P2M tree: a tool reads 512 leaves$/m, 'leaves of the P2M tree';
    usage 'published', 'published 1';
};

# Number of pages in an output of p2m_list, and the first MFN of each run by the run's first PFN.
sub listed {
    my ($said) = @_;
    my ($nr, %at) = (0);
    while ($said =~ /^p2m_list: PFN (0x\w+) MFN (0x\w+) pages (\d+)(?: downward)?$/mg) {
        $nr += $3;
        $at{$1} = $2;
    }
    return ($nr, \%at);
}

subtest_of p2m_list => sub {
    my ($nr, $at) = listed(ask('p2m_list'));
    is $nr, $PAGES, 'p2m_list lists all pages of the domain';
    is $at->{'0x100'}, $frame, 'p2m_list and p2m agree about PFN 0x100';
    my ($rest, $from) = listed(says('p2m_list 0x100', qr/^p2m_list: the P2M list ends at PFN 0x40000$/m));
    is $rest, $PAGES - 0x9f, 'p2m_list 0x100 lists the pages from PFN 0x100 on';
    ok $from->{'0x100'} && !$from->{'0x0'}, 'p2m_list 0x100 lists no PFN below 0x100';
    is ask('p2m_list 0x40000'), "p2m_list: the P2M list ends at PFN 0x40000\n", 'p2m_list from the end of the list';
    usage 'p2m_list', 'p2m_list x', 'p2m_list 1 2';
};

my $free;
subtest_of 'frame_pool, stats' => sub {
    my $said = ask('frame_pool');
    my $sum  = sum0 $said =~ /^PFNs \[0x\w+, 0x\w+\) free, (\d+) pages$/mg;
    ($free) = $said =~ /^(\d+) pages free in \d+ runs$/m;
    is $sum, $free, 'the runs of free frames add up to the number of free frames';
    my $stats = ask('stats');
    like $stats, qr/^pages: $PAGES, limit \d+; P2M list of 0x40000 entries$/m, 'stats: pages';
    like $stats, qr/^frame pool: $free free frames in \d+ runs; [1-9]\d* allocations since boot$/m, 'stats: frame pool';
    like $stats, qr/^$_: /m, "stats: $_" for 'page tables', 'P2M list', 'event channels', 'grants';
    usage $_, "$_ 1" for qw(frame_pool stats);
};

subtest_of 'grants, foreign, evtchn' => sub {
    says 'grants', qr/^grant table version [12], [1-9]\d* of \d+ frames; 0 grants in force, 0 deferred ends\n\z/;
    my $foreign = ask('foreign');
    my @ranges = $foreign =~ /^\[0x\w+, 0x\w+\) [\w ]+ of (?:this domain|domain \d+), \d+ of \d+ pages mapped/mg;
    is $foreign =~ /^(\d+) foreign ranges; /m ? $1 : -1, scalar(@ranges), 'foreign prints one line per range';
    my $ports = ask('evtchn');
    my @lines = $ports =~ /^port \d+: (.+)$/mg;
    is $ports =~ /^(\d+) open ports, \d+ with a handler$/m ? $1 : -1, scalar(@lines), 'evtchn prints one line per port';
    is_deeply [grep { $_ eq 'VIRQ 0' || $_ eq 'VIRQ 2' } sort @lines], ['VIRQ 0', 'VIRQ 2'],
        'VIRQ_TIMER and VIRQ_CONSOLE are bound';
    usage $_, "$_ 1" for qw(grants foreign evtchn);
};

subtest_of balloon => sub {
    says 'balloon 100000', qr/^balloon: this domain has 100000 pages, the target is 100000\n\z/;
    says 'stats', qr/^pages: 100000, /;
    is((listed(ask('p2m_list')))[0], 100000, 'p2m_list lists 100000 pages after balloon 100000');
    says 'balloon 1', qr/^balloon: this domain has \d+ pages, the target is 1$/m, 'pages in use stay';
    says 'stats', qr/^pages: (?!1,)\d{1,4}, /;
    says 'balloon 0x20000', qr/^balloon: this domain has $PAGES pages, the target is $PAGES$/m, 'all pages come back';
    says 'stats', qr/^pages: $PAGES, /;
    usage 'balloon', 'balloon', 'balloon 0', 'balloon -1', 'balloon all', 'balloon 5 5', 'balloon 0x';
};

subtest_of xs => sub {
    says "xs $_", qr/^error: xs: this domain has no xenstore connection: start_info names no xenstore ring\n\z/ for 'ls /', 'read domid', 'write a b c', 'write a';
    usage 'xs', 'xs', 'xs ls', 'xs ls / /', 'xs read', 'xs read a b', 'xs write', 'xs rm /', 'xs x';
};

subtest_of test => sub {
    my $said = ask('test p2m');
    like $said, qr/\ATAP version 14\n1\.\.1\nok 1 - p2m: .*\nTest result: SUCCESS\n\z/, 'test p2m runs one self-test';
    like ask('test p2m,ranges '), qr/^1\.\.2\nok 1.*\nok 2.*\nTest result: SUCCESS$/m, 'test p2m,ranges runs two self-tests';
    my $wrong = ask('test nosuch');
    like $wrong, qr/"nosuch" is not the name of a self-test$/m, 'test nosuch: the unknown name is printed';
    like $wrong, qr/^Test result: ERROR$/m, 'test nosuch: the result is ERROR';
    like ask('test p2m ranges'), qr/"p2m ranges" is not the name of a self-test/, 'test p2m ranges: a blank separates no names';
};

subtest_of 'pattern_pages, churn, churn_end' => sub {
    my %at   = reverse ask('pattern_pages') =~ /^pattern_pages: PFN (0x\w+) sum 0x(\w{16})$/mg;
    my @pfns = values %at;
    is scalar(@pfns), 4, 'pattern_pages=4 allocates 4 pattern pages';
    says "p2m $pfns[0]", qr/: MFN 0x\w+\n\z/, 'the frame of a pattern page is not free';
    my $before = ask('pattern_pages');
    says 'churn', qr/^churn: started\n\z/;
    soon(sub { ask('pattern_pages') ne $before });
    my ($generation) = says('churn_end', qr/^churn: ended; the pattern pages have generation \d+\n\z/) =~ /generation (\d+)/;
    cmp_ok $generation, '>', 0, 'churn has rewritten the pattern pages';
    says 'stats', qr/^pages: $PAGES, /, 'after churn_end the balloon has its size from before churn';
    unlike ask('pattern_pages'), qr/$_/, 'after churn no pattern page has its old checksum' for keys %at;
    usage $_, "$_ 1" for qw(pattern_pages churn churn_end);
};

subtest_of 'generation, block_suspend, unblock_suspend' => sub {
    says 'generation', qr/^generation: shared_info.p2m_generation is 2\n\z/;
    says 'generation', qr/^generation: shared_info.p2m_generation is 4\n\z/;
    says 'published',  qr/p2m_generation 4, /;
    my ($before) = ask('stats') =~ /heap addresses are used up to (0x\w+)/;
    says 'block_suspend', qr/^block_suspend: shared_info is mapped a second time: each suspend is refused\n\z/;
    says "walk $before", qr/level 1 .*: MFN 0x\w+ P/, 'after block_suspend the heap maps shared_info';
    says 'unblock_suspend', qr/^unblock_suspend: shared_info has no second mapping\n\z/;
    says "walk $before", qr/ is 0{16}: \N+\n\z/, 'after unblock_suspend the heap does not map shared_info';
    usage $_, "$_ 1" for qw(generation block_suspend unblock_suspend);
};

subtest_of 'granter, grantee' => sub {
    says 'granter 0 1',  qr/^error: granter: 1 pages could not be granted to domain 0: /;
    says 'grantee 0',    qr/^error: grantee: the grants of domain 0 could not be mapped: /;
    says 'granter_look', qr/^\{"report":"granter_look","pages":0,/;
    says 'granter_end',  qr/^\{"report":"granter_end","pages":0,/;
    says 'grantee_end',  qr/^\{"report":"grantee_end","pages":0,/;
    like ask($_), qr/^usage: /, "$_: prints the usage"
        for 'granter', 'granter x', 'granter 1', 'granter 1 0', 'granter 65535 1', 'grantee', 'grantee x', 'grantee 32752';
    says 'stats', qr/^frame pool: $free free /m, 'failed granter and grantee commands take no frame';
    usage $_, "$_ 1" for qw(granter_look granter_end grantee_end);
};

subtest_of suspend => sub {
    says 'suspend', qr/^error: suspend: refused: no tool could resume a dom0\n\z/;
    usage 'suspend', 'suspend now';
};

subtest_of 'poweroff, reboot, crash' => sub {
    usage $_, "$_ now" for qw(poweroff reboot crash);
};

subtest 'unknown commands' => sub {
    like $main->ask($_), qr/^error: shell: unknown command "\Q$_\E"; "help" prints the commands\n\z/, $_
        for 'foo', 'HELP', 'helpme', 'hel', '%s%n', 'p2m,1', '"', 'a' x 40;
    like $main->ask('b' x 60), qr/^error: shell: unknown command "b{40}";/, 'a long unknown command is cut in the message';
    is $main->ask(''), '', 'an empty line prints nothing';
    is $main->ask('    '), '', 'a line of blanks prints nothing';
    like $main->ask('   grants   '), qr/^grant table version /, 'blanks around a command are ignored';
    usage 'help', 'help me';
};

# The line editor

subtest 'editing keys: the line that is run is "grants"' => sub {
    my %lines = (
        'backspace'                              => "grantz\bs",
        'delete'                                 => "grantz\x7fs",
        'backspace at the start of the line'     => "x\b\b\b\bgrants",
        'Ctrl-U deletes the line'                => "balloon 1\x15grants",
        'Ctrl-C deletes the line'                => "balloon 1\x03grants",
        'cursor keys are ignored'                => "gr\e[A\e[Ba\e[C\e[Dnts\eOA",
        'escape sequences with parameters are ignored' => "gra\e[3~\e[1;5Cn\e[200~ts",
        'Alt-x is ignored'                       => "\exgrants",
        'other control characters are ignored'   => "\x01\x02g\tr\x0ba\x1fn\x00ts",
        'bytes above 0x7f, whose bit 7 Xen clears, and Ctrl-U' => "gr\xff\x80a\xc3\xa4nts\x15grants",
        'backspace ends an escape sequence'      => "gran\e[\bnts",
        'Escape twice'                           => "\e\e[Agrants",
    );
    for my $name (sort keys %lines) {
        like $main->ask($lines{$name}), qr/^grant table version \d, .*\n\z/m, $name;
    }
    like $main->ask("grants\e"), qr/^grant table version /m, 'Enter ends an escape sequence';
    my $echo = $main->raw("ab\x7f\x15\r");
    is $echo, "ab\b \b\b \b\r\n$PROMPT", 'delete and Ctrl-U erase the characters on the screen';
};

subtest 'a line of more than 127 characters is not run' => sub {
    my $long = 'test ' . 'x' x 122; # 127
    like $main->ask($long), qr/"x{122}" is not the name of a self-test/, 'a line of 127 characters is run';
    like $main->ask("${long}y"),
        qr/\Aerror: shell: the input line is too long and was not run: expected at most 127 characters\n\z/,
        'a line of 128 characters';
    like $main->raw("${long}y\r"), qr/\A$long\a\r\n/, 'the bell rings for character 128';
    like $main->ask("${long}y\x7f\x15grants"), qr/^grant table version /m, 'Ctrl-U deletes a line that is too long';
    like $main->ask('y' x 400), qr/expected at most 127 characters/, 'a line of 400 characters';
    like $main->ask('grants'), qr/^grant table version /, 'the next line is run';
};

# Each command that help prints was typed above

my %help = ask('help') =~ /^  (\w+) (?: *|.*? {2,})(\S.*)$/mg;
cmp_ok scalar(keys %help), '>', 25, 'help prints more than 25 commands';
is_deeply [sort keys %used], [sort keys %help], 'this test has typed each command of help';
like $main->ask('help'), qr/^  .{36}  ?\S/m, 'help prints the descriptions in one column';

# The end of the domain

$main->type("reboot\r");
is $main->ends, 0, 'reboot: scripts/shell exits with 0';
like $main->{text}, qr/^reboot: the domain ends here$/m, 'reboot: the last line of the kernel';
unlike $main->{text}, qr/\Q$PROMPT\E\z/, 'reboot: no prompt follows';

my $off   = Console->new(@shell, '--mem', '64M', kernel, '--', 'inject=map:holes:300');
my $crash = Console->new(@shell, '--mem', '64M', kernel);

subtest 'on a terminal' => sub {
    sleep max(0, 18 - (time - $tty_waits)); # Xen's watchdog fires after 15 seconds
    like $tty->ask('grants'), qr/^grant table version /, 'the shell waits for input without the watchdog';
    $tty->type("\x03");
    is $tty->ends, 130, 'Ctrl-C on the terminal: scripts/shell exits with 130';
};

subtest 'by rlwrap' => sub {
    $rlwrap->until_prompt if !$rlwrap->has_prompt;
    $rlwrap->type("grantz\x7fs\r");
    ok $rlwrap->waits_for(qr/version \d, .*grants in force/), 'rlwrap edits a line';
    $rlwrap->type("\e[A\r"); # history
    ok $rlwrap->waits_for(qr/version \d, .*grants in force/), 'rlwrap repeats a line of its history';
    $rlwrap->type("reboot\r");
    is $rlwrap->ends, 0, 'reboot: scripts/shell exits with 0';
};

$_->until_prompt for $off, $crash;

subtest 'a P2M list of more than 256 runs is printed in parts' => sub {
    my ($said, $sum, $parts) = ($off->ask('p2m_list'), 0, 1);
    is $said =~ tr/\n//, 257, 'a part has 256 runs and the command for the next part';
    while ($said =~ /^p2m_list: more runs follow: (p2m_list 0x\w+)$/m && $parts < 10) {
        my $next = $1;
        $sum += (listed($said))[0];
        $said = $off->ask($next);
        $parts++;
    }
    is $sum + (listed($said))[0], pages('64M'), "the $parts parts list all pages of the domain";
};

$off->type("poweroff\r");
is $off->ends, 0, 'poweroff: scripts/shell exits with 0';
$crash->type("crash\r");
is $crash->ends, 6, 'crash: scripts/shell exits with 6';
like $crash->{text}, qr/^crash: the domain ends here$/m, 'crash: the last line of the kernel';

subtest 'the end of the input reboots the domain' => sub {
    is $piped->ends, 0, 'scripts/shell exits with 0';
    like $piped->{text}, qr/^grant table version .* grants in force/m, 'the last line of the input is run';
};

subtest 'in a domU, by xl console' => sub {
    is $domu->ends, 0, 'the job in dom0 succeeds' or diag $domu->{text};
    my $text = -e "$dir/out/talker.con" ? read_file("$dir/out/talker.con") =~ s/\r//gr : '';
    $text =~ s/\^C\n\Q$PROMPT\E/^C/;
    my (undef, @said) = split /\Q$PROMPT\E/, $text;
    for my $i (0 .. $#typed) {
        my ($line, $expected, $name) = @{$typed[$i]};
        $said[$i] = '' if !defined $said[$i];
        like $said[$i] =~ s/\A.*\n//r, $expected, $name // $line;
        splice @said, $i, 1 if $line =~ /\\n\z/; # the answer to the empty line
    }
    like $text, qr/\Q$PROMPT\Epoweroff\npoweroff: the domain ends here\n\z/, 'poweroff: the last line of the kernel';
    is read_file("$dir/out/talker.end"), "poweroff\n", 'the command poweroff ends the domU with reason poweroff';
    is read_file("$dir/out/sleeper.end"), "suspend\n", 'the command suspend ends the domU with reason suspend';
    like read_file("$dir/out/list"), qr/^sleeper .* ---ss- .* 2 /m, 'xl list -v shows the domU as suspended (reason 2)';
};

ok !$_->left, "no process is left of @{$_->{command}}" for $domu, $main, $tty, $rlwrap, $piped, $off, $crash;

done_testing;
