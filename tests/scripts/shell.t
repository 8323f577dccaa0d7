#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# scripts/shell, with a script in place of QEMU. Without this test, a wrong argument could start
# something else than the user asked for, QEMU could stay for ever after dom0 has powered off, and a
# crash could count as a normal end.

use strict;
use warnings;
use Test::More;

use FindBin;
use lib $FindBin::Bin;
use Run;

my $dir    = tempdir;
my $xen    = write_file("$dir/xen", "\x7fELF" . "\0" x 60 . "\x02\xb0\xad\x1b" . "\0" x 16);
my $kernel = write_file("$dir/a kernel", 'kernel');

# Runs the commands of $FAKE/console; their output is the console, of which QEMU keeps a copy.
write_file("$dir/bin/qemu-system-x86_64", <<'END');
#!/bin/bash
[ "$1" != --version ] || { echo 'QEMU emulator version 7.2.22 (Debian)'; exit; }
echo $$ >"$FAKE/pid"
printf '%s\n' "$@" >"$FAKE/args"
log=$(sed -n 's/^stdio,.*logfile=//p' "$FAKE/args")
stay() {
    trap 'exit 0' TERM # as QEMU does
    while :; do sleep 0.1; done
}
exec > >(exec tee -a "${log//,,/,}")
tee=$!
. "$FAKE/console"
exec >&-
wait $tee
END
chmod 0755, "$dir/bin/qemu-system-x86_64";

sub shell {
    my ($console, @args) = @_;
    unlink "$dir/pid", "$dir/args";
    write_file("$dir/console", $console);
    mkdir "$dir/tmp, too";
    my %env = (FAKE => "$dir", PATH => "$dir/bin:$ENV{PATH}", TMPDIR => "$dir/tmp, too");
    return run({env => \%env}, 'timeout', '-k', 1, 20, script('shell'), @args);
}

sub leaves_nothing {
    my ($name) = @_;
    my $pid = -e "$dir/pid" ? 0 + read_file("$dir/pid") : 0;
    ok !$pid || !kill(0, $pid), "$name: no process is left";
    opendir my $tmp, "$dir/tmp, too" or die $!;
    is_deeply [grep { !/^\./ } readdir $tmp], [], "$name: no temporary file is left";
    return;
}

# The value of an option of QEMU
sub qemu_arg {
    my ($option) = @_;
    my @args = split /\n/, read_file("$dir/args");
    for my $i (0 .. $#args) { return $args[$i + 1] if $args[$i] eq $option }
    return;
}

my $reboot = "echo 'xenolith> reboot: the domain ends here'";

# Help

for my $option ('--help', '-h') {
    my ($exit, $out, $err) = shell($reboot, $option);
    is "$exit:$err", '0:', "$option: exit code is 0, without messages";
    like $out, qr/^usage: scripts\/shell /, "$option prints the usage";
    like $out, qr/^    $_ /m, "$option: the help has the option $_" for qw(--xen --host-mem --mem --smp --machine --xen-args --plain);
    is_deeply [grep { length > 80 } split /\n/, $out], [], "$option: no line is longer than 80 characters";
    ok !-e "$dir/pid", "$option does not start QEMU";
}

# Bad input

my @bad = (
    [['--foo'], qr/^shell: unknown option --foo \(scripts\/shell --help lists the options\)$/],
    [['--mem'], qr/^shell: --mem needs a value$/],
    [['--host-mem', '1'], qr/^shell: --host-mem 1: expected a number followed by K, M, G or T$/],
    [['--host-mem', '0G'], qr/^shell: --host-mem 0G: expected/],
    [['--smp', '0'], qr/^shell: --smp 0: expected a number from 1$/],
    [["$dir/none"], qr/none: no such file; run make$/],
    [[$kernel, $kernel], qr/^shell: expected one KERNEL, found .* and /],
    [['--xen', $kernel, $kernel], qr/expected a plain multiboot ELF, found a file that begins with the bytes 6b 65 72 6e$/],
    [['--xen', "$dir/no/xen", $kernel], qr/no such file$/],
);
for my $case (@bad) {
    my ($args, $sentence) = @$case;
    my $name = join(' ', @$args) =~ s/\Q$dir\E\///gr;
    my ($exit, $out, $err) = shell($reboot, @$args);
    is "$exit:$out", '2:', "'$name': exit code is 2 (bad usage), and standard output is empty";
    like $err, $sentence, "'$name': the message says what was found and expected";
    is $err =~ tr/\n//, 1, "'$name': the message is one line";
    ok !-e "$dir/pid", "'$name': QEMU is not started";
    leaves_nothing("'$name'");
}

# The arguments of QEMU, Xen and the kernel

my ($exit, $out, $err) = shell($reboot, '--xen', $xen, '--host-mem', '3G', '--mem', '1G,max:2G', '--smp', 2,
    '--machine', 'max-ram-below-4g=1G', '--xen-args', 'noreboot', $kernel, '--', 'pattern_pages=4', 'test=p2m,ranges');
is "$exit:$err", '0:', 'reboot: exit code is 0, without messages';
like $out, qr/^xenolith> reboot: /, 'reboot: standard output has the console';
like qemu_arg('-append'), qr/ loglvl=error .* dom0_mem=1G,max:2G noreboot$/, '--mem and --xen-args: Xen gets both';
like qemu_arg('-initrd'), qr/tmp,, too\/\S+\/kernel shell pattern_pages=4 test=p2m,,ranges$/, 'the kernel gets "shell" and its arguments, with doubled commas';
is qemu_arg('-machine'), 'pc,max-ram-below-4g=1G,memory-backend=m0', '--machine OPTION: QEMU gets pc with the option';
like qemu_arg('-object'), qr/size=3G,reserve=off$/, '--host-mem: QEMU gets memory of this size that is allocated when touched';
is qemu_arg('-smp'), 2, '--smp: QEMU gets this number';
leaves_nothing('success');

# Ends of the domain and of QEMU

my @ends = (
    ['reboot',         $reboot, 0, qr/\A\z/],
    ['poweroff, and QEMU stays', 'echo "> poweroff: the domain ends here"; stay', 0, qr/\A\z/],
    ['crash',          'echo "> crash: the domain ends here"', 6, qr/\A\z/],
    ['a panic of the kernel, and QEMU stays', 'echo; echo "Bail out! no memory"; stay', 6, qr/\A\z/],
    ['a panic of Xen, and QEMU stays', 'echo "(XEN) Panic on CPU 0:"; stay', 6, qr/\A\z/],
    ['an end without a last line',  'echo "xenolith> "', 6, qr/\A\z/],
    ['a console of random bytes before reboot', 'head -c 4096 /dev/urandom; echo; ' . $reboot, 0, qr/\A\z/],
    ['QEMU does not start', 'echo "qemu: no such machine" >&2; exit 1', 4, qr/^shell: QEMU did not start \(exit code 1\); its own message is above$/m],
);
for my $case (@ends) {
    my ($name, $console, $expected, $sentence) = @$case;
    my ($code, undef, $said) = shell($console, '--xen', $xen, $kernel);
    is $code, $expected, "$name: exit code is $expected";
    like $said, $sentence, $expected == 4 ? "$name: the message says why" : "$name: standard error is empty";
    leaves_nothing($name);
}

done_testing;
