# SPDX-License-Identifier: MIT
#
# Guests that share pages (kernel/selftest/grant_pair.h), in one Linux dom0 with the real toolstack: a list of
# scenes, each a list of steps. A step is a command to a guest, which answers with a line of JSON, or
# something that the toolstack does to it (grants/grant_pair.sh, life/jobs.sh).
#
# After each command more must hold than the step says: mapping takes no frame and changes neither
# what Xen counts nor the list; what is unmapped leaves frames, ranges and tables as they were.

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

# What must hold of a report, whatever the step.
my %always = (
    grantee     => \&check_grantee,
    grantee_end => \&check_grantee_end,
    granter_end   => \&check_granter_end,
);

my @jobs = map { script("../tests/scenarios/$_") } qw(life/jobs.sh grants/grant_pair.sh);

# tell(GUEST, COMMAND, {FIELD of its report => value or pattern, ...}, LINE, ...): @NAME in the command is
# a domain's number. The LINEs, patterns, are what it must say beside the report, and it may say
# nothing else.
sub tell {
    my ($guest, $command, @expected) = @_;
    my $report = ref $expected[0] eq 'HASH' ? shift @expected : undef;
    return {guest => $guest, words => "tell $guest $command", report => $report, lines => \@expected,
        title => "$guest: $command"};
}

# put(GUEST, STEP, PRINTED, LINE, ...): it is put through that; what the tools print is like PRINTED,
# if that is a pattern.
sub put {
    my ($guest, $step, $printed, @lines) = @_;
    my ($function, $words) = $step =~ /^(\w+)(.*)$/ or die "step $step";
    return {guest => $guest, words => "$function $guest$words", printed => $printed,
        lines => \@lines, title => "$guest: $step"};
}

# grant_pair_scenes([OPTIONS of scripts/dom0], {GUEST => {memory, args, config}, ...}, TITLE => [STEP, ...], ...)
sub grant_pair_scenes {
    my ($host, $guests, @scenes) = @_;
    my $dir   = tempdir;
    my @steps = map { ref ? @$_ : () } @scenes;
    my @names = sort keys %$guests;
    write_file("$dir/job", job(@steps));
    write_file("$dir/$_.cfg", Life::config($guests->{$_})) for @names;
    my ($code, undef, $err) = run(script('dom0'), '--quiet', '--log', "$dir/log", '--out', "$dir/out",
        '--timeout', 3600, @$host, "$dir/job", @jobs, Host::kernel, map { "$dir/$_.cfg" } @names);
    is $code, 0, 'the job came to its end' or diag $err;

    my %done  = map { $_ => [Life::read_steps("$dir/out", $_)] } @names, 'host';
    my %known = map { $_ => {guest => $guests->{$_}, pages => Host::pages("$guests->{$_}{memory}M")} }
        @names;
    while (my ($title, $scene) = splice @scenes, 0, 2) {
        subtest $title => sub { check_scene($scene, \%done, \%known) };
    }
    is scalar(@{$done{host}}), 2, 'the host was looked at before and after';
    is $_->{code}, 0, "the host: $_->{words}[0]" or diag $_->{printed} for @{$done{host}};
    my @complaints = grep { /^\(XEN\) .*(?:bad l1 flags|implicitly unmap|crash|warn)/i } split /\n/,
        read_file("$dir/log");
    is_deeply \@complaints, [], 'Xen complains of nothing';
    return;
}

# Where a step fails, nothing more is done.
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
            fail "$expected->{title}: was not come to";
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
        ok $step->{console} =~ s/^$line$//m, "it says $line" or diag $step->{console};
    }
    note $1 while $step->{console} =~ /^(\{"report":"(?!boot)[^\n]*)$/mg;
    like $step->{printed}, $expected->{printed}, 'what is printed' if $expected->{printed};
    delete $known->{list} if $function =~ /^(?:begin|come_back)$/; # other frames, another list
    delete $known->{tables} if $step->{console} =~ /^TAP version/m;
    Life::check_step($step, $known);
    return if $function ne 'tell';

    my ($report) = map { decode_json($_) } $step->{console} =~ /^(\{"report":.*\})$/mg;
    my $fields = $expected->{report} or return;
    ok $report, 'it reports' or return diag $step->{console};
    for my $field (sort keys %$fields) {
        my ($found, $value) = ($report->{$field}, $fields->{$field});
        next if ref $value eq 'Regexp' ? like $found, $value, $field : is $found, $value, $field;
        diag encode_json($report);
    }
    my $check = $always{$report->{report}};
    $check->($report, $known) if $check;
    return;
}

sub check_grantee {
    my ($r, $known) = @_;
    is_deeply $r->{with}, $r->{before}, 'mapping changes neither frames nor reservation nor list';
    is $r->{with}{list}, $known->{list} //= $r->{with}{list}, 'the list is what it was at first';
    is $r->{mapped} + $r->{failed}, $r->{pages} * $r->{rounds}, 'each is mapped or failed'
        if $r->{rounds} == 1;
    is $r->{maps} - $r->{unmaps}, $r->{mapped}, 'mapped are those that were not unmapped';
    my $batch = $r->{batch} < 512 ? $r->{batch} : 512;
    my $calls = Host::ceil_div($r->{pages}, $batch);
    is $r->{hypercalls}, $calls * (2 * $r->{rounds} - 1), "$batch go into a hypercall" if !$r->{failed};
    return;
}

sub check_grantee_end {
    my ($r, $known) = @_;
    my $after = $r->{after};
    is $r->{result}, 0, 'all could be unmapped';
    is $r->{maps}, $r->{unmaps}, 'as much is unmapped as was mapped';
    is $after->{list}, $known->{list} //= $after->{list}, 'the list is what it was at first';
    is $after->{reservation}, $known->{pages}, 'Xen counts what it should';
    is $r->{ranges}, $known->{ranges} //= $r->{ranges}, 'there are as many ranges';
    check_frames($after->{free}, $r->{tables}, $known);
    return;
}

# Its table and book grow and do not shrink; what the peer holds on to is free later.
sub check_granter_end {
    my ($r, $known) = @_;
    is $r->{grants}, 0, 'no grant is left';
    check_frames($r->{free} + $r->{deferred}, $r->{tables}, $known);
    return;
}

# The heap keeps the level 1 table of its next address, and no other empty one: at most one page table
# more than the fewest so far. A self-test may leave others, which go with the next page there.
sub check_frames {
    my ($free, $tables, $known) = @_;
    is $free + $tables, $known->{frames} //= $free + $tables, 'all frames are free again, or tables';
    $known->{tables} = $tables if $tables < ($known->{tables} // $tables + 1);
    cmp_ok $tables, '<=', $known->{tables} + 1, 'at most one page table more than before';
    return;
}

1;
