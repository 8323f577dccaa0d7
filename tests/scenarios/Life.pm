# SPDX-License-Identifier: MIT
#
# What a living guest is put through by the toolstack in a Linux dom0, and what must hold of it
# after each step: every run of its self-tests ends well, its marked pages are what they were, it
# has as many pages as it was told to have, and Xen counts the same.
#
# A step is a function of life/jobs.sh and its arguments. The guest's name is added as the first.

package Life;

use strict;
use warnings;
use Exporter 'import';
use File::Basename 'basename';
use List::Util 'all';
use Test::More;

use FindBin;
use lib "$FindBin::Bin/../scripts";
use Dump;
use Host ();
use Run;

our @EXPORT = qw(life cycle random_targets);

my $jobs = script('../tests/scenarios/life/jobs.sh');

# What follows from a step: how often the guest tests itself, what it and the tools say, and a
# function for what is particular to it.
my $back      = qr/^suspend: back in a new domain$/m;
my $cancelled = qr/^suspend: cancelled$/m;
my $unsaved   = qr/refused: the mapping of MFN 0x\w+ at 0x\w+ cannot be saved: not in the P2M, or a superpage/;
my %kinds     = (
    create        => {tests => 1, begins => 1},
    reboot_guest  => {tests => 1, begins => 1},
    save_restore  => {tests => 1, says => $back},
    checkpoint    => {tests => 1, says => $cancelled},
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
        check   => sub { unlike $_[0]{console}, qr/^suspend:/m, 'it was not suspended' },
    },
    save_refused  => {
        says    => qr/^warning: suspend: $unsaved$/m,
        printed => qr/^$unsaved$/m,
    },
    destroy_at => {check => sub { like $_[0]{console}, qr/$_[0]{words}[1]/, 'it had come so far' }},
    tests      => {tests => 1},
    typed      => {tests => 1},
    mem_set => {check => \&check_mem_set},
    # libxl allows a MiB more (LIBXL_MAXMEM_CONSTANT)
    mem_max => {check => sub { $_[1]{max} = Host::pages(($_[0]{words}[1] + 1) . 'M') }},
    counts  => {check => \&check_counts},
    guest_command => {check => \&check_command},
    dump    => {check => \&check_dump},
    mfndump => {check => \&check_mfndump},
    idle    => {check => \&check_idle},
);

