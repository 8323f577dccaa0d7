/* SPDX-License-Identifier: MIT */
/*
 * GNTTABOP_transfer. <xen/grant_table.h>: "Note that, even if the transfer fails, the specified
 * page no longer belongs to the calling domain *unless* the error is GNTST_bad_page."
 *
 * Without these tests a domain could lose a page that it still maps, or keep a page that it has
 * given away. (XSA-214: "grant transfer allows PV guest to elevate privileges".)
 */
#include "lib/errno.h"

#include "arch/x86/hypercall.h"

#include "xen/host.h"

#include "tests/guest/grants/grant_steps.h"

#define REF        GRANT_FIRST
#define ROOM_PAGES 40

static int16_t transfer(struct grant_room *g, mfn_t mfn, domid_t domain, uint32_t ref)
{
    struct test *t = g->fr.room.t;
    struct gnttab_transfer op = {.mfn = mfn.v, .domid = domain, .ref = ref, .status = NO_STATUS};

    CHECK_RC(HYPERVISOR_grant_table_op(GNTTABOP_transfer, &op, 1), 0,
             "GNTTABOP_transfer of MFN 0x%lx to domain 0x%x", mfn.v, domain);
    return op.status;
}

/* A page that Xen must not take: it stays this domain's. */
static void refuse(struct grant_room *g, mfn_t mfn, const char *what)
{
    struct test *t = g->fr.room.t;
    uint64_t pages = host_current_pages();

    CHECK_GNTST(transfer(g, mfn, g->fr.self, REF), GNTST_bad_page, "GNTTABOP_transfer of %s", what);
    CHECK_EQ(host_current_pages(), pages,
             "number of pages of this domain after the refused GNTTABOP_transfer of %s", what);
    CHECK_EQ(grant_flags(g, REF), GTF_accept_transfer,
             "flags of grant entry %u after the refused GNTTABOP_transfer of %s", REF, what);
}

static void check_refused(struct grant_room *g)
{
    struct test *t = g->fr.room.t;
    struct domain *d = t->d;
    struct spot s = room_spot(&g->fr.room);

    grant_write(g, REF, GTF_accept_transfer, g->fr.self, to_mfn(m2p_get(&d->host.m2p, s.mfn).v));
    check_frame(t, spot_show(s, s.mfn, PTE_RW), 0, "update_va_mapping, writable", s.mfn);
    if (g->first)
        refuse(g, s.mfn, "a page that is mapped");
    *(volatile uint64_t *)s.va = GRANTER_WORD;
    if (g->more) {
        refuse(g, to_mfn(d->host.max_mfn + 1), "a frame past the last MFN");
        refuse(g, xen_frame(d), "a frame of Xen");
    }
    grant_drop(g, s);
}

/* Does Xen transfer pages? Not with its option gnttab=no-transfer. */
static bool can_transfer(struct test *t)
{
    if (shim_is_between(t))
        return false;
    if (HYPERVISOR_grant_table_op(GNTTABOP_transfer, NULL, 0) == 0)
        return true;
    test_skip(t, "Xen transfers no pages (gnttab=no-transfer)");
    return false;
}

TEST_RULE(abi_grant_transfer_refused,
          "GNTTABOP_transfer refuses a page that is mapped, and leaves it to the caller")
{
    if (can_transfer(t))
        grant_room_each(t, ROOM_PAGES, check_refused);
}

/* The page is gone, although the transfer failed: gets another one for the PFN. */
static bool lose(struct grant_room *g, struct spot *s, domid_t domain, int16_t status,
                 const char *what)
{
    struct test *t = g->fr.room.t;
    uint64_t pages = host_current_pages(), pfn = m2p_get(&t->d->host.m2p, s->mfn).v;

    CHECK_GNTST(transfer(g, s->mfn, domain, REF), status, "GNTTABOP_transfer to %s", what);
    CHECK_EQ(host_current_pages(), pages - 1,
             "number of pages of this domain after the failed GNTTABOP_transfer to %s", what);
    if (host_current_pages() == pages)
        return true;
    CHECK_RC(p2m_set(&t->d->p2m, to_pfn(pfn), INVALID_MFN), 0, "p2m_set of PFN 0x%lx to ~0", pfn);
    return grant_refill(t, pfn, &s->mfn);
}

/* To this domain itself, by an entry that accepts it. */
static void check_self(struct grant_room *g, struct spot s)
{
    struct test *t = g->fr.room.t;
    uint64_t pages = host_current_pages(), pfn = m2p_get(&t->d->host.m2p, s.mfn).v;

    if (g->version == 1 && pfn > UINT32_MAX) /* the entry has 32 bits for the PFN */
        return;
    grant_write(g, REF, GTF_accept_transfer, g->fr.self, to_mfn(pfn));
    CHECK_GNTST(transfer(g, s.mfn, g->fr.self, REF), GNTST_okay,
                "GNTTABOP_transfer to an entry that accepts the page");
    CHECK_EQ(grant_flags(g, REF),
             GTF_accept_transfer | GTF_transfer_committed | GTF_transfer_completed,
             "flags of grant entry %u after GNTTABOP_transfer to this domain", REF);
    CHECK_EQ(grant_frame(g, REF).v, s.mfn.v,
             "MFN in grant entry %u after GNTTABOP_transfer to this domain", REF);
    CHECK_EQ(m2p_get(&t->d->host.m2p, s.mfn).v, pfn,
             "M2P entry of MFN 0x%lx after GNTTABOP_transfer", s.mfn.v);
    CHECK_EQ(host_current_pages(), pages,
             "number of pages of this domain after GNTTABOP_transfer to itself");
    grant_check_untyped(g, s.mfn, "after GNTTABOP_transfer");
}

static void check_transfer(struct grant_room *g)
{
    struct test *t = g->fr.room.t;
    struct spot s = room_spot(&g->fr.room);
    bool ok = true;

    check_self(g, s);
    if (g->more) {
        ok = lose(g, &s, NO_DOMAIN, GNTST_bad_domain, "a domain that does not exist");
        grant_write(g, REF, GTF_permit_access, g->fr.self, s.mfn);
        ok = ok && lose(g, &s, g->fr.self, GNTST_general_error, "an entry that accepts no page");
        grant_write(g, REF, GTF_accept_transfer, NO_DOMAIN,
                    to_mfn(m2p_get(&t->d->host.m2p, s.mfn).v));
        ok = ok && lose(g, &s, g->fr.self, GNTST_general_error,
                        "an entry that accepts a page of another domain only");
    }
    if (ok)
        grant_drop(g, s);
}

TEST_RULE(
    abi_grant_transfer,
    "GNTTABOP_transfer moves a page to an entry that accepts it; else the caller loses the page")
{
    if (can_transfer(t))
        grant_room_each(t, ROOM_PAGES, check_transfer);
}
