# SPDX-License-Identifier: MIT
#
# What two guests that share pages are put through: each function returns the steps of one scene.
# There are a granter, by name, a grantee, and a third domain, which has nothing to do with it.

package Scenes;

use strict;
use warnings;
use Exporter 'import';

use GrantPair;

our @EXPORT = qw(
    guest large restored wrong too_much readonly rounds refused carried late grantee_gone granter_gone
);

# The table of 65,536 pages, 64 pages of references and one more, behind 8 entries that are reserved:
# 512 entries a frame in version 1, 256 in version 2, whose status frames have 2048 each.
my $all        = 65536;
my $all_grants = $all + 64 + 1;
my %frames     = (1 => [129, 0], 2 => [257, 33]);

my $suspended_no = 'refused: stage foreign cannot be suspended: -16 \(EBUSY\)';

# guest(MEMORY in MiB, ARGUMENTS of the kernel, FRAMES of its grant table)
sub guest {
    my ($memory, $args, $frames) = @_;
    return {memory => $memory, args => "pattern_pages=16 $args", config => ["max_grant_frames=$frames"]};
}

# Nothing comes of it, and why: what the guest says of the reference, if it has one, and the errno.
sub in_vain {
    my ($guest, $command, $errno, @status) = @_;
    return tell($guest, $command,
        (map { "error: grantee: grant_map of reference \\d+ of domain \\d+: $_" } @status),
        "error: grantee: the grants of domain \\d+ could not be mapped: $errno");
}

# 256 MiB granted at once, and mapped by a guest of 32 MiB: in batches of several sizes.
sub large {
    my ($granter, $version, @batches) = @_;
    my ($table, $status) = @{$frames{$version}};
    return (
        tell(grantee => 'grantee_end', {pages => 0}),
        tell($granter  => "granter \@grantee $all", {
            pages        => $all,   grants        => $all_grants, version => $version,
            table_frames => $table, status_frames => $status,
        }),
        (map { (
            tell(grantee => "grantee \@$granter $_", {
                pages => $all, mapped => $all, failed => 0, intact => $all, pfn => qr/^\d+$/,
            }),
            tell($granter  => 'granter_look', {pages => $all, untouched => 0, written => $all, in_use => $all}),
            tell(grantee => 'grantee_end', {pages => $all}),
        ) } @batches),
        tell($granter => 'granter_end', {pages => $all, deferred => 0}),
    );
}

# Both are saved and restored. The granter's grants hold for the number that the grantee had, and not
# for the one that it gets.
sub restored {
    my ($granter, $nr) = @_;
    return (
        tell($granter => "granter \@grantee $nr", {pages => $nr}),
        put($granter  => 'keep_reference'), put($granter => 'come_back'), put($granter => 'put_reference'),
        tell(grantee => "grantee \@$granter", {pages => $nr, mapped => $nr, intact => $nr}),
        tell($granter  => 'granter_look',       {untouched => 0, written => $nr, in_use => $nr}),
        tell(grantee => 'grantee_end', {pages => $nr}),
        put(grantee  => 'come_back'),
        in_vain(grantee => "grantee \@$granter", '-5 \(EIO\)', 'GNTST_general_error'),
        tell($granter => 'granter_end', {pages => $nr, deferred => 0}),
    );
}

# References that are old, another domain's, of a domain that grants nothing, and of none.
sub wrong {
    my ($granter) = @_;
    return (
        tell($granter => 'granter @grantee 64', {grants => 66}), put($granter => 'keep_reference'),
        in_vain(third => "grantee \@$granter", '-5 \(EIO\)', 'GNTST_general_error'),
        tell($granter => 'granter_end', {deferred => 0}),
        in_vain(grantee => "grantee \@$granter", '-22 \(EINVAL\)'),
        put($granter => 'put_reference'),
        in_vain(grantee => "grantee \@$granter", '-5 \(EIO\)', 'GNTST_general_error'),
        in_vain(grantee => 'grantee @third',    '-13 \(EACCES\)'),
        put(third => 'put_reference 9'),
        in_vain(grantee => 'grantee @third', '-5 \(EIO\)', 'GNTST_general_error'),
        put(third => 'put_reference 100000'),
        in_vain(grantee => 'grantee @third', '-5 \(EIO\)', 'GNTST_bad_gntref'),
        in_vain(grantee => 'grantee 30000',  '-13 \(EACCES\)'),
        put(third => 'put_reference_of 30000 9'),
        in_vain(grantee => 'grantee 30000', '-5 \(EIO\)', 'GNTST_bad_domain'),
        tell(grantee => 'grantee_end', {pages => 0}),
    );
}

# More pages than there are, and more grants than the table may have: nothing of it stays.
sub too_much {
    return (
        tell(grantee => 'grantee_end', {pages => 0}),
        tell(grantee => "granter \@third $all", "error: granter: $all pages could not be granted to domain \\d+: -12 \\(ENOMEM\\)"),
        tell(grantee => 'grantee_end', {pages => 0}),
        tell(third    => 'granter @grantee 1',   {pages => 1}),
        tell(third    => 'granter_end',           {pages => 1, deferred => 0}),
        tell(third    => 'granter @grantee 600', 'error: granter: 600 pages could not be granted to domain \d+: -28 \(ENOSPC\)'),
        tell(third    => 'granter_end',           {pages => 0, deferred => 0}),
    );
}

