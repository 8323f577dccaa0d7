#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# scripts/verdict decides what CI believes. Without this, a guest that dies, or
# says less than it announced, could pass.

use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Run;
use Test::More;

my $dir  = tempdir();
my $good = <<'END';
(XEN) Xen version 4.17.7
Xenolith 0.1
TAP version 14
1..3
memory: a line of the kernel's log
ok 1 - e820
# a remark
ok 2 - balloon # SKIP no max: given
(XEN) d0: a remark of Xen's between two tests
ok 3 - p2m
{"report":"boot","nr_pages":131072}
Test result: SUCCESS
(XEN) Hardware Dom0 shutdown: rebooting machine
END

# The log, with each pattern of the list replaced by what follows it.
sub changed {
    my ($log, @changes) = ($good, @_);
    while (my ($from, $to) = splice @changes, 0, 2) {
        $log =~ s/$from/$to/m or die "nothing to change: $from";
    }
    return $log;
}

# name, options, log, exit code, what the sentence must say
my @cases = (
    ['success', [], $good, 0, qr/^xenolith: 2 passed, 1 skipped$/],
    ['success with CR LF', [], $good =~ s/\n/\r\n/gr, 0, qr/2 passed, 1 skipped/],
    ['expected failure', [], changed('ok 3 - p2m', 'not ok 3 - p2m # TODO later'), 0, qr/2 passed/],

    ['no test asked for', [],
        "TAP version 14\n1..0 # SKIP no test asked for\nTest result: SKIP\n", 3, qr/skip: .*no test asked for/],
    ['skip', [], changed('SUCCESS', 'SKIP'), 3, qr/skip: 2 passed, 1 skipped/],
    ['error', [], changed('SUCCESS', 'ERROR'), 4, qr/error: the guest says so/],
    ['error in a test', [], changed('ok 3', 'not ok 3', 'SUCCESS', 'ERROR'), 4, qr/error: 1 failed, .*test 3 - p2m/],
    ['failure', [], changed('ok 3', 'not ok 3', 'SUCCESS', 'FAILURE'), 5, qr/failure: 1 failed, .*test 3 - p2m/],

    ['silence', [], '', 5, qr/said nothing/],
    ['silence but for Xen', [], "(XEN) Xen version 4.17.7\n", 5, qr/said nothing/],
    ['no TAP', [], "Xenolith 0.1\n", 5, qr/TAP version 14/],
    ['TAP of an older version', [], changed('14', '13'), 5, qr/TAP version 14/],
    ['no plan', [], changed('1\.\.3\n', ''), 5, qr/plan before the tests, found: ok 1/],
    ['no plan and no test', [], "TAP version 14\nTest result: SUCCESS\n", 5, qr/no plan/],
    ['plan last', [], changed('1\.\.3\n', '', 'Test result', "1..3\nTest result"), 5,
        qr/plan before the tests, found: ok 1/],
    ['two plans', [], changed('ok 1', "1..3\nok 1"), 5, qr/More than one plan/],
    ['short of the plan', [], changed('1\.\.3', '1..4'), 5, qr/planned 4 tests but ran 3/],
    ['beyond the plan', [], changed('1\.\.3', '1..2'), 5, qr/planned 2 tests but ran 3/],
    ['out of sequence', [], changed('ok 2', 'ok 7'), 5, qr/out of sequence/],
    ['started twice', [], $good . $good, 5, qr/TAP version 14.*found 2/],

    ['no last line', [], changed('Test result.*\n', ''), 5, qr/no last line/],
    ['two last lines', [], changed('ok 1', "Test result: SUCCESS\nok 1"), 5, qr/more than one line/],
    ['a line after the last', [], changed('(Test result.*)', "Test result: SUCCESS\nmore"), 5,
        qr/not the test result but: more/],
    ['not a result', [], changed('SUCCESS', 'FINE'), 5, qr/not a result/],
    ['SUCCESS though a test failed', [], changed('ok 3', 'not ok 3'), 5, qr/says SUCCESS, but 1 failed/],
    ['SUCCESS though none passed', [], "TAP version 14\n1..0 # SKIP x\nTest result: SUCCESS\n", 5, qr/no test passed/],
    ['SKIP though a test failed', [], changed('ok 3', 'not ok 3', 'SUCCESS', 'SKIP'), 5, qr/says SKIP, but 1 failed/],
    ['SKIP though none was skipped', [], changed(' # SKIP.*', '', 'SUCCESS', 'SKIP'), 5, qr/no test was skipped/],
    ['FAILURE though none failed', [], changed('SUCCESS', 'FAILURE'), 5, qr/no test failed/],

    ['bail out', [], changed('ok 3 - p2m', 'Bail out! page fault'), 6, qr/crash: Bail out! page fault/],
    ['crash', [], changed('SUCCESS', 'CRASH'), 6, qr/crash: the guest says/],
    ['crash of the domain', [],
        changed('(ok 3.*\n)(?s:.*)', "ok 3\n(XEN) Domain 0 (vcpu#0) crashed on cpu#0:\n"), 6, qr/Domain 0 .*crashed/],
    ['crash after the last line', [],
        changed('shutdown: rebooting machine', 'crashed: rebooting machine in 5 seconds.'), 6, qr/Dom0 crashed/],
    ["Xen's panic in silence", [], "(XEN) Panic on CPU 0:\n(XEN) Could not construct domain 0\n", 6, qr/Panic/],
    ["a guest's word on panics", [], changed('a line', 'Panic on CPU, Domain 0 crashed'), 0, qr/2 passed/],
    ['timeout', ['--timed-out'], changed('Test result.*\n', ''), 124, qr/timeout: .* after: \{"report/],
    ['timeout in silence', ['--timed-out'], '', 124, qr/silence/],
    ['crash, then timeout', ['--timed-out'], changed('SUCCESS', 'CRASH'), 6, qr/crash/],
);

for my $case (@cases) {
    my ($name, $options, $log, $code, $sentence) = @$case;
    write_file("$dir/log", $log);
    my ($exit, $out, $err) = run(script('verdict'), @$options, "$dir/log");
    my ($said, $silent) = $code ? ($err, $out) : ($out, $err);
    subtest $name => sub {
        is $exit, $code, 'exit code';
        like $said, $sentence, 'sentence';
        is $said =~ tr/\n//, 1, 'one line';
        is $silent, '', 'and no more';
    };
}

is((run(script('verdict')))[0], 2, 'no log given');
is((run(script('verdict'), "$dir/none"))[0], 2, 'no such log');
is((run(script('verdict'), '--foo', "$dir/log"))[0], 2, 'unknown option');

done_testing;
