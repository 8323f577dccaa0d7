/* SPDX-License-Identifier: MIT */
/*
 * Descriptors: which of them a GDT or LDT may have, and how Xen changes them.
 *
 * Without these tests a guest could install a descriptor that leads into Xen: a system segment, an
 * interrupt gate, or a call gate to Xen's code. HYPERVISOR_update_descriptor and
 * HYPERVISOR_set_gdt of <xen/xen.h> check each descriptor by check_descriptor() of Xen
 * arch/x86/pv/descriptor-tables.c: segments of code and data get at least DPL 3, since the guest's
 * kernel runs in ring 3; a call gate gets DPL 0, so that Xen can emulate it; other system
 * descriptors are refused, unless they are not present. (Descriptors: Intel SDM vol. 3, 3.4.5 and
 * 5.8.3.)
 */
#include "lib/errno.h"

#include "arch/x86/hypercall.h"

#include "tests/guest/mmu/table_room.h"

#define DESC(type, s, dpl, p) \
    ((uint64_t)(0xcf0000 | (type) << 8 | (s) << 12 | (dpl) << 13 | (p) << 15) << 32 | 0xffff)
/* A call gate has a selector in bits 31:16, and no G, D and L bits. */
#define GATE(selector, dpl, reserved) \
    ((uint64_t)(0xc << 8 | (dpl) << 13 | 1 << 15 | (reserved)) << 32 | (uint64_t)(selector) << 16)
#define XEN_CS           0xe008
#define DATA             DESC(3, 1, 3, 1)
#define SELECTOR(i)      ((i) << 3 | 3)
#define NR_TYPES         16
#define CALL_GATE        12
#define ENTRIES_PER_PAGE 512
#define MAX_FRAMES       (FIRST_RESERVED_GDT_ENTRY / ENTRIES_PER_PAGE)

static const unsigned int slots[] = {0, 1, 255, 511};

static long update_descriptor(mfn_t mfn, unsigned int i, uint64_t desc)
{
    return HYPERVISOR_any(__HYPERVISOR_update_descriptor, mfn_to_maddr(mfn) + i * 8, desc, 0, 0);
}

static long set_gdt(uint64_t *frames, unsigned int nr_entries)
{
    return HYPERVISOR_any(__HYPERVISOR_set_gdt, (uintptr_t)frames, nr_entries, 0, 0);
}

static const struct kind {
    uint64_t desc, installed; /* installed: 0 if Xen refuses it */
    const char *name;
} kinds[] = {
    {DATA,   DATA,                                  "data, DPL 3"},
    {DESC(3,           1,                                        0,          1), DATA, "data, DPL 0"},
    {DESC(3,1,                                     1,            1), DATA, "data, DPL 1"},
    {DESC(3, 1,                                     2,             1), DATA, "data, DPL 2"},
    {  DESC(11,              1,                                     3,                                            1), DESC(11, 1, 3, 1), "code, DPL 3"},
    {DESC(11,1,                                         0,                                                    1), DESC(11, 1, 3, 1), "code, DPL 0"},
    {DESC(15,1,0,1), DESC(15, 1, 3, 1), "conforming code, DPL 0"},
    {DESC(3,  1,                            0,                                         0), DESC(3, 1, 0, 0), "data, DPL 0, not present"},
    {DESC(2,                                             0,                                  0,                                                                                          0), DESC(2, 0, 0, 0), "LDT, not present"},
    { DESC(14,               0,                                      0,                                               0), DESC(14, 0, 0, 0), "interrupt gate, not present"},
    {                                                                     GATE(FLAT_KERNEL_CS,                                             0,                                         0),                                                    GATE(FLAT_KERNEL_CS, 0, 0), "call gate, DPL 0"},
    {GATE(FLAT_KERNEL_CS & ~3,3,     0),0, "call gate to the kernel's code by RPL 0"},
    {GATE(SELECTOR(1),3,                       0),                                    GATE(SELECTOR(1), 0, 0), "call gate to a guest segment"},
    {GATE(SELECTOR(1) & ~3,0,                                  0),GATE(SELECTOR(1), 0, 0), "call gate by RPL 0, DPL 0"},
    {GATE(XEN_CS,3,                         0),                                 0, "call gate to Xen's code"},
    {GATE(SELECTOR(1),3,                       1),                                    0, "call gate with a reserved bit"},
    {GATE(SELECTOR(1),                                                 3, 0x80),                                                                                        0, "call gate with a reserved bit"},
};

