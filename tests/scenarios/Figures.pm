# SPDX-License-Identifier: MIT
#
# Compares the figures that a benchmark has just measured with its table in bench/. The tables are in
# the tree, and documents quote them. Under QEMU's -icount a figure repeats to 1/1000, so a figure that
# differs by more than 1 % belongs to another state of the code.

package Figures;

use strict;
use warnings;
use Exporter 'import';
use Test::More;

use File::Basename 'dirname';
use lib dirname(__FILE__) . '/../scripts';
use Run;

our @EXPORT = qw(rows same_figures);

my $tolerance = 0.01;

# rows(FILE): the rows of a table as hashes; the keys are the names in its first line.
sub rows {
    my ($head, @lines) = map { [split /\t/] } split /\n/, read_file($_[0]);
    return map { my $line = $_; +{map { ($head->[$_] => $line->[$_]) } 0 .. $#$head} } @lines;
}

# The row of @rows that has the same values as $fresh in all of @$keys.
sub row_like {
    my ($fresh, $keys, @rows) = @_;
    for my $row (@rows) {
        return $row if !grep { $row->{$_} ne $fresh->{$_} } @$keys;
    }
    return;
}

# same_figures(TABLE, [KEY...], [COLUMN...], ROW...): checks that the figures in each COLUMN of each
# ROW are those of bench/TABLE, to 1 %. The KEYs find the row in the table. A table of another compiler
# or another Xen says nothing about this run: the check is skipped.
sub same_figures {
    my ($table, $keys, $columns, @fresh) = @_;
    my @table = rows(script("../bench/$table"));
    for my $fresh (@fresh) {
        my $what = join ', ', map { "$_ $fresh->{$_}" } @$keys;
        my $old  = row_like($fresh, $keys, @table);
        ok $old, "bench/$table has a row for $what" or next;
    SKIP: {
            for my $tool (qw(compiler xen)) {
                skip "bench/$table was measured with $tool $old->{$tool}, this run has $tool $fresh->{$tool}",
                    scalar @$columns
                    if $old->{$tool} ne $fresh->{$tool};
            }
            for my $column (@$columns) {
                my ($found, $expected) = map { $_->{$column} } $fresh, $old;
                ok abs($found - $expected) <= $tolerance * $expected,
                    "$what: $column is that of bench/$table, to 1 %"
                    or diag "measured now: $found; in bench/$table, at commit " . ($old->{commit} // $old->{version}) . ": $expected. "
                    . "If the change is intended, measure the table and the documents that quote it again "
                    . "(make bench, bench-grant or bench-suspend; make plot)";
            }
        }
    }
    return;
}

1;
