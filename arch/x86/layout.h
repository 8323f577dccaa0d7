/* SPDX-License-Identifier: MIT */
/*
 * The address space, for C, the assembler and the linker.
 *
 *   0xffff800000000000  Xen (its M2P, which we may read), up to 0xffff87ffffffffff
 *   0xffff880000000000  HEAP_BASE:   frames in use, mapped in the order they were asked for
 *   0xffffc90000000000  LIST_BASE:   the P2M list, alone in its 512 GiB slot
 *   0xffffd00000000000  FOREIGN_BASE: what is not ours: grants, foreign frames, device memory
 *   0xffffffff80000000  VIRT_BASE:   the kernel image; after boot nothing else is mapped here
 *
 * Each lies in a level 4 slot of its own, so that each can be hooked in or dropped by one write.
 */
#ifndef ARCH_X86_LAYOUT_H
#define ARCH_X86_LAYOUT_H

#define HEAP_BASE    0xffff880000000000
#define LIST_BASE    0xffffc90000000000
#define FOREIGN_BASE 0xffffd00000000000
#define VIRT_BASE    0xffffffff80000000

/* How much of the foreign window may be used: one slot. */
#define FOREIGN_BYTES 0x8000000000

/*
 * The image starts 1 MiB up, where every machine has RAM: below lie the BIOS's holes, and from
 * 8 MiB on, on some UEFI machines, ACPI NVS.
 */
#define IMAGE_OFFSET 0x100000

#define STACK_BYTES  0x4000

/*
 * The widest machine address that this kernel handles, in bits, and what the MAXPHYS_SIZE note
 * promises: all that a page-table entry can hold. (Intel SDM 4.5: bits 51:12 of an entry.)
 */
#define PADDR_BITS 52

#endif
