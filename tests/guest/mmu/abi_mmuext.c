/* SPDX-License-Identifier: MIT */
/*
 * HYPERVISOR_mmuext_op of <xen/xen.h>: what each command does, what it refuses, and how many
 * operations of a batch were carried out when one fails.
 *
 * Without these tests a kernel that clears pages, or loads an LDT, by these commands could get
 * other contents; and one that passes many operations at once could not tell which of them Xen has
 * carried out. "@pdone is an output parameter indicating number of completed operations". The code
 * is do_mmuext_op() of Xen arch/x86/mm.c.
 */
#include "lib/errno.h"

#include "arch/x86/hypercall.h"
#include "arch/x86/probe.h"

#include "tests/guest/mmu/table_room.h"

#define NO_COMMAND 63
#define NR_OPS     3
#define WORD(i)    (0x1234567800000000 + (i))

static long mmuext(struct mmuext_op op)
{
    return HYPERVISOR_mmuext_op(&op, 1, NULL, DOMID_SELF);
}

/*
 * A batch of three pins, of which number @bad is an unknown command: the pins before it are done,
 * and those behind it are not.
 */
static void check_batch(struct test *t, struct tree *tr, unsigned int bad)
{
    struct mmuext_op ops[NR_OPS];
    unsigned int done = 77;

    for (unsigned int i = 0; i < NR_OPS; i++)
        ops[i] = (struct mmuext_op){.cmd = i == bad ? NO_COMMAND : MMUEXT_PIN_L1_TABLE,
                                    .arg1.mfn = tr->page[i].mfn.v};
    CHECK_RC(HYPERVISOR_mmuext_op(ops, NR_OPS, &done, DOMID_SELF), bad < NR_OPS ? -ENOSYS : 0,
             "mmuext_op of %d operations (number %u is an unknown command)", NR_OPS, bad);
    CHECK_EQ(done, bad, "*pdone after mmuext_op of %d operations (number %u is an unknown command)",
             NR_OPS, bad);
    for (unsigned int i = 0; i < bad && i < NR_OPS; i++)
        CHECK_RC(pt_unpin(tr->page[i].mfn), 0, "unpin of MFN 0x%lx, pinned by operation %u",
                 tr->page[i].mfn.v, i);
    for (unsigned int i = 0; i < NR_OPS; i++)
        check_unused(&tr->room, &tr->page[i], "after a batch of mmuext_op");
}

TEST_RULE(abi_mmuext_partial,
          "mmuext_op stops at the first invalid operation, and *pdone is its index")
{
    struct tree tr;

    if (!tree_open(&tr, t))
        return;
    for (unsigned int bad = 0; bad <= NR_OPS; bad++)
        check_batch(t, &tr, bad);
    tree_close(&tr);
}

TEST_RULE(abi_mmuext_command, "mmuext_op refuses unknown commands, domains and lists of operations")
{
    struct mmuext_op op = {.cmd = MMUEXT_TLB_FLUSH_LOCAL};
    unsigned int done = 77;

    CHECK_RC(mmuext((struct mmuext_op){.cmd = NO_COMMAND}), -ENOSYS,
             "mmuext_op, unknown command %d", NO_COMMAND);
    CHECK_RC(mmuext((struct mmuext_op){.cmd = 14}), -ENOSYS, "mmuext_op, unknown command 14");
    CHECK_RC(mmuext((struct mmuext_op){.cmd = MMUEXT_MARK_SUPER}), -EOPNOTSUPP,
             "MMUEXT_MARK_SUPER");
    CHECK_RC(mmuext((struct mmuext_op){.cmd = MMUEXT_UNMARK_SUPER}), -EOPNOTSUPP,
             "MMUEXT_UNMARK_SUPER");
    CHECK_RC(HYPERVISOR_mmuext_op((void *)HYPERVISOR_VIRT_START, 1, &done, DOMID_SELF), -EFAULT,
             "mmuext_op, list at Xen's address 0x%lx", HYPERVISOR_VIRT_START);
    CHECK_RC(HYPERVISOR_mmuext_op((void *)stack_guard, 1, &done, DOMID_SELF), -EFAULT,
             "mmuext_op, list in an unmapped page");
    CHECK_EQ(done, 0, "*pdone after mmuext_op of a list in an unmapped page");
    CHECK_RC(HYPERVISOR_mmuext_op(&op, 0, &done, DOMID_SELF), 0, "mmuext_op of no operation");
    CHECK_EQ(done, 0, "*pdone after mmuext_op of no operation");
    op = (struct mmuext_op){.cmd = MMUEXT_TLB_FLUSH_MULTI};
    set_xen_guest_handle(op.arg2.vcpumask, (void *)stack_guard);
    CHECK_RC(mmuext(op), -EINVAL, "MMUEXT_TLB_FLUSH_MULTI, mask of vCPUs in an unmapped page");
}

