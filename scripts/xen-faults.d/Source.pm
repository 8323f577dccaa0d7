# SPDX-License-Identifier: MIT
#
# Edits of Xen's source. An edit names a file, a function, a pattern and a text; it finds its place by identifiers, so
# that no line of Xen is copied. The pattern must match exactly once in the function, and comments of the source
# count as white space.

package Source;

use strict;
use warnings;
use Exporter 'import';

our @EXPORT = qw(parse_edit apply_edit);

# parse_edit('[FILE FUNCTION ]s{REGEX}{TEXT}', FILE, FUNCTION): the edit as a hash; dies with a sentence that says
# what is wrong. FILE and FUNCTION are those of the row, which count if the edit names none.
sub parse_edit {
    my ($text, $file, $function) = @_;
    ($file, $function, $text) = ($1, $2, $3) if $text =~ /^(\S+) +(\S+) +(s[^\w\s].*)$/s;
    my ($open, $rest) = $text =~ /^s([^\w\s])(.*)$/s or die "expected s{REGEX}{TEXT}, found $text\n";
    my ($regex, $new, $flags) = $open eq '{' ? braced($rest) : delimited($open, $rest);
    defined $flags or die $open eq '{'
        ? "expected s{REGEX}{TEXT}, where each other { has a } (write a single brace of Xen's source as \\{ or \\}), found $text\n"
        : "expected s${open}REGEX${open}TEXT${open}, found $text\n";
    $flags =~ /^s?$/ or die "expected no flag, or the flag s (a dot also matches the end of a line), found the flag $flags in $text\n";
    my $pattern = eval { my $spaced = spaced($regex); no warnings 'regexp'; qr/(?m$flags:$spaced)/ }
        or die "expected a regex of Perl, found $regex (Perl: " . ($@ =~ s/ at \S+ line \d.*\n//r) . ")\n";
    return {file => $file, function => $function, pattern => $pattern, text => $new, said => $text};
}

# s{REGEX}{TEXT}: braces of each part are balanced, and a brace behind a backslash does not count.
sub braced {
    my ($rest) = @_;
    my $inner = qr/((?:[^\\{}]|\\.|\{(?1)\})*)/s;
    return $rest =~ /^$inner\}\s*\{((?:[^\\{}]|\\.|\{(?2)\})*)\}\s*(\w*)\s*$/s;
}

# s|REGEX|TEXT| with any other character
sub delimited {
    my ($mark, $rest) = @_;
    my $part = qr/((?:\\.|(?!\Q$mark\E)[^\\])*)/s;
    return $rest =~ /^$part\Q$mark\E$part\Q$mark\E\s*(\w*)\s*$/s;
}

# A run of blanks stands for any white space; between two words there is at least one.
sub spaced {
    my ($regex) = @_;
    my $spaced = '';
    while ($regex =~ /\G(?:(\\.)|(\[\^?\]?(?:\\.|\[:\w+:\]|[^\]\\])*\])|(\s+)(?=(.?))|(.))/gs) {
        my ($escape, $class, $blanks, $next, $other) = ($1, $2, $3, $4, $5);
        if (defined $class) {
            $spaced .= $class =~ s/ +/\\s/gr;
        } elsif (!defined $blanks) {
            $spaced .= $escape // $other;
        } elsif ($next =~ /[*+?]/) {
            $spaced .= '\s'; # a quantifier follows
        } else {
            $spaced .= $spaced =~ /(?<!\\)\w$/ && $next =~ /\w/ ? '\s+' : '\s*';
        }
    }
    return $spaced;
}

