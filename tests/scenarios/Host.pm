# SPDX-License-Identifier: MIT
#
# Boots the kernel under real Xen on a host with given properties, and compares the kernel's boot
# report with what is expected on that host. Each scenario is a subtest: first the verdict of the
# kernel's self-tests, then the numbers of the boot report.

package Host;

use strict;
use warnings;
use Exporter 'import';
use JSON::PP;
use List::Util 'sum';
use Test::More;

use File::Basename qw(basename dirname);
use lib dirname(__FILE__) . '/../scripts', dirname(__FILE__) . '/../../scripts/host';
use Guest;
use Run;
use Xen;

our @EXPORT = qw(boots boot_fails boot_code config_file domus kernel image_pages xen xen_file ramdisk_sum pages
    ceil_div has_list_alone);

sub kernel {
    return $ENV{XENOLITH_KERNEL} // script('../build/xenolith');
}

# Returns how many pages of memory the segments of the kernel take.
sub image_pages {
    my ($code, $headers) = run('readelf', '--segments', '--wide', kernel);
    $code == 0 or die 'readelf cannot read ' . kernel . "\n";
    my @sizes = $headers =~ /^ +LOAD +(?:\S+ +){4}(\S+)/mg;
    return sum(map { ceil_div(hex, 4096) } @sizes);
}

# The version, file or directory of Xen for the hosts: XENOLITH_XEN, or else the default of scripts/boot.
sub xen {
    return $ENV{XENOLITH_XEN} // $ENV{XENOLITH_XEN_DIST} // '4.17';
}

# The path of this Xen, for QEMU's -kernel
sub xen_file {
    return hypervisor(xen, 'bios');
}

