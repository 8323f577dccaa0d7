#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# Two guests, a and b, on a host that is nearly full: one is told to grow before the other one is told
# to shrink, as a person or a memory manager may do. The one that grows asks again until it has its
# target, also after it was saved and restored meanwhile. Without this test a guest could stay small
# for ever because Xen had no memory at the moment of xl mem-set.

use strict;
use warnings;
use Test::More;

use FindBin;
use lib $FindBin::Bin, "$FindBin::Bin/../scripts";
use Host;
use Run;

my $dir = tempdir;

# The job writes the size of guest a to its configuration file: what is free, less the size of b and
# 96 MiB.
write_file("$dir/a.cfg", config_file({mem => '1M', args => 'done=wait test=p2m,accounting'}));
write_file("$dir/b.cfg",
    config_file({mem => '128M', maxmem => '1024M', args => 'done=wait test=p2m,accounting'}));
write_file("$dir/job", <<'END');
big=$(($(xl info | awk '$1 == "free_memory" { print $3 }') - 128 - 96))
small=128
target=$((small + 96 + 200))
echo "$small $target $big" >/out/sizes
sed -i "s/^memory=.*/memory=$big/" a.cfg

size() { domu_node "$1" data/balloon; }
is_short() { size "$1" | grep ' of '$(($2 * 256))' pages: Xen allocates no more pages'; }
has() { size "$1" | grep -x "$(($2 * 256)) of $(($2 * 256)) pages"; }

# grows_before NAME MIB OTHER MIB [COMMAND...]: NAME is told to grow, COMMAND runs, and then OTHER is
# told to shrink.
grows_before() {
    local name=$1 mib=$2 other=$3 less=$4
    shift 4
    xl mem-set "$name" "$mib" && domu_until 60 is_short "$name" "$mib" &&
        { [ $# = 0 ] || "$@"; } && is_short "$name" "$mib" &&
        xl mem-set "$other" "$less" && domu_until 100 has "$other" "$less" && domu_until 100 has "$name" "$mib"
}

save_restore() {
    xl save "$1" "/tmp/$1.save" && domu_tests "$1" domu_start "$1" restore "/tmp/$1.save" &&
        domu_until 60 is_short "$1" "$2"
}

domu_tests a domu_start a create a.cfg && domu_tests b domu_start b create b.cfg &&
    step b grows_before b $target a $small &&
    step a grows_before a $big b $small &&
    step b grows_before b $target a $small save_restore b $target &&
    step a xl mem-set b $small && domu_until 100 has b $small && step a xl mem-set a $big && domu_until 100 has a $big
step b domu_tests b domu_command b test
step a domu_tests a domu_command a test
END
symlink kernel, "$dir/xenolith" or die $!;
my ($code, undef, $err) = run(script('host/dom0'), '--quiet', '--xen', xen, '--host-mem', '2G', '--out',
    "$dir/out", "$dir/job", map { "$dir/$_" } qw(a.cfg b.cfg xenolith));
is $code, 0, 'scripts/host/dom0 exits with 0: the job ran to its end' or diag $err;

my ($small, $target, $big) = split / /, -e "$dir/out/sizes" ? read_file("$dir/out/sizes") : '0 0 0';

# The output of a step, and the part of the guest's console that was printed during the step.
sub steps {
    my ($name) = @_;
    return map {
        my ($number, $exit, undef, $begin, $end, @words) = split / /;
        {name => $name, exit => $exit, words => "@words", printed => read_file("$dir/out/$name.$number"),
            console => substr(read_file("$dir/out/$name.log"), $begin, $end - $begin) =~ s/\r//gr};
    } -e "$dir/out/$name.steps" ? split /\n/, read_file("$dir/out/$name.steps") : ();
}

my @steps = map { steps($_) } qw(a b);
is scalar(@steps), 7, 'all steps were made';
for my $step (@steps) {
    subtest "$step->{name}: $step->{words}" => sub {
        is $step->{exit}, 0, 'the step succeeds' or diag $step->{printed};
        like $step->{console}, qr/^Test result: SUCCESS$/m, 'all self-tests succeed' if $step->{words} =~ / test$/;
        return if $step->{words} !~ /^grows_before \w (\d+)/;
        my $pages = 256 * $1;
        my @said  = $step->{console} =~ /^balloon: memory\/target: this domain has (\d+) of $pages pages/mg;
        my $times = $step->{words} =~ /save_restore/ ? 3 : 2; # a new domain says it again
        is scalar(@said), $times, 'the guest says once that it is short of the target, and once that it is there'
            or diag $step->{console};
        cmp_ok $said[0] // $pages, '<', $pages, 'first it is short of the target';
        is $said[-1], $pages, 'in the end it has the target';
    };
}

done_testing;