# apply_edit(EDIT, TEXT of the file): returns the new text; dies with a sentence if the edit does not fit.
sub apply_edit {
    my ($edit, $source) = @_;
    my ($code, $bare) = without_comments($source);
    my $place  = $edit->{function} eq '-' ? "the file $edit->{file}" : "the definition of $edit->{function} in $edit->{file}";
    my @bodies = bodies($bare, $edit->{function})
        or die "expected a definition of $edit->{function} in $edit->{file}, found no definition\n";
    my @matches = map { matches($edit->{pattern}, $code, @$_) } @bodies;
    @matches == 1 or die "expected one match of REGEX in $place, found " . @matches . " matches of $edit->{said}\n";
    my ($start, $end) = @{$matches[0][0]};
    my @groups = map { defined $_->[0] ? substr($source, $_->[0], $_->[1] - $_->[0]) : '' } @{$matches[0]};
    my $new = filled($edit->{text}, @groups);
    $new ne $groups[0] or die "expected an edit that changes $place, found an edit that changes nothing: $edit->{said}\n";
    substr $source, $start, $end - $start, $new;
    return $source;
}

# The matches in a range of the text: for each one the offsets of the whole match and of its groups
sub matches {
    my ($pattern, $text, $from, $to) = @_;
    my $body = substr $text, $from, $to - $from;
    my @found;
    while ($body =~ /$pattern/g) {
        my @group = map { defined $-[$_] ? [$from + $-[$_], $from + $+[$_]] : [] } 0 .. 9;
        push @found, \@group;
        pos($body)++ if $-[0] == $+[0];
    }
    return @found;
}

# The text of an edit, with $1 to $9 and $& of its match
sub filled {
    my ($text, @groups) = @_;
    my %escape = (n => "\n", t => "\t");
    return $text =~ s{\\(.)|\$([1-9]|&)}{defined $1 ? $escape{$1} // $1 : $groups[$2 eq '&' ? 0 : $2]}gser;
}

# Returns two texts of the same length: without comments, and also without strings and characters.
sub without_comments {
    my ($source) = @_;
    my $literal = qr/"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)+'/s;
    my $comment = qr{/\*.*?\*/|//[^\n]*}s;
    my $code = $source =~ s{($literal)|($comment)}{$1 // blank($2)}gser;
    return ($code, $code =~ s{($literal)}{blank($1)}gser);
}

# Blanks of the same length, on the same lines. The end of a line of a macro stays.
sub blank {
    my ($text) = @_;
    return $text =~ s{(\\\n)|[^\n]}{$1 // ' '}gser;
}

# bodies(TEXT without comments and strings, NAME): the ranges of the bodies of the function, macro or initialised
# variable of this name: several, if the preprocessor chooses one of them. '-' is the whole file.
sub bodies {
    my ($bare, $name) = @_;
    return [0, length $bare] if $name eq '-';
    my $directive = qr/^[ \t]*#[ \t]*(\w+)((?:[^\n\\]|\\.)*)/ms;
    my (@bodies, @saved);
    my ($plain, $depth, $from, $start) = ($bare, 0, 0);
    while ($bare =~ /$directive|[{};]/gs) {
        my ($at, $to, $word, $words) = ($-[0], $+[0], $1, $2);
        my $mark = substr $bare, $at, 1;
        if (defined $word) {
            substr $plain, $at, $to - $at, blank(substr $bare, $at, $to - $at);
            push @bodies, [$to - length $words, $to] if $word eq 'define' && $words =~ /^[ \t]+\Q$name\E\b/;
            push @saved, $depth if $word =~ /^if/;
            $depth = $saved[-1] // 0 if $word =~ /^el/; # each branch begins at the depth of #if
            pop @saved if $word eq 'endif';
        } elsif ($mark eq '{') {
            $start //= $at if $depth++ == 0;
        } elsif ($mark eq '}') {
            $depth-- if $depth;
            next if $depth || !defined $start;
            push @bodies, [$start, $to] if defines(substr($plain, $from, $start - $from), $name);
            ($from, $start) = ($to, undef);
        } elsif ($depth == 0) {
            $from = $to;
        }
    }
    return @bodies;
}

# Does this text before an opening brace define NAME: as a function, or as a variable with an initialiser?
sub defines {
    my ($head, $name) = @_;
    return 1 if $head =~ /\b\Q$name\E\b[^()]*=\s*$/;
    while ($head =~ /\b\Q$name\E\s*\(/g) {
        my $before = substr $head, 0, $-[0];
        return 1 if $before =~ tr/(// == $before =~ tr/)//;
    }
    return 0;
}

1;
