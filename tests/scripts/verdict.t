#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# scripts/verdict decides whether a boot counts as passed. Without this test, a
# guest that crashes, or runs fewer tests than it planned, could count as passed.

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

# The good log, in which each pattern of the list is replaced by the text after it.
sub changed {
    my ($log, @changes) = ($good, @_);
    while (my ($from, $to) = splice @changes, 0, 2) {
        $log =~ s/$from/$to/m or die "nothing to change: $from";
    }
    return $log;
}

# Name, options, log, exit code, and what the sentence must say
my @cases = (
    ['success', [], $good, 0, qr/^xenolith: 2 passed, 1 skipped$/],
    ['success with lines that end in CR LF', [], $good =~ s/\n/\r\n/gr, 0, qr/2 passed, 1 skipped/],
    ['a test that fails as expected (TODO)', [], changed('ok 3 - p2m', 'not ok 3 - p2m # TODO later'), 0, qr/2 passed/],

    ['no test asked for', [],
        "TAP version 14\n1..0 # SKIP no test asked for\nTest result: SKIP\n", 3, qr/skip: .*no test asked for/],
    ['skip', [], changed('SUCCESS', 'SKIP'), 3, qr/skip: 2 passed, 1 skipped/],
    ['error', [], changed('SUCCESS', 'ERROR'), 4, qr/error: the last line says ERROR/],
    ['error in a test', [], changed('ok 3', 'not ok 3', 'SUCCESS', 'ERROR'), 4, qr/error: 1 failed, .*test 3 - p2m/],
    ['failure', [], changed('ok 3', 'not ok 3', 'SUCCESS', 'FAILURE'), 5, qr/failure: 1 failed, .*test 3 - p2m/],

    ['an empty log', [], '', 5, qr/expected output of the guest, found none/],
    ['lines of Xen only', [], "(XEN) Xen version 4.17.7\n", 5, qr/expected output of the guest, found none/],
    ['no TAP', [], "Xenolith 0.1\n", 5, qr/the console: expected one line "TAP version 14", found: none$/],
    ['TAP of version 13', [], changed('14', '13'), 5, qr/expected one line "TAP version 14", found: TAP version 13$/],
    ['a TAP without plan', [], changed('1\.\.3\n', ''), 5, qr/the console: expected the TAP plan before the first test, found: ok 1/],
    ['a TAP without plan and tests', [], "TAP version 14\nTest result: SUCCESS\n", 5, qr/the console: expected a TAP plan, found none/],
    ['a plan after the tests', [], changed('1\.\.3\n', '', 'Test result', "1..3\nTest result"), 5,
        qr/the console: expected the TAP plan before the first test, found: ok 1/],
    ['two plans', [], changed('ok 1', "1..3\nok 1"), 5, qr/More than one plan/],
    ['fewer tests than planned', [], changed('1\.\.3', '1..4'), 5, qr/planned 4 tests but ran 3/],
    ['more tests than planned', [], changed('1\.\.3', '1..2'), 5, qr/planned 2 tests but ran 3/],
    ['test numbers out of sequence', [], changed('ok 2', 'ok 7'), 5, qr/out of sequence/],
    ['a guest that starts twice', [], $good . $good, 5, qr/expected one line "TAP version 14", found: TAP version 14, TAP version 14$/],

    ['no line "Test result"', [], changed('Test result.*\n', ''), 5, qr/expected a last line "Test result: \.\.\.", found: \{"report/],
    ['two lines "Test result"', [], changed('ok 1', "Test result: SUCCESS\nok 1"), 5, qr/expected one line "Test result: \.\.\.", found 2/],
    ['a line after "Test result"', [], changed('(Test result.*)', "Test result: SUCCESS\nmore"), 5,
        qr/expected "Test result: SUCCESS" as the last line, found: more/],
    ['an unknown result', [], changed('SUCCESS', 'FINE'), 5,
        qr/expected SUCCESS, SKIP, ERROR or FAILURE, found: Test result: FINE/],
    ['SUCCESS although a test failed', [], changed('ok 3', 'not ok 3'), 5, qr/says SUCCESS, but 1 failed/],
    ['SUCCESS although no test passed', [], "TAP version 14\n1..0 # SKIP x\nTest result: SUCCESS\n", 5, qr/no test passed/],
    ['SKIP although a test failed', [], changed('ok 3', 'not ok 3', 'SUCCESS', 'SKIP'), 5, qr/says SKIP, but 1 failed/],
    ['SKIP although no test was skipped', [], changed(' # SKIP.*', '', 'SUCCESS', 'SKIP'), 5, qr/no test was skipped/],
    ['FAILURE although no test failed', [], changed('SUCCESS', 'FAILURE'), 5, qr/the last line says FAILURE, but no test failed/],

    ['a panic of the kernel (Bail out!)', [], changed('ok 3 - p2m', 'Bail out! page fault'), 6, qr/crash: Bail out! page fault/],
    ['CRASH in the last line', [], changed('SUCCESS', 'CRASH'), 6, qr/crash: the guest printed: Test result: CRASH/],
    ['a crash of the domain', [],
        changed('(ok 3.*\n)(?s:.*)', "ok 3\n(XEN) Domain 0 (vcpu#0) crashed on cpu#0:\n"), 6, qr/Domain 0 .*crashed/],
    ['a crash after the last line', [],
        changed('shutdown: rebooting machine', 'crashed: rebooting machine in 5 seconds.'), 6, qr/Dom0 crashed/],
    ['a panic of Xen before the guest starts', [], "(XEN) Panic on CPU 0:\n(XEN) Could not construct domain 0\n", 6, qr/Panic/],
    ['a line of the guest that looks like a panic of Xen', [], changed('a line', 'Panic on CPU, Domain 0 crashed'), 0, qr/2 passed/],
    ['a timeout', ['--timed-out'], changed('Test result.*\n', ''), 124, qr/timeout: .* after the line: \{"report/],
    ['a timeout without output', ['--timed-out'], '', 124, qr/timeout: time ran out before the guest printed a line/],
    ['a hang', ['--silent', 15], changed('Test result.*\n', ''), 6,
        qr/crash: the guest hangs: it printed no line for 15 seconds after the line: \{"report/],
    ['a crash before the timeout', ['--timed-out'], changed('SUCCESS', 'CRASH'), 6, qr/crash/],
    ['a diagnostic after a failed test', [], changed('ok 2.*', "not ok 2 - p2m: x\n# p2m[0x5] is 0x1, expected 0x2",
            'SUCCESS', 'FAILURE'), 5, qr/failure: 1 failed, the first: test 2 - p2m: x$/],
);

for my $case (@cases) {
    my ($name, $options, $log, $code, $sentence) = @$case;
    write_file("$dir/log", $log);
    my @command = (script('verdict'), @$options, "$dir/log");
    if ($code) {
        is_refused $name, $code, $sentence, @command;
        next;
    }
    my ($exit, $out, $err) = run(@command);
    is "$exit:$err", '0:', "$name: exit code is 0, and standard error is empty";
    like $out, qr/\A[^\n]+\n\z/, "$name: the verdict is one line";
    like $out, $sentence, "$name: the verdict says why";
}

is_refused 'no LOG', 2, qr/^verdict: expected one LOG, found 0 arguments/, script('verdict');
is_refused 'a LOG that does not exist', 2, qr/^verdict: .*none: No such file/, script('verdict'), "$dir/none";
is_refused 'an unknown option', 2, qr/^verdict: Unknown option: foo/, script('verdict'), '--foo', "$dir/log";

done_testing;
