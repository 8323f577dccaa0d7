/* SPDX-License-Identifier: MIT */
/*
 * A fake Xen for one PV guest, in the memory of this process: hypercalls that keep Xen's rules, a
 * machine memory, and an MMU, so that mm/ runs as it does in the kernel, plain loads and stores
 * included.
 *
 *   machine memory   frames exist from their first touch on: a page each of one file, in the order
 *                    in which they were touched, so that a machine may be of any size
 *   page tables      real ones, four levels of 512 entries, in frames of that memory
 *   MMU              the guest's virtual addresses are this process's. Nothing is mapped there
 *                    at first; a touch is a SIGSEGV, whose handler walks the tables and maps the
 *                    page of the file, as a CPU fills its TLB. A flush unmaps.
 *
 *      load at va --SIGSEGV--> walk root, L3, L2, L1 --> mmap(va, file, page of the MFN) --> again
 *                                       |
 *                                       +--> not present, or a store to what is read-only: the
 *                                            signal goes on to AddressSanitizer, with a message
 *
 * So what is stale stays visible until it is flushed, and what must not be mapped cannot be used.
 * fake_machine.c has memory and MMU, fake_mmu.c the types of frames, fake_hypercall.c and
 * fake_extents.c what the guest calls, fake_builder.c the domain that it finds. fake_grants.h has
 * another domain, and what it shares with this one; fake_events.h what needs no memory: event
 * channels, time, sleep.
 */
#ifndef TESTS_UNIT_FAKE_XEN_H
#define TESTS_UNIT_FAKE_XEN_H

#include "arch/x86/pte.h"

#include "mm/p2m.h"

#include <xen/xen.h>

/*
 * The guest's address space: slots of the level 4 table that this process does not use. (Its
 * program is at 0x55..., its libraries are at 0x7f..., AddressSanitizer is below 0x100080000000
 * and at 0x60....)
 */
#define FAKE_KERNEL_SLOT  0x200000000000
#define FAKE_HEAP_BASE    0x210000000000
#define FAKE_LIST_BASE    0x220000000000
#define FAKE_FOREIGN_BASE 0x230000000000
#define FAKE_SLOT_BYTES   ((uint64_t)1 << 39)
#define FAKE_VIRT_BASE    (FAKE_KERNEL_SLOT + ((uint64_t)510 << 30)) /* as VIRT_BASE is in its own */
#define FAKE_M2P_BASE     0x400000000000                             /* 8 TiB: for 2^40 MFNs */

/* What a frame is used as. Xen lets it be one thing at a time, and counts how often it is. */
enum fake_type { FAKE_UNUSED = 0, FAKE_L1 = 1, FAKE_L2, FAKE_L3, FAKE_L4, FAKE_WRITABLE };

/* Whose a frame is that is foreign. */
enum fake_owner { FAKE_NOBODYS, FAKE_XENS, FAKE_PEERS, FAKE_DEVICES };

struct fake_frame {
    uint32_t type : 3;    /* enum fake_type; means nothing while type_count is 0 */
    uint32_t foreign : 1; /* not the guest's */
    uint32_t pinned : 1;
    uint32_t owner : 2;       /* enum fake_owner */
    uint32_t type_count : 25; /* uses as that type */
    uint32_t refs;            /* mappings, of any rights */
    uint32_t page;            /* of the file, counted from 1; 0: nobody has touched it yet */
};

/*
 * A machine too large to be built: what is in a frame, and which PFN it has, is computed when it
 * is touched for the first time.
 */
struct fake_origin {
    void (*fill)(uint64_t mfn, uint64_t *page); /* the page is zeroed */
    uint64_t (*pfn)(uint64_t mfn);              /* what the M2P says; ~0: the frame is nobody's */
};

/* What the fake Xen knows, beside its machine. One at a time. */
struct fake_xen {
    uint64_t first_mfn, nr_mfns;
    struct m2p m2p;  /* as the guest sees it: read only, as long as the last MFN asks for */
    uint64_t root;   /* MFN of the level 4 table in use */
    uint64_t shared; /* MFN of shared_info: the machine's, and Xen's own */
    unsigned int nr_restores; /* onto another machine, each of a later Xen */
    bool superpages;          /* accepts them: only while it builds a domain */

