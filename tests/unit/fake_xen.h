/* SPDX-License-Identifier: MIT */
/*
 * A fake Xen for one PV guest, in the memory of this process: hypercalls that apply Xen's rules,
 * machine memory, and an MMU. The code in mm/ runs unchanged on it, including its plain loads and
 * stores.
 *
 *   machine memory   a frame exists from its first touch on, as one page of a file; pages of the
 *                    file are in the order of first touch, so that a machine may have any size
 *   page tables      real page tables, four levels of 512 entries, in frames of that memory
 *   MMU              the guest's virtual addresses are addresses of this process. Nothing is
 *                    mapped there at first. An access raises SIGSEGV; the handler walks the page
 *                    tables and maps the page of the file, as a CPU fills its TLB. A TLB flush
 *                    unmaps the page.
 *
 *      load at va --SIGSEGV--> walk root, L3, L2, L1 --> mmap(va, file, page of the MFN) --> again
 *                                       |
 *                                       +--> not present, or a store to a read-only page: the
 *                                            signal goes on to AddressSanitizer, with a message
 *
 * So a stale translation stays in use until it is flushed, and an access to an unmapped page fails
 * the test. Machine memory and MMU are in fake_machine.c, frame types in fake_mmu.c, hypercalls in
 * fake_hypercall.c and fake_extents.c, and the domain as built in fake_builder.c. fake_grants.h
 * declares another domain, and the grant tables; fake_events.h declares event channels, time and
 * SCHEDOP_block.
 */
#ifndef TESTS_UNIT_FAKE_XEN_H
#define TESTS_UNIT_FAKE_XEN_H

#include "arch/x86/pte.h"

#include "mm/p2m.h"

#include <xen/xen.h>

/*
 * The guest's address space: slots of the level 4 table that this process does not use. (The
 * program is at 0x55..., its libraries are at 0x7f..., AddressSanitizer is below 0x100080000000
 * and at 0x60....)
 */
#define FAKE_KERNEL_SLOT  0x200000000000
#define FAKE_HEAP_BASE    0x210000000000
#define FAKE_LIST_BASE    0x220000000000
#define FAKE_FOREIGN_BASE 0x230000000000
#define FAKE_SLOT_BYTES   ((uint64_t)1 << 39)
#define FAKE_VIRT_BASE \
    (FAKE_KERNEL_SLOT + ((uint64_t)510 << 30)) /* the same offset as VIRT_BASE in its slot */
#define FAKE_M2P_BASE 0x400000000000           /* 8 TiB: for 2^40 MFNs */

/* The type of a frame. As in Xen, a frame has one type at a time, and Xen counts the uses. */
enum fake_type { FAKE_UNUSED = 0, FAKE_L1 = 1, FAKE_L2, FAKE_L3, FAKE_L4, FAKE_WRITABLE };

/* The owner of a frame that is not the guest's. */
enum fake_owner { FAKE_NOBODYS, FAKE_XENS, FAKE_PEERS, FAKE_DEVICES };

struct fake_frame {
    uint32_t type : 3;    /* enum fake_type; undefined while type_count is 0 */
    uint32_t foreign : 1; /* the guest does not own the frame */
    uint32_t pinned : 1;
    uint32_t owner : 2;       /* enum fake_owner */
    uint32_t type_count : 25; /* number of uses as that type */
    uint32_t refs;            /* number of mappings, read-only or writable */
    uint32_t page;            /* page of the file, from 1; 0: the frame was not touched yet */
};

/*
 * Initial contents of a machine that is too large to be built in memory: the contents of a frame,
 * and its M2P entry, are computed at the first access.
 */
struct fake_origin {
    void (*fill)(uint64_t mfn, uint64_t *page); /* the page is zeroed */
    uint64_t (*pfn)(uint64_t mfn);              /* the M2P entry; ~0: the frame has no owner */
};

/* The state of the fake Xen, except the machine memory. There is one machine at a time. */
struct fake_xen {
    uint64_t first_mfn, nr_mfns;
    struct m2p m2p;           /* as mapped for the guest: read-only, up to the last MFN */
    uint64_t root;            /* MFN of the level 4 table in CR3 */
    uint64_t shared;          /* MFN of shared_info, a frame of Xen's */
    unsigned int nr_restores; /* restores so far; each new machine has a later Xen version */
    bool superpages;          /* superpage entries are accepted: only while a domain is built */
    bool no_nx;               /* entries with the NX bit are refused; set if !pte_has_nx() */