# config_file(GUEST): the text of xl's configuration file for a guest, a hash as for xl_config. The image
# of its kernel is in /job.
sub config_file {
    my ($guest) = @_;
    my @load = xl_load('/job/' . basename($guest->{kernel} // kernel), $guest->{args});
    return join '', map { "$_\n" } xl_config($guest, @load);
}

# Converts a size such as "64M" or "1000001K" to a number of pages.
sub pages {
    my ($size) = @_;
    my ($n, $unit) = $size =~ /^(\d+)([KMG])$/ or die "size $size";
    return int($n * {K => 1 << 10, M => 1 << 20, G => 1 << 30}->{$unit} / 4096);
}

# Computes the checksum of tests/guest/ramdisk.c: for each page, the sum of its 64-bit words times
# the number of the page (the first is 1); all added modulo 2^64.
sub ramdisk_sum {
    my ($path) = @_;
    my ($sum, $page, $number) = (0, '', 0);
    open my $file, '<:raw', $path or die "cannot read $path: $!";
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

# Runs scripts/boot with @$arguments: [boot arguments..., '--', kernel arguments...]. This module
# itself handles the boot argument --kernel FILE. Returns the exit code of scripts/boot, the text of
# the console, the reports by name, and the standard error of scripts/boot.
sub boot {
    my ($arguments) = @_;
    my @options = @$arguments;
    my @kernel;
    while (@options && $options[-1] ne '--') { unshift @kernel, pop @options }
    if (@options) { pop @options }
    else          { (@options, @kernel) = @kernel; @kernel = () }

    # --kernel FILE replaces the default image
    my $image = kernel;
    for my $i (reverse 0 .. $#options - 1) {
        (undef, $image) = splice @options, $i, 2 if $options[$i] eq '--kernel';
    }

    my $dir = tempdir;
    # A host by memory map has a time by its size.
    my @timeout = (grep { $_ eq '--e820' } @options) ? () : ('--timeout', 300);
    my ($code, undef, $err) = run(script('boot'), '--quiet', '--xen', xen, @timeout, '--log',
        "$dir/log", @options, $image, '--', @kernel);
    my $log = -e "$dir/log" ? read_file("$dir/log") : '';
    return ($code, $log, reports($log), $err);
}

# Returns the guest's JSON reports by name; each is one line of the console.
sub reports {
    my ($log) = @_;
    my %reports = map { my $r = decode_json($_); ($r->{report} => $r) }
        $log =~ /^(\{"report":.*\})$/mg;
    return \%reports;
}

# Boots, and returns the exit code, the text of the console, and the standard error of scripts/boot.
sub boot_code {
    my ($code, $log, undef, $err) = boot($_[0]);
    return ($code, $log, $err);
}

# Prints the lines of the console that tell why a boot failed.
sub show_why {
    my ($log, $err) = @_;
    diag $err;
    diag $_ for grep { /^(?:#|not ok|Bail|trap|stage|.*: expected)/ } split /\n/, $log;
}

# Checks what must hold of the boot report on every host.
sub check_report {
    my ($r) = @_;
    is $r->{max_pfn} % 512, 0, 'shared_info.arch.max_pfn is a multiple of 512';
    is $r->{m2p_updates}, $r->{renumbered}, 'Xen gets one M2P update for each renumbered frame';
    is $r->{m2p_hypercalls}, ceil_div($r->{m2p_updates}, 512), 'a hypercall carries 512 M2P updates';
    cmp_ok $r->{list}{tables}, '<=', 4 + ceil_div($r->{max_pfn}, 1 << 18) + ceil_div($r->{max_pfn}, 1 << 27),
        'the P2M list has at most one page table for each GiB of PFNs, one for each 512 GiB, and 4 more';
    my %t = %{$r->{ticks}};
    ok $t{entry} < $t{revector} && $t{revector} < $t{publish} && $t{publish} < $t{teardown},
        'the ticks increase from entry through revector, publish and teardown';
}

# Checks a domain of more than 512 GiB, the reach of the P2M tree: the kernel publishes only the P2M
# list.
sub has_list_alone {
    my ($r, $log) = @_;
    is $r->{tree_pages}, 0, 'the P2M tree has no page';
    like $log, qr/^ok \d+ - published_tree: .*# SKIP a P2M tree reaches 512 GiB/m,
        'self-test published_tree is skipped: more than 512 GiB';
    like $log, qr/^ok \d+ - published_list: (?!.*# SKIP)/m, 'self-test published_list is not skipped';
    return;
}

# domus([HOST OPTIONS], NAME => {TITLE, OPTIONS of the guest, END, CHECK}, ...)
#
# Starts the guests with xl, one after the other, in one Linux dom0. TITLE is the title of the
# guest's subtest, and options are those of scripts/host/domus. END is the expected end; the default is
# poweroff. CHECK gets the boot report, all reports and the text of the console. A guest with
# another expected end than poweroff need not report success.
sub domus {
    my ($host, @guests) = @_;
    my $dir = tempdir;
    my @command;
    my %guests = @guests;
    my @names  = grep { !ref } @guests;
    if (my $lack = lacks(xen, 'shim')) {
        my @without = grep { $guests{$_}{options}[1] eq 'shim' } @names;
        @names = grep { $guests{$_}{options}[1] ne 'shim' } @names;
        subtest $guests{$_}{title} => sub { plan skip_all => $lack } for @without;
    }
    push @command, '--guest', $_, @{$guests{$_}{options}} for @names;
    # Without XENOLITH_XEN, the domain builder decides (default_xen in scripts/host/DomUs.pm).
    my @xen = defined $ENV{XENOLITH_XEN} ? ('--xen', xen) : ();
    my ($code, undef, $err) =
        run(script('host/domus'), '--quiet', @xen, '--out', $dir, '--kernel', kernel, @$host, @command);
    is $code, 0, 'scripts/host/domus exits with 0: all guests were started' or diag $err;
    check_domu($dir, $_, $guests{$_}) for @names;
    return;
}

sub check_domu {
    my ($dir, $name, $guest) = @_;
    subtest $guest->{title} => sub {
        my ($log, $xl) = map { -e "$dir/$name.$_" ? read_file("$dir/$name.$_") =~ s/\r//gr : '' }
            qw(log xl);
        my $end = -e "$dir/$name.end" ? read_file("$dir/$name.end") =~ s/\n//r : 'nothing';
        my $expected = $guest->{end} // 'poweroff';
        is $end, $expected, "$name: the end of the domain is \"$expected\""
            or show_why($log, $xl);
        if (!$guest->{end}) {
            my ($code, undef, $err) = run(script('verdict'), "$dir/$name.log");
            is $code, 0,
                "$name: scripts/verdict exits with 0: the kernel reports success" or show_why($log, $err);
        }
        my $reports = reports($log);
        $guest->{check}->($reports->{boot}, $reports, $log, $xl) if $guest->{check};
    };
    return;
}

# boots(NAME, [ARGUMENTS], sub { my ($boot_report, $reports, $log) = @_; ... })
sub boots {
    my ($name, $arguments, $check) = @_;
    subtest $name => sub {
        my ($code, $log, $reports, $err) = boot($arguments);
        my $report = $reports->{boot};
        is $code, 0, 'scripts/boot exits with 0: the kernel reports success' or show_why($log, $err);
        ok $report, 'the console has a boot report' or return;
        check_report($report);
        $check->($report, $reports, $log) if $check;
    };
    return;
}

# boot_fails(NAME, EXIT CODE, [ARGUMENTS], qr/text of the console/, qr/text of standard error/)
sub boot_fails {
    my ($name, $expected, $arguments, $console, $message) = @_;
    subtest $name => sub {
        my ($code, $log, undef, $err) = boot($arguments);
        is $code, $expected, "scripts/boot exits with $expected" or show_why($log, $err);
        like $log, $console, 'the console shows the expected fault';
        like $err, $message, 'scripts/boot prints the expected verdict';
    };
    return;
}

1;
