# SPDX-License-Identifier: MIT
#
# PV guests that xl starts, one after the other, in one Linux dom0: the start of a Linux dom0 takes
# longer than that of many guests. The domain builder of each guest can be chosen, because each builder
# leaves another initial state of the domain.

package DomUs;

use strict;
use warnings;
use Exporter 'import';
use List::Util qw(max any);

use GrubImage;
use Guest;
use LinuxDom0;
use Machine;
use Options;
use Qemu;
use Xen;

our @EXPORT = qw(run_domus default_cpu default_xen);

# The shim is a PVH guest: the CPU must have SVM, and a family that Xen takes for AMD's. With SMAP, QEMU
# 7.2 raises a fault at the iret of a Linux PV guest. With XSAVE, the shim panics on Xen 4.20 and QEMU 7.2
# (BUG in xstate_alloc_save_area): Xen does not see the shim's XSETBV, and so tells it a save area of 0 bytes.
# With RDTSCP, which the shim of Xen 4.20 uses, QEMU exits for RDTSC, and Xen raises #GP ("Insn mismatch").
sub default_cpu {
    return 'max,-smap,-smep' . ((any { $_ eq 'shim' } @_) ? ',family=16,-xsave,-rdtscp' : '');
}

# Under a shim the guest's CR2 is 0 in each page fault with Xen before 4.20.4 and QEMU from 9.1 on, which
# intercepts the shim's read of CR2 if Xen asked for reads of CR0: decode_op adds the number of the register
# to an exit code only if that is not 0, and SVM_EXIT_READ_CR0 is 0. Xen emulates the read by guest_cr[2],
# which older Xen does not update at a VM exit ("x86/svm: Always sync guest CR2 on VMExit").
sub default_xen {
    my $qemu = (any { $_ eq 'shim' } @_) ? qemu_version() : undef;
    return defined $qemu && $qemu >= v9.1 ? '4.20' : '4.17';
}

# run_domus(OPTION, GUESTS, HEAR [, FILE, FOLLOW]): OPTION has the options of the host. A guest is a hash:
# name, builder, kernel, args, initrd, mem and maxmem (sizes), vcpus, guest_config, timeout. Returns the
# exit code of the job. FOLLOW gets each line of FILE meanwhile. $option->{out} has for each guest
# NAME.log, NAME.end and NAME.xl (xenolith.sh).
sub run_domus {
    my ($option, $guests, $hear, @follow) = @_;
    my %host = (%$option, cpu => $option->{cpu} // default_cpu(map { $_->{builder} } @$guests));
    my (@script, @files, $previous, %shared);
    my $largest = 0;
    my $seconds = 120 + ($option->{more_seconds} // 0);
    my $share   = sub { # the name in /job of a file, which is copied once
        my ($path, $name) = @_;
        return $shared{$path} if $shared{$path};
        $name //= 'file' . keys %shared;
        push @files, link_to($path, $name);
        return $shared{$path} = "/job/$name";
    };
    for my $guest (@$guests) {
        my $name = $guest->{name};
        push @files, write_lines("$name.cfg", xl_config($guest, load_of($guest, $option->{toolstack}, $share)));
        push @script, $previous ? "xl destroy $previous 2>/dev/null" : (), "domu_start $name create /job/$name.cfg",
            "domu_end $name $guest->{timeout}";
        # a guest whose kernel GRUB cannot start ends by GRUB's poweroff
        push @script, "if grep -q 'GRUB: cannot start' /out/$name.log; then echo failed >/out/$name.end; fi"
            if $guest->{builder} eq 'grub';
        $previous = $name;
        $seconds += $guest->{timeout} + 10;
        $largest = max($largest, map { mib("--$_", $guest->{$_}) } grep { defined $guest->{$_} } qw(mem maxmem));
    }
    # plus 512 MiB for Xen, and 1/64 for Xen's information about each page
    $host{host_mem} //= max(4096, $largest + int($largest / 64) + mib('--dom0-mem', $host{dom0_mem}) + 512) . 'M';
    $host{timeout} = $seconds;
    for my $name (map { $_->{name} } @$guests) { # from now on the files can be read
        unlink map { "$host{out}/$name.$_" } qw(end xl);
        writable("$host{out}/$name.log");
    }
    follow(@follow) if @follow;
    return run_in_dom0(\%host, write_lines('script', @script), \@files, $hear);
}

# The lines of xl's configuration that say what to start
sub load_of {
    my ($guest, $toolstack, $share) = @_;
    my ($builder, $initrd) = @$guest{qw(builder initrd)};
    if ($builder eq 'grub') {
        my $image = grub_image($guest->{kernel}, $guest->{args}, $initrd, "$guest->{name}.grub");
        return 'kernel="' . $share->($image, "$guest->{name}.grub") . '"';
    }
    my @shim = $builder eq 'shim' ? ('type="pvh"', 'pvshim=1', 'pvshim_path="' . $share->(shim($toolstack)) . '"') : ();
    return (@shim, xl_load($share->($guest->{kernel}), $guest->{args}, defined $initrd ? $share->($initrd) : undef));
}

1;
