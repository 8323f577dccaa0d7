# SPDX-License-Identifier: MIT
#
# Runs guests that stay after their self-tests (done=wait) in a Linux dom0: the toolstack saves,
# migrates, resizes and dumps them. After each step these must hold: every run of the self-tests
# succeeds, the pattern pages (pages of known contents) are unchanged, and the domain has the number
# of pages that it was told to have, by its own count and by Xen's.
#
# A step is a function of life/jobs.sh and its arguments. The first argument is the guest's name,
# which this module adds.

package Life;

use strict;
use warnings;
use Exporter 'import';
use File::Basename 'basename';
use POSIX ();
use Test::More;

use FindBin;
use lib "$FindBin::Bin/../scripts";
use Dump;
use Host ();
use Run;

our @EXPORT = qw(life life_between_hosts life_on_hosts cycle random_targets);

my $jobs = script('../tests/scenarios/life/jobs.sh');

# What a step must bring: tests is the number of runs of the self-tests, says a pattern of the
# guest's console, printed a pattern of the tools' output, and check a function for all else.
# begins: the guest is new, so the first report after it is what later reports are compared with.
# boots: the guest has the size of its configuration file. allows: a pattern of lines that the guest may
# print besides the usual ones. is_lossy: a part of the console is lost, so nothing else is compared.
my $back      = qr/^suspend: back in a new domain$/m;
my $cancelled = qr/^suspend: cancelled$/m;
my $new_map   = qr/^map: the E820 map of this new domain is not that of the old domain$/m;
my $unsaved   = qr/refused: the mapping of MFN 0x\w+ at 0x\w+ cannot be saved by Xen's tools: the P2M has no such MFN/;
# Another host has another limit and other memory of Xen's own for the domain.
my $new_host = sub { delete @{$_[1]}{qw(heap max)} };
# What the guest prints if the new map has a hole where the guest has frames.
my $stays = qr/^warning: map: \d+ PFNs stay RAM, although they are a hole of the new E820 map: frames of this domain are there$/;
# What the guest prints while xenstored does not answer.
my $late = qr/^(?:warning: )?(?:xenstore: xenstored (?:has not answered for|answers again;)|store: .*-110 \(ETIMEDOUT\))/;
# What the command stats prints.
my $stats = qr/^(?:pages|frame pool|page tables|P2M list|event channels|grants): /;
my $missing = qr/^warning: console: \d+ bytes are missing here/m;
my %kinds     = (
    create        => {tests => 1, begins => 1, boots => 1},
    reboot_guest  => {tests => 1, begins => 1},
    save_restore  => {tests => 1, says => $back},
    restore_here       => {tests => 1, says => $back, check => $new_host},
    migrate_to         => {printed => qr/^Migration successful/m, allows => qr/./},
    arrives            => {tests => 1, says => $back, check => $new_host},
    restore_on_new_map => {tests => 1, begins => 1, says => $new_map, allows => $stays, check => $new_host},
    restore_elsewhere  => {
        tests  => 1,
        begins => 1,
        says   => $new_map,
        check  => sub { delete $_[1]{max} }, # libxl sets another limit for the new domain
    },
    aim           => {
        printed => qr/^\d+ of \d+ pages: the P2M list has no more RAM PFNs$/m,
        allows  => qr/^balloon: memory\/target: this domain has \d+ of \d+ pages: the P2M list has no more RAM PFNs$/,
        check   => sub { $_[1]{pages} = $_[0]{words}[2] },
    },
    checkpoint    => {tests => 1, says => $cancelled},
    suspend_resume => {tests => 1, says => $cancelled},
    suspend_storm  => {tests => 1, says => $cancelled},
    save_fails    => {
        tests   => 1,
        says    => $cancelled,
        printed => qr/domain responded to suspend request: No space left on device/,
    },
    begin         => {tests => 1, begins => 1},
    come_back     => {tests => 1, says => $back},
    migrate       => {tests => 1, says => $back, printed => qr/^Migration successful/m},
    migrate_fails => {
        says    => qr/^generation: shared_info\.p2m_generation is \d*[02468]$/m,
        printed => qr/p2m generation count changed/,
        check   => sub { unlike $_[0]{console}, qr/^suspend:/m, 'the guest was not suspended' },
    },
    save_refused  => {
        says    => qr/^warning: suspend: $unsaved$/m,
        printed => qr/^$unsaved$/m,
    },
    destroy_at => {
        check => sub {
            my ($line) = $_[0]{words}[1];
            like $_[0]{console}, qr/$line/, "the guest printed \"$line\" before xl destroyed the domain";
            my ($code) = run(script('verdict'), write_file(tempdir . '/console', $_[0]{console}));
            is $code, $_[0]{console} =~ /^Test result: /m ? 0 : 5,
                'scripts/verdict: a console without a result is a failure';
        },
    },
    mute => {printed => qr/^0$/m}, # poweroff
    pause_tests     => {tests => 1, printed => qr/^paused during run \d$/m},
    slow_checkpoint => {tests => 1, says => $cancelled},
    tests      => {tests => 1},
    typed      => {tests => 1},
    mem_set => {check => \&check_mem_set},
    # libxl sets a limit that is 1 MiB higher (LIBXL_MAXMEM_CONSTANT)
    mem_max => {check => sub { $_[1]{max} = Host::pages(($_[0]{words}[1] + 1) . 'M') }},
    counts  => {check => \&check_counts},
    guest_command => {check => \&check_command, allows => $stats},
    stopped_idle    => {allows => $late},
    stopped_tests   => {tests => 1, allows => $late, check => \&check_stopped},
    stopped_save    => {tests => 1, allows => qr/$late|^suspend: |^generation: |^data\/command: /},
    stopped_mem_set => {allows => $late, check => sub { check_mem_set(@_, $_[0]{words}[3]) }},
    event_storm     => {tests => 1},
    paused_storm    => {says => qr/^generation: /m},
    console_killed  => {check => \&check_mem_set},
    console_lost     => {is_lossy => 1},
    tests_after_loss => {tests => 1, says => $missing, allows => $missing},
    dump    => {check => \&check_dump},
    mfndump => {check => \&check_mfndump},
    idle    => {check => \&check_idle},
);