    unsigned int nr_hypercalls; /* since the machine started, or since a test set it to 0 */
    unsigned int fail_at;       /* number of the hypercall that fails, from 1; 0: none fails */
    long fail_with;             /* result of the failing hypercall */
    unsigned int fail_after;    /* number of updates that the failing hypercall does first */
    unsigned int nr_m2p_updates;
    unsigned int largest_update;   /* most requests in one mmu_update */
    unsigned int nr_table_updates; /* entries written by mmu_update and update_va_mapping */

    /* limited: populate_physmap and decrease_reservation do nr_extents_left extents and no more */
    bool limited;
    uint64_t nr_extents_left;
    /* is_full: Xen has nr_free pages; a populated page is taken from them, a released one goes
     * there */
    bool is_full;
    uint64_t nr_free;
    uint64_t max_pages; /* result of XENMEM_maximum_reservation */
    uint64_t ram_end;   /* result of XENMEM_maximum_ram_page; 0: past the last MFN */
    const void *e820;   /* the domain's memory map: 20 bytes for each entry; or NULL */
    unsigned int nr_e820;
    void (*on_release)(uint64_t mfn); /* called before a frame leaves the guest; may be NULL */
    /* called when a page of the guest's image outside of its slots gets tables; may be NULL */
    void (*adopt)(uint64_t va);
};

extern struct fake_xen fake;

/* Counts a hypercall. Returns whether this hypercall must fail, with fake.fail_with. */
bool fake_fails(void);

/*
 * Starts a machine with MFNs [@first_mfn, @first_mfn + @nr_mfns), all owned by the guest. One
 * machine at a time. Call it in a test, not in the setup of a test: between the two, cmocka
 * installs its own SIGSEGV handler.
 */
void fake_machine_start(uint64_t first_mfn, uint64_t nr_mfns);
void fake_machine_stop(void);
/* fake_machine_stop() as the teardown of a test. */
int fake_machine_teardown(void **state);
/* From now on, frames at their first touch have the contents of @origin instead of zeros. */
void fake_machine_set_origin(const struct fake_origin *origin);

/* The memory of a frame, whoever maps it. The test fails if the machine has no such frame. */
uint64_t *fake_ram(uint64_t mfn);
/* The type, counts and owner of a frame; NULL if the machine has no such frame. */
struct fake_frame *fake_frame(uint64_t mfn);
void fake_set_m2p(uint64_t mfn, uint64_t pfn);

/* The mapping of a virtual address by the page tables, without the fake TLB. */
struct fake_mapping {
    bool present, writable;
    uint64_t mfn;       /* of the 4 KiB page, also inside a superpage */
    unsigned int level; /* level of the entry that maps the page, or is not present */
};

struct fake_mapping fake_walk(uint64_t va);

/*
 * Flushes the fake TLB for the page at @va, or for all pages. A page outside of the guest's slots
 * is a page of this program's image, as the kernel's static pages are: such a page is remapped at
 * once as the page tables say, until the machine stops.
 */
void fake_tlb_flush_page(uint64_t va);
void fake_tlb_flush(void);
/* Can the fake TLB alone satisfy a store to the page at @va? Writes the first byte of the page. */
bool fake_tlb_writable(uint64_t va);

/*
 * Adds, or drops, one use of a frame as a page table of level 1 to 4 or as FAKE_WRITABLE. The first
 * use as a page table validates all its entries. Returns 0, or Xen's negative errno with nothing
 * changed.
 */
int fake_get_type(uint64_t mfn, enum fake_type type) __must_check;
void fake_put_type(uint64_t mfn);

/*
 * Writes a page-table entry as Xen does: validates the new entry and drops the uses of the old one.
 * At level 1 the entry may name a frame of @domain; DOMID_SELF means a frame of the guest, or a
 * frame of Xen's that is shared with the guest.
 */
int fake_write_entry(uint64_t table, unsigned int index, uint64_t pte, domid_t domain) __must_check;

/*
 * Emulates the instructions of arch/x86/cpu.h that Xen emulates: reading CR3, and CPUID with Xen's
 * prefix. @context is the ucontext of a SIGSEGV or SIGILL. Returns false for any other instruction.
 */
bool fake_emulate(void *context);

/* A hash of all mappings, except in [@from, @from + @len_bytes): changes with any entry. */
uint64_t fake_mappings_hash(uint64_t from, uint64_t len_bytes);

#endif