/*
 * A domain without a right to memory or ports of a device may not flush caches, nor map a page
 * uncached: cache_flush_permitted() of Xen arch/x86/include/asm/iocap.h, and l1_disallow_mask() of
 * arch/x86/mm.c. The errno of MMUEXT_FLUSH_CACHE_GLOBAL was EINVAL before Xen's commit 562af755b1
 * ("fix MMUEXT_FLUSH_CACHE to flush all pCPU caches"), which is in 4.21, and in later releases of
 * 4.18 to 4.20.
 */
TEST_RULE(abi_flush_cache,
          "MMUEXT_FLUSH_CACHE succeeds in a dom0, and fails in a domU without a device")
{
    bool initdom = boot_info_is_initdomain(&t->d->boot), uncached;
    const struct host *h = &t->d->host;
    bool is_old = h->major == 4 && h->minor < 18;
    bool is_new = h->major > 4 || h->minor > 20;
    struct spot s;
    long rc;

    if (!spot_open(t, &s))
        return;
    uncached = !spot_show(s, s.mfn, PTE_RO | PTE_UC);
    spot_close(s);
    if (!initdom && uncached) {
        test_skip(t, "this domU has a device: whether it may flush caches depends on the device");
        return;
    }
    CHECK_RC(mmuext((struct mmuext_op){.cmd = MMUEXT_FLUSH_CACHE}), initdom ? 0 : -EACCES,
             "MMUEXT_FLUSH_CACHE");
    rc = mmuext((struct mmuext_op){.cmd = MMUEXT_FLUSH_CACHE_GLOBAL});
    if (initdom || rc != -EACCES || is_old) /* 4.18 to 4.20: by the release */
        CHECK_RC(rc, initdom ? 0 : is_new ? -EACCES : -EINVAL, "MMUEXT_FLUSH_CACHE_GLOBAL");
}

static void fill_words(struct test *t, struct spot s, uint64_t first)
{
    check_frame(t, spot_show(s, s.mfn, PTE_RW), 0, "update_va_mapping, writable", s.mfn);
    for (unsigned int i = 0; i < PTES_PER_TABLE && t->result < TEST_ERROR; i++)
        ((volatile uint64_t *)s.va)[i] = WORD(first + i);
    check_frame(t, spot_show(s, s.mfn, PTE_RO), 0, "update_va_mapping, read-only", s.mfn);
}

/* Are all words of the page WORD(first + i), or 0? */
static void check_words(struct test *t, struct spot s, uint64_t first, bool zero, const char *what)
{
    for (unsigned int i = 0; i < PTES_PER_TABLE; i++)
        CHECK_EQ(table_entry(s, i), zero ? 0 : WORD(first + i), "after %s: word %u of MFN 0x%lx",
                 what, i, s.mfn.v);
}

static long copy_page(mfn_t to, mfn_t from)
{
    return mmuext(
        (struct mmuext_op){.cmd = MMUEXT_COPY_PAGE, .arg1.mfn = to.v, .arg2.src_mfn = from.v});
}

static long mmuext_device(struct mmuext_op op)
{
    return HYPERVISOR_mmuext_op(&op, 1, NULL, DOMID_IO);
}

static long clear_page(mfn_t mfn)
{
    return mmuext((struct mmuext_op){.cmd = MMUEXT_CLEAR_PAGE, .arg1.mfn = mfn.v});
}

