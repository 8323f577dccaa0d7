# SPDX-License-Identifier: MIT
#
# The scenes of the grant tests. Each function returns the steps of one scene. The guests are a
# granter, whose name is an argument, the guest "grantee", and the guest "third", to which the
# granter of most scenes grants nothing.

package Scenes;

use strict;
use warnings;
use Exporter 'import';

use GrantPair;
use Host ();

our @EXPORT = qw(
    guest large restored invalid too_many readonly rounds refused suspended deferred grantee_gone granter_gone
);

# The grant table for 65,536 granted pages: one grant for each, one for each of 64 pages of
# references, one for the first page that the grantee reads, and 8 reserved entries. A frame of the
# table holds 512 entries in version 1 and 256 in version 2; a status frame of version 2 holds 2048.
my $all        = 65536;
my $all_grants = $all + 64 + 1;
my %frames     = (1 => [129, 0], 2 => [257, 33]);

my $suspended_no = 'refused: boot stage foreign failed to prepare for it: -16 \(EBUSY\)';

# guest(MEMORY in MiB, ARGUMENTS of the kernel, FRAMES that its grant table may have)
sub guest {
    my ($memory, $args, $frames) = @_;
    return {memory => $memory, args => "pattern_pages=16 $args", config => ["max_grant_frames=$frames"]};
}

# A command "grantee" that must fail with $errno. @status is the GNTST status that the guest must
# print first, unless it fails before it maps a reference.
sub fails {
    my ($guest, $command, $errno, @status) = @_;
    return tell($guest, $command,
        (map {
            "error: grantee: grant_map of reference \\d+ of domain \\d+: status is $_, "
                . "expected GNTST_okay"
        } @status),
        "error: grantee: the grants of domain \\d+ could not be mapped: $errno");
}

# 256 MiB are granted at once, and a guest of 32 MiB maps them, in batches of each size of @batches.
sub large {
    my ($granter, $version, @batches) = @_;
    my ($table, $status) = @{$frames{$version}};
    return (
        tell(grantee  => 'grantee_end', {pages => 0}),
        tell($granter => "granter \@grantee $all", {
            pages        => $all,   grants        => $all_grants, version => $version,
            table_frames => $table, status_frames => $status,
        }),
        (map { (
            tell(grantee  => "grantee \@$granter $_", {
                pages => $all, mapped => $all, failed => 0, intact => $all, pfn => qr/^\d+$/,
            }),
            tell($granter => 'granter_look', {
                pages => $all, untouched => 0, written => $all, in_use => $all,
            }),
            tell(grantee  => 'grantee_end', {pages => $all}),
        ) } @batches),
        tell($granter => 'granter_end', {pages => $all, deferred => 0}),
    );
}

# The warning of a granter that came back, with a grant for each of $nr pages, for each of the pages
# that hold their references, and for the first page that the grantee reads.
sub dropped {
    my ($nr) = @_;
    my $all = $nr + Host::ceil_div($nr, 1024) + 1;
    return "warning: grants: this domain is new, so $all grants of the old domain were dropped: "
        . "the number of a grantee may be another domain's now";
}

# Granter and grantee are saved and restored. The restored granter has dropped its grants: its old
# reference cannot be mapped, and it grants the pages again. These grants are bound to the grantee's
# old domain ID, so the restored grantee, which has a new one, cannot map them.
sub restored {
    my ($granter, $nr) = @_;
    return (
        tell($granter => "granter \@grantee $nr", {pages => $nr}),
        put($granter  => 'keep_reference'), put($granter => 'come_back', undef, dropped($nr)),
        tell($granter => 'granter_look', {untouched => $nr, in_use => 0, dropped => $nr}),
        put($granter  => 'put_reference'),
        fails(grantee => "grantee \@$granter", '-5 \(EIO\)', 'GNTST_general_error'),
        tell($granter => 'granter_end', {pages => $nr, deferred => 0}),
        tell($granter => "granter \@grantee $nr", {pages => $nr}),
        tell(grantee  => "grantee \@$granter", {pages => $nr, mapped => $nr, intact => $nr}),
        tell($granter => 'granter_look', {untouched => 0, written => $nr, in_use => $nr}),
        tell(grantee  => 'grantee_end', {pages => $nr}),
        put(grantee   => 'come_back'),
        fails(grantee => "grantee \@$granter", '-5 \(EIO\)', 'GNTST_general_error'),
        tell($granter => 'granter_end', {pages => $nr, deferred => 0}),
    );
}