# Lines that a guest may print between runs of the self-tests. Any other line is a warning or an
# error.
my $usual = qr/^(?:Xenolith\ |\w+:\ progress:\ |start_info:\ domU|builder:\ |host:\ (?:Xen|machine|after\ resume:\ Xen|this\ domain\ has)|frame_pool:\ |map:\ |plan:\ |
    P2M\ move:\ |data\/command:\ |teardown:\ |live:\ waiting|p2m_list:\ |pattern_pages:\ PFN|churn:\ |generation:\ |
    suspend:\ (?:cancelled|back\ in\ a\ new\ domain)|warning:\ suspend:\ $unsaved|
    (?:un)?block_suspend:\ shared_info|\{"report":|
    balloon:\ (?:memory\/target:\ this\ domain\ has\ (\d+)\ of\ \g{-1}\ pages|\d+\ ballooned-out\ PFNs\ had\ a\ frame))/x;

# During a migration the toolstack has pages of the guest mapped. A page that the guest gives back
# then is not freed, and Xen still counts it as the guest's.
my $while_sent = qr/^balloon: memory\/target: this domain has \d+ of \d+ pages: Xen allocates no more pages$/;

# cycle(N, STEP, ...): returns the steps N times.
sub cycle {
    my ($n, @steps) = @_;
    return (@steps) x $n;
}

# random_targets(N, FROM, TO): returns N steps mem_set with pseudo-random sizes in MiB. The sizes
# are the same in each run of the test.
sub random_targets {
    my ($n, $from, $to) = @_;
    my $seed = 1;
    return map {
        $seed = ($seed * 1103515245 + 12345) & 0x7fffffff;
        ['mem_set', $from + ($seed >> 8) % ($to - $from)]
    } 1 .. $n;
}

# life([OPTIONS of scripts/host/dom0], NAME => {TITLE, MEMORY, ARGS, STEPS, ...}, ...)
#
# Runs the guests one after the other in one dom0. title is the title of the guest's subtest, memory
# is in MiB, args are the kernel's arguments, and steps is a list of [STEP, ARGUMENT...]. Optional:
# config, more lines for xl's configuration file; kernel, another image; meanwhile, run this guest
# beside those that follow; check, a function that gets the data gathered by the steps.
sub life {
    my ($host, @guests) = @_;
    my $dir    = tempdir;
    my %guests = @guests;
    my @names  = grep { !ref } @guests;
    put_through($dir, $host, \%guests, \@names);
    check_guest("$dir/out", $_, $guests{$_}) for @names;
    subtest 'the host has the same free memory after all guests as before' => sub {
        my @steps = read_steps("$dir/out", 'host');
        is scalar(@steps), 2, 'the memory of the host was read before the first and after the last guest';
        check_step($_, {}) for @steps;
    };
    return;
}

# life_on_hosts(NAME, {TITLE, MEMORY, ARGS, HOSTS, ...}): takes one guest from host to host. hosts is a list of
# [TITLE, [OPTIONS of scripts/host/dom0], STEP, ...]. On each host but the last one, the last step is
# save_to_leave, whose file the next host gets, where the first step is restore_here or restore_on_new_map.
sub life_on_hosts {
    my ($name, $guest) = @_;
    subtest $guest->{title} => sub {
        my %life = new_life($guest);
        my @file;
        for my $host (@{$guest->{hosts}}) {
            my ($title, $options, @steps) = @$host;
            my $dir = tempdir;
            put_through($dir, $options, {$name => {%$guest, steps => \@steps}}, [$name], @file);
            subtest $title => sub { check_steps("$dir/out", $name, \@steps, \%life) };
            @file = grep { -e } "$dir/out/$name.save";
            last if !@file;
            push @{$life{kept}}, $dir; # until the next host has the file
        }
        $guest->{check}->(\%life) if $guest->{check};
    };
    return;
}

# life_between_hosts(NAME, GUEST): the same for hosts that run at the same time, and can reach each other.
sub life_between_hosts {
    my ($name, $guest, @files) = @_;
    subtest $guest->{title} => sub {
        my @running;
        for my $host (@{$guest->{hosts}}) {
            my ($title, $options, @steps) = @$host;
            my $dir = tempdir;
            my $pid = fork // die "fork: $!";
            if (!$pid) {
                my ($code, $err) = run_job($dir, $options, {$name => {%$guest, steps => \@steps}}, [$name], @files);
                write_file("$dir/end", "$code\n$err");
                POSIX::_exit(0);
            }
            push @running, [$pid, $dir, $title, \@steps];
        }
        my %life;
        for my $host (@running) {
            my ($pid, $dir, $title, $steps) = @$host;
            %life = (new_life($guest), first => $life{first}); # the pattern pages are those of the first host
            waitpid $pid, 0;
            my ($code, $err) = (-e "$dir/end" ? read_file("$dir/end") : "-1\nscripts/host/dom0 was not run") =~ /^(\S+)\n(.*)/s;
            subtest $title => sub {
                check_job($dir, $code, $err);
                check_steps("$dir/out", $name, $steps, \%life);
            };
        }
    };
    return;
}

sub put_through {
    my ($dir, $host, $guests, $names, @files) = @_;
    my ($code, $err) = run_job($dir, $host, $guests, $names, @files);
    check_job($dir, $code, $err);
    return;
}

# Returns the exit code of scripts/host/dom0, and what it writes to standard error.
sub run_job {
    my ($dir, $host, $guests, $names, @files) = @_;
    my @names = @$names;
    write_file("$dir/job", job($guests, @names));
    write_file("$dir/$_.cfg", config($guests->{$_})) for @names;
    my %images = map { image($guests->{$_}) => 1 } @names;
    my ($code, undef, $err) = run(script('host/dom0'), '--quiet', '--log', "$dir/log", '--out', "$dir/out",
        '--timeout', 7200, @$host, "$dir/job", $jobs, sort(keys %images), @files, map { "$dir/$_.cfg" } @names);
    return ($code, $err);
}

sub check_job {
    my ($dir, $code, $err) = @_;
    is $code, 0, 'scripts/host/dom0 exits with 0: the job ran to its end' or diag $err;
    my @crashed = grep { /^dom0: warning: / } -e "$dir/log" ? split /\n/, read_file("$dir/log") =~ s/\r//gr : ();
    is_deeply \@crashed, [], 'no program of the dom0 crashed';
    return;
}

sub image {
    my ($guest) = @_;
    return $guest->{kernel} // Host::kernel;
}

# Of two lines for one key, the last counts.
sub config {
    my ($guest) = @_;
    return Host::config_file({
        mem          => "$guest->{memory}M",
        kernel       => image($guest),
        args         => "done=wait $guest->{args}",
        guest_config => ['on_reboot="restart"', @{$guest->{config} // []}],
    });
}

# The steps of a guest end at the first that fails; the next guest starts then.
sub job {
    my ($guests, @names) = @_;
    my $job = ". /job/jobs.sh\nstep host host_begin\n";
    for my $name (@names) {
        my $guest = $guests->{$name};
        my $all   = join " &&\n", map { my ($step, @words) = @$_; "step $name $step $name @words" }
            @{$guest->{steps}};
        $job .= $guest->{meanwhile} ? "(\n$all\nxl destroy $name\n) &\n" : "$all\nxl destroy $name\n";
    }
    return "${job}wait\nstep host host_end\ntrue\n";
}

sub read_steps {
    my ($dir, $name) = @_;
    my $log = -e "$dir/$name.log" ? read_file("$dir/$name.log") : '';
    return () if !-e "$dir/$name.steps";
    return map {
        my ($number, $code, $seconds, $begin, $end, @words) = split / /;
        {
            code    => $code,
            seconds => $seconds,
            words   => [$words[0], @words[2 .. $#words]],
            console => (substr($log, $begin, $end - $begin) // '') =~ s/\r//gr,
            printed => read_file("$dir/$name.$number") =~ s/\r/\n/gr,
            path    => "$dir/$name.$number",
        }
    } split /\n/, read_file("$dir/$name.steps");
}

sub check_guest {
    my ($dir, $name, $guest) = @_;
    subtest $guest->{title} => sub {
        my %life = new_life($guest);
        check_steps($dir, $name, $guest->{steps}, \%life);
        $guest->{check}->(\%life) if $guest->{check};
    };
    return;
}

# What the checks know of a guest from one step to the next
sub new_life {
    my ($guest) = @_;
    return (pages => Host::pages("$guest->{memory}M"), guest => $guest, streams => []);
}

sub check_steps {
    my ($dir, $name, $expected, $life) = @_;
    my @steps = read_steps($dir, $name);
    for my $i (0 .. $#$expected) {
        my $title = "@{$expected->[$i]}";
        my $step  = $steps[$i];
        if (!$step) {
            fail "$title: did not run, since an earlier step failed";
            return;
        }
        subtest "$title ($step->{seconds} s)" => sub { check_step($step, $life) };
    }
    return;
}

sub check_step {
    my ($step, $life) = @_;
    my $kind = $kinds{$step->{words}[0]} // {};
    plan skip_all => $1 if $step->{code} == 0 && $step->{printed} =~ /^left out: (.*)$/m;
    is $step->{code}, 0,
        "@{$step->{words}}: exits with 0" or diag $step->{printed}, last_lines($step->{console});
    like $step->{console}, $kind->{says},    'the guest prints the expected line' if $kind->{says};
    like $step->{printed}, $kind->{printed}, 'the tools print the expected line' if $kind->{printed};

    return $kind->{check}->($step) if $step->{words}[0] eq 'destroy_at';
    my ($streams, $other) = streams($step->{console});
    return if $kind->{is_lossy};
    my @unusual = grep {
        !/$usual/ && !($life->{churning} && /$while_sent/) && !($kind->{allows} && /$kind->{allows}/)
    } @$other;
    is_deeply \@unusual, [],
        'the guest prints no warning or error between runs of the self-tests' if $life->{guest};
    if (exists $kind->{tests} || @$streams) {
        is scalar(@$streams), $kind->{tests} // 0, 'number of runs of the self-tests in this step';
    }
    delete $life->{first} if $kind->{begins};
    $life->{pages} = Host::pages("$life->{guest}{memory}M") if $kind->{boots};
    check_stream($_, $life) for @$streams;
    $kind->{check}->($step, $life) if $kind->{check};
    return;
}

sub last_lines {
    my @lines = split /^/, $_[0];
    return @lines > 40 ? @lines[-40 .. -1] : @lines;
}

# Returns the runs of the self-tests in a piece of console, each from its TAP version to its result,
# and all lines outside of these runs.
sub streams {
    my ($console) = @_;
    my @streams;
    $console =~ s/^(TAP version \d+\n.*?^Test result: \w+\n)/push @streams, $1; ''/gmse;
    return (\@streams, [grep { /\S/ } split /\n/, $console]);
}

sub check_stream {
    my ($stream, $life) = @_;
    my $dir = tempdir;
    my ($code, undef, $err) = run(script('verdict'), write_file("$dir/stream", $stream));
    is $code, 0,
        'scripts/verdict exits with 0: all self-tests succeed'
        or diag $err, $err =~ /failure: TAP: / ? $stream : grep { /^(?:#|not ok)/ } split /^/, $stream;
    my $form = $life->{guest}{args} =~ /p2m=tree/ ? 'tree' : 'list';
    like $stream, qr/^ok \d+ - $_: (?!.*# SKIP)/m, "self-test $_ is not skipped"
        for qw(p2m accounting pattern_pages), "published_$form";

    my $reports = Host::reports($stream);
    my ($boot, $pattern) = @$reports{qw(boot pattern_pages)};
    ok $boot && $pattern, 'the console has the reports "boot" and "pattern_pages"' or return;
    my $pages = $boot->{nr_pages} + $boot->{ballooned};
    if ($life->{churning}) { # the command churn gives back and takes 512 pages, again and again
        cmp_ok $pages, '<=', $life->{pages},
            'during churn: the domain has at most its full number of pages';
        cmp_ok $pages, '>=', $life->{pages} - 512, 'during churn: at most 512 pages are ballooned out';
    } else {
        is $pages, $life->{pages}, 'by its own count the domain has the pages that it was told to have';
    }
    my $first = $life->{first} //= {boot => $boot, pattern_pages => $pattern};
    is_deeply memory_map($boot), memory_map($first->{boot}),
        'the PFN ranges are those of the first report';
    delete $first->{pattern_pages} if $life->{churning};
    is_deeply $pattern, $first->{pattern_pages} //= $pattern,
        'the pattern pages are those of the first report';
    return;
}

# The PFN ranges without those of kind unpopulated, which come and go with mappings of foreign
# frames.
sub memory_map {
    my ($boot) = @_;
    return [@$boot{qw(beyond max_pfn)}, grep { $_->[2] ne 'unpopulated' } @{$boot->{ranges}}];
}

sub check_mem_set {
    my ($step, $life, $mib) = @_;
    my $pages = Host::pages(($mib // $step->{words}[1]) . 'M');
    like $step->{printed}, qr/^$pages of $pages pages$/m,
        'xenstore node data/balloon has the new number of pages';
    $life->{pages} = $pages;
    delete $life->{max}; # xl mem-set changes the limit too
    return;
}

# A request of the guest timed out if the pause is longer than the kernel's patience (XENSTORE_PATIENCE), and if
# xenstored was stopped before the last request of the self-tests: that depends on the speed of the machine.
sub check_stopped {
    my ($step, $life) = @_;
    return if $step->{console} !~ /xenstored has not answered for 20 seconds/;
    like $step->{console}, qr/xenstored answers again/, 'a request of the guest timed out, and xenstored answered later';
    $life->{timed_out}++;
    return;
}

# Compares Xen's count of the domain's pages. Xen's own memory for the domain (xenheap) must not
# grow either.
sub check_counts {
    my ($step, $life) = @_;
    my ($pages, $heap, $max) =
        $step->{printed} =~ /^nr_pages=(\d+) xenheap_pages=(\d+) max_pages=(\d+)/m;
    ok defined $max, 'debug key q prints the page counts of the domain' or return diag $step->{printed};
    is $pages, $life->{pages}, "by Xen's count the domain has the pages that it was told to have";
    $life->{heap} //= $heap;
    is $heap, $life->{heap}, 'xenheap_pages of the domain is that of the first count';
    is $max, $life->{max}, 'max_pages of the domain is the limit that xl mem-max set' if $life->{max};
    return;
}

sub check_command {
    my ($step, $life) = @_;
    my $word = $step->{words}[1];
    if ($word eq 'churn') { $life->{churning} = 1 }
    if ($word eq 'churn_end') {
        $life->{churning} = 0;
        delete $life->{first}{pattern_pages};
        cmp_ok +($step->{console} =~ /^churn: ended; the pattern pages have generation (\d+)$/m)[0] // -1, '>', 5,
            'churn rewrote the pattern pages more than 5 times';
    }
    if ($word eq 'stats') {
        my $counts = join '; ', $step->{console} =~ /^((?:event channels|grants): .*)$/mg;
        like $counts, qr/ports.*watches.*grants.*ranges/, 'command stats prints the counts';
        is $counts, $life->{stats} //= $counts, 'ports, watches, grants and foreign ranges are as many as at first';
    }
    if ($word eq 'p2m_list') {
        $life->{list} = listed($step->{console});
        is scalar(keys %{$life->{list}}), $life->{pages},
            'command p2m_list lists all pages of the domain';
    }
    if ($word eq 'pattern_pages') {
        $life->{pattern_pages} = {$step->{console} =~ /^pattern_pages: PFN (0x\w+) sum (0x\w+)$/mg};
        is scalar(keys %{$life->{pattern_pages}}), $life->{first}{pattern_pages}{pages},
            'command pattern_pages lists all pattern pages';
    }
    return;
}

sub check_dump {
    my ($step, $life) = @_;
    my $dump = read_dump("$step->{path}.core");
    ok !$dump->{error}, 'the file of xl dump-core can be read' or return diag $dump->{error};
    same_frames($dump->{frames}, $life->{list}, 'section .xen_p2m of xl dump-core');
    is $dump->{twice}, 0, 'xl dump-core: number of PFNs with two entries is 0';
    my %found = map { $_ => page_sum($dump, hex) } keys %{$life->{pattern_pages}};
    is_deeply \%found, $life->{pattern_pages},
        'xl dump-core: the pattern pages have the checksums that the guest prints';
    return;
}

sub check_mfndump {
    my ($step, $life) = @_;
    my %frames;
    my $mfns = read_file("$step->{path}.mfns");
    while ($mfns =~ /^\s*pfn=0x(\w+) ==> mfn=0x(\w+) \(type 0x(\w+)\)/mg) {
        $frames{hex $1} = hex $2 if hex $3 != 0xf;
    }
    same_frames(\%frames, $life->{list}, 'output of xen-mfndump dump-p2m');
    return;
}

# Compares two hashes of PFN => MFN, and shows only the first difference.
sub same_frames {
    my ($found, $expected, $what) = @_;
    my %all       = (%$found, %$expected);
    my @different = grep { ($found->{$_} // -1) != ($expected->{$_} // -1) } sort { $a <=> $b } keys %all;
    is scalar(@different), 0, "$what: number of differences from the guest's command p2m_list is 0"
        or diag sprintf 'the first difference: PFN 0x%x has MFN 0x%x, expected MFN 0x%x', $different[0],
        map { $_->{$different[0]} // 0 } $found, $expected;
    cmp_ok scalar(keys %$expected), '>', 0, 'the output of the command p2m_list is not empty';
    return;
}

sub listed {
    my ($console) = @_;
    my %list;
    while ($console =~ /^p2m_list: PFN 0x(\w+) MFN 0x(\w+) pages (\d+)( downward)?$/mg) {
        my ($pfn, $mfn, $nr, $step) = (hex $1, hex $2, $3, $4 ? -1 : 1);
        $list{$pfn + $_} = $mfn + $step * $_ for 0 .. $nr - 1;
    }
    return \%list;
}

# xl list shows processor time in tenths of a second.
sub check_idle {
    my ($step) = @_;
    my ($seconds, $before, $after) = ($step->{printed} =~ /^idle (\d+) (\S+) (\S+)$/mg)[-3 .. -1];
    ok defined $after, 'xl list shows the processor time of the guest' or return;
    my $percent = 100 * ($after - $before) / $seconds;
    cmp_ok sprintf('%.2f', $percent), '<=', 1,
        "the idle guest uses at most 1 % of a processor (in $seconds s)";
    return;
}

1;
