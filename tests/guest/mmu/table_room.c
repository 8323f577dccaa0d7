/* SPDX-License-Identifier: MIT */
#include "tests/guest/mmu/table_room.h"

#include "lib/errno.h"
#include "lib/string.h"

#include "arch/x86/hypercall.h"
#include "arch/x86/probe.h"

#include "tests/guest/memory/extents.h"

/* The frames of the tree, and page tables for the virtual pages of its spots. */
#define TREE_ROOM_PAGES (PT_LEVELS + NR_TREE_PAGES + 8)

#define NR_TYPES        (1 + PT_LEVELS) /* of a frame that is not writable: GDT, L1 to L4 table */

static void show(struct test *t, struct spot s, uint64_t flags, const char *when)
{
    CHECK_RC(spot_show(s, s.mfn, flags), 0, "%s: update_va_mapping, %s, of MFN 0x%lx", when,
             flags & PTE_W ? "writable" : "read-only", s.mfn.v);
}

/* False: Xen refuses, so a store would fault. */
static bool make_writable(struct test *t, struct spot s)
{
    int rc = spot_show(s, s.mfn, PTE_RW);

    CHECK_RC(rc, 0, "update_va_mapping, writable, of MFN 0x%lx, which is no page table now",
             s.mfn.v);
    return !rc;
}

void table_store(struct test *t, struct spot s, unsigned int index, uint64_t value)
{
    if (make_writable(t, s))
        ((volatile uint64_t *)s.va)[index] = value;
    show(t, s, PTE_RO, "after a store");
}

void table_fill(struct test *t, struct spot s, uint64_t value)
{
    if (make_writable(t, s))
        for (unsigned int i = 0; i < PTES_PER_TABLE; i++)
            ((volatile uint64_t *)s.va)[i] = value;
    show(t, s, PTE_RO, "after stores");
}

uint64_t table_entry(struct spot s, unsigned int index)
{
    return ((const volatile uint64_t *)s.va)[index];
}

int table_update(mfn_t table, unsigned int index, uint64_t value, unsigned int cmd)
{
    struct mmu_update req = {
        .ptr = (mfn_to_maddr(table) + index * sizeof(uint64_t)) | cmd,
        .val = value,
    };

    return (int)HYPERVISOR_mmu_update(&req, 1, NULL, DOMID_SELF);
}

void table_pin(struct test *t, struct spot s, unsigned int level)
{
    CHECK_RC(pt_pin(s.mfn, level), 0, "pin of MFN 0x%lx as L%u", s.mfn.v, level);
}

void table_unpin(struct test *t, struct spot s, unsigned int level)
{
    CHECK_RC(pt_unpin(s.mfn), 0, "unpin of MFN 0x%lx, pinned as L%u", s.mfn.v, level);
}

int table_mmuext(unsigned int cmd, mfn_t mfn)
{
    struct mmuext_op op = {.cmd = cmd, .arg1.mfn = mfn.v};

    return (int)HYPERVISOR_mmuext_op(&op, 1, NULL, DOMID_SELF);
}

int probe_ds_once(unsigned int selector)
{
    uint16_t ds;
    int rc;

    __asm__ volatile("mov %%ds, %0" : "=r"(ds));
    rc = probe_ds(selector);
    return probe_ds(ds) ? -EFAULT : rc;
}

/* Asks Xen once: on a debug build, the question itself is logged. */
static bool is_debug_build(struct spot s)
{
    static int debug = -1;

    if (debug < 0)
        debug = spot_show(s, s.mfn, PTE_RO | PTE_GNTTAB) != 0;
    return debug;
}

bool tree_open(struct tree *tr, struct test *t)
{
    *tr = (struct tree){.slot = l4_empty_slot(t->d)};
    tr->va = tr->slot * level_bytes(PT_LEVELS);
    if (!room_open(&tr->room, t, TREE_ROOM_PAGES))
        return false;
    for (unsigned int level = 1; level <= PT_LEVELS; level++) {
        tr->table[level] = room_spot(&tr->room);
        show(t, tr->table[level], PTE_RO, "new frame");
    }
    for (unsigned int i = 0; i < NR_TREE_PAGES; i++) {
        tr->page[i] = room_spot(&tr->room);
        tr->brief = is_debug_build(tr->page[i]);
        show(t, tr->page[i], PTE_RO, "new frame");
    }
    return true;
}

uint64_t tree_entry(const struct tree *tr, unsigned int level)
{
    return level == 1 ? pte_make(tr->page[0].mfn, PTE_RW)
                      : pte_make(tr->table[level - 1].mfn, PTE_TABLE);
}

void tree_link(struct tree *tr, unsigned int level)
{
    for (unsigned int l = 1; l <= level; l++)
        table_store(tr->room.t, tr->table[l], 0, tree_entry(tr, l));
}

bool tree_hook(struct tree *tr)
{
    struct test *t = tr->room.t;
    int rc = pt_write(t->d->pt.root, tr->slot, tree_entry(tr, PT_LEVELS));

    CHECK_RC(rc, 0, "mmu_update of empty L4 entry %u to the L3 table, MFN 0x%lx", tr->slot,
             tr->table[3].mfn.v);
    return !rc;
}

