#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# What the documents say of the source holds for the source: layers, folders, exit codes, numbers,
# words, and samples of console output. Without this a limit, a name or a message could change in the
# source alone, and a reader would look for what is not there.

use strict;
use warnings;
use Test::More;

use FindBin;
use lib $FindBin::Bin;
use Docs;
use Run;

# Layers, folders, and what holds for mm/

my @layers = map { [map { s{\.\z}{.*}r } /'([^']+)'/g] }
    read_file('scripts/check/layers') =~ /^my \@LAYERS = \(\n(.*?)^\);/ms ? $1 =~ /^    \[(.*)\],$/mg : ();
shift @layers; # build/, which is no folder of the source
cmp_ok scalar @layers, '>', 8, 'scripts/check/layers has layers';
my @described = map { [split /`, `/, $_->[0]] } table('docs/architecture.md', 'The layers');
is_deeply [reverse @described], \@layers, 'docs/architecture.md: the layers, the lowest at the bottom';

my %is_described = map { $_ => 1 } map { @$_ } @described;
$is_described{$_->[0]} = 1 for table('docs/architecture.md', 'The other folders');
my (undef, $tracked) = run(qw(git ls-tree -d --name-only HEAD . kernel/));
for my $folder (grep { !/^\./ } split /\n/, $tracked) {
    ok $is_described{"$folder/"}, "docs/architecture.md: the folder $folder is described";
}

