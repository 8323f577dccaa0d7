/* SPDX-License-Identifier: MIT */
/*
 * The flags of GNTTABOP_map_grant_ref (<xen/grant_table.h>, GNTMAP_*), and the PTE that Xen writes.
 *
 * Without these tests Xen could map a granted page with more rights than the grantee asked for, or
 * write its PTE across two entries of a page table (XSA-227: "PTE addresses passed to the
 * hypervisor [...] weren't checked for alignment"), or keep a device mapping that is gone.
 */
#include "lib/errno.h"

#include "arch/x86/hypercall.h"
#include "arch/x86/probe.h"

#include "tests/guest/grants/grant_steps.h"

#define REF        GRANT_FIRST
#define ROOM_PAGES 32

#define HOST       GNTMAP_host_map
#define DEVICE     GNTMAP_device_map
#define RO         GNTMAP_readonly
#define APP        GNTMAP_application_map
#define PTE_ADDR   GNTMAP_contains_pte
#define AVAIL(n)   ((uint32_t)(n) << _GNTMAP_guest_avail0)

/* Xen maps a page for user mode with the G bit, a page of the kernel without it. */
#define PTE_G         ((uint64_t)1 << 8)
#define PTE_AVAIL(n)  ((uint64_t)(n) << 9)
#define PTE_XENS_BITS ((uint64_t)0x7ff << 52) /* software bits that Xen may use */

static const struct {
    const char *what;
    uint32_t flags;
    uint64_t rights; /* of the PTE, besides P, U and A */
} cases[] = {
    {"host_map",                         HOST,                            PTE_W               },
    {"host_map, read-only",              HOST | RO,                       0                   },
    {"host_map, application_map",        HOST | APP,                      PTE_W | PTE_G       },
    {"all of these, read-only",          HOST | RO | APP,                 PTE_G               },
    {"contains_pte",                     HOST | PTE_ADDR,                 PTE_W               },
    {"contains_pte, read-only, app",     HOST | PTE_ADDR | RO | APP,      PTE_G               },
    {"host_map, device_map",             HOST | DEVICE,                   PTE_W               },
    {"host_map, device_map, read-only",  HOST | DEVICE | RO,              0                   },
    {"host_map, available bits 101",     HOST | AVAIL(5),                 PTE_W | PTE_AVAIL(5)},
    {"contains_pte, available bits 010", HOST | PTE_ADDR | RO | AVAIL(2), PTE_AVAIL(2)        },
};

static void check_pte(struct grant_room *g, const struct spot *at, mfn_t mfn, unsigned int i)
{
    struct test *t = g->fr.room.t;
    uint64_t ignored = PTE_XENS_BITS | PTE_D;

    CHECK_EQ(
        grant_pte(g, at->va) & ~ignored, pte_make(mfn, PTE_RO | cases[i].rights),
        "PTE (without bits 62:52 and D) of a grant mapped by GNTTABOP_map_grant_ref, %s (flags "
        "0x%x)",
        cases[i].what, cases[i].flags);
    grant_check_no_pte(g, at->va - PAGE_SIZE, "page below a mapped grant");
    grant_check_no_pte(g, at->va + PAGE_SIZE, "page above a mapped grant");
}

/* Maps a grant of @mfn, whose first word is GRANTER_WORD, and unmaps the grant again. */
static void check_case(struct grant_room *g, const struct spot *at, mfn_t mfn, unsigned int i)
{
    struct test *t = g->fr.room.t;
    bool readonly = cases[i].flags & RO;
    struct grant_mapping m = {.addr = at->va, .flags = cases[i].flags, .ref = REF};
    uint64_t word = 0;

    if (m.flags & PTE_ADDR)
        m.addr = grant_pte_maddr(g, at->va);
    grant_give(g, REF, mfn, readonly);
    if (!grant_must_map(g, &m, cases[i].what))
        return;
    check_pte(g, at, mfn, i);
    CHECK_EQ(m.bus, mfn_to_maddr(mfn), "dev_bus_addr after GNTTABOP_map_grant_ref, %s",
             cases[i].what);
    grant_check_marks(g, REF, readonly ? GRANT_READ : GRANT_WRITE, cases[i].what);
    CHECK_RC(probe_read((const void *)at->va, &word), 0, "read of a mapped grant, %s",
             cases[i].what);
    CHECK_EQ(word, GRANTER_WORD, "word 0 of a mapped grant, %s", cases[i].what);
    grant_must_unmap(g, &m, cases[i].what);
    CHECK_RC(probe_read((const void *)at->va, &word), -EFAULT,
             "read after GNTTABOP_unmap_grant_ref of an address that was read before (a stale TLB "
             "entry?), %s",
             cases[i].what);
    grant_check_no_pte(g, at->va, "after GNTTABOP_unmap_grant_ref");
    grant_check_marks(g, REF, 0, "after GNTTABOP_unmap_grant_ref");
}