void tree_unhook(struct tree *tr)
{
    struct test *t = tr->room.t;

    CHECK_RC(pt_write(t->d->pt.root, tr->slot, 0), 0, "mmu_update of L4 entry %u to 0", tr->slot);
    pt_flush();
}

struct spot *tree_copy_root(struct tree *tr)
{
    struct test *t = tr->room.t;
    struct spot *l4 = &tr->table[PT_LEVELS];
    const volatile uint64_t *root = pt_show(&t->d->pt, t->d->pt.root, PT_LEVELS);

    table_fill(t, *l4, 0);
    show(t, *l4, PTE_RW, "before the L4 table is copied");
    for (unsigned int i = 0; i < PTES_PER_TABLE && t->result < TEST_ERROR; i++)
        if (i < XEN_SLOT || i >= XEN_SLOT_END)
            ((volatile uint64_t *)l4->va)[i] = root[i];
    show(t, *l4, PTE_RO, "after the L4 table was copied");
    return l4;
}

/* Pins the zeroed frame as a table of @level, and unpins it. */
static void try_level(struct test *t, struct spot s, unsigned int level, const char *when)
{
    int rc = pt_pin(s.mfn, level);

    CHECK_RC(rc, 0, "%s: pin of MFN 0x%lx as L%u", when, s.mfn.v, level);
    if (!rc)
        CHECK_RC(pt_unpin(s.mfn), 0, "%s: unpin of MFN 0x%lx, pinned as L%u", when, s.mfn.v, level);
}

static long set_gdt(mfn_t mfn, uint64_t nr_entries)
{
    uint64_t frames[1] = {mfn.v};

    return HYPERVISOR_any(__HYPERVISOR_set_gdt, (uintptr_t)frames, nr_entries, 0, 0);
}

/* The frame is not mapped. Xen exchanges it if the domain's own reference is the only one. */
static void exchange(struct room *r, struct spot *s, const char *when)
{
    struct test *t = r->t;
    pfn_t pfn = m2p_get(&t->d->host.m2p, s->mfn);
    xen_pfn_t in = s->mfn.v, out = pfn.v;
    struct xen_memory_exchange x = extents_exchange(&in, &out, 1);
    long rc;

    rc = HYPERVISOR_memory_op(XENMEM_exchange, &x);
    if (rc == -ENOMEM || rc == -EPERM || rc == -EACCES)
        return; /* no free memory in Xen, or a policy of XSM/FLASK */
    CHECK_RC(rc, 0, "%s: XENMEM_exchange of MFN 0x%lx, to which no reference may be left", when,
             s->mfn.v);
    if (rc)
        return;
    s->mfn = to_mfn(out);
    CHECK_RC(p2m_set(&t->d->p2m, pfn, s->mfn), 0, "P2M entry of PFN 0x%lx to MFN 0x%lx", pfn.v,
             s->mfn.v);
}

/* Installs the frame, which is not mapped and has no descriptors, as a GDT, and removes it again.
 */
static void try_gdt(struct test *t, mfn_t mfn, const char *when)
{
    long rc = set_gdt(mfn, 1);

    CHECK_RC(rc, 0, "%s: set_gdt of MFN 0x%lx, which has no descriptors", when, mfn.v);
    if (!rc)
        CHECK_RC(set_gdt(mfn, 0), 0, "%s: set_gdt of no frames", when);
}

void check_unused(struct room *r, struct spot *s, const char *when)
{
    static unsigned int turn;
    bool is_gdt = turn % NR_TYPES == 0;
    struct test *t = r->t;

    fixmap_unmap_mfn(&t->d->fixmap, s->mfn);
    if (t->result >= TEST_ERROR) /* after the first violation, the frame may have any type */
        return;
    show(t, *s, PTE_RW, when);
    if (t->result < TEST_ERROR) {
        table_fill(t, *s, 0);
        CHECK_RC(spot_show(*s, INVALID_MFN, 0), 0, "%s: update_va_mapping to 0", when);
        if (is_gdt)
            try_gdt(t, s->mfn, when);
        else
            try_level(t, *s, turn % NR_TYPES, when);
        turn++;
    }
    if (t->result < TEST_ERROR)
        exchange(r, s, is_gdt ? "after set_gdt of this frame, and then of no frame" : when);
    if (t->result < TEST_ERROR)
        table_fill(t, *s, 0);
}

void table_drop(struct room *r, struct spot s)
{
    fixmap_unmap_mfn(&r->t->d->fixmap, s.mfn);
    if (r->t->result < TEST_ERROR)
        room_drop(r, s);
    else
        (void)!spot_show(s, INVALID_MFN, 0);
}

void tree_close(struct tree *tr)
{
    for (unsigned int level = PT_LEVELS; level >= 1; level--)
        check_unused(&tr->room, &tr->table[level], "at the end of the test");
    for (unsigned int i = 0; i < NR_TREE_PAGES; i++)
        check_unused(&tr->room, &tr->page[i], "at the end of the test");
    for (unsigned int level = 1; level <= PT_LEVELS; level++)
        table_drop(&tr->room, tr->table[level]);
    for (unsigned int i = 0; i < NR_TREE_PAGES; i++)
        table_drop(&tr->room, tr->page[i]);
    room_close(&tr->room);
}
