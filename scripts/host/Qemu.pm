# SPDX-License-Identifier: MIT
#
# A host in QEMU, with Xen on it. QEMU's BIOS or a UEFI starts Xen.

package Qemu;

use strict;
use warnings;
use Exporter 'import';
use File::Copy 'copy';
use File::Path 'make_path';

use Machine;
use Options;

our @EXPORT = qw(check_qemu qemu_version check_uefi start_bios_host start_uefi_host qemu_did_not_start qemu_quoted xen_arguments);

# Xen drops output when its buffer is full, because the UART is slower than a guest.
my $xen_options = 'console=com1 com1=115200,8n1 loglvl=all guest_loglvl=all bootscrub=0 serial_tx_buffer=256k';

# The version of QEMU as a version string of Perl, v7.2; undef if QEMU tells none.
sub qemu_version {
    my $said = `qemu-system-x86_64 --version 2>/dev/null </dev/null` // '';
    return $said =~ / version (\d+\.\d+)/ ? version->parse("v$1") : undef;
}

# QEMU 6.1 is the first version that allocates memory only when it is touched (reserve=off).
sub check_qemu {
    check_tool('qemu-system-x86_64');
    my $version = qemu_version() // return;
    no_host('QEMU is ' . ($version =~ s/^v//r) . ', expected 6.1 or newer; Debian 12 has 7.2') if $version < v6.1;
    return;
}

# Refuses what xen.efi's configuration file cannot express, and what does not fit on the EFI disk.
sub check_uefi {
    my ($option, $kernel, $kernel_args) = @_;
    my $max = 450; # of 504, less the largest xen.efi
    for my $text (grep { defined } $option->{xen_args}, $kernel_args) {
        next if $text !~ /[#[:cntrl:]]/;
        my $found = $text =~ s/\n/\\n/gr;
        bad('--firmware uefi: expected arguments without # and control characters, ' .
            "which end a line of Xen's configuration file, found \"$found\"");
    }
    my $bytes = 0;
    $bytes += -s $_ for grep { defined } $kernel, $option->{initrd};
    my $mib = int(($bytes + (1 << 20) - 1) / (1 << 20));
    bad("--firmware uefi: expected at most $max MiB of kernel and ramdisk, found $mib MiB") if $mib > $max;
    return;
}

# In QEMU's options a comma starts the next part, and two stand for one.
sub qemu_quoted {
    return $_[0] =~ s/,/,,/gr;
}

# The arguments of Xen that the options give, each with a blank in front
sub xen_arguments {
    my ($option, $dom0_mem) = @_;
    return join '', map { " $_" } defined $dom0_mem ? "dom0_mem=$dom0_mem" : (), grep { length } $option->{xen_args} // '';
}

# start_bios_host(OPTIONS, XEN ARGUMENTS, [[FILE, NAME, ARGUMENTS], ...], HOW): QEMU's BIOS is Xen's
# boot loader, and loads the modules. A NAME is short, because Xen prints it, and has no blank, which
# would end it. HOW: hear and other options of Machine::start; qemu: more
# arguments of QEMU; wrapper: a command that runs QEMU.
sub start_bios_host {
    my ($option, $xen_args, $modules, %how) = @_;
    my @modules = map {
        my ($path, $name, $args) = @$_;
        qemu_quoted(link_to($path, $name)) . ($args eq '' ? '' : ' ' . qemu_quoted($args))
    } @$modules;
    start_qemu($option, %how, qemu => [
        '-kernel', link_to($option->{xen}, 'xen'), '-initrd', join(',', @modules),
        '-append', ($how{xen_options} // $xen_options) . $xen_args, @{$how{qemu} // []}
    ]);
    return;
}

# UEFI starts Xen, which finds its configuration and the kernel in its own directory:
#
#     EFI/BOOT/BOOTX64.EFI   Xen, with the file name that UEFI looks for
#     EFI/BOOT/BOOTX64.cfg   the configuration, with Xen's file name and .cfg
#     EFI/BOOT/kernel, EFI/BOOT/initrd
#
# QEMU follows links when it shows a directory as a disk.
sub start_uefi_host {
    my ($option, $xen_args, $kernel, $kernel_args, %how) = @_;
    my $ovmf = fetch('ovmf');
    my ($esp, $vars) = map { tmp() . "/$_" } qw(esp vars);
    make_path("$esp/EFI/BOOT");
    link_to($option->{xen}, 'esp/EFI/BOOT/BOOTX64.EFI');
    link_to($kernel, 'esp/EFI/BOOT/kernel');
    link_to($option->{initrd}, 'esp/EFI/BOOT/initrd') if defined $option->{initrd};
    write_lines('esp/EFI/BOOT/BOOTX64.cfg', '[global]', 'default=xenolith', '[xenolith]', "options=$xen_options$xen_args",
        "kernel=kernel $kernel_args", defined $option->{initrd} ? 'ramdisk=initrd' : ());
    copy("$ovmf/OVMF_VARS.fd", $vars) or no_host("$vars: cannot be written: $!"); # UEFI writes to it
    start_qemu($option, %how, qemu => [
        '-drive', 'if=pflash,format=raw,readonly=on,file=' . qemu_quoted($ovmf) . '/OVMF_CODE.fd',
        '-drive', 'if=pflash,format=raw,file=' . qemu_quoted($vars),
        '-blockdev', 'driver=vvfat,node-name=esp,read-only=on,dir=' . qemu_quoted($esp),
        '-device', 'virtio-blk-pci,drive=esp,bootindex=0', @{$how{qemu} // []}
    ]);
    return;
}

# The console is QEMU's standard output.
sub start_qemu {
    my ($option, %how) = @_;
    my $machine = $option->{machine} // '';
    my $cpu     = $option->{cpu};
    $cpu .= ",phys-bits=$option->{phys_bits}" if $option->{phys_bits};
    $machine = 'pc' . ($machine eq '' ? '' : ",$machine") if $machine =~ /^(?:[^,]*=|$)/;
    start([
        @{$how{wrapper} // []}, qw(qemu-system-x86_64 -accel tcg -machine), "$machine,memory-backend=m0",
        '-object', "memory-backend-ram,id=m0,size=$option->{host_mem},reserve=off", '-smp', $option->{smp},
        qw(-display none -monitor none -net none -no-reboot), @{$how{serial} // [qw(-serial stdio)]},
        $option->{cpu} eq 'none' ? () : ('-cpu', $cpu), @{$how{qemu}}, split ' ', $option->{qemu_args} // ''
    ], %how);
    return;
}

sub qemu_did_not_start {
    no_host('QEMU did not start (exit code ' . exit_code() . '); its own message is above');
}

1;
