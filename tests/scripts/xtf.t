#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# scripts/xtf lays out the self-tests for Xen Test Framework's runner, which passes over in silence
# whatever it cannot read. Without this a test could be missing there, and nobody would be told.

use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use JSON::PP;
use Run;
use Test::More;

my $dir    = tempdir();
my $kernel = write_file("$dir/kernel", 'kernel');
write_file("$dir/nm", <<'END');
#!/bin/bash
[ "$(<"$1")" = kernel ] || exit 1
echo 'ffffffff8011fdb0 r guest_test_at_p2m'
echo 'ffffffff80100000 r guest_test_p2m'
echo 'ffffffff8011fdb8 R guest_test_at_abi_gdt'
END
chmod 0755, "$dir/nm";

sub xtf {
    return run({env => {NM => "$dir/nm"}}, script('xtf'), @_);
}

for my $case (
    [[], qr/^xtf: DIR is missing/],
    [['--foo'], qr/^xtf: unknown option --foo/],
    [['a', 'b', 'c'], qr/^xtf: DIR and KERNEL expected, found a, b and c/],
    [["$dir/x", "$dir/none"], qr/none: no such file; run make$/],
    [["$dir/x", "$dir/nm"], qr/nm: expected a kernel with self-tests and symbols, found no test$/],
    [["$kernel/x", $kernel], qr/kernel\/x\S*: cannot be made$/],
) {
    my ($args, $sentence) = @$case;
    my $name = join(' ', @$args) =~ s/\Q$dir\E\///gr;
    my ($exit, undef, $err) = xtf(@$args);
    is $exit, 2, "'$name': exit code";
    like $err, $sentence, "'$name': sentence";
    is $err =~ tr/\n//, 1, "'$name': one line";
}
ok !-e "$dir/x", 'and nothing is made';

write_file("$dir/tree/tests/theirs/info.json", 'theirs');
for my $time ('once', 'again') {
    is_deeply [xtf("$dir/tree", $kernel, '--', 'say="\x"', 'p2m=list')], [0, '', ''], $time;
}
is_deeply [sort map { s{.*/}{}r } glob "$dir/tree/tests/*"], [qw(abi_gdt all p2m theirs)], 'each test, all of them, and theirs';
for my $case ([abi_gdt => 'functional'], [p2m => 'functional'], [all => 'special']) {
    my ($name, $category) = @$case;
    my $path = "$dir/tree/tests/$name";
    is_deeply decode_json(read_file("$path/info.json")),
        {name => $name, category => $category, environments => ['pv64'], variations => []}, "$name: info.json";
    is read_file("$path/test-pv64-$name.cfg"), <<"END", "$name: for xl";
name="test-pv64-$name"
kernel="tests/$name/test-pv64-$name"
extra="test=$name say=\\"\\\\x\\" p2m=list"
memory=64
END
    is read_file("$path/test-pv64-$name"), 'kernel', "$name: the kernel";
}
is +(stat "$dir/tree/tests/all/test-pv64-all")[3], 3, 'of which there is one';

done_testing;