# A grant for reading: Xen maps it for writing for nobody, and what it maps cannot be written to.
sub readonly {
    my ($granter) = @_;
    return (
        tell($granter  => 'granter @grantee 64 ro', {grants => 66}),
        tell(grantee => "grantee \@$granter", {mapped => 0, failed => 64, intact => 0, why => 'GNTST_general_error'}),
        tell(grantee => 'grantee_end',          {pages => 64}),
        tell(grantee => "grantee \@$granter ro", {mapped => 64, failed => 0, intact => 64}),
        tell(grantee => 'grantee poke',         {pages => 64, traps => 64}),
        tell($granter  => 'granter_look',       {untouched => 64, written => 0, in_use => 64}),
        tell(grantee => 'grantee_end', {pages     => 64}),
        tell($granter  => 'granter_end',   {deferred  => 0}),
    );
}

# The same mapping again and again.
sub rounds {
    my ($granter, $n) = @_;
    return (
        tell($granter  => 'granter @grantee 64', {grants => 66}),
        tell(grantee => "grantee \@$granter 64 $n", {
            rounds => $n, mapped => 64, failed => 0, maps => 64 * $n, unmaps => 64 * ($n - 1),
        }),
        tell(grantee => 'grantee_end', {pages    => 64}),
        tell($granter  => 'granter_end',   {deferred => 0}),
        put($granter   => 'no_grant_in_use'),
    );
}

# The granter ends access, to pages that the grantee goes on using: they are not free, and no other
# granting gets them. Till the end it cannot be suspended.
sub late {
    my ($granter, $nr) = @_;
    return (
        tell($granter  => "granter \@grantee $nr",     {pages => $nr}),
        tell(grantee => "grantee \@$granter",        {mapped => $nr, intact => $nr}),
        tell($granter  => 'granter_end',                {pages => $nr, deferred => $nr}),
        tell($granter  => 'granter @grantee 64 ro',    {pages => 64}),
        tell(grantee => 'grantee look',             {mapped => $nr, intact => $nr}),
        tell(grantee => 'grantee poke',             {pages => $nr, traps => 0}),
        put($granter   => 'ask_to_suspend', qr/^$suspended_no$/m,
            'warning: foreign: \d+ pages mapped at 0x\w+ block the suspend: grants', "warning: suspend: $suspended_no"),
        tell($granter  => 'granter_look',       {untouched => 64, in_use => 0}),
        tell($granter  => 'granter_end',   {pages => 64, deferred => $nr}),
        tell(grantee => 'grantee_end', {pages => $nr}),
        tell($granter  => 'granter_end',   {pages => 0, deferred => 0}),
        put($granter   => 'tests'),
    );
}

# By the real tool, which gives up; as soon as the grantee has let go, it succeeds.
sub refused {
    my ($granter) = @_;
    my @why = ('warning: foreign: \d+ pages mapped at 0x\w+ block the suspend: grants', "warning: suspend: $suspended_no");
    return (
        tell($granter  => 'granter @grantee 64', {grants => 66}),
        tell(grantee => "grantee \@$granter", {mapped => 64, intact => 64}),
        put($granter   => 'save_is_refused', qr/^$suspended_no$/m, @why),
        tell(grantee => 'grantee look', {mapped => 64, intact => 64}),
        tell(grantee => 'grantee_end', {pages => 64}),
        put($granter   => 'come_back'),
        tell($granter  => 'granter_look',     {pages => 64, written => 64, in_use => 0}),
        tell($granter  => 'granter_end', {deferred => 0}),
    );
}

# The grantee is suspended with what it has mapped: mapped anew if it stays, and if it comes back
# as another domain not mapped at all.
sub carried {
    my ($granter) = @_;
    return (
        tell($granter  => 'granter @grantee 64',   {grants => 66}),
        tell(grantee => "grantee \@$granter 32", {mapped => 64}),
        put(grantee  => 'checkpoint'),
        tell(grantee => 'grantee look', {mapped  => 64, intact => 64}),
        tell($granter  => 'granter_look',        {written => 64, in_use => 64}),
        put(grantee  => 'come_back', undef, 'warning: foreign: 1 foreign ranges could not be remapped after resume, or only in part'),
        tell(grantee => 'grantee look', {pages    => 64, mapped => 0, intact => 0}),
        tell($granter  => 'granter_look',        {written  => 64, in_use => 0}),
        tell(grantee => 'grantee_end',  {pages    => 64}),
        tell($granter  => 'granter_end',    {deferred => 0}),
    );
}

# The grantee goes, with what it has mapped.
sub grantee_gone {
    my ($granter) = @_;
    return (
        tell($granter => 'granter @third 64',   {grants => 66}),
        tell(third   => "grantee \@$granter", {mapped => 64, intact => 64}),
        tell($granter => 'granter_end', {deferred => 64}),
        put(third    => 'gone'),
        tell($granter => 'granter_end', {deferred => 0}),
        put($granter  => 'tests'),
    );
}

# The granter goes, and what it granted stays until the grantee has unmapped it.
sub granter_gone {
    my ($granter) = @_;
    return (
        tell($granter  => 'granter @grantee 64', {grants => 66}),
        tell(grantee => "grantee \@$granter",  {mapped => 64, intact => 64}),
        put($granter   => 'vanish', qr/^\(null\) .*--p--d/m),
        tell(grantee => 'grantee look', {mapped => 64, intact => 64}),
        tell(grantee => 'grantee poke', {pages  => 64, traps  => 0}),
        tell(grantee => 'grantee_end',  {pages  => 64}),
        put($granter   => 'vanished'),
        in_vain(grantee => "grantee \@$granter", '-13 \(EACCES\)'),
        put(grantee  => 'tests'),
    );
}

1;