static void check_flags(struct grant_room *g)
{
    struct spot at = room_spot(&g->fr.room), page;

    *(uint64_t *)grant_page(g, &page) = GRANTER_WORD;
    for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++)
        check_case(g, &at, page.mfn, i);
    grant_drop(g, at);
    grant_page_drop(g, page);
}

TEST_RULE(
    abi_grant_flags,
    "GNTTABOP_map_grant_ref writes a PTE with the granted frame and exactly the rights asked for")
{
    grant_room_each(t, ROOM_PAGES, check_flags);
}

static void check_device_alone(struct granted *a)
{
    struct grant_room *g = a->g;
    struct test *t = g->fr.room.t;

    a->m.flags = DEVICE;
    if (!grant_must_map(g, &a->m, "device_map alone"))
        return;
    grant_check_no_pte(g, a->at.va, "after GNTTABOP_map_grant_ref, device_map alone");
    grant_check_marks(g, REF, GRANT_WRITE, "device_map alone");
    CHECK_EQ(a->m.bus, mfn_to_maddr(a->frame.mfn),
             "GNTTABOP_map_grant_ref, device_map alone: dev_bus_addr");
    CHECK_GNTST(grant_unmap_at(g, 0, a->m.bus, a->m.handle), GNTST_okay,
                "GNTTABOP_unmap_grant_ref of a device mapping");
    grant_check_marks(g, REF, 0, "after the unmap of a device mapping");
}

/* Xen 4.14 returns GNTST_general_error. */
static void refuse_bus(struct granted *a)
{
    struct test *t = a->g->fr.room.t;
    uint64_t bus = a->m.bus + PAGE_SIZE;
    int16_t status = grant_unmap_at(a->g, 0, bus, a->m.handle);

    CHECK(status == GNTST_bad_dev_addr || status == GNTST_general_error,
          "GNTTABOP_unmap_grant_ref of a device mapping of bus address 0x%lx, request with bus "
          "address 0x%lx: status is %d (%s), expected %d (GNTST_bad_dev_addr) or %d "
          "(GNTST_general_error)",
          a->m.bus, bus, status, grant_status_name(status), GNTST_bad_dev_addr,
          GNTST_general_error);
    grant_check_marks(a->g, REF, GRANT_WRITE, "device mapping left, another bus address refused");
}

/* Host and device mapping have one handle, and end one by one or together. */
static void check_host_and_device(struct granted *a)
{
    struct grant_room *g = a->g;
    struct test *t = g->fr.room.t;

    a->m.flags = HOST | DEVICE;
    if (!grant_must_map(g, &a->m, "host_map, device_map"))
        return;
    CHECK_GNTST(grant_unmap_at(g, a->m.addr, 0, a->m.handle), GNTST_okay,
                "GNTTABOP_unmap_grant_ref of the host mapping, device mapping left");
    grant_check_no_pte(g, a->at.va, "after the unmap of the host mapping");
    grant_check_marks(g, REF, GRANT_WRITE, "host mapping gone, device mapping left");
    if (g->first)
        refuse_bus(a);
    CHECK_GNTST(grant_unmap_at(g, 0, a->m.bus, a->m.handle), GNTST_okay,
                "GNTTABOP_unmap_grant_ref of the device mapping, host mapping gone");
    if (g->more)
        CHECK_GNTST(grant_unmap_at(g, 0, a->m.bus, a->m.handle), GNTST_bad_handle,
                    "GNTTABOP_unmap_grant_ref, host and device mapping gone");
}

static void check_device(struct grant_room *g)
{
    struct granted a = granted_open(g, REF, DEVICE);

    check_device_alone(&a);
    check_host_and_device(&a);
    granted_close(&a);
}

TEST_RULE(abi_grant_device,
          "a grant mapped for host and device is in use until both mappings are gone")
{
    grant_room_each(t, ROOM_PAGES, check_device);
}

/* Neither host_map nor device_map: nothing is asked for. */
static void check_neither(struct grant_room *g)
{
    struct granted a = granted_open(g, REF, APP);

    if (g->first)
        grant_must_refuse(g, &a.m, GNTST_bad_gntref, "application_map alone");
    a.m.flags = RO;
    if (g->more)
        grant_must_refuse(g, &a.m, GNTST_bad_gntref, "readonly alone");
    granted_close(&a);
}

TEST_RULE(abi_grant_no_flag, "GNTTABOP_map_grant_ref refuses flags without host_map and device_map")
{
    grant_room_each(t, ROOM_PAGES, check_neither);
}