/* Writes the descriptor of @k to entry @i of a frame, and reads what Xen stored. */
static void check_kind(struct test *t, struct spot s, unsigned int i, const struct kind *k)
{
    const uint64_t old = DESC(1, 1, 3, 0);

    CHECK_RC(update_descriptor(s.mfn, i, old), 0, "update_descriptor of entry %u to 0x%lx", i, old);
    CHECK_RC(update_descriptor(s.mfn, i, k->desc), k->installed ? 0 : -EINVAL,
             "update_descriptor of entry %u to 0x%lx (%s)", i, k->desc, k->name);
    CHECK_EQ(table_entry(s, i), k->installed ? k->installed : old,
             "after update_descriptor to 0x%lx (%s): entry %u", k->desc, k->name, i);
}

static void check_kinds(struct test *t, struct spot s)
{
    for (unsigned int i = 0; i < ARRAY_SIZE(slots); i++) {
        for (unsigned int k = 0; k < ARRAY_SIZE(kinds); k++)
            check_kind(t, s, slots[i], &kinds[k]);
        /* type 0 is the second half of a call gate, and is harmless */
        for (unsigned int type = 1; type < NR_TYPES; type++)
            if (type != CALL_GATE)
                check_kind(t, s, slots[i],
                           &(struct kind){DESC(type, 0, 3, 1), 0, "system descriptor, present"});
        CHECK_RC(update_descriptor(s.mfn, slots[i], 0), 0, "update_descriptor of entry %u to 0",
                 slots[i]);
    }
}

TEST_RULE(abi_descriptors, "update_descriptor refuses system descriptors, and corrects the DPL")
{
    struct spot *page;
    struct tree tr;
    uint64_t frame;

    if (!tree_open(&tr, t))
        return;
    page = &tr.page[0], frame = page->mfn.v;
    check_kinds(t, *page);
    CHECK_RC(set_gdt(&frame, ENTRIES_PER_PAGE), 0, "set_gdt of 512 empty entries");
    check_kinds(t, *page);
    CHECK_RC(update_descriptor(page->mfn, 5, DATA), 0, "update_descriptor of the GDT in use");
    CHECK_RC(probe_ds_once(SELECTOR(5)), 0, "load of DS with a new descriptor of the GDT in use");
    CHECK_RC(set_gdt(&frame, 0), 0, "set_gdt of no frames");
    check_unused(&tr.room, page, "after set_gdt and update_descriptor of this frame");
    tree_close(&tr);
}

TEST_RULE(
    abi_descriptor_place,
    "update_descriptor refuses a misaligned address, an MFN past the last one, and a page table")
{
    mfn_t past = to_mfn(t->d->host.max_mfn + 1);
    struct spot *table;
    struct tree tr;

    if (!tree_open(&tr, t))
        return;
    table = &tr.table[1];
    for (unsigned int byte = 1; byte < 8; byte++)
        CHECK_RC(HYPERVISOR_any(__HYPERVISOR_update_descriptor, mfn_to_maddr(tr.page[0].mfn) + byte,
                                DATA, 0, 0),
                 -EINVAL, "update_descriptor at offset %u, not a multiple of 8", byte);
    CHECK_EQ(table_entry(tr.page[0], 0) | table_entry(tr.page[0], 1), 0,
             "after refused update_descriptors: OR of words 0 and 1 of MFN 0x%lx",
             tr.page[0].mfn.v);
    CHECK_RC(update_descriptor(past, 0, DATA), -EINVAL,
             "update_descriptor in a frame past the last one of the host");
    if (!tr.brief) {
        table_pin(t, *table, 1);
        CHECK_RC(update_descriptor(table->mfn, 0, DATA), -EINVAL,
                 "update_descriptor in an L1 table");
        CHECK_EQ(table_entry(*table, 0), 0, "after a refused update_descriptor: L1 entry 0");
        if (t->result < TEST_ERROR)
            table_unpin(t, *table, 1);
        check_unused(&tr.room, table, "after a refused update_descriptor");
    }
    tree_close(&tr);
}