TEST_RULE(abi_copy_page,
          "MMUEXT_CLEAR_PAGE and MMUEXT_COPY_PAGE write one whole page, and no other")
{
    struct spot *a, *b, *c;
    struct tree tr;

    if (!tree_open(&tr, t))
        return;
    a = &tr.page[0], b = &tr.page[1], c = &tr.page[2];
    fill_words(t, *a, 0);
    fill_words(t, *b, 1000);
    fill_words(t, *c, 2000);
    CHECK_RC(copy_page(b->mfn, a->mfn), 0, "MMUEXT_COPY_PAGE of MFN 0x%lx to MFN 0x%lx", a->mfn.v,
             b->mfn.v);
    check_words(t, *a, 0, false, "MMUEXT_COPY_PAGE from this page");
    check_words(t, *b, 0, false, "MMUEXT_COPY_PAGE to this page");
    CHECK_RC(clear_page(a->mfn), 0, "MMUEXT_CLEAR_PAGE of MFN 0x%lx", a->mfn.v);
    check_words(t, *a, 0, true, "MMUEXT_CLEAR_PAGE");
    check_words(t, *b, 0, false, "MMUEXT_CLEAR_PAGE of another page");
    check_words(t, *c, 2000, false, "MMUEXT_CLEAR_PAGE and MMUEXT_COPY_PAGE of other pages");
    for (unsigned int i = 0; i < NR_TREE_PAGES; i++)
        check_unused(&tr.room, &tr.page[i], "after MMUEXT_CLEAR_PAGE and MMUEXT_COPY_PAGE");
    tree_close(&tr);
}

/* A page table may be the source, since it may be read. */
TEST_RULE(abi_copy_page_refused,
          "MMUEXT_CLEAR_PAGE and MMUEXT_COPY_PAGE refuse to write a page table")
{
    struct spot *table, *page;
    struct tree tr;

    if (!tree_open(&tr, t))
        return;
    table = &tr.table[1], page = &tr.page[0];
    table_store(t, *table, 511, pte_make(tr.page[1].mfn, PTE_RO));
    fill_words(t, *page, 0);
    table_pin(t, *table, 1);
    CHECK_RC(clear_page(table->mfn), -EINVAL, "MMUEXT_CLEAR_PAGE of an L1 table");
    if (!tr.brief)
        CHECK_RC(copy_page(table->mfn, page->mfn), -EINVAL, "MMUEXT_COPY_PAGE to an L1 table");
    CHECK_EQ(pte_mfn(table_entry(*table, 511)).v, tr.page[1].mfn.v,
             "after refused writes: MFN in entry 511 of the L1 table");
    CHECK_EQ(table_entry(*table, 0), 0, "after refused writes: entry 0 of the L1 table");
    CHECK_RC(copy_page(page->mfn, table->mfn), 0, "MMUEXT_COPY_PAGE from an L1 table");
    CHECK_EQ(table_entry(*page, 511), table_entry(*table, 511),
             "after MMUEXT_COPY_PAGE from an L1 table: word 511");
    if (!tr.brief) {
        mfn_t past = to_mfn(t->d->host.max_mfn + 1);

        CHECK_RC(clear_page(past), -EINVAL, "MMUEXT_CLEAR_PAGE past the last MFN of the host");
        CHECK_RC(copy_page(past, page->mfn), -EINVAL,
                 "MMUEXT_COPY_PAGE to past the last MFN of the host");
        CHECK_RC(copy_page(page->mfn, past), -EINVAL,
                 "MMUEXT_COPY_PAGE from past the last MFN of the host");
    }
    if (t->result < TEST_ERROR)
        table_unpin(t, *table, 1);
    check_unused(&tr.room, table, "after refused writes");
    check_unused(&tr.room, page, "after refused writes");
    tree_close(&tr);
}

/* In the name of DOMID_IO, whose frames are devices. A domU must not use this name. */
TEST_RULE(abi_copy_page_device, "MMUEXT_CLEAR_PAGE and MMUEXT_COPY_PAGE refuse a frame of a device")
{
    bool initdom = boot_info_is_initdomain(&t->d->boot);
    struct mmuext_op copy = {
        .cmd = MMUEXT_COPY_PAGE, .arg1.mfn = VGA_TEXT, .arg2.src_mfn = VGA_TEXT};

    if (shim_is_between(t))
        return;
    CHECK_RC(mmuext_device((struct mmuext_op){.cmd = MMUEXT_CLEAR_PAGE, .arg1.mfn = VGA_TEXT}),
             initdom ? -EINVAL : -EPERM, "MMUEXT_CLEAR_PAGE of MFN 0x%x in the name of DOMID_IO",
             VGA_TEXT);
    CHECK_RC(mmuext_device(copy), initdom ? -EINVAL : -EPERM,
             "MMUEXT_COPY_PAGE of MFN 0x%x to itself in the name of DOMID_IO", VGA_TEXT);
}
