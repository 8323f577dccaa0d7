# SPDX-License-Identifier: MIT
#
# What two guests that share pages are put through: each function returns the steps of one scene.
# There are a lender, by name, a borrower, and a third domain, which has nothing to do with it.

package Scenes;

use strict;
use warnings;
use Exporter 'import';

use Sharing;

our @EXPORT = qw(
    guest large restored wrong too_much readonly rounds refused carried late borrower_gone lender_gone
);

# The table of 65,536 pages, 64 pages of references and one more, behind 8 entries that are reserved:
# 512 entries a frame in version 1, 256 in version 2, whose status frames have 2048 each.
my $all        = 65536;
my $all_grants = $all + 64 + 1;
my %frames     = (1 => [129, 0], 2 => [257, 33]);

my $suspended_no = 'refused: sharing cannot be suspended: -16 \(EBUSY, in another use\)';

# guest(MEMORY in MiB, ARGUMENTS of the kernel, FRAMES of its grant table)
sub guest {
    my ($memory, $args, $frames) = @_;
    return {memory => $memory, args => "mark=16 $args", config => ["max_grant_frames=$frames"]};
}

# Nothing comes of it, and why: what the guest says of the reference, if it has one, and the errno.
sub in_vain {
    my ($guest, $order, $errno, @status) = @_;
    return tell($guest, $order,
        (map { "borrow: reference \\d+ of domain \\d+: $_" } @status),
        "borrow: nothing can be had of domain \\d+: $errno");
}

# 256 MiB lent at once, and borrowed by a guest of 32 MiB: in batches of several sizes.
sub large {
    my ($lender, $version, @batches) = @_;
    my ($table, $status) = @{$frames{$version}};
    return (
        tell(borrower => 'borrow_end', {pages => 0}),
        tell($lender  => "lend \@borrower $all", {
            pages        => $all,   grants        => $all_grants, version => $version,
            table_frames => $table, status_frames => $status,
        }),
        (map { (
            tell(borrower => "borrow \@$lender $_", {
                pages => $all, mapped => $all, failed => 0, intact => $all, pfn => qr/^\d+$/,
            }),
            tell($lender  => 'look', {pages => $all, untouched => 0, written => $all, in_use => $all}),
            tell(borrower => 'borrow_end', {pages => $all}),
        ) } @batches),
        tell($lender => 'lend_end', {pages => $all, deferred => 0}),
    );
}

# Both are saved and restored. The lender's grants hold for the number that the borrower had, and not
# for the one that it gets.
sub restored {
    my ($lender, $nr) = @_;
    return (
        tell($lender => "lend \@borrower $nr", {pages => $nr}),
        put($lender  => 'keep_reference'), put($lender => 'come_back'), put($lender => 'put_reference'),
        tell(borrower => "borrow \@$lender", {pages => $nr, mapped => $nr, intact => $nr}),
        tell($lender  => 'look',       {untouched => 0, written => $nr, in_use => $nr}),
        tell(borrower => 'borrow_end', {pages => $nr}),
        put(borrower  => 'come_back'),
        in_vain(borrower => "borrow \@$lender", '-5 \(EIO, .*\)', 'undefined error'),
        tell($lender => 'lend_end', {pages => $nr, deferred => 0}),
    );
}

# References that are old, another domain's, of a domain that lends nothing, and of none.
sub wrong {
    my ($lender) = @_;
    return (
        tell($lender => 'lend @borrower 64', {grants => 66}), put($lender => 'keep_reference'),
        in_vain(third => "borrow \@$lender", '-5 \(EIO, .*\)', 'undefined error'),
        tell($lender => 'lend_end', {deferred => 0}),
        in_vain(borrower => "borrow \@$lender", '-22 \(EINVAL, .*\)'),
        put($lender => 'put_reference'),
        in_vain(borrower => "borrow \@$lender", '-5 \(EIO, .*\)', 'undefined error'),
        in_vain(borrower => 'borrow @third',    '-13 \(EACCES, .*\)'),
        put(third => 'put_reference 9'),
        in_vain(borrower => 'borrow @third', '-5 \(EIO, .*\)', 'undefined error'),
        put(third => 'put_reference 100000'),
        in_vain(borrower => 'borrow @third', '-5 \(EIO, .*\)', 'invalid grant reference'),
        in_vain(borrower => 'borrow 30000',  '-13 \(EACCES, .*\)'),
        put(third => 'put_reference_of 30000 9'),
        in_vain(borrower => 'borrow 30000', '-5 \(EIO, .*\)', 'unrecognised domain id'),
        tell(borrower => 'borrow_end', {pages => 0}),
    );
}

# More pages than there are, and more grants than the table may have: nothing of it stays.
sub too_much {
    return (
        tell(borrower => 'borrow_end', {pages => 0}),
        tell(borrower => "lend \@third $all", "lend: $all pages cannot be lent: -12 \\(ENOMEM, .*\\)"),
        tell(borrower => 'borrow_end', {pages => 0}),
        tell(third    => 'lend @borrower 1',   {pages => 1}),
        tell(third    => 'lend_end',           {pages => 1, deferred => 0}),
        tell(third    => 'lend @borrower 600', 'lend: 600 pages cannot be lent: -28 \(ENOSPC, .*\)'),
        tell(third    => 'lend_end',           {pages => 0, deferred => 0}),
    );
}