# Lines that a guest says outside of its tests. What is not here is a warning, or worse.
my $usual = qr/^(?:Xenolith\ |start_info:\ domU|builder:\ |host:\ (?:Xen|machine)|frame_pool:\ |map:\ |plan:\ |
    revector:\ |teardown:\ |live:\ waiting|p2m_list:\ |pattern_pages:\ PFN|churn:\ |generation:\ |
    suspend:\ (?:cancelled|back\ in\ a\ new\ domain)|warning:\ suspend:\ $unsaved|(?:un)?block_suspend:\ shared_info|\{"report":|
    balloon:\ (?:(\d+)\ of\ \g{-1}\ pages|\d+\ ballooned-out\ PFNs\ had\ a\ frame))/x;

# While the toolstack has the pages mapped that it sends, what the guest gives back of them is not
# free, and counts as the guest's.
my $while_sent = qr/^balloon: \d+ of \d+ pages: Xen allocates no more pages$/;

# cycle(N, STEP, ...): the steps N times.
sub cycle {
    my ($n, @steps) = @_;
    return (@steps) x $n;
}

# random_targets(N, FROM, TO): steps to as many sizes in MiB, the same at each run.
sub random_targets {
    my ($n, $from, $to) = @_;
    my $seed = 1;
    return map {
        $seed = ($seed * 1103515245 + 12345) & 0x7fffffff;
        ['mem_set', $from + ($seed >> 8) % ($to - $from)]
    } 1 .. $n;
}

# life([OPTIONS of scripts/dom0], NAME => {TITLE, MEMORY, ARGS, STEPS, ...}, ...)
#
# The guests live one after the other in one dom0. Of each, memory is in MiB, args are the kernel's,
# and steps a list of [STEP, ARGUMENT...]. There may be: config, more lines for xl's file; kernel,
# another image; meanwhile, to live beside all that follow; check, which gets what was learned.
sub life {
    my ($host, @guests) = @_;
    my $dir    = tempdir;
    my %guests = @guests;
    my @names  = grep { !ref } @guests;
    put_through($dir, $host, \%guests, @names);
    check_guest("$dir/out", $_, $guests{$_}) for @names;
    subtest 'the host is as it was' => sub {
        my @steps = read_steps("$dir/out", 'host');
        is scalar(@steps), 2, 'it was looked at before and after';
        check_step($_, {}) for @steps;
    };
    return;
}

sub put_through {
    my ($dir, $host, $guests, @names) = @_;
    write_file("$dir/job", job($guests, @names));
    write_file("$dir/$_.cfg", config($guests->{$_})) for @names;
    my %images = map { image($guests->{$_}) => 1 } @names;
    my ($code, undef, $err) = run(script('dom0'), '--quiet', '--log', "$dir/log", '--out', "$dir/out",
        '--timeout', 7200, @$host, "$dir/job", $jobs, sort(keys %images), map { "$dir/$_.cfg" } @names);
    is $code, 0, 'the job came to its end' or diag $err;
    return;
}

sub image {
    my ($guest) = @_;
    return $guest->{kernel} // Host::kernel;
}

sub config {
    my ($guest) = @_;
    return join '', (map { "on_$_=\"preserve\"\n" } qw(poweroff crash watchdog)),
        "on_reboot=\"restart\"\n", "kernel=\"/job/" . basename(image($guest)) . "\"\n",
        "extra=\"done=wait $guest->{args}\"\n", "memory=$guest->{memory}\n",
        map { "$_\n" } @{$guest->{config} // []};
}

# Where a step of a guest fails, it is not put through more.
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
        my %life  = (pages => Host::pages("$guest->{memory}M"), guest => $guest, streams => []);
        my @steps = read_steps($dir, $name);
        for my $i (0 .. $#{$guest->{steps}}) {
            my $title = "@{$guest->{steps}[$i]}";
            my $step  = $steps[$i];
            if (!$step) {
                fail "$title: was not come to";
                last;
            }
            subtest "$title ($step->{seconds} s)" => sub { check_step($step, \%life) };
        }
        $guest->{check}->(\%life) if $guest->{check};
    };
    return;
}

sub check_step {
    my ($step, $life) = @_;
    my $kind = $kinds{$step->{words}[0]} // {};
    is $step->{code}, 0, "@{$step->{words}}" or diag $step->{printed}, last_lines($step->{console});
    like $step->{console}, $kind->{says},    'the guest says so'     if $kind->{says};
    like $step->{printed}, $kind->{printed}, 'and the toolstack too' if $kind->{printed};

    return $kind->{check}->($step) if $step->{words}[0] eq 'destroy_at';
    my ($streams, $rest) = streams($step->{console});
    my @unusual = grep { !/$usual/ && !($life->{churning} && /$while_sent/) } @$rest;
    is_deeply \@unusual, [], 'nothing out of the usual is said' if $life->{guest};
    if (exists $kind->{tests} || @$streams) {
        is scalar(@$streams), $kind->{tests} // 0, 'it has tested itself';
    }
    delete $life->{first} if $kind->{begins};
    check_stream($_, $life) for @$streams;
    $kind->{check}->($step, $life) if $kind->{check};
    return;
}

sub last_lines {
    my @lines = split /^/, $_[0];
    return @lines > 40 ? @lines[-40 .. -1] : @lines;
}

