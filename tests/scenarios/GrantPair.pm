# SPDX-License-Identifier: MIT
#
# Runs guests that grant pages to each other (kernel/selftest/grant_pair.h) in one Linux dom0 with
# the real toolstack. A test is a list of scenes, and a scene is a list of steps. A step is either a
# command to a guest, which answers with one line of JSON, or an action of the toolstack on the
# guest (grants/grant_pair.sh, life/jobs.sh).
#
# In addition to what the step itself expects, these hold after each command: a mapping takes no frame, and
# changes neither Xen's count of the domain's pages nor the P2M list; after an unmapping the number
# of free frames, of foreign ranges and of page tables is that from before.

package GrantPair;

use strict;
use warnings;
use Exporter 'import';
use File::Basename 'basename';
use JSON::PP;
use Test::More;

use FindBin;
use lib "$FindBin::Bin/../scripts";
use Host ();
use Life ();
use Run;

our @EXPORT = qw(grant_pair_scenes tell put);

# Checks of a report, by its name, that do not depend on the step.
my %always = (
    grantee     => \&check_grantee,
    grantee_end => \&check_grantee_end,
    granter_end => \&check_granter_end,
);

my @jobs = map { script("../tests/scenarios/$_") } qw(life/jobs.sh grants/grant_pair.sh);

# tell(GUEST, COMMAND, {FIELD of the report => value or pattern, ...}, LINE, ...): gives the guest a
# command. @NAME in the command stands for the domain ID of the guest NAME. The guest must print the
# report and the LINEs, which are patterns, and no other line.
sub tell {
    my ($guest, $command, @expected) = @_;
    my $report = ref $expected[0] eq 'HASH' ? shift @expected : undef;
    return {guest => $guest, words => "tell $guest $command", report => $report, lines => \@expected,
        title => "$guest: $command"};
}

# put(GUEST, STEP, PRINTED, LINE, ...): the toolstack performs STEP on the guest. The output of the
# tools must match PRINTED, if it is defined; the guest must print the LINEs.
sub put {
    my ($guest, $step, $printed, @lines) = @_;
    my ($function, $words) = $step =~ /^(\w+)(.*)$/ or die "step $step";
    return {guest => $guest, words => "$function $guest$words", printed => $printed,
        lines => \@lines, title => "$guest: $step"};
}

# grant_pair_scenes([OPTIONS of scripts/host/dom0], {GUEST => {memory, args, config}, ...}, SCENE, ...)
#
# Runs the scenes, each a pair TITLE => [STEP, ...].
sub grant_pair_scenes {
    my ($host, $guests, @scenes) = @_;
    my $dir   = tempdir;
    my @steps = map { ref ? @$_ : () } @scenes;
    my @names = sort keys %$guests;
    write_file("$dir/job", job(@steps));
    write_file("$dir/$_.cfg", Life::config($guests->{$_})) for @names;
    my ($code, undef, $err) = run(script('host/dom0'), '--quiet', '--log', "$dir/log", '--out', "$dir/out",
        '--timeout', 3600, @$host, "$dir/job", @jobs, Host::kernel, map { "$dir/$_.cfg" } @names);
    is $code, 0, 'scripts/host/dom0 exits with 0: the job ran to its end' or diag $err;

    my %done  = map { $_ => [Life::read_steps("$dir/out", $_)] } @names, 'host';
    my %known = map { $_ => {guest => $guests->{$_}, pages => Host::pages("$guests->{$_}{memory}M")} }
        @names;
    while (my ($title, $scene) = splice @scenes, 0, 2) {
        subtest $title => sub { check_scene($scene, \%done, \%known) };
    }
    is scalar(@{$done{host}}), 2,
        'the memory of the host was read before the first and after the last guest';
    is $_->{code}, 0, "the host: $_->{words}[0] exits with 0" or diag $_->{printed} for @{$done{host}};
    my @complaints = grep { /^\(XEN\) .*(?:bad l1 flags|implicitly unmap|crash|warn)/i } split /\n/,
        read_file("$dir/log");
    is_deeply \@complaints, [], 'Xen prints no warning about grants, page tables or a crash';
    return;
}

# The job ends at the first step that fails.
sub job {
    my (@steps) = @_;
    return join " &&\n", '. /job/jobs.sh && . /job/grant_pair.sh && step host host_begin',
        (map { "step $_->{guest} $_->{words}" } @steps), "step host host_end\n";
}

