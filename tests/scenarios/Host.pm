# SPDX-License-Identifier: MIT
#
# Boots the kernel on a host of some kind under real Xen, and holds what it reported against what
# is expected there. A scenario is a subtest: the kernel's own verdict first, then the numbers.

package Host;

use strict;
use warnings;
use Exporter 'import';
use JSON::PP;
use Test::More;

use FindBin;
use lib "$FindBin::Bin/../scripts";
use Run;

our @EXPORT =
    qw(boots boot_fails boot_code domus kernel xen ramdisk_sum pages ceil_div has_list_alone);

sub kernel {
    return $ENV{XENOLITH_KERNEL} // script('../build/xenolith');
}

# The Xen that the hosts run: whichever scripts/boot takes, or XENOLITH_XEN.
sub xen {
    return $ENV{XENOLITH_XEN} // '4.17';
}

# "64M", "1000001K": a number of pages.
sub pages {
    my ($size) = @_;
    my ($n, $unit) = $size =~ /^(\d+)([KMG])$/ or die "size $size";
    return int($n * {K => 1 << 10, M => 1 << 20, G => 1 << 30}->{$unit} / 4096);
}

# As tests/guest/ramdisk.c does: 64-bit words of a page, times its number, modulo 2^64.
sub ramdisk_sum {
    my ($path) = @_;
    my ($sum, $page, $number) = (0, '', 0);
    open my $file, '<:raw', $path or die "$path: $!";
    while (read $file, $page, 4096) {
        $page .= "\0" x (8 - length($page) % 8) if length($page) % 8;
        use integer;
        $sum += ++$number * unpack('%64Q*', $page);
    }
    return sprintf '0x%016x', $sum;
}

sub ceil_div {
    my ($n, $d) = @_;
    return int(($n + $d - 1) / $d);
}

# Runs scripts/boot with @$arguments, [boot arguments..., '--', kernel arguments...], of which
# --kernel FILE is this module's: the exit code, the console's text, and the reports by name.
sub boot {
    my ($arguments) = @_;
    my @options = @$arguments;
    my @kernel;
    while (@options && $options[-1] ne '--') { unshift @kernel, pop @options }
    if (@options) { pop @options }
    else          { (@options, @kernel) = @kernel; @kernel = () }

    # ours by default; another by --kernel
    my $image = kernel;
    for my $i (reverse 0 .. $#options - 1) {
        (undef, $image) = splice @options, $i, 2 if $options[$i] eq '--kernel';
    }

    my $dir = tempdir;
    my ($code, undef, $err) = run(script('boot'), '--quiet', '--xen', xen, '--timeout', 300, '--log',
        "$dir/log", @options, $image, '--', @kernel);
    my $log = -e "$dir/log" ? read_file("$dir/log") : '';
    return ($code, $log, reports($log), $err);
}

# The guest's one-line reports, by name.
sub reports {
    my ($log) = @_;
    my %reports = map { my $r = decode_json($_); ($r->{report} => $r) }
        $log =~ /^(\{"report":.*\})$/mg;
    return \%reports;
}

# Boots and gives back the exit code, the console, and what the runner said.
sub boot_code {
    my ($code, $log, undef, $err) = boot($_[0]);
    return ($code, $log, $err);
}

# The lines that say why a boot went wrong.
sub show_why {
    my ($log, $err) = @_;
    diag $err;
    diag $_ for grep { /^(?:#|not ok|Bail|trap|stage|.*: expected)/ } split /\n/, $log;
}

# What holds on every host on which the kernel succeeds.
sub check_report {
    my ($r) = @_;
    is $r->{max_pfn} % 512, 0, 'max_pfn is a multiple of 512';
    is $r->{m2p_updates}, $r->{renumbered}, 'each renumbered frame is told to Xen once';
    is $r->{m2p_hypercalls}, ceil_div($r->{m2p_updates}, 512), '512 at a time';
    cmp_ok $r->{list}{tables}, '<=', 5 + ceil_div($r->{max_pfn}, 1 << 18),
        'a table for each GiB, and a few';
    my %t = %{$r->{ticks}};
    ok $t{entry} < $t{revector} && $t{revector} < $t{publish} && $t{publish} < $t{teardown},
        'entry, list, publication and teardown, in this order';
}

# Of a domain past the 512 GiB that a tree reaches: its list is published, and nothing else.
sub has_list_alone {
    my ($r, $log) = @_;
    is $r->{tree_pages}, 0, 'it has no tree';
    like $log, qr/^ok \d+ - published_tree: .*# SKIP a tree reaches 512 GiB/m, 'which is said';
    like $log, qr/^ok \d+ - published_list: (?!.*# SKIP)/m, 'its list is published';
    return;
}

# domus([HOST OPTIONS], NAME => {TITLE, OPTIONS of the guest, END, CHECK}, ...)
#
# Starts the guests one after the other by xl in one Linux dom0. Of each, title says what it is
# there for, options are those of scripts/domus, end is how it must end (poweroff), and check gets
# the boot report, all reports and the console. A guest that ends as asked for but not by poweroff
# need not have succeeded.
sub domus {
    my ($host, @guests) = @_;
    my $dir = tempdir;
    my @command;
    my %guests = @guests;
    my @names  = grep { !ref } @guests;
    push @command, '--guest', $_, @{$guests{$_}{options}} for @names;
    my ($code, undef, $err) =
        run(script('domus'), '--quiet', '--out', $dir, '--kernel', kernel, @$host, @command);
    is $code, 0, 'each guest came to its turn' or diag $err;
    check_domu($dir, $_, $guests{$_}) for @names;
    return;
}

sub check_domu {
    my ($dir, $name, $guest) = @_;
    subtest $guest->{title} => sub {
        my ($log, $xl) = map { -e "$dir/$name.$_" ? read_file("$dir/$name.$_") =~ s/\r//gr : '' }
            qw(log xl);
        my $end = -e "$dir/$name.end" ? read_file("$dir/$name.end") =~ s/\n//r : 'nothing';
        is $end, $guest->{end} // 'poweroff', 'it ended as it should'
            or show_why($log, $xl);
        if (!$guest->{end}) {
            my ($code, undef, $err) = run(script('verdict'), "$dir/$name.log");
            is $code, 0, 'the kernel reports success' or show_why($log, $err);
        }
        my $reports = reports($log);
        $guest->{check}->($reports->{boot}, $reports, $log) if $guest->{check};
    };
    return;
}

# boots(NAME, [ARGUMENTS], sub { my ($boot_report, $reports, $log) = @_; ... })
sub boots {
    my ($name, $arguments, $check) = @_;
    subtest $name => sub {
        my ($code, $log, $reports, $err) = boot($arguments);
        my $report = $reports->{boot};
        is $code, 0, 'the kernel reports success' or show_why($log, $err);
        ok $report, 'there is a boot report' or return;
        check_report($report);
        $check->($report, $reports, $log) if $check;
    };
    return;
}

# boot_fails(NAME, EXIT CODE, [ARGUMENTS], qr/what the console says/, qr/what scripts\/boot says/)
sub boot_fails {
    my ($name, $expected, $arguments, $console, $message) = @_;
    subtest $name => sub {
        my ($code, $log, undef, $err) = boot($arguments);
        is $code, $expected, "exit code $expected" or show_why($log, $err);
        like $log, $console, 'the console says so';
        like $err, $message, 'and the runner too';
    };
    return;
}

1;