# The runs of self-tests in a piece of console, each from its first to its last line, and the rest.
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
    is $code, 0, 'all tests pass' or diag $err, grep { /^(?:#|not ok)/ } split /^/, $stream;
    my $form = $life->{guest}{args} =~ /p2m=tree/ ? 'tree' : 'list';
    like $stream, qr/^ok \d+ - $_: (?!.*# SKIP)/m, "$_ among them"
        for qw(p2m accounting pattern_pages), "published_$form";

    my $reports = Host::reports($stream);
    my ($boot, $marks) = @$reports{qw(boot pattern_pages)};
    ok $boot && $marks, 'there are both reports' or return;
    my $pages = $boot->{nr_pages} + $boot->{ballooned};
    if ($life->{churning}) { # which takes 512 pages out and in
        cmp_ok $pages, '<=', $life->{pages}, 'it has as many pages as it was told to have';
        cmp_ok $pages, '>=', $life->{pages} - 512, 'or one step less';
    } else {
        is $pages, $life->{pages}, 'it has as many pages as it was told to have';
    }
    my $first = $life->{first} //= {boot => $boot, pattern_pages => $marks};
    is_deeply memory_map($boot), memory_map($first->{boot}), 'its memory map is what it was';
    delete $first->{pattern_pages} if $life->{churning};
    is_deeply $marks, $first->{pattern_pages} //= $marks, 'so are its marks';
    return;
}

# But for names of what is mapped just now.
sub memory_map {
    my ($boot) = @_;
    return [@$boot{qw(beyond max_pfn)}, grep { $_->[2] ne 'unpopulated' } @{$boot->{ranges}}];
}

sub check_mem_set {
    my ($step, $life) = @_;
    my $pages = Host::pages("$step->{words}[1]M");
    like $step->{printed}, qr/^$pages of $pages pages$/m, 'data/balloon says how far it came';
    $life->{pages} = $pages;
    delete $life->{max}; # xl mem-set makes the limit follow
    return;
}

# Xen has its own idea of how much the domain has; what it keeps for it must not grow either.
sub check_counts {
    my ($step, $life) = @_;
    my ($pages, $heap, $max) =
        $step->{printed} =~ /^nr_pages=(\d+) xenheap_pages=(\d+) max_pages=(\d+)/m;
    ok defined $max, 'Xen counts its pages' or return diag $step->{printed};
    is $pages, $life->{pages}, 'it has the pages that it should';
    $life->{heap} //= $heap;
    is $heap, $life->{heap}, "Xen keeps as many pages for it as ever: $heap";
    is $max, $life->{max}, 'its limit is what it was set to' if $life->{max};
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
            'it was not idle meanwhile';
    }
    if ($word eq 'p2m_list') {
        $life->{list} = listed($step->{console});
        is scalar(keys %{$life->{list}}), $life->{pages}, 'it lists all its pages';
    }
    if ($word eq 'pattern_pages') {
        $life->{pattern_pages} = {$step->{console} =~ /^pattern_pages: PFN (0x\w+) sum (0x\w+)$/mg};
        is scalar(keys %{$life->{pattern_pages}}), $life->{first}{pattern_pages}{pages}, 'it lists all its marks';
    }
    return;
}

sub check_dump {
    my ($step, $life) = @_;
    my $dump = read_dump("$step->{path}.core");
    ok !$dump->{error}, 'the dump can be read' or return diag $dump->{error};
    same_frames($dump->{frames}, $life->{list}, "the dump's .xen_p2m");
    is $dump->{twice}, 0, 'no PFN is there twice';
    my %found = map { $_ => page_sum($dump, hex) } keys %{$life->{pattern_pages}};
    is_deeply \%found, $life->{pattern_pages}, 'marked pages are in it with what they hold';
    return;
}

sub check_mfndump {
    my ($step, $life) = @_;
    my %frames;
    my $mfns = read_file("$step->{path}.mfns");
    while ($mfns =~ /^\s*pfn=0x(\w+) ==> mfn=0x(\w+) \(type 0x(\w+)\)/mg) {
        $frames{hex $1} = hex $2 if hex $3 != 0xf;
    }
    same_frames(\%frames, $life->{list}, 'what xen-mfndump finds');
    return;
}

# Ten thousand differences tell no more than the first.
sub same_frames {
    my ($found, $expected, $what) = @_;
    my %all       = (%$found, %$expected);
    my @different = grep { ($found->{$_} // -1) != ($expected->{$_} // -1) } sort { $a <=> $b } keys %all;
    is scalar(@different), 0, "$what is the guest's list"
        or diag sprintf 'the first difference: PFN 0x%x has 0x%x, expected 0x%x', $different[0],
        map { $_->{$different[0]} // 0 } $found, $expected;
    cmp_ok scalar(keys %$expected), '>', 0, 'which is not empty';
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

# Tenths of seconds are what xl list shows.
sub check_idle {
    my ($step) = @_;
    my ($seconds, $before, $after) = $step->{printed} =~ /^idle (\d+) (\S+) (\S+)$/m;
    ok defined $after, 'its time is known' or return;
    my $percent = 100 * ($after - $before) / $seconds;
    cmp_ok sprintf('%.2f', $percent), '<=', 1, "asleep, it takes $percent % of a processor";
    return;
}

1;
