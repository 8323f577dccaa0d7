#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# scripts/shell, with a stand-in for QEMU. Without this a wrong argument could start something else
# than was meant, a QEMU whose dom0 has powered off could stay for ever, and a crash could pass for
# an end.

use strict;
use warnings;
use Test::More;

use FindBin;
use lib $FindBin::Bin;
use Run;

my $dir    = tempdir;
my $xen    = write_file("$dir/xen", "\x7fELF" . "\0" x 60 . "\x02\xb0\xad\x1b" . "\0" x 16);
my $kernel = write_file("$dir/a kernel", 'kernel');

# Says on the console, of which QEMU keeps a copy, what $FAKE/console does.
write_file("$dir/bin/qemu-system-x86_64", <<'END');
#!/bin/bash
[ "$1" != --version ] || { echo 'QEMU emulator version 7.2.22 (Debian)'; exit; }
echo $$ >"$FAKE/pid"
printf '%s\n' "$@" >"$FAKE/args"
log=$(sed -n 's/^stdio,.*logfile=//p' "$FAKE/args")
file=$(sed -n '/^-pidfile$/{n;p}' "$FAKE/args")
echo $$ >"$file"
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
    ok !$pid || !kill(0, $pid), "$name: QEMU is gone";
    opendir my $tmp, "$dir/tmp, too" or die $!;
    is_deeply [grep { !/^\./ } readdir $tmp], [], "$name: no file is left";
    return;
}

# The value of one of QEMU's options
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
    is "$exit:$err", '0:', "$option: is no error";
    like $out, qr/^usage: scripts\/shell /, "$option: usage";
    like $out, qr/^    $_ /m, "$option: has $_" for qw(--xen --host-mem --mem --smp --machine --xen-args --plain);
    is_deeply [grep { length > 80 } split /\n/, $out], [], "$option: fits a terminal";
    ok !-e "$dir/pid", "$option: QEMU is not started";
}

# Bad input

my @bad = (
    [['--foo'], qr/^shell: unknown option --foo \(scripts\/shell --help lists them\)$/],
    [['--mem'], qr/^shell: --mem needs a value$/],
    [['--host-mem', '1'], qr/^shell: --host-mem 1: expected a number followed by K, M, G or T$/],
    [['--host-mem', '0G'], qr/^shell: --host-mem 0G: expected/],
    [['--smp', '0'], qr/^shell: --smp 0: expected a number from 1$/],
    [["$dir/none"], qr/none: no such file; run make$/],
    [[$kernel, $kernel], qr/^shell: one KERNEL expected, found .* and /],
    [['--xen', $kernel, $kernel], qr/expected a plain multiboot ELF, found a file that begins 6b 65 72 6e$/],
    [['--xen', "$dir/no/xen", $kernel], qr/no such file$/],
);
for my $case (@bad) {
    my ($args, $sentence) = @$case;
    my $name = join(' ', @$args) =~ s/\Q$dir\E\///gr;
    my ($exit, $out, $err) = shell($reboot, @$args);
    is "$exit:$out", '2:', "'$name': exit code";
    like $err, $sentence, "'$name': sentence";
    is $err =~ tr/\n//, 1, "'$name': one line";
    ok !-e "$dir/pid", "'$name': QEMU is not started";
    leaves_nothing("'$name'");
}

# What QEMU and Xen are given

my ($exit, $out, $err) = shell($reboot, '--xen', $xen, '--host-mem', '3G', '--mem', '1G,max:2G', '--smp', 2,
    '--machine', 'max-ram-below-4g=1G', '--xen-args', 'noreboot', $kernel, '--', 'pattern_pages=4', 'test=p2m,ranges');
is "$exit:$err", '0:', 'it ends well';
like $out, qr/^xenolith> reboot: /, 'the console is shown';
like qemu_arg('-append'), qr/ loglvl=error .* dom0_mem=1G,max:2G noreboot$/, "Xen's line";
like qemu_arg('-initrd'), qr/tmp,, too\/\S+\/kernel shell pattern_pages=4 test=p2m,,ranges$/, "the kernel's";
is qemu_arg('-machine'), 'pc,max-ram-below-4g=1G,memory-backend=m0', 'machine';
like qemu_arg('-object'), qr/size=3G,reserve=off$/, 'memory that is taken only as it is touched';
is qemu_arg('-smp'), 2, 'smp';
leaves_nothing('success');

# Ends

my @ends = (
    ['reboot',         $reboot, 0, qr/\A\z/],
    ['poweroff, and QEMU stays', 'echo "> poweroff: the domain ends here"; stay', 0, qr/\A\z/],
    ['crash',          'echo "> crash: the domain ends here"', 6, qr/\A\z/],
    ['a panic, and QEMU stays', 'echo; echo "Bail out! no memory"; stay', 6, qr/\A\z/],
    ['a panic of Xen, likewise', 'echo "(XEN) Panic on CPU 0:"; stay', 6, qr/\A\z/],
    ['no last words',  'echo "xenolith> "', 6, qr/\A\z/],
    ['a console of anything', 'head -c 4096 /dev/urandom; echo; ' . $reboot, 0, qr/\A\z/],
    ['no QEMU',        'echo "qemu: no such machine" >&2; exit 1', 4, qr/^shell: QEMU did not start \(exit 1\)$/m],
);
for my $case (@ends) {
    my ($name, $console, $expected, $sentence) = @$case;
    my ($code, undef, $said) = shell($console, '--xen', $xen, $kernel);
    is $code, $expected, "$name: exit code";
    like $said, $sentence, "$name: what is said";
    leaves_nothing($name);
}

done_testing;
