#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The common part of scripts/boot, scripts/dom0 and others, which source it:
# checks of options, a host with Xen in QEMU, its console line by line, and the
# removal of processes and files in the end. The options are variables of the
# script that sources this file; that script also has a function hear.
# shellcheck disable=SC2154

self=$(dirname "$(realpath "$0")")
me=${0##*/}

bad() {
    echo "$me: $*" >&2
    exit 2
}

# The machine lacks something that no option of a script can replace
no_host() {
    echo "$me: $*" >&2
    exit 4
}

# Options

size='[1-9][0-9]*[KMGT]'

check_size() {
    [[ $2 =~ ^$size$ ]] || bad "$1 $2: expected a number followed by K, M, G or T"
}

check_number() {
    [[ $2 =~ ^[1-9][0-9]*$ ]] || bad "$1 $2: expected a number${3:-} from 1"
}

check_file() {
    if ! [ -f "$1" ] || ! [ -r "$1" ]; then
        bad "${2:+$2 }$1: no such file${3:-}"
    fi
}

# QEMU's -kernel needs the multiboot magic in the first 8 KiB of an ELF file.
is_multiboot() {
    head -c 8192 "$1" | od -An -v -tx1 | tr -d ' \n' | grep -q '^7f454c46.*02b0ad1b'
}

# UEFI needs a PE file: the 32 bits at 0x3c are the offset of its magic.
is_efi() {
    local pe
    pe=$(od -An -v -j 60 -N 4 -t u4 "$1" 2>/dev/null) &&
        [ "$(od -An -v -j "${pe// /}" -N 6 -t x1 "$1" 2>/dev/null)" = ' 50 45 00 00 64 86' ]
}

check_xen() {
    check_xen_is multiboot 'a plain multiboot ELF'
}

# check_xen_is KIND EXPECTED: --xen is a version, or a file that is_KIND accepts.
check_xen_is() {
    if [ -e "$xen" ]; then
        "is_$1" "$xen" ||
            bad "--xen $xen: expected $2," \
                "found a file that begins with the bytes$(head -c 4 "$xen" | od -An -tx1)"
    elif [[ $xen == */* ]]; then
        bad "--xen $xen: no such file"
    fi
}

check_tool() {
    command -v "$1" >/dev/null || no_host "$1 is not on the PATH; scripts/deps run installs it"
}

# QEMU 6.1 is the first version that allocates memory only when it is touched (reserve=off).
check_qemu() {
    local said
    check_tool qemu-system-x86_64
    said=$(qemu-system-x86_64 --version 2>/dev/null </dev/null | head -n 1) || true
    [[ $said =~ ' version '([0-9]+)[.]([0-9]+) ]] || return 0
    ((BASH_REMATCH[1] * 100 + BASH_REMATCH[2] >= 601)) ||
        no_host "QEMU is ${BASH_REMATCH[1]}.${BASH_REMATCH[2]}, expected 6.1 or newer; Debian 12 has 7.2"
}

# fetch PART VERSION: print the path of a part in the cache of scripts/xen.
fetch() {
    local status=0
    "$self/xen" "$@" || status=$?
    case $status in
    0) ;;
    2) exit 2 ;; # scripts/xen does not have this version
    *) exit 4 ;;
    esac
}

# A child process and a directory that do not outlive this script

child=
tmp=
end_child() {
    [ -n "$child" ] || return 0
    kill "$child" 2>/dev/null || true # fails if the child has just ended
    wait "$child" || true
    child=
}
cleanup() {
    local status=$?
    trap '' INT TERM HUP PIPE # a second signal would interrupt the cleanup
    end_child
    case $status in
    1 | 3 | 5 | 6 | 124) say_if_full || status=4 ;;
    esac
    [ -z "$tmp" ] || rm -rf "$tmp"
    exit $status
}
trap cleanup EXIT
trap 'exit 130' INT TERM HUP
trap 'exit 141' PIPE

make_tmp() {
    tmp=$(mktemp -d 2>/dev/null) ||
        no_host "TMPDIR: expected a writable directory with free space, found ${TMPDIR:-/tmp}"
}

# A console that could not be stored completely allows no verdict.
say_if_full() {
    local place free
    for place in "$tmp" "${log:-}" "${json:-}" "${out:-}"; do
        [ -f "$place" ] || [ -d "$place" ] || continue
        free=$(df --output=avail -k "$place" 2>/dev/null | tail -n 1) || continue
        [ "$free" -ge 64 ] || {
            echo "$me: no space is left in ${place%/tmp.*}; make room, or set TMPDIR to another directory" >&2
            return 1
        }
    done
}

# The machine

# Xen drops output when its buffer is full, because the UART is slower than a guest.
xen_options='console=com1 com1=115200,8n1 loglvl=all guest_loglvl=all bootscrub=0 serial_tx_buffer=256k'

# start_host XEN-ARGUMENTS MODULES [QEMU-ARG...]: QEMU's BIOS is Xen's boot loader.
start_host() {
    local xen_line=$1 modules=$2
    shift 2
    ln -s "$(realpath "$xen")" "$tmp/xen" # a short name, because Xen prints it
    start_qemu -kernel "$tmp/xen" -initrd "$modules" -append "$xen_options$xen_line" "$@"
}

# start_uefi_host OVMF XEN-ARGUMENTS KERNEL-ARGUMENTS: UEFI starts Xen, which finds
# its configuration and the kernel in its own directory. $tmp/kernel and, if it
# exists, $tmp/initrd are links, which QEMU follows when it shows a directory as a
# disk:
#
#     EFI/BOOT/BOOTX64.EFI   Xen, with the file name that UEFI looks for
#     EFI/BOOT/BOOTX64.cfg   the configuration, with Xen's file name and .cfg
#     EFI/BOOT/kernel, EFI/BOOT/initrd
start_uefi_host() {
    local ovmf=$1 xen_line=$2 kernel_line=$3 boot=$tmp/esp/EFI/BOOT
    mkdir -p "$boot"
    ln -s "$(realpath "$xen")" "$boot/BOOTX64.EFI"
    mv "$tmp/kernel" "$boot"
    printf '%s\n' '[global]' default=xenolith '[xenolith]' "options=$xen_options$xen_line" \
        "kernel=kernel $kernel_line" >"$boot/BOOTX64.cfg"
    if [ -e "$tmp/initrd" ]; then
        mv "$tmp/initrd" "$boot"
        echo ramdisk=initrd >>"$boot/BOOTX64.cfg"
    fi
    cp "$ovmf/OVMF_VARS.fd" "$tmp/vars" # UEFI writes to it
    start_qemu -drive "if=pflash,format=raw,readonly=on,file=${ovmf//,/,,}/OVMF_CODE.fd" \
        -drive "if=pflash,format=raw,file=${tmp//,/,,}/vars" \
        -blockdev "driver=vvfat,node-name=esp,read-only=on,dir=${tmp//,/,,}/esp" \
        -device virtio-blk-pci,drive=esp,bootindex=0
}

# start_qemu QEMU-ARG...: starts QEMU. The console is file descriptor 3.
start_qemu() {
    local machine=$machine command more
    case ${machine%%,*} in
    *=* | '') machine=pc${machine:+,$machine} ;;
    esac
    command=(
        qemu-system-x86_64 -accel tcg
        -machine "$machine,memory-backend=m0"
        -object "memory-backend-ram,id=m0,size=$host_mem,reserve=off"
        -smp "$smp"
        -display none -serial stdio -monitor none -net none -no-reboot
    )
    [ "$cpu" = none ] || command+=(-cpu "$cpu")
    read -ra more <<<"$qemu_args"
    mkfifo "$tmp/serial"
    "${command[@]}" "$@" ${qemu_for_gdb[@]+"${qemu_for_gdb[@]}"} "${more[@]}" </dev/null >"$tmp/serial" &
    child=$!
    exec 3<"$tmp/serial"
}

# finish_in SECONDS: end QEMU after this time. Xen, and so QEMU, may stay after the
# end of the guest (poweroff, noreboot).
finish_in() {
    local end=$((SECONDS + $1))
    [ "$finishing" = no ] || [ $end -lt "$deadline" ] || return 0
    finishing=yes
    deadline=$end
}

# listen SECONDS: call 'hear LINE' for each line of file descriptor 3, until its end
# (gone=yes), until the time runs out, or until the time of finish_in has passed
# (finishing=yes).
listen() {
    local line='' part status
    deadline=$((SECONDS + $1))
    finishing=no
    gone=no
    while [ $gone = no ] && [ $SECONDS -lt "$deadline" ]; do
        status=0
        IFS= read -r -t 0.2 -u 3 part || status=$?
        line+=$part
        if [ "$status" = 0 ]; then
            hear "${line%$'\r'}"
            line=
        elif [ "$status" -le 128 ]; then # the end of the input, and not the timeout of read
            gone=yes
        fi
    done
    [ -z "$line" ] || hear "${line%$'\r'}"
}

# The exit code of a child that has ended without a signal of this script.
child_status() {
    local status=0
    wait "$child" || status=$?
    child=
    return $status
}