for my $file (glob 'mm/*.c') {
    my $source = read_file($file);
    unlike $source, qr/^static (?!const\b|inline\b)[^()\n]*(?:;|=.*|\{)$/m, "$file has no static state";
    unlike $source, qr/^ *# *if/m, "$file has no #if";
}

# Exit codes

# CODE => WORDS
sub exit_codes {
    return {map { /^(\d+) (?:for )?(.+)$/ ? ($1 => $2) : ($_ => '') } split /, /, $_[0]};
}
my ($exit_codes) = help('scripts/boot') =~ /^Exit: (.+)\.$/m;
is_deeply {map { $_->[0] => $_->[1] } table('docs/architecture.md', 'Exit codes')}, exit_codes($exit_codes),
    'docs/architecture.md: the exit codes of scripts/boot';
is_deeply exit_codes($text_of{'README.md'} =~ /exits with (0 .+? bad\s+usage)/s ? $1 =~ s/\s+/ /gr : ''),
    exit_codes($exit_codes), 'README.md: the exit codes of scripts/boot';

# Numbers

# A number, or a word for one
sub value {
    my ($text) = @_;
    my %value_of = (eight => 8, ten => 10, twenty => 20);
    return $value_of{$text // ''} // ($text // 'not there') =~ tr/,//dr;
}

sub count {
    my ($pattern, @files) = @_;
    return scalar map { read_file($_) =~ /$pattern/g } @files;
}

my $nr_tests   = count(qr/^TEST(?:_LAST|_RULE)?\(/m, glob 'tests/guest/{,*/}*.c');
my $nr_mutants = count(qr/^[\w-]+ \S+ (?:unit|boot)$/m, 'tests/mutants');
my %cost       = map { /^\S+\t(\S+)/ ? ($1 => [split /\t/]) : () } split /\n/, read_file('bench/results.tsv');
my %column     = do { my $i = 0; map { $_ => $i++ } @{$cost{dom0}} };

# A document, and a pattern that it has; and the value, or a file and a pattern of that: what is in ()
# is the same.
for my $fact (
    ['README.md', qr/^    1\.\.(\d+)$/m, $nr_tests],
    ['README.md', qr/a dom0 of 1 GiB takes ([\d.]+) million/, sprintf '%.2f', $cost{'1G'}[$column{total}] / 1e6],
    ['README.md', qr/a dom0 of 650 GiB takes ([\d.]+) million/, sprintf '%.0f', $cost{'650G'}[$column{total}] / 1e6],
    ['README.md', qr/all rows, measured at (\w+)/, $cost{'1G'}[$column{version}]],
    ['README.md', qr/dom0 of a host of ([\d,]+) GiB/,
        'tests/scenarios/huge.t', qr/dom0 of all memory of a host of (1\d+) GiB/],
    ['README.md', qr/as a domU of ([\d,]+) GiB/, 'tests/scenarios/huge.t', qr/'domU of (\d+) GiB'/],
    ['docs/scaling.md', qr/measured at (\w+)\): one row/, $cost{'1G'}[$column{version}]],
    ['docs/scaling.md', qr/`make bench-suspend`; measured at (\w+)\)/, 'bench/suspend.tsv', qr/\t([0-9a-f]{7})$/m],
    ['docs/memory.md', qr/measured at (\w+)\), and/, 'bench/grant.tsv', qr/\t([0-9a-f]{7})$/m],
    ['docs/memory.md', qr/one of the (\w+) fixmap/, 'mm/fixmap.h', qr/NR_FIXMAP_SLOTS = (\d+)/],
    ['docs/architecture.md', qr/domain after (\d+) seconds/, 'xen/watchdog.h', qr/WATCHDOG_SECONDS (\d+)/],
    ['docs/abi.md', qr/progress for (\d+) seconds/, 'xen/watchdog.h', qr/WATCHDOG_SECONDS (\d+)/],
    ['docs/testing.md', qr/progress for (\d+) seconds/, 'xen/watchdog.h', qr/WATCHDOG_SECONDS (\d+)/],
    ['docs/architecture.md', qr/up to (\w+) times/, 'mm/plan.h', qr/PLAN_GROWTH_RATIO (\d+)/],
    ['docs/architecture.md', qr/take over (\d+) s/, 'kernel/selftest/sweep.h', qr/SWEEP_MAX_SECONDS (\d+)/],
    ['docs/architecture.md', qr/up to (\d+) moves/, 'kernel/report.c', qr/MAX_MOVES (\d+)/],
    ['docs/abi.md', qr/still for (\w+) seconds/, 'xen/console.c', qr/PATIENCE_NS \((\d+) \* NS_PER_S\)/],
    ['docs/abi.md', qr/^\| INIT_P2M \| (\w+)/m, 'arch/x86/layout.h', qr/LIST_BASE +(\w+)/],
    ['docs/abi.md', qr/^\| VIRT_BASE \| (\w+)/m, 'arch/x86/layout.h', qr/VIRT_BASE +(\w+)/],
    ['docs/abi.md', qr/^\| MAXPHYS_SIZE \| (\w+)/m, 'arch/x86/layout.h', qr/PADDR_BITS +(\w+)/],
    ['docs/testing.md', qr/has (\d+) small mistakes/, $nr_mutants],
    ['docs/testing.md', qr/notices (\d+) of the/, $nr_mutants - count(qr/^equivalent:/m, 'tests/mutants')],
    ['docs/testing.md', qr/(\w+) saves in a row/, 'tests/scenarios/life/save.t', qr/XENOLITH_CYCLES\} \/\/ (\d+)/],
    ['docs/testing.md', qr/more than ([\d,]+) hypercalls/, 'tests/fuzz/fuzz.h', qr/FAKE_MAX_HYPERCALLS (\d+)/],
    ['docs/testing.md', qr/fails below (\d+) %/, 'scripts/check/coverage', qr/at least PERCENT \((\d+)\)/],
) {
    my ($document, $pattern, $source, $expected) = @$fact;
    my ($found) = $text_of{$document} =~ s/(?<=\S)\n {0,3}(?=[^\s|#*-])/ /gr =~ $pattern; # paragraphs as one line
    ($expected) = $expected ? read_file($source) =~ $expected : $source;
    is value($found), value($expected), "$document is right: $pattern";
}
is_deeply [map { $_->[0] } table('docs/testing.md', 'Fuzzing')],
    [split ' ', read_file('tests/fuzz/fuzz.mk') =~ /^FUZZ +\?= (.+)$/m ? $1 : ''], 'docs/testing.md: the targets of make fuzz';
my ($passed, $skipped) = $text_of{'README.md'} =~ /^    xenolith: (\d+) passed, (\d+) skipped$/m;
is $passed + $skipped, $nr_tests, 'README.md: as many tests as there are have passed or were skipped';

for (read_file('arch/x86/layout.h') =~ /^#define \w+_BASE +(0x\w+)$/mg) {
    like $text_of{'docs/memory.md'}, qr/^    $_ /m, "docs/memory.md: the drawing of the address space has $_";
}
like $text_of{'README.md'}, qr/\]\(\Q$_\E\)/, "README.md leads to $_" for grep { /[a-z]\.md$/ } @documents;

# Words

# Each word of this project that a document may use is explained, and each that is explained is used
my %is_word = map { $_->[0] => 1 } map { my ($words) = @$_; map { [$_] } split /, /, $words }
    table('docs/memory.md', 'Words');
for my $word ('leaf', 'identity', 'plan', 'revector', 'renumber', 'stage', 'struct domain', 'command', 'fixmap',
    'frame pool', 'foreign window', 'unpopulated PFN', 'pattern page', 'granter', 'grantee', 'kernel mapping') {
    ok $is_word{$word}, "docs/memory.md explains: $word";
}
my $source = join '', map { read_file($_) } glob '{mm,xen,kernel,kernel/*}/*.[ch]';
for my $word (sort keys %is_word) {
    my $pattern = join '[ _]', map { quotemeta } split / /, $word =~ s/ PFN\z//r;
    like $source, qr/\b$pattern/i, "the source has the word: $word";
}

# Names that have changed

# The new name is in the source, and the old one in no other document
my %is_name_now = map { $_ => 1 } map({ split /\|/ } values %argument), (map { $_->[0] } shell_commands(), stages()),
    keys %is_test;
my ($renamed) = $text_of{'CHANGELOG.md'} =~ /^### Renamed\n(.*?)^### /ms;
my @renamed = grep { $_->[0] ne 'old' && $_->[0] !~ /^-/ } map { [cells($_)] } ($renamed // '') =~ /^(\|.*)$/mg;
cmp_ok scalar @renamed, '>', 20, 'CHANGELOG.md: the table of names is read';
$source .= join '', map { read_file($_) } glob 'tests/guest/{,*/}*.c';
for my $row (@renamed) {
    my ($old, $new) = map { /^(\w[\w\/-]*=?[\w-]*)/ } @$row;
    my @uses = $new =~ /^(\w+)=(.*)/ ? ($1, $2) : $new =~ /^(.*_)pages$/ ? $1 =~ s/_\z//r : $new;
    ok index($source, $_) >= 0, "CHANGELOG.md: the source has $_" for grep { length } @uses;
    next if $is_name_now{$old};
    is_deeply [grep { $_ ne 'CHANGELOG.md' && $text_of{$_} =~ /`\Q$old\E[`\s]/ } @documents], [],
        "documents with the old name $old";
}
my $old_words = qr/\b(?:kmap|lend|lent|borrow\w*|RANGE_SAFE|safe PFNs?|marked pages?)\b/i;
is_deeply [$text_of{$_} =~ /$old_words/g], [], "$_ has no old word" for grep { $_ ne 'CHANGELOG.md' } @documents;

# Samples of a console

# What the source can print; results of self-tests are another list, because the format of all
# results would match any result.
my $version = quotemeta(read_file('VERSION') =~ s/\n//r) . '(?:\+\S+)?';
my @sources = map { read_file($_) } glob '{lib,arch/x86,mm,xen,kernel,kernel/*,tests/guest,tests/guest/*}/*.c';
my @formats = map { format_pattern($_) } map { string_literals($_) } @sources;
my @results = map { format_pattern($_) } map { test_results($_) } @sources;

# Each string of a source, those that stand side by side as one; %v is the version.
sub string_literals {
    my ($text) = @_;
    my @strings;
    while ($text =~ /((?:"(?:[^"\\\n]|\\.)*"\s*(?:VERSION\s*)?)+)/g) {
        push @strings, join '', map { $_ eq 'VERSION' ? '%v' : /^"(.*)"$/ } $1 =~ /"(?:[^"\\\n]|\\.)*"|VERSION/g;
    }
    return @strings;
}

