#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# The commands, files and links in the documents and in ci/ must exist, and tables that repeat a table
# of the source must be equal to it. Without this test, a reader or a CI service would be the first to
# notice that a command is gone. data/docs-commands names for each command the test that runs it.

use strict;
use warnings;
use CPAN::Meta::YAML;
use File::Basename qw(basename dirname);
use Test::More;
use Text::ParseWords 'shellwords';

use FindBin;
use lib $FindBin::Bin;
use Docs;
use Run;

my (undef, $make_help) = run('make', '--no-print-directory', 'help');
my %is_target = map { $_ => 1 } $make_help =~ /^  ([\w-]+) /mg;
my $makefiles = join '', map { read_file($_) } 'Makefile', glob '*/*.mk */*/*.mk';

# Feature of a command => the test that runs it, from data/docs-commands.
my %evidence;
for (split /\n/, read_file("$FindBin::Bin/data/docs-commands")) {
    next if /^(?:#|$)/;
    my ($feature, $how) = /^(\S.*?)  +(\S.*)$/ or die "data/docs-commands: \"$_\": expected two columns";
    $evidence{$feature} = $how;
}

# Commands

# Every command in $text: lines of a code block, and code in a sentence.
sub commands {
    my ($text) = @_;
    $text =~ s/\\\n\s*/ /g;
    $text =~ s/^```.*?\n(.*?)^```$/$1 =~ s{^}{    }gmr/gmse;
    my @code  = $text =~ /^    (\S.*)$/mg;
    my $prose = $text =~ s/^    \S.*\n//mgr;
    my @found = ((map { split /\s+(?:&&|\||;)\s+/, s/\s+#.*//r } @code), $prose =~ /`([^`]+)`/g);
    s/\s+/ /g, s/^ //, s/^(?:\w+=(?:'[^']*'|\S*) )+// for @found;
    return grep { m{^(?:make|prove|(?:scripts|bench)/[\w/-]+)(?: |$)} } @found;
}

# The words after a command as features: "NAME --option", for some options with the value.
sub options {
    my ($name, @words) = @_;
    my (@features, @arguments);
    while (defined(my $word = shift @words)) {
        if ($word eq '--') {
            @arguments = @words;
            last;
        }
        next if $word !~ /^--?\w/;
        $word =~ s/^(-[a-z])\d+$/$1/;
        push @features, $word =~ /^(?:--as|--firmware)$/ && @words ? "$name $word " . shift @words : "$name $word";
    }
    return @features, kernel_arguments(@arguments);
}

sub kernel_arguments {
    return map { /^([\w-]+)/ && $_ ne 'ARGS' ? "kernel $_" : () } @_;
}

# The features of a command.
sub features {
    my ($command) = @_;
    my ($name, @words) = shellwords($command) or return;
    return ("prove $words[0]") if $name eq 'prove' && @words;
    return ($name, options($name, @words)) if $name ne 'make';
    return () if @words && $words[0] eq '-C'; # the targets of another tree
    my @features;
    for (@words) {
        if (/^BOOT=(.*)/) {
            push @features, options('scripts/boot', shellwords($1));
        } elsif (/^ARGS=(.*)/) {
            push @features, kernel_arguments(shellwords($1));
        } elsif (/^(\w+)=/) {
            push @features, "make $1=";
        } elsif (!/^-j?\d*$/) {
            push @features, "make $_";
        }
    }
    return @features;
}

sub is_value {
    my ($name, $value) = @_;
    return 0 if !exists $argument{$name};
    return 1 if !defined $value;
    return $argument{$name} !~ /^\w+(?:\|\w+)+$/ || grep { $value eq $_ } split /\|/, $argument{$name};
}

# Why a feature does not exist; empty if it exists.
sub is_missing {
    my ($feature) = @_;
    my ($name, @rest) = split ' ', $feature;
    if ($name eq 'make') {
        return "make has no target $rest[0]" if $rest[0] !~ /=$/ && !$is_target{$rest[0]} && $rest[0] !~ m{/};
        return "nothing reads $rest[0]"
            if $rest[0] =~ /^(\w+)=$/ && $makefiles !~ /\$\(\Q$1\E[:)]|^\Q$1\E\s*[?:]?=/m
            && read_file('scripts/fetch/deps') !~ /\b\Q$1\E\b/;
    } elsif ($name eq 'kernel') {
        return "the kernel has no argument $rest[0]" if !is_value(split(/=/, $rest[0], 2));
        for ($rest[0] =~ /^test=(.*)/ ? split(/,/, $1) : ()) {
            return "the kernel has no test $_" if !$is_test{$_};
        }
    } elsif ($name eq 'prove') {
        return "there is no $rest[0]" if !-e $rest[0];
    } elsif (!-x $name) {
        return "there is no $name";
    } elsif (@rest && $rest[0] ne '--help' && help($name) !~ /(?<![\w-])\Q$rest[0]\E(?![\w-])/) {
        return "$name does not know $rest[0]";
    }
    return '';
}

# The test of a feature. Without a row for the value, the row of the option counts.
sub evidence_of {
    my ($feature) = @_;
    return $evidence{$feature} // $evidence{$feature =~ s/=.*//r} // $evidence{$feature =~ s/^(\S+ \S+) .*/$1/r};
}

sub wrong_commands {
    my ($text) = @_;
    my @wrong;
    for my $command (commands($text)) {
        push @wrong, "$command: quotes do not match" if !shellwords($command);
        for my $feature (features($command)) {
            my $missing = is_missing($feature);
            push @wrong, "$command: $missing" if $missing;
            push @wrong, "$command: no test is named for \"$feature\" (data/docs-commands)"
                if !$missing && !defined evidence_of($feature);
        }
    }
    return @wrong;
}

# Files

# The text without names of files of other projects, which follow the name of the project; in a table
# they are all names in the cell.
sub own_text {
    my ($text) = @_;
    my $own = '';
    for (split /\n\n/, $text =~ s/^(?:    |```).*\n//mgr) {
        s/\n(?!\|)/ /g;
        s/\b(?:Xen|Linux|GRUB)(?:'s)? `[^`]*`[^|\n]*//g if /^\|/m;
        s/\b(?:Xen|Linux|GRUB)(?:'s)? `[^`]*`//g;
        $own .= "$_\n\n";
    }
    return $own;
}

# Names of files, without their directories
my %is_name = map { basename($_) => 1 } split /\n/, (run('git', 'ls-files'))[1];

sub wrong_files {
    my ($text) = @_;
    my @wrong;
    for (own_text($text) =~ /`([\w.][\w.\/*-]*)`/g) {
        next if /[A-Z]{3}/ && !/^[A-Z]+\.md$/ || m{^build/|/name\.c$}; # placeholders, and files that a build makes
        if (m{^(?:arch|bench|ci|docs|kernel|lib|mm|scripts|tests|xen|\.ci)/}) {
            my @there = glob;
            push @wrong, "there is no $_" if !@there || !-e $there[0];
        } elsif (/\.(?:[chtS]|bash|ld|md|mk|pm|sh|svg|tsv)$/ && !m{/}) {
            push @wrong, "there is no file called $_" if !$is_name{$_};
        }
    }
    return @wrong;
}

sub wrong_links {
    my ($text, $dir) = @_;
    return map { "$_ leads nowhere" } grep { !-e "$dir/$_" }
        ($text =~ s/^    .*\n//mgr) =~ /\]\((?!\w+:|#)([^)\s#]+)/g;
}

# The documents

for my $file (@documents) {
    is_deeply [wrong_commands($text_of{$file})], [], "$file: each command exists and has a test that runs it";
    is_deeply [wrong_files($text_of{$file})],    [], "$file: each file exists";
    is_deeply [wrong_links($text_of{$file}, dirname($file))], [], "$file: each link leads to a file";
}

for my $table (
    ['docs/architecture.md', 'The stages',                 4, 'kernel/boot/stages.c',    stages()],
    ['docs/architecture.md', 'The shell and its commands', 3, 'kernel/shell/commands.c', shell_commands()],
) {
    my ($document, $heading, $nr, $source, @rows) = @$table;
    cmp_ok scalar @rows, '>', 10, "$source has more than 10 rows";
    is_deeply [table($document, $heading, $nr)], \@rows, "$document: $heading: the table is that of $source";
}
for my $table (
    ['docs/architecture.md', 'The command line', 'kernel/cmdline.c', keys %argument],
    ['docs/abi.md',          'ELF notes',        'elfnotes.S', read_file('elfnotes.S') =~ /^note XEN_ELFNOTE_(\w+),/mg],
) {
    my ($document, $heading, $source, @names) = @$table;
    is_deeply [sort map { @$_ } table($document, $heading, 1)], [sort @names],
        "$document: $heading: the table has the names of $source";
}

# The files of ci/, which run on CI services only: a mistake in them would be found late

for my $file (glob 'ci/*.yml') {
    my $text = read_file($file) =~ s/\$\{\{.*?\}\}/X/gr;
    my $yaml = eval { CPAN::Meta::YAML->read_string($text) };
    ok $yaml && ref $yaml->[0] eq 'HASH', "$file is valid YAML";
    unlike $text, qr/\t/, "$file has no tabs";
    like $text, qr{^ +- (?:run: )?scripts/matrix .*--shard .*--junit }m, "$file runs shards with JUnit XML";
    is_deeply [wrong_commands($text =~ s/^ *- (?:run: )?/    /gmr)], [], "$file: each command exists";
}

# The tests of data/docs-commands

my (undef, $matrix) = run('scripts/matrix', '--list');
my %is_row = map { $_ => 1 } $matrix =~ /^(\S+) /mg;
for my $feature (sort keys %evidence) {
    my $how = $evidence{$feature};
    is is_missing($feature), '', "data/docs-commands: $feature exists";
    if ($how =~ /^row (\S+)$/) {
        ok $is_row{$1}, "data/docs-commands: $feature: tests/matrix has the row $1";
    } elsif ($how =~ /^(\S+): (.+)$/) {
        my ($file, $words) = ($1, $2);
        ok -e $file && index(read_file($file), $words) >= 0, "data/docs-commands: $feature: $file contains '$words'";
    } else {
        is $how, 'here', "data/docs-commands: $feature: the test is a row, a file with a text, or here";
    }
}

# Rows of tests/matrix in commands of the documents, except placeholders
for my $command (map { commands($_) } values %text_of) {
    my ($script, @words) = shellwords($command);
    next if $script ne 'scripts/matrix' || grep { /^[A-Z]+$/ || $_ eq './xen' } @words;
    my ($code, undef, $err) = run($script, '--list', @words);
    is $code, 0, "$command --list: exit code is 0" or diag $err;
}

# The commands that make would run. MAKE=echo: a make that make calls would run real commands.
sub dry_run {
    my ($code, $out) = run('make', '-n', 'MAKE=echo', '--no-print-directory', @_);
    is $code, 0, "make -n @_: exit code is 0";
    return $out;
}
like dry_run('run', 'BOOT=--mem 64M', 'ARGS=test=p2m'),
    qr{^scripts/boot --mem 64M build/xenolith -- test=p2m$}m, 'make run calls scripts/boot with BOOT and ARGS';
like dry_run('gdb', 'BOOT=--mem 64M', 'ARGS=test=p2m'),
    qr{^scripts/fetch/deps run gdb\n.*^scripts/gdb --mem 64M build/xenolith -- test=p2m$}ms, 'make gdb calls scripts/gdb with BOOT and ARGS';
like dry_run('picture', 'BOOT=--mem 64M'),
    qr{^scripts/boot .*--log (\S+) --mem 64M .*\nscripts/memory-map -o \S+ \1\n}m, 'make picture calls scripts/boot and scripts/memory-map';
like dry_run('shell', 'SHELL_ARGS=--plain'), qr{^scripts/shell --plain$}m, 'make shell calls scripts/shell with SHELL_ARGS';
like dry_run('prove'), qr{^scripts/prove -j2 .*\nscripts/mutants -j2 --by proof$}m, 'make prove calls scripts/prove and scripts/mutants';
like dry_run('exhaustive'), qr{^scripts/prove -j2 --tool exhaustive$}m, 'make exhaustive calls scripts/prove';
like dry_run('xen-faults', 'FAULTS=--only x'), qr{^scripts/xen-faults -j2 --only x$}m, 'make xen-faults calls scripts/xen-faults with FAULTS';
like dry_run('check'), qr{ unit exhaustive lint debug-xen scripts-check\n.*^--no-print-directory scenarios$}ms, 'make check makes unit, exhaustive, lint, debug-xen, scripts-check and scenarios';
like dry_run('fuzz', 'FUZZ=e820', 'FUZZ_JOBS=2', 'FUZZ_RUNS=7', 'FUZZ_SECONDS=5'),
    qr{run\.sh -j '2' -s '5' -n '7' \S+ e820$}m, 'make fuzz passes FUZZ, FUZZ_JOBS, FUZZ_RUNS and FUZZ_SECONDS';
like dry_run('fuzz-corpus', 'FUZZ='), qr{run\.sh --merge }, 'make fuzz-corpus calls run.sh --merge';
like dry_run('check-full'), qr{scripts/matrix .*--tag full .*\nXENOLITH_EDGES=0 scripts/matrix --tag heavy .*\n.*\nscripts/xen-faults .*--fifth }, 'make check-full runs the rows of tests/matrix with the tags full and heavy, and a fifth of tests/xen-faults';

# The checks of this test find mistakes

my @samples = (
    [\&wrong_commands, "    make nonsense\n",              qr/no target nonsense/],
    [\&wrong_commands, "    make docs\n",                  qr/no target docs/],
    [\&wrong_commands, "    make run BOOT='--mem\n",       qr/quotes do not match/],
    [\&wrong_commands, "```sh\nmake run WHAT=1\n```\n",    qr/nothing reads WHAT=/],
    [\&wrong_commands, "as by `make run BOOT='--moon 1'`", qr/boot does not know --moon/],
    [\&wrong_commands, "    make run ARGS='colour=red'\n", qr/no argument colour=red/],
    [\&wrong_commands, "    make run ARGS='done=never'\n", qr/no argument done=never/],
    [\&wrong_commands, "    make run ARGS=test=p2m,x\n",   qr/no test x/],
    [\&wrong_commands, "    scripts/no-such x\n",          qr/there is no scripts\/no-such/],
    [\&wrong_commands, "    scripts/check/gone\n",        qr/there is no scripts\/check\/gone/],
    [\&wrong_commands, "    X=1 scripts/boot \\\n  --a\n", qr/boot does not know --a/],
    [\&wrong_commands, "    cd x && scripts/matrix --fast", qr/matrix does not know --fast/],
    [\&wrong_commands, "    scripts/boot --qemu-args x\n", qr/no test is named for "scripts\/boot --qemu-args"/],
    [\&wrong_files,    "in `mm/none.c`, Xen `mm/x.c`",     qr/^there is no mm\/none.c$/],
    [\&wrong_files,    "| Xen `xen/x.c`; `y.c` | `z.c` |", qr/^there is no file called z.c$/],
    [\&wrong_files,    "all of `mm/n*.c`",                 qr/no mm\/n\*\.c/],
    [\&wrong_links,    "[x](../none.md) [y](README.md)",   qr/^\.\.\/none.md leads nowhere$/],
);
for my $sample (@samples) {
    my ($check, $text, $complaint) = @$sample;
    my @wrong = $check->($text, '.');
    is scalar @wrong, 1, 'one mistake is found in: ' . ($text =~ s/\n/ /gr) or diag "@wrong";
    like $wrong[0] // '', $complaint, 'the message names the mistake in: ' . ($text =~ s/\n/ /gr);
}

done_testing;
