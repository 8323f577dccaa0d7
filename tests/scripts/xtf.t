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
my %env = (NM => write_script("$dir/nm", <<'END'));
#!/bin/bash
[ "$(<"$1")" = kernel ] || exit 1
echo 'ffffffff8011fdb0 r guest_test_at_p2m'
echo 'ffffffff80100000 r guest_test_p2m'
echo 'ffffffff8011fdb8 R guest_test_at_abi_gdt'
END

for my $case (
    ['no argument',                     qr/^xtf: expected DIR, found none/],
    ['an unknown option',               qr/^xtf: unknown option --foo/, '--foo'],
    ['three arguments',                 qr/^xtf: expected DIR and KERNEL, found a b c /, qw(a b c)],
    ['a kernel that does not exist',    qr/none: no such file; run make$/, "$dir/x", "$dir/none"],
    ['a kernel without self-tests',     qr/nm: expected a kernel with symbols guest_test_at_\*/, "$dir/x", "$dir/nm"],
    ['a directory that cannot be made', qr/kernel\/x\S*: cannot make this directory$/, "$kernel/x", $kernel],
) {
    my ($name, $sentence, @arguments) = @$case;
    is_refused $name, 2, $sentence, {env => \%env}, script('xtf'), @arguments;
}
ok !-e "$dir/x", 'bad usage makes no file';

write_file("$dir/tree/tests/theirs/info.json", 'theirs');
write_file("$dir/tree/tests/all/test-pv64-all", 'an older kernel');
for my $time ('first', 'second') {
    is_deeply [run({env => \%env}, script('xtf'), "$dir/tree", $kernel, '--', 'say="\x"', 'p2m=list')], [0, '', ''],
        "the $time run: exit code is 0, without output";
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