# The results of self-tests. Their numbers, which change, are not compared.
sub test_results {
    my ($text) = @_;
    my %claim = $text =~ /^TEST(?:_LAST|_RULE)?\(\s*(\w+),((?:\s*"[^"]*")+)\)/mg;
    return map { "ok %u - $_: " . join '', $claim{$_} =~ /"([^"]*)"/g } keys %claim;
}

# What a format of printf's prints, as a pattern, with the prefix that printk adds to warnings and
# errors; not of a format that would match anything
sub format_pattern {
    my ($format) = @_;
    $format =~ s/\\n\z//;
    $format =~ s/\\(.)/$1/g;
    return if length($format =~ s/%[\d.*]*l?[a-z]//gr) < 8;
    my %of = (u => '\d+', d => '-?\d+', x => '[0-9a-f]+', p => '0x[0-9a-f]+', s => '.*', c => '.', v => $version);
    my $pattern = join '', map { /^%[\d.*]*l?([a-z])$/ ? $of{$1} // '.*' : quotemeta } split /(%[\d.*]*l?[a-z])/, $format;
    return qr/^(?:# |Bail out! |error: |warning: )?$pattern$/;
}

my $of_stage = join '|', map { $_->[0] } stages();
my $sample = qr/^(?:error: |warning: )?(?:$of_stage|Xenolith \S+|Bail out!): |^# \w|^ok \d/;
my $nr_samples = 0;
sub wrong_samples {
    my ($text) = @_;
    my (@wrong, $is_answer);
    for (split /\n/, $text) {
        $is_answer = 0 if !/^    \S/;
        my ($line) = /^    (.*)$/ or next;
        my $is_prompt = $line =~ /^xenolith> /;
        if (($is_answer && !$is_prompt) || $line =~ $sample) {
            $nr_samples++;
            my @known = $line =~ /^ok \d/ ? @results : @formats;
            push @wrong, "nothing in the source prints \"$line\"" if !grep { $line =~ $_ } @known;
        }
        $is_answer ||= $is_prompt;
    }
    return @wrong;
}
is_deeply [wrong_samples($text_of{$_})], [], "$_: samples of a console" for @documents;
cmp_ok $nr_samples, '>', 15, 'samples are found';

# Options that are named alone

my @helps = map { help($_) } qw(scripts/boot scripts/shell scripts/matrix scripts/host/domus scripts/host/dom0 scripts/fetch/xen
    scripts/mutants scripts/prove scripts/xen-faults scripts/memory-map scripts/verdict bench/run bench/grant bench/suspend), 'scripts/fetch/deps';
for my $file (@documents) {
    my @unknown = grep { my $option = $_; $option ne '--help' && !grep { /(?<![\w-])\Q$option\E(?![\w-])/ } @helps }
        $text_of{$file} =~ /`(--[\w-]+)/g;
    is_deeply \@unknown, [], "$file: options that are named alone";
}

# This test can fail

for my $sample (
    ["    plan: 7 frames are lost\n",  'plan: 7 frames are lost'],
    ["    error: plan: a frame is lost\n", 'error: plan: a frame is lost'],
    ["    xenolith> p2m 1\n    ok\n", 'ok'],
    ["    ok 1 - p2m: something else\n", 'ok 1 - p2m: something else'],
    ["    Xenolith 0.0.1+2.g3: a Xen PV guest about memory\n", 'Xenolith 0.0.1+2.g3: a Xen PV guest about memory'],
) {
    my ($text, $line) = @$sample;
    is_deeply [wrong_samples($text)], ["nothing in the source prints \"$line\""], "a line that is not printed: $line";
}

done_testing;