/* One bad descriptor among good ones. A debug build of Xen logs each refusal. */
static void check_bad_page(struct test *t, struct tree *tr, unsigned int i, uint64_t desc,
                           const char *name)
{
    uint64_t frame = tr->page[0].mfn.v;

    table_fill(t, tr->page[0], DATA);
    table_store(t, tr->page[0], i, desc);
    CHECK_RC(set_gdt(&frame, ENTRIES_PER_PAGE), -EINVAL, "set_gdt, entry %u is 0x%lx (%s)", i, desc,
             name);
    check_unused(&tr->room, &tr->page[0], "after a refused set_gdt");
}

TEST_RULE(abi_gdt_entries, "set_gdt validates each of the 512 descriptors of a frame")
{
    struct tree tr;
    uint64_t frame;

    if (!tree_open(&tr, t))
        return;
    table_fill(t, tr.page[0], DESC(3, 1, 0, 1));
    frame = tr.page[0].mfn.v;
    CHECK_RC(set_gdt(&frame, 1), 0, "set_gdt of 512 data segments, DPL 0");
    for (unsigned int i = 0; i < ENTRIES_PER_PAGE; i++)
        CHECK_EQ(table_entry(tr.page[0], i), DATA, "after set_gdt: entry %u, whose DPL was 0", i);
    CHECK_RC(set_gdt(&frame, 0), 0, "set_gdt of no frames");
    for (unsigned int i = tr.brief ? ARRAY_SIZE(slots) - 1 : 0; i < ARRAY_SIZE(slots); i++) {
        check_bad_page(t, &tr, slots[i], DESC(2, 0, 0, 1), "LDT");
        if (!tr.brief)
            check_bad_page(t, &tr, slots[i], GATE(XEN_CS, 3, 0), "call gate to Xen's code");
    }
    tree_close(&tr);
}

/* Installs the GDT in @s, which has a data segment in entry 5. */
static void install(struct test *t, struct spot s, const char *what)
{
    uint64_t frame = s.mfn.v;

    CHECK_RC(set_gdt(&frame, ENTRIES_PER_PAGE), 0, "set_gdt of %s", what);
    CHECK_RC(probe_ds_once(SELECTOR(5)), 0, "load of DS with entry 5 of %s", what);
}

TEST_RULE(abi_gdt_change,
          "a refused set_gdt keeps the old GDT; another GDT releases the old frames")
{
    uint64_t frames[MAX_FRAMES];
    struct spot *a, *b;
    struct tree tr;

    if (!tree_open(&tr, t))
        return;
    a = &tr.page[0], b = &tr.page[1];
    table_store(t, *a, 5, DATA);
    install(t, *a, "the first GDT");
    for (unsigned int i = 0; i < MAX_FRAMES; i++)
        frames[i] = i < MAX_FRAMES - 1 ? b->mfn.v : t->d->host.max_mfn + 1;
    CHECK_RC(set_gdt(frames, FIRST_RESERVED_GDT_ENTRY), -EINVAL,
             "set_gdt of %d frames, the last one is past the last MFN of the host", MAX_FRAMES);
    CHECK_RC(probe_ds_once(SELECTOR(5)), 0,
             "after a refused set_gdt: load of DS with entry 5 of the GDT in use");
    check_unused(&tr.room, b, "after a refused set_gdt, which began with this frame");
    /* check_unused may have installed a GDT of its own */
    install(t, *a, "the first GDT again");

    for (unsigned int i = 0; i < MAX_FRAMES; i++)
        frames[i] = b->mfn.v;
    CHECK_RC(set_gdt(frames, FIRST_RESERVED_GDT_ENTRY), 0, "set_gdt of %d frames", MAX_FRAMES);
    CHECK_RC(probe_ds_once(SELECTOR(5)), -EFAULT,
             "load of DS with entry 5 of a GDT without descriptors");
    table_store(t, *a, 5, 0); /* fails if Xen still uses the frame as a GDT */
    CHECK_RC(set_gdt(frames, 0), 0, "set_gdt of no frames");
    check_unused(&tr.room, a, "after set_gdt of other frames, frame of the old GDT");
    check_unused(&tr.room, b, "after set_gdt of no frames, frame of the old GDT");
    tree_close(&tr);
}
