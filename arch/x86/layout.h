/* SPDX-License-Identifier: MIT */
/*
 * The layout of the virtual address space, for C, the assembler and the linker.
 *
 *   0xffff800000000000  Xen, up to 0xffff87ffffffffff; of this a guest may read the M2P only
 *   0xffff880000000000  HEAP_BASE:    the heap (mm/heap.h)
 *   0xffffc90000000000  LIST_BASE:    the P2M list, the only mapping in its 512 GiB slot
 *   0xffffd00000000000  FOREIGN_BASE: the foreign window (mm/foreign.h): grants, frames of other
 *                                     domains, device memory
 *   0xffffffff80000000  VIRT_BASE:    the kernel image; after boot the only mapping in its slot
 *
 * Each area has its own slots (entries) of the level 4 table, 512 GiB each, so one write of the
 * level 4 table adds or removes an area.
 */
#ifndef ARCH_X86_LAYOUT_H
#define ARCH_X86_LAYOUT_H

#define HEAP_BASE    0xffff880000000000
#define LIST_BASE    0xffffc90000000000
#define FOREIGN_BASE 0xffffd00000000000
#define VIRT_BASE    0xffffffff80000000

/* The size of the foreign window in bytes: one level 4 slot. */
#define FOREIGN_BYTES 0x8000000000

/*
 * The image starts at PFN 0x100 (1 MiB), where every machine has RAM. Below 1 MiB the E820 map has
 * the BIOS's holes; from 8 MiB on some UEFI machines have ACPI NVS memory.
 */
#define IMAGE_OFFSET 0x100000

#define STACK_BYTES  0x4000

/*
 * The width of the widest machine address that this kernel handles, in bits: the width that a
 * page-table entry can hold (Intel SDM vol. 3, 4.5: bits 51:12 of an entry). The MAXPHYS_SIZE ELF
 * note promises this width. make PADDR_BITS=46 builds a kernel as narrow as Linux was in 2017.
 */
#ifndef PADDR_BITS
#define PADDR_BITS 52
#endif

#endif