# A grant for reading: Xen maps it for writing for nobody, and what it maps cannot be written to.
sub readonly {
    my ($lender) = @_;
    return (
        tell($lender  => 'lend @borrower 64 ro', {grants => 66}),
        tell(borrower => "borrow \@$lender", {mapped => 0, failed => 64, intact => 0, why => 'undefined error'}),
        tell(borrower => 'borrow_end',          {pages => 64}),
        tell(borrower => "borrow \@$lender ro", {mapped => 64, failed => 0, intact => 64}),
        tell(borrower => 'borrow poke',         {pages => 64, traps => 64}),
        tell($lender  => 'look',       {untouched => 64, written => 0, in_use => 64}),
        tell(borrower => 'borrow_end', {pages     => 64}),
        tell($lender  => 'lend_end',   {deferred  => 0}),
    );
}

# The same mapping again and again.
sub rounds {
    my ($lender, $n) = @_;
    return (
        tell($lender  => 'lend @borrower 64', {grants => 66}),
        tell(borrower => "borrow \@$lender 64 $n", {
            rounds => $n, mapped => 64, failed => 0, maps => 64 * $n, unmaps => 64 * ($n - 1),
        }),
        tell(borrower => 'borrow_end', {pages    => 64}),
        tell($lender  => 'lend_end',   {deferred => 0}),
        put($lender   => 'no_grant_in_use'),
    );
}

# The lender ends access, to pages that the borrower goes on using: they are not free, and no other
# lending gets them. Till the end it cannot be suspended.
sub late {
    my ($lender, $nr) = @_;
    return (
        tell($lender  => "lend \@borrower $nr",     {pages => $nr}),
        tell(borrower => "borrow \@$lender",        {mapped => $nr, intact => $nr}),
        tell($lender  => 'lend_end',                {pages => $nr, deferred => $nr}),
        tell($lender  => 'lend @borrower 64 ro',    {pages => 64}),
        tell(borrower => 'borrow look',             {mapped => $nr, intact => $nr}),
        tell(borrower => 'borrow poke',             {pages => $nr, traps => 0}),
        put($lender   => 'ask_to_suspend', qr/^$suspended_no$/m,
            'sharing: \d+ pages at 0x\w+ are in use: grants', "suspend: $suspended_no"),
        tell($lender  => 'look',       {untouched => 64, in_use => 0}),
        tell($lender  => 'lend_end',   {pages => 64, deferred => $nr}),
        tell(borrower => 'borrow_end', {pages => $nr}),
        tell($lender  => 'lend_end',   {pages => 0, deferred => 0}),
        put($lender   => 'tests'),
    );
}

# By the real tool, which gives up; as soon as the borrower has let go, it succeeds.
sub refused {
    my ($lender) = @_;
    my @why = ('sharing: \d+ pages at 0x\w+ are in use: grants', "suspend: $suspended_no");
    return (
        tell($lender  => 'lend @borrower 64', {grants => 66}),
        tell(borrower => "borrow \@$lender", {mapped => 64, intact => 64}),
        put($lender   => 'save_is_refused', qr/^$suspended_no$/m, @why),
        tell(borrower => 'borrow look', {mapped => 64, intact => 64}),
        tell(borrower => 'borrow_end', {pages => 64}),
        put($lender   => 'come_back'),
        tell($lender  => 'look',     {pages => 64, written => 64, in_use => 0}),
        tell($lender  => 'lend_end', {deferred => 0}),
    );
}

# The borrower is suspended with what it has borrowed: mapped anew if it stays, and if it comes back
# as another domain not mapped at all.
sub carried {
    my ($lender) = @_;
    return (
        tell($lender  => 'lend @borrower 64',   {grants => 66}),
        tell(borrower => "borrow \@$lender 32", {mapped => 64}),
        put(borrower  => 'checkpoint'),
        tell(borrower => 'borrow look', {mapped  => 64, intact => 64}),
        tell($lender  => 'look',        {written => 64, in_use => 64}),
        put(borrower  => 'come_back', undef, 'sharing: 1 ranges could not be mapped again'),
        tell(borrower => 'borrow look', {pages    => 64, mapped => 0, intact => 0}),
        tell($lender  => 'look',        {written  => 64, in_use => 0}),
        tell(borrower => 'borrow_end',  {pages    => 64}),
        tell($lender  => 'lend_end',    {deferred => 0}),
    );
}

# The borrower goes, with what it has borrowed.
sub borrower_gone {
    my ($lender) = @_;
    return (
        tell($lender => 'lend @third 64',   {grants => 66}),
        tell(third   => "borrow \@$lender", {mapped => 64, intact => 64}),
        tell($lender => 'lend_end', {deferred => 64}),
        put(third    => 'gone'),
        tell($lender => 'lend_end', {deferred => 0}),
        put($lender  => 'tests'),
    );
}

# The lender goes, and what it lent stays until the borrower has unmapped it.
sub lender_gone {
    my ($lender) = @_;
    return (
        tell($lender  => 'lend @borrower 64', {grants => 66}),
        tell(borrower => "borrow \@$lender",  {mapped => 64, intact => 64}),
        put($lender   => 'vanish', qr/^\(null\) .*--p--d/m),
        tell(borrower => 'borrow look', {mapped => 64, intact => 64}),
        tell(borrower => 'borrow poke', {pages  => 64, traps  => 0}),
        tell(borrower => 'borrow_end',  {pages  => 64}),
        put($lender   => 'vanished'),
        in_vain(borrower => "borrow \@$lender", '-13 \(EACCES, .*\)'),
        put(borrower  => 'tests'),
    );
}

1;
