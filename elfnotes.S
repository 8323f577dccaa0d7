/* SPDX-License-Identifier: MIT */
/*
 * What this kernel tells whoever builds its domain: Xen for a dom0, xl's libxenguest for a domU,
 * the PV shim, GRUB. The numbers are those of <xen/elfnote.h>; each note says why it is here.
 * scripts/check-notes reads them back after every link.
 */
#define __ASSEMBLY__
#include "arch/x86/layout.h"

#include <xen/elfnote.h>
#include <xen/features.h>

/*
 * Proposed on xen-devel in August 2017 as the "maximum physical address size the kernel can
 * handle", and never merged; its number was given to PHYS32_RELOC in Xen 4.19, which is read for
 * PVH kernels only. So no released Xen acts on it, and an image that also had a PHYS32_ENTRY
 * would be misread: the build forbids that. We give it as proposed, in bits, the number
 * by which arch/x86/pte.h masks.
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

/* libelf refuses an image without these three, or takes it for another kind of guest. */
note XEN_ELFNOTE_XEN_VERSION,        .asciz "xen-3.0"
note XEN_ELFNOTE_GUEST_OS,           .asciz "Xenolith"
note XEN_ELFNOTE_LOADER,             .asciz "generic"
/* For whoever reads the toolstack's log. */
note XEN_ELFNOTE_GUEST_VERSION,      .asciz VERSION
/* Where to enter, and what the segments' load addresses are counted from. */
note XEN_ELFNOTE_ENTRY,              .quad _start
note XEN_ELFNOTE_VIRT_BASE,          .quad VIRT_BASE
note XEN_ELFNOTE_PADDR_OFFSET,       .quad 0
/*
 * "May be a dom0": required once the note exists. Nothing else is asked for: each further bit
 * would let Xen do something that this kernel does not expect.
 */
note XEN_ELFNOTE_SUPPORTED_FEATURES, .quad 1 << XENFEAT_dom0
/*
 * What kernels did not have in 2012: build/xenolith-legacy is an image without, so that builders
 * map list and ramdisk with the kernel, as they did then.
 */
#ifndef LEGACY
/* Where the P2M list goes, instead of into the kernel's mapping; our final place for it. */
note XEN_ELFNOTE_INIT_P2M,           .quad LIST_BASE
/* The ramdisk need not be mapped; start_info then gives its first PFN. */
note XEN_ELFNOTE_MOD_START_PFN,      .quad 1
#endif
/* A suspend may be cancelled: we understand the hypercall returning 1. */
note XEN_ELFNOTE_SUSPEND_CANCEL,     .quad 1
note XEN_ELFNOTE_MAXPHYS_SIZE,       .quad PADDR_BITS

.section .note.GNU-stack, "", @progbits