# Invalid references: ended by the granter, granted to another domain, of a domain that grants
# nothing, past the end of the grant table, and of a domain that does not exist.
sub invalid {
    my ($granter) = @_;
    return (
        tell($granter => 'granter @grantee 64', {grants => 66}), put($granter => 'keep_reference'),
        fails(third => "grantee \@$granter", '-5 \(EIO\)', 'GNTST_general_error'),
        tell($granter => 'granter_end', {deferred => 0}),
        fails(grantee => "grantee \@$granter", '-22 \(EINVAL\)'),
        put($granter  => 'put_reference'),
        fails(grantee => "grantee \@$granter", '-5 \(EIO\)', 'GNTST_general_error'),
        fails(grantee => 'grantee @third', '-13 \(EACCES\)'),
        put(third     => 'put_reference 9'),
        fails(grantee => 'grantee @third', '-5 \(EIO\)', 'GNTST_general_error'),
        put(third     => 'put_reference 100000'),
        fails(grantee => 'grantee @third', '-5 \(EIO\)', 'GNTST_bad_gntref'),
        fails(grantee => 'grantee 30000', '-13 \(EACCES\)'),
        put(third     => 'put_reference_of 30000 9'),
        fails(grantee => 'grantee 30000', '-5 \(EIO\)', 'GNTST_bad_domain'),
        tell(grantee  => 'grantee_end', {pages => 0}),
    );
}

# More pages than the granter has, and more grants than its grant table may hold: the command fails,
# and leaves no page and no grant in use.
sub too_many {
    return (
        tell(grantee  => 'grantee_end', {pages => 0}),
        tell(grantee  => "granter \@third $all",
            "error: granter: $all pages could not be granted to domain \\d+: -12 \\(ENOMEM\\)"),
        tell(grantee  => 'grantee_end', {pages => 0}),
        tell(third    => 'granter @grantee 1', {pages => 1}),
        tell(third    => 'granter_end', {pages => 1, deferred => 0}),
        tell(third    => 'granter @grantee 600',
            'error: granter: 600 pages could not be granted to domain \d+: -28 \(ENOSPC\)'),
        tell(third    => 'granter_end', {pages => 0, deferred => 0}),
    );
}

# Read-only grants: Xen refuses to map them writable, and a write to a read-only mapping traps.
sub readonly {
    my ($granter) = @_;
    return (
        tell($granter => 'granter @grantee 64 ro', {grants => 66}),
        tell(grantee  => "grantee \@$granter", {
            mapped => 0, failed => 64, intact => 0, why => 'GNTST_general_error',
        }),
        tell(grantee  => 'grantee_end', {pages => 64}),
        tell(grantee  => "grantee \@$granter ro", {mapped => 64, failed => 0, intact => 64}),
        tell(grantee  => 'grantee poke', {pages => 64, traps => 64}),
        tell($granter => 'granter_look', {untouched => 64, written => 0, in_use => 64}),
        tell(grantee  => 'grantee_end', {pages => 64}),
        tell($granter => 'granter_end', {deferred => 0}),
    );
}

# The same pages are mapped and unmapped $n times.
sub rounds {
    my ($granter, $n) = @_;
    return (
        tell($granter => 'granter @grantee 64', {grants => 66}),
        tell(grantee  => "grantee \@$granter 64 $n", {
            rounds => $n, mapped => 64, failed => 0, maps => 64 * $n, unmaps => 64 * ($n - 1),
        }),
        tell(grantee  => 'grantee_end', {pages => 64}),
        tell($granter => 'granter_end', {deferred => 0}),
        put($granter  => 'no_grant_in_use'),
    );
}

