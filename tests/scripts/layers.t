#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# scripts/check/layers keeps includes and symbols within the layers. Without this test,
# it could stop finding violations, and nobody would notice as long as the tree has none.

use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Run;
use Test::More;

# Makes a tree of files that keep the layers and of these files, and returns the command that checks it.
sub tree {
    my %files = (
        'lib/types.h'         => "#include <stdint.h>\n",
        'arch/x86/pte.h'      => "#include \"lib/types.h\"\n#include <xen/xen.h>\n",
        'mm/p2m.h'            => "#include \"arch/x86/pte.h\"\n",
        'mm/p2m.c'            => "#include \"mm/p2m.h\"\n#include \"build/version.h\"\n",
        'xen/start_info.h'    => "#include \"mm/p2m.h\"\n",
        'kernel/main.c'       => "#include \"xen/start_info.h\"\n",
        'tests/guest/sweep.c' => "#include \"kernel/tests.h\"\n",
        'tests/unit/e820.c'   => "#include <cmocka.h>\n#include \"../x.h\"\n",
        @_,
    );
    my $dir = tempdir();
    write_file("$dir/$_", $files{$_}) for keys %files;
    return ({dir => $dir}, script('check/layers'));
}

is_deeply [run(tree())], [0, '', ''], 'a tree that keeps the layers: exit code is 0, without a message';
for my $case (
    ['an include of a higher layer', 'mm/p2m.h', "\n#include \"kernel/main.h\"",
        qr{^mm/p2m\.h:2: layer mm includes kernel/main\.h of the higher layer kernel$}],
    ['an include of a higher layer in assembly', 'arch/x86/entry.S', '# include "mm/p2m.h"',
        qr{^arch/x86/entry\.S:1: layer arch includes mm/p2m\.h}],
    ['kernel includes tests/guest', 'kernel/main.c', '#include "tests/guest/sweep.h"',
        qr{layer kernel includes tests/guest/sweep\.h}],
    ['kernel/selftest includes kernel/boot', 'kernel/selftest/a.c', '#include "kernel/boot/b.h"',
        qr{layer kernel/selftest includes kernel/boot/b\.h of the higher layer kernel/boot$}],
    ['kernel/boot includes kernel/shell', 'kernel/boot/a.c', '#include "kernel/shell/b.h"',
        qr{layer kernel/boot includes kernel/shell/b\.h}],
    ['kernel/boot includes kernel/suspend.h', 'kernel/boot/a.c', '#include "kernel/suspend.h"',
        qr{layer kernel/boot includes kernel/suspend\.h of the higher layer kernel/suspend$}],
    ['kernel/shell includes kernel/live.h', 'kernel/shell/a.c', '#include "kernel/live.h"',
        qr{layer kernel/shell includes kernel/live\.h of the higher layer kernel$}],
    ['kernel/domain.h includes kernel/boot', 'kernel/domain.h', '#include "kernel/boot/b.h"',
        qr{layer kernel/domain\.h includes kernel/boot/b\.h}],
    ['lib includes a header of Xen', 'lib/a.c', '#include <xen/xen.h>',
        qr{^lib/a\.c:1: layer lib includes <xen/xen\.h>}],
    ['an include of the C library', 'kernel/a.c', '#include <stdio.h>',
        qr{^kernel/a\.c:1: expected a header of Xen or of a freestanding compiler, found <stdio\.h>$}],
    ['an include without path', 'mm/a.c', '#include "p2m.h"',
        qr{^mm/a\.c:1: expected the path of a header from the top of the tree, found "p2m\.h"$}],
    ['a header that includes itself', 'mm/a.h', '#include "mm/a.h"',
        qr{^headers include each other: mm/a\.h -> mm/a\.h$}],
) {
    my ($name, $path, $text, $sentence) = @$case;
    is_refused $name, 1, $sentence, tree($path => "$text\n");
}
is_refused 'a cycle of headers', 1, qr{^headers include each other: mm/b\.h -> mm/c\.h -> mm/b\.h$},
    tree('mm/a.h' => '#include "mm/b.h"', 'mm/b.h' => '#include "mm/c.h"', 'mm/c.h' => '#include "mm/b.h"');

# Two objects that need each other, and one more symbol
my $dir = tempdir();

sub symbols {
    my ($needs) = @_;
    write_file("$dir/a.c", "void b(void); void a(void); void a(void) { b(); }\n");
    write_file("$dir/b.c", "void a(void); void $needs(void); void b(void); void b(void) { a(); $needs(); }\n");
    my ($exit, undef, $err) = run({dir => $dir}, qw(gcc -fno-builtin -c a.c b.c));
    die $err if $exit;
    return ({env => {CROSS_COMPILE => '', NM => 'nm'}}, script('check/layers'), '--symbols', "$dir/a.o", "$dir/b.o");
}

for my $needs (qw(HYPERVISOR_mmu_update probe_read memcpy print printk panic errno_name)) {
    is_deeply [run(symbols($needs))], [0, '', ''], "--symbols: $needs is allowed";
}
for my $needs (qw(strlen xHYPERVISOR_mmu_update memcpy2 e820_host)) {
    is_refused "--symbols: $needs", 1, qr{b\.o: needs $needs, expected only hypercalls, }, symbols($needs);
}

is((run(script('check/layers'), '--symbols'))[0], 2, '--symbols without object: exit code is 2 (bad usage)');
is((run(script('check/layers'), '--foo'))[0], 2, 'an unknown option: exit code is 2 (bad usage)');
is_refused 'a directory without tree', 2, qr/^layers: expected the folders lib /, {dir => $dir}, script('check/layers');

done_testing;
