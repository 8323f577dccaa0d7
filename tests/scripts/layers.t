#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# scripts/check-layers guards the one way down. Without this, it could go blind
# and nobody would notice: a tree that keeps the rules looks the same to it.

use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Run;
use Test::More;

# A tree of the files given; returns what check-layers says of it.
sub check_tree {
    my %files = @_;
    my $dir   = tempdir();
    write_file("$dir/$_", $files{$_}) for keys %files;
    my ($exit, $out, $err) = run({dir => $dir}, script('check-layers'));
    return ($exit, $out . $err);
}

my %good = (
    'lib/types.h'         => "#include <stdint.h>\n",
    'arch/x86/pte.h'      => "#include \"lib/types.h\"\n#include <xen/xen.h>\n",
    'mm/p2m.h'            => "#include \"arch/x86/pte.h\"\n",
    'mm/p2m.c'            => "#include \"mm/p2m.h\"\n#include \"build/version.h\"\n",
    'xen/start_info.h'    => "#include \"mm/p2m.h\"\n",
    'kernel/main.c'       => "#include \"xen/start_info.h\"\n",
    'tests/guest/sweep.c' => "#include \"kernel/tests.h\"\n",
    'tests/unit/e820.c'   => "#include <cmocka.h>\n#include \"../x.h\"\n",
);

my @cases = (
    ['good', {}, 0, qr/^$/],
    ['an include from above', {'mm/p2m.h' => "\n#include \"kernel/main.h\"\n"}, 1,
        qr{^mm/p2m\.h:2: layer mm includes kernel/main\.h of the higher layer kernel$}],
    ['from above, in assembly', {'arch/x86/entry.S' => "# include \"mm/p2m.h\"\n"}, 1,
        qr{^arch/x86/entry\.S:1: layer arch includes mm/p2m\.h}],
    ['guest tests lie above all', {'kernel/main.c' => "#include \"tests/guest/sweep.h\"\n"}, 1,
        qr{layer kernel includes tests/guest/sweep\.h}],
    ['boot above selftest', {'kernel/selftest/a.c' => "#include \"kernel/boot/b.h\"\n"}, 1,
        qr{layer kernel/selftest includes kernel/boot/b\.h of the higher layer kernel/boot$}],
    ['shell above boot', {'kernel/boot/a.c' => "#include \"kernel/shell/b.h\"\n"}, 1,
        qr{layer kernel/boot includes kernel/shell/b\.h}],
    ['suspend above boot', {'kernel/boot/a.c' => "#include \"kernel/suspend.h\"\n"}, 1,
        qr{layer kernel/boot includes kernel/suspend\.h of the higher layer kernel/suspend$}],
    ['main above shell', {'kernel/shell/a.c' => "#include \"kernel/live.h\"\n"}, 1,
        qr{layer kernel/shell includes kernel/live\.h of the higher layer kernel$}],
    ['domain.h below all of kernel', {'kernel/domain.h' => "#include \"kernel/boot/b.h\"\n"}, 1,
        qr{layer kernel/domain\.h includes kernel/boot/b\.h}],
    ['lib knows no Xen', {'lib/a.c' => "#include <xen/xen.h>\n"}, 1, qr{^lib/a\.c:1: layer lib includes <xen/xen\.h>}],
    ['not freestanding', {'kernel/a.c' => "#include <stdio.h>\n"}, 1, qr{<stdio\.h> is neither}],
    ['not from the top', {'mm/a.c' => "#include \"p2m.h\"\n"}, 1, qr{"p2m\.h" is in no layer}],
    ['a cycle',
        {'mm/a.h' => "#include \"mm/b.h\"\n", 'mm/b.h' => "#include \"mm/c.h\"\n",
         'mm/c.h' => "#include \"mm/b.h\"\n"}, 1,
        qr{^headers include each other: mm/b\.h -> mm/c\.h -> mm/b\.h$}],
    ['a header that includes itself', {'mm/a.h' => "#include \"mm/a.h\"\n"}, 1, qr{mm/a\.h -> mm/a\.h}],
);
for my $case (@cases) {
    my ($name, $files, $code, $sentence) = @$case;
    my ($exit, $said) = check_tree(%good, %$files);
    is $exit, $code, "$name: exit code";
    like $said, $sentence, "$name: sentence";
}

# Objects: two that need each other, and each one thing more.
my $dir = tempdir();

sub check_symbols {
    my ($needs) = @_;
    write_file("$dir/a.c", "void b(void); void a(void); void a(void) { b(); }\n");
    write_file("$dir/b.c", "void a(void); void $needs(void); void b(void); void b(void) { a(); $needs(); }\n");
    for my $name (qw(a b)) {
        system('gcc', '-fno-builtin', '-c', '-o', "$dir/$name.o", "$dir/$name.c") == 0 or die 'gcc failed';
    }
    local @ENV{qw(CROSS_COMPILE NM)} = ('', 'nm');
    my ($exit, $out, $err) = run(script('check-layers'), '--symbols', "$dir/a.o", "$dir/b.o");
    return ($exit, $out . $err);
}

for my $needs (qw(HYPERVISOR_mmu_update probe_read memcpy print printk panic)) {
    is_deeply [check_symbols($needs)], [0, ''], "mm may need $needs";
}
for my $needs (qw(strlen xHYPERVISOR_mmu_update memcpy2 e820_host)) {
    my ($exit, $said) = check_symbols($needs);
    is $exit, 1, "mm may not need $needs";
    like $said, qr{b\.o: needs $needs: mm may need}, 'sentence';
}

is((run(script('check-layers'), '--symbols'))[0], 2, 'no object given');
is((run(script('check-layers'), '--foo'))[0], 2, 'unknown option');
is((run({dir => $dir}, script('check-layers')))[0], 2, 'no tree here');

done_testing;
