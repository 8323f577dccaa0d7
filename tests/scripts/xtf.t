#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# scripts/xtf makes a directory of the self-tests for the runner of Xen Test Framework, which ignores
# files that it cannot read. Without this test, a self-test could be missing there without a message.

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
    [[], qr/^xtf: expected DIR, found none/],
    [['--foo'], qr/^xtf: unknown option --foo/],
    [['a', 'b', 'c'], qr/^xtf: expected DIR and KERNEL, found a, b and c /],
    [["$dir/x", "$dir/none"], qr/none: no such file; run make$/],
    [["$dir/x", "$dir/nm"], qr/nm: expected a kernel with symbols guest_test_at_\*, found none$/],
    [["$kernel/x", $kernel], qr/kernel\/x\S*: cannot make this directory$/],
) {
    my ($args, $sentence) = @$case;
    my $name = join(' ', @$args) =~ s/\Q$dir\E\///gr;
    my ($exit, undef, $err) = xtf(@$args);
    is $exit, 2, "'$name': exit code is 2 (bad usage)";
    like $err, $sentence, "'$name': the message says what was found and expected";
    is $err =~ tr/\n//, 1, "'$name': the message is one line";
}
ok !-e "$dir/x", 'bad usage makes no file';

write_file("$dir/tree/tests/theirs/info.json", 'theirs');
for my $time ('first', 'second') {
    is_deeply [xtf("$dir/tree", $kernel, '--', 'say="\x"', 'p2m=list')], [0, '', ''], "the $time run: exit code is 0, without output";
}
is_deeply [sort map { s{.*/}{}r } glob "$dir/tree/tests/*"], [qw(abi_gdt all p2m theirs)], 'the directory has each self-test, all, and the tests that it had before';
for my $case ([abi_gdt => 'functional'], [p2m => 'functional'], [all => 'special']) {
    my ($name, $category) = @$case;
    my $path = "$dir/tree/tests/$name";
    is_deeply decode_json(read_file("$path/info.json")),
        {name => $name, category => $category, environments => ['pv64'], variations => []}, "$name: info.json has the category $category";
    is read_file("$path/test-pv64-$name.cfg"), <<"END", "$name: the configuration for xl has test=$name and the arguments";
name="test-pv64-$name"
kernel="tests/$name/test-pv64-$name"
extra="test=$name say=\\"\\\\x\\" p2m=list"
memory=64
END
    is read_file("$path/test-pv64-$name"), 'kernel', "$name: the directory has the kernel";
}
is +(stat "$dir/tree/tests/all/test-pv64-all")[3], 3, 'the three kernels are links to one file';

done_testing;