    unsigned int nr_hypercalls; /* since the machine was started, or since a test set it to 0 */
    unsigned int fail_at;       /* the hypercall that fails, counted from 1; 0: none does */
    long fail_with;             /* what it returns */
    unsigned int fail_after;    /* so many of its updates are carried out first */
    unsigned int nr_m2p_updates;
    unsigned int largest_update;   /* requests in one mmu_update */
    unsigned int nr_table_updates; /* entries written: by mmu_update, or by update_va_mapping */

    /* populate_physmap, decrease_reservation: with limited set, so many extents, and no more */
    bool limited;
    uint64_t nr_extents_left;
    uint64_t max_pages;               /* what XENMEM_maximum_reservation says */
    void (*on_release)(uint64_t mfn); /* a frame is about to leave the guest; may be NULL */
    /* a page of the guest's image that lies outside of its slots gets tables; may be NULL */
    void (*adopt)(uint64_t va);
};

extern struct fake_xen fake;

/* Counts a hypercall. Is it the one that fails, and returns fake.fail_with? */
bool fake_fails(void);

/*
 * A machine with MFNs [@first_mfn, @first_mfn + @nr_mfns), all the guest's. One at a time, and from
 * within a test, not its setup: cmocka takes SIGSEGV for itself in between.
 */
void fake_machine_start(uint64_t first_mfn, uint64_t nr_mfns);
void fake_machine_stop(void);
/* The same, as the teardown of a test. */
int fake_machine_teardown(void **state);
/* From now on what is touched for the first time is what @origin says, and not zero. */
void fake_machine_set_origin(const struct fake_origin *origin);

/* The memory of a frame, whoever maps it; the test fails if the machine has no such frame. */
uint64_t *fake_ram(uint64_t mfn);
/* Its accounts; NULL if the machine has no such frame. */
struct fake_frame *fake_frame(uint64_t mfn);
void fake_set_m2p(uint64_t mfn, uint64_t pfn);

/* What is mapped at a virtual address, by the tables and not by what is cached of them. */
struct fake_mapping {
    bool present, writable;
    uint64_t mfn;       /* of the 4 KiB page, inside a superpage too */
    unsigned int level; /* of the entry that maps it, or that is not present */
};

struct fake_mapping fake_walk(uint64_t va);

/*
 * Forgets what is cached of the page at @va, or of all. A page outside of the slots is one of this
 * program's own image, as the kernel's static pages are: what the tables say of it is put there at
 * once, until the machine stops.
 */
void fake_tlb_flush_page(uint64_t va);
void fake_tlb_flush(void);
/* Is a store to the page at @va possible by what is cached alone? It changes the first byte. */
bool fake_tlb_writable(uint64_t va);

/*
 * Adds, or drops, one use of a frame as a table of level 1 to 4 or as FAKE_WRITABLE; the first use
 * as a table validates it. 0 or Xen's negative errno, with nothing changed.
 */
int fake_get_type(uint64_t mfn, enum fake_type type) __must_check;
void fake_put_type(uint64_t mfn);

/*
 * Writes an entry of a table as Xen does: the new one is checked, the old one dropped. At level 1
 * it may name a frame of @domain; DOMID_SELF: of the guest, or of Xen's that are shared with it.
 */
int fake_write_entry(uint64_t table, unsigned int index, uint64_t pte, domid_t domain) __must_check;

/*
 * The instructions of arch/x86/cpu.h that Xen answers: reading CR3, and CPUID behind the prefix.
 * Called with the ucontext of a SIGSEGV or SIGILL; false if it was another instruction.
 */
bool fake_emulate(void *context);

/* A number that changes with any mapping at or above level 1, except in [@from, @from + @len). */
uint64_t fake_mappings_hash(uint64_t from, uint64_t len_bytes);

#endif