sub check_scene {
    my ($scene, $done, $known) = @_;
    for my $expected (@$scene) {
        my $step = shift @{$done->{$expected->{guest}}};
        if (!$step) {
            fail "$expected->{title}: did not run, since an earlier step failed";
            return;
        }
        subtest "$expected->{title} ($step->{seconds} s)" =>
            sub { check_step($step, $expected, $known->{$expected->{guest}}) };
    }
    return;
}

sub check_step {
    my ($step, $expected, $known) = @_;
    my $function = $step->{words}[0];
    for my $line (@{$expected->{lines}}) {
        ok $step->{console} =~ s/^$line$//m, "$expected->{guest} prints: $line" or diag $step->{console};
    }
    note $1 while $step->{console} =~ /^(\{"report":"(?!boot)[^\n]*)$/mg;
    like $step->{printed}, $expected->{printed},
        "$function prints what is expected" if $expected->{printed};
    # A new domain has other frames, so another P2M list
    delete $known->{list} if $function =~ /^(?:begin|come_back)$/;
    delete $known->{tables} if $step->{console} =~ /^TAP version/m;
    Life::check_step($step, $known);
    return if $function ne 'tell';

    my ($report) = map { decode_json($_) } $step->{console} =~ /^(\{"report":.*\})$/mg;
    my $fields = $expected->{report} or return;
    ok $report, "$expected->{guest} prints a report" or return diag $step->{console};
    for my $field (sort keys %$fields) {
        my ($found, $value) = ($report->{$field}, $fields->{$field});
        my $title = "report $report->{report}: $field";
        next if ref $value eq 'Regexp' ? like $found, $value, $title : is $found, $value, $title;
        diag encode_json($report);
    }
    my $check = $always{$report->{report}};
    $check->($report, $known) if $check;
    return;
}

sub check_grantee {
    my ($r, $known) = @_;
    is_deeply $r->{with}, $r->{before},
        'free frames, reservation and P2M list are the same before and after the mapping';
    is $r->{with}{list}, $known->{list} //= $r->{with}{list},
        'with the pages mapped: checksum of the P2M list';
    is $r->{mapped} + $r->{failed}, $r->{pages} * $r->{rounds}, 'mapped + failed is the number of pages'
        if $r->{rounds} == 1;
    is $r->{maps} - $r->{unmaps}, $r->{mapped}, 'mapped is maps - unmaps';
    my $batch = $r->{batch} < 512 ? $r->{batch} : 512;
    my $calls = Host::ceil_div($r->{pages}, $batch);
    is $r->{hypercalls}, $calls * (2 * $r->{rounds} - 1),
        "a hypercall maps or unmaps $batch pages" if !$r->{failed};
    return;
}

sub check_grantee_end {
    my ($r, $known) = @_;
    my $after = $r->{after};
    is $r->{result}, 0, 'result of the unmapping is 0';
    is $r->{maps}, $r->{unmaps}, 'the number of unmaps is the number of maps';
    is $after->{list}, $known->{list} //= $after->{list}, 'after the unmapping: checksum of the P2M list';
    is $after->{reservation}, $known->{pages},
        'after the unmapping: number of pages of the domain in Xen';
    is $r->{ranges}, $known->{ranges} //= $r->{ranges}, 'after the unmapping: number of foreign ranges';
    check_frames($after->{free}, $r->{tables}, $known);
    return;
}

# The grant table and its bookkeeping never shrink. A page that the grantee still maps (deferred) is
# counted as free: it returns to the frame pool later.
sub check_granter_end {
    my ($r, $known) = @_;
    is $r->{grants}, 0, 'after granter_end: number of grants is 0';
    check_frames($r->{free} + $r->{deferred}, $r->{tables}, $known);
    return;
}

# The heap keeps the level 1 page table of its next address, and no other empty page table: so there
# is at most one page table more than the smallest number so far. A self-test may leave more; the
# heap frees them with the next page that it frees in their range.
sub check_frames {
    my ($free, $tables, $known) = @_;
    is $free + $tables, $known->{frames} //= $free + $tables,
        'free frames + page tables is the sum of the first report';
    $known->{tables} = $tables if $tables < ($known->{tables} // $tables + 1);
    cmp_ok $tables, '<=', $known->{tables} + 1,
        'there is at most one page table more than the smallest number so far';
    return;
}

1;