# The granter ends its grants while the grantee has the pages mapped: the pages do not return to the
# frame pool, and the next grant does not use them. The granter cannot be suspended until the
# grantee unmaps them.
sub deferred {
    my ($granter, $nr) = @_;
    return (
        tell($granter => "granter \@grantee $nr", {pages => $nr}),
        tell(grantee  => "grantee \@$granter", {mapped => $nr, intact => $nr}),
        tell($granter => 'granter_end', {pages => $nr, deferred => $nr}),
        tell($granter => 'granter @grantee 64 ro', {pages => 64}),
        tell(grantee  => 'grantee look', {mapped => $nr, intact => $nr}),
        tell(grantee  => 'grantee poke', {pages => $nr, traps => 0}),
        put($granter  => 'ask_to_suspend', qr/^$suspended_no$/m,
            'warning: foreign: suspend refused: foreign range at 0x\w+ has \d+ mapped pages and its owner cannot unmap them: grants',
            "warning: suspend: $suspended_no"),
        tell($granter => 'granter_look', {untouched => 64, in_use => 0}),
        tell($granter => 'granter_end', {pages => 64, deferred => $nr}),
        tell(grantee  => 'grantee_end', {pages => $nr}),
        tell($granter => 'granter_end', {pages => 0, deferred => 0}),
        put($granter  => 'tests'),
    );
}

# The granter refuses xl save while its grants are mapped; xl save succeeds after the grantee unmaps
# them.
sub refused {
    my ($granter) = @_;
    my @why = ('warning: foreign: suspend refused: foreign range at 0x\w+ has \d+ mapped pages and its owner cannot unmap them: grants', "warning: suspend: $suspended_no");
    return (
        tell($granter => 'granter @grantee 64', {grants => 66}),
        tell(grantee  => "grantee \@$granter", {mapped => 64, intact => 64}),
        put($granter  => 'save_is_refused', qr/^$suspended_no$/m, @why),
        tell(grantee  => 'grantee look', {mapped => 64, intact => 64}),
        tell(grantee  => 'grantee_end', {pages => 64}),
        put($granter  => 'come_back', undef, dropped(64)),
        tell($granter => 'granter_look', {pages => 64, written => 64, in_use => 0, dropped => 64}),
        tell($granter => 'granter_end', {deferred => 0}),
    );
}

# The grantee is suspended while it has pages mapped. After a checkpoint (same domain) the kernel
# maps them again; in a new domain (after a restore) it leaves them unmapped.
sub suspended {
    my ($granter) = @_;
    return (
        tell($granter => 'granter @grantee 64', {grants => 66}),
        tell(grantee  => "grantee \@$granter 32", {mapped => 64}),
        put(grantee   => 'checkpoint'),
        tell(grantee  => 'grantee look', {mapped => 64, intact => 64}),
        tell($granter => 'granter_look', {written => 64, in_use => 64}),
        put(grantee   => 'come_back', undef,
            'warning: grantee: this domain is new, so 64 pages that domain \d+ granted to the old domain are not mapped again'),
        tell(grantee  => 'grantee look', {pages => 64, mapped => 0, intact => 0}),
        tell($granter => 'granter_look', {written => 64, in_use => 0}),
        tell(grantee  => 'grantee_end', {pages => 64}),
        tell($granter => 'granter_end', {deferred => 0}),
    );
}

# The grantee, here the guest "third", is destroyed while it has pages mapped.
sub grantee_gone {
    my ($granter) = @_;
    return (
        tell($granter => 'granter @third 64', {grants => 66}),
        tell(third    => "grantee \@$granter", {mapped => 64, intact => 64}),
        tell($granter => 'granter_end', {deferred => 64}),
        put(third     => 'gone'),
        tell($granter => 'granter_end', {deferred => 0}),
        put($granter  => 'tests'),
    );
}

# The granter is destroyed; the granted pages stay until the grantee has unmapped them.
sub granter_gone {
    my ($granter) = @_;
    return (
        tell($granter => 'granter @grantee 64', {grants => 66}),
        tell(grantee  => "grantee \@$granter", {mapped => 64, intact => 64}),
        put($granter  => 'vanish', qr/^\(null\) .*--p--d/m),
        tell(grantee  => 'grantee look', {mapped => 64, intact => 64}),
        tell(grantee  => 'grantee poke', {pages => 64, traps => 0}),
        tell(grantee  => 'grantee_end', {pages => 64}),
        put($granter  => 'vanished'),
        fails(grantee => "grantee \@$granter", '-13 \(EACCES\)'),
        put(grantee   => 'tests'),
    );
}

1;
