/* SPDX-License-Identifier: MIT */
/*
 * ELF notes for the domain builder: Xen for a dom0, libxenguest for a domU of xl, the PV shim, or
 * GRUB. <xen/elfnote.h> defines the types. scripts/check/notes verifies the notes of the image
 * after every link.
 */
#define __ASSEMBLY__
#include "arch/x86/layout.h"

#include <xen/elfnote.h>
#include <xen/features.h>

/*
 * MAXPHYS_SIZE was proposed on xen-devel in August 2017 as the maximum physical address size that a
 * kernel can handle, and was never merged. No released Xen reads the note. Xen 4.19 gave its number
 * to PHYS32_RELOC, which Xen reads only for a PVH kernel, that is, an image with a PHYS32_ENTRY
 * note; the build rejects an image with both. The value is in bits, as proposed: the width of the
 * mask in arch/x86/pte.h.
 */
#define XEN_ELFNOTE_MAXPHYS_SIZE 19

.macro note type, value:vararg
    .pushsection .note.Xen, "a", @note
    .balign 4
    .long   2f - 1f, 4f - 3f, \type
1:  .asciz  "Xen"
2:  .balign 4
3:  \value
4:  .balign 4
    .popsection
.endm

/* Without these libelf (xen/common/libelf) rejects the image or assumes another guest type. */
note XEN_ELFNOTE_XEN_VERSION,        .asciz "xen-3.0"
note XEN_ELFNOTE_GUEST_OS,           .asciz "Xenolith"
note XEN_ELFNOTE_LOADER,             .asciz "generic"
/* Printed in the log of the domain builder. */
note XEN_ELFNOTE_GUEST_VERSION,      .asciz VERSION
/* The entry point, the virtual address of PFN 0, and the base of the segments' load addresses. */
note XEN_ELFNOTE_ENTRY,              .quad _start
note XEN_ELFNOTE_VIRT_BASE,          .quad VIRT_BASE
note XEN_ELFNOTE_PADDR_OFFSET,       .quad 0
/*
 * XENFEAT_dom0: Xen requires the bit in a dom0 kernel that has this note. No other bit is set: each
 * allows Xen a behaviour that this kernel does not support (<xen/features.h>).
 */
note XEN_ELFNOTE_SUPPORTED_FEATURES, .quad 1 << XENFEAT_dom0
/*
 * build/xenolith-legacy lacks these two notes, as kernels of 2012 did: builders then map the P2M
 * list and the ramdisk behind the kernel.
 */
#ifndef LEGACY
/* The address at which the builder maps the P2M list: the same as after revectoring. */
note XEN_ELFNOTE_INIT_P2M,           .quad LIST_BASE
/* The builder need not map the ramdisk: start_info.mod_start is then its first PFN. */
note XEN_ELFNOTE_MOD_START_PFN,      .quad 1
#endif
/* A suspend may be cancelled: the kernel handles a suspend hypercall that returns 1. */
note XEN_ELFNOTE_SUSPEND_CANCEL,     .quad 1
note XEN_ELFNOTE_MAXPHYS_SIZE,       .quad PADDR_BITS

.section .note.GNU-stack, "", @progbits