/* Restores the PTEs at which Xen should not have written: the page of @at, and the one above. */
static void check_two_ptes(struct grant_room *g, const struct spot *at, unsigned int offset)
{
    struct test *t = g->fr.room.t;

    for (uint64_t va = at->va; va <= at->va + PAGE_SIZE; va += PAGE_SIZE) {
        struct pt_entry e = pt_walk(&g->fr.room.pt, va);

        CHECK_EQ(
            e.pte, 0,
            "after GNTTABOP_map_grant_ref, contains_pte, of a PTE address that is %u bytes off "
            "a multiple of 8: PTE of address 0x%lx",
            offset, va);
        if (e.pte)
            CHECK_RC(pt_write(e.table, e.index, 0), 0, "mmu_update that clears the PTE");
    }
}

/*
 * Offsets 1 and 4: if Xen should write the PTE there, none of its halves is a present entry, up to
 * MFN 2^20. The others could make a page table that Xen trips over when this test clears it.
 */
static void check_misaligned(struct grant_room *g)
{
    struct test *t = g->fr.room.t;
    struct granted a = granted_open(g, REF, HOST | PTE_ADDR);
    uint64_t pte_addr = a.m.addr;

    for (unsigned int offset = 1; g->first && offset <= (g->more ? 4 : 1); offset += 3) {
        if (offset == 4 && a.frame.mfn.v >> 20 & 1)
            continue;
        a.m.addr = pte_addr + offset;
        CHECK_GNTST(grant_map_at(g, &a.m), GNTST_general_error,
                    "GNTTABOP_map_grant_ref, contains_pte, PTE address 0x%lx, not a multiple of 8",
                    a.m.addr);
        check_two_ptes(g, &a.at, offset);
        grant_check_marks(g, REF, 0, "misaligned PTE address refused");
    }
    granted_close(&a);
}

TEST_RULE(abi_grant_pte_misaligned,
          "GNTTABOP_map_grant_ref refuses a misaligned PTE address, and writes to no PTE (XSA-227)")
{
    grant_room_each(t, ROOM_PAGES, check_misaligned);
}

/* A PTE address in something that is no L1 table: Xen must not write there. */
static void refuse_place(struct grant_room *g, uint64_t addr, uint32_t flags, const char *what)
{
    struct grant_mapping m = {.addr = addr, .flags = HOST | flags, .ref = REF};

    grant_must_refuse(g, &m, GNTST_general_error, what);
    grant_check_marks(g, REF, 0, what);
}

static void check_place(struct grant_room *g)
{
    struct test *t = g->fr.room.t;
    struct spot frame = room_spot(&g->fr.room), l2 = room_spot(&g->fr.room);
    uint64_t *page = room_alloc(&g->fr.room, 1);
    uint64_t hole = (uintptr_t)page + level_bytes(3) / 2;

    grant_give(g, REF, frame.mfn, false);
    refuse_place(g, mfn_to_maddr(pt_mfn(&g->fr.room.pt, (uintptr_t)page)) + 8, PTE_ADDR,
                 "PTE address in a writable page");
    CHECK_EQ(page[1], 0, "word 1 of a writable page, after it was refused as PTE address");
    check_frame(t, pt_pin(l2.mfn, 2), 0, "pin as L2 of a zeroed frame", l2.mfn);
    refuse_place(g, mfn_to_maddr(l2.mfn), PTE_ADDR, "PTE address in an L2 table");
    CHECK_EQ(pt_read(&g->fr.room.pt, l2.mfn, 2, 0), 0,
             "entry 0 of an L2 table, after it was refused as PTE address");
    fixmap_unmap_mfn(&t->d->fixmap, l2.mfn);
    check_frame(t, pt_unpin(l2.mfn), 0, "unpin of the L2 table", l2.mfn);
    if (g->first)
        refuse_place(g, hole, 0, "virtual address without an L1 table");
    if (g->more) {
        refuse_place(g, HYPERVISOR_VIRT_START, 0, "virtual address in Xen's area");
        refuse_place(g, mfn_to_maddr(to_mfn(t->d->host.max_mfn + 1)), PTE_ADDR,
                     "PTE address past the last MFN");
    }
    grant_check_untyped(g, frame.mfn, "after refused mappings of this frame");
    room_free(&g->fr.room, page, 1);
    grant_drop(g, l2);
    grant_drop(g, frame);
}

TEST_RULE(abi_grant_pte_place,
          "GNTTABOP_map_grant_ref refuses an address that names no L1 entry, and undoes all it did")
{
    grant_room_each(t, ROOM_PAGES, check_place);
}
