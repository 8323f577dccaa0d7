# SPDX-License-Identifier: MIT
#
# A Linux dom0 with the real toolstack (xl), which runs a shell script. The script, its files and its
# results pass through two directories that the dom0 mounts, because the console may lose lines.

package LinuxDom0;

use strict;
use warnings;
use Cwd 'realpath';
use Exporter 'import';
use File::Basename 'basename';
use File::Copy 'copy';
use File::Path 'make_path';

use Machine;
use Options;
use Qemu;
use Xen;

our @EXPORT = qw(check_dom0 console make_out run_in_dom0);

# check_dom0(OPTION): the options of the host, and the tools that it needs.
sub check_dom0 {
    my ($option) = @_;
    $option->{out} = make_out($option->{out}) if defined $option->{out};
    check_xen($option->{xen}, 'bios');
    check_qemu();
    check_tool($_) for qw(cpio readelf);
    return;
}

sub make_out {
    my ($out) = @_;
    eval { make_path($out); -d $out && -w _ } or bad("--out $out: cannot make this directory");
    return realpath($out);
}

# console(OPTION): a function that writes lines to --log, and shows them without --quiet.
sub console {
    my ($option) = @_;
    my $log = defined $option->{log} ? writable($option->{log}) : undef;
    needs_space($option->{log}) if $log;
    return sub {
        my ($line) = @_;
        syswrite $log, "$line\n" if $log;
        show("$line\n") if !$option->{quiet};
    };
}

# run_in_dom0(OPTION, SCRIPT, FILES, HEAR): runs the script with busybox's sh in /job, which has the
# files too; /out is $option->{out}. HEAR gets each line of the console of Xen and Linux. Returns the
# exit code of the script. If there is none, the program ends with the reason.
sub run_in_dom0 {
    my ($option, $script, $files, $hear) = @_;
    my %option = %$option;
    my ($job, $out) = (tmp() . '/job', $option{out} // make_out(tmp() . '/out'));
    my $linux = fetch('linux');
    $option{xen} = hypervisor($option{xen}, 'bios');
    needs_space($out);
    fill_job($job, $script, @$files);
    my ($ramdisk, $xl_version) = make_ramdisk($linux, $option{toolstack});

    my ($last, $why) = ('');
    my $console = sub {
        my ($line) = @_;
        $hear->($line);
        $last = $line if $line ne '';
        go_on();
        check_version($1, $xl_version, $option{toolstack}) if $line =~ /^\(XEN\) Xen version (\S+)/;
        $why = $line if $line =~ /^\[.*\] Kernel panic - /; # tells more than Xen's line, which follows
        return if $line !~ /^\(XEN\) (?:.*Domain 0 .*crashed|.*Panic on CPU|Hardware Dom0 )/;
        $why //= $line;
        finish_in(3);
    };
    # max: Linux makes no page structures for the rest of the host; notests: no self-tests of ciphers;
    # rodata=off: no search for writable code, which takes half a second; norandmaps: libraries stay at one
    # address, so QEMU uses its translation of their code again. acpi_no_memhotplug: the memory devices of a host by
    # memory map are the host's RAM, not that of dom0.
    # eager-fpu: to switch the FPU lazily, Xen sets CR0.TS and waits for the #NM of the next FPU instruction.
    # QEMU's XSAVE and XRSTOR raise none, so Linux would save and load the registers of another domain.
    my $xen_args = ' spec-ctrl=eager-fpu'
        . xen_arguments(\%option, "$option{dom0_mem},max:$option{dom0_mem} dom0_max_vcpus=1");
    start_bios_host(
        \%option, $xen_args,
        [["$linux/vmlinux", 'vmlinux', 'console=hvc0 quiet panic=1 cryptomgr.notests rodata=off ima=off norandmaps acpi_no_memhotplug'],
            [$ramdisk, 'ramdisk', '']],
        hear => $console,
        qemu => [map { ('-virtfs', shared(@$_)) } [job => $job], [out => $out]],
    );
    every(sub { write_clock("$out/.clock", $_[0]) });
    my $end = watch($option{timeout});
    unlink "$out/.clock";
    qemu_did_not_start() if $end eq 'gone' && $last eq '';
    end_machine();

    my ($code) = grep { /^\d+$/ } lines_of("$job/.exit");
    return $code if defined $code;
    if ($end eq 'timeout') {
        say("timeout: SCRIPT has not ended, and the console had no new line for $option{timeout} s" .
            ($last eq '' ? '' : "; the last line is: $last"));
        exit 124;
    }
    say('crash: Xen or dom0 ended before SCRIPT; the line that says why is: ' . ($why // $last));
    exit 6;
}

# Copies, because dom0 would look for the target of a link in its own files
sub fill_job {
    my ($job, $script, @files) = @_;
    mkdir $job or no_host("$job: cannot be made: $!");
    copy_file($script, "$job/.script");
    for my $file (@files) {
        my $name = basename($file);
        bad("$file: expected FILEs with different names, found a second $name") if -e "$job/$name";
        copy_file($file, "$job/$name");
    }
    return;
}

sub copy_file {
    my ($from, $to) = @_;
    copy($from, $to) or no_host("$from: cannot be copied to $to: $!");
    return;
}

# Linux unpacks concatenated archives like one archive.
sub make_ramdisk {
    my ($linux, $toolstack) = @_;
    my $ramdisk = tmp() . '/ramdisk';
    copy_file("$linux/linux.cpio", $ramdisk);
    my $disk    = tmp() . '/disk';
    my $version = link_toolstack($toolstack, $disk);
    my ($code)  = run('sh', '-c', 'cp -rs "$1/." "$2" && cd "$2" && find . | cpio --quiet -o -L -H newc -R 0:0 >>"$3"', 'sh',
        top() . '/scripts/host/dom0.d', $disk, $ramdisk);
    no_host('cpio could not make the ramdisk of the Linux dom0; its message is above') if $code;
    return ($ramdisk, $version);
}

sub shared {
    my ($tag, $dir) = @_;
    return 'local,path=' . qemu_quoted($dir) . ",mount_tag=$tag,security_model=none";
}

sub check_version {
    my ($found, $expected, $toolstack) = @_;
    return if !defined $expected || $found =~ /^\Q$expected\E\b/; # an xl without shared libraries names no version
    bad("--toolstack $toolstack: expected Xen $expected, found Xen $found; xl works only with the Xen of its version");
}

# The time of the machine, in whole seconds, for the limits of scripts in dom0 (look_at_clock in
# xenolith.sh)
my $written = -1;
sub write_clock {
    my ($path, $time) = @_;
    return if int $time == $written;
    $written = int $time;
    open my $file, '>', "$path.new" or return;
    print $file "$written\n";
    close $file or return;
    rename "$path.new", $path;
    return;
}

1;
