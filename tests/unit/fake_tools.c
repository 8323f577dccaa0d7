/* SPDX-License-Identifier: MIT */
#include "tests/unit/fake_tools.h"

#include "tests/unit/fake_events.h"
#include "tests/unit/fake_grants.h"
#include "tests/unit/harness.h"
#include "tests/unit/tools_oracle.h"

#include <stdlib.h>
#include <string.h>

/* Frame i of the machine becomes frame (n - 1 - i + TURN) % n: all move, none stay adjacent. */
#define TURN 1237

struct fake_tools fake_tools;

static struct tools_p2m p2m;

static struct shared_info *shared(void)
{
    return (struct shared_info *)fake_ram(fake.shared);
}

static uint64_t moved(uint64_t mfn)
{
    uint64_t n = fake.nr_mfns;

    return fake.first_mfn + (n - 1 - (mfn - fake.first_mfn) + TURN) % n;
}

/* Is @mfn in the P2M list as the save read it? */
static bool in_pseudophysmap(uint64_t mfn)
{
    struct fake_frame *f = fake_frame(mfn);
    uint64_t pfn = f ? fake.m2p.table[mfn] : INVALID_ENTRY;

    return f && pfn < p2m.nr_pfns && tools_entry(&p2m, pfn) == mfn;
}

static bool is_table(const struct fake_frame *f)
{
    return f->type_count && f->type >= FAKE_L1 && f->type <= FAKE_L4;
}

static void save_table(uint64_t table)
{
    for (unsigned int i = 0; i < PTES_PER_TABLE; i++) {
        uint64_t pte = fake_ram(table)[i];

        if (pte_present(pte) && !in_pseudophysmap(pte_mfn(pte).v))
            fail_msg("Bad mfn for L%u[%u]: %#lx", fake_frame(table)->type, i, pte_mfn(pte).v);
    }
}

void fake_tools_save(uint64_t start_info)
{
    const struct start_info *si;

    fake_tools.nr_saved++;
    tools_free(&p2m); /* left by a save without a restore */
    tools_read(&p2m, &shared()->arch);
    if (p2m.error[0])
        fail_msg("the tools cannot save: %s", p2m.error);
    for (uint64_t pfn = 0; pfn < p2m.nr_pfns; pfn++) {
        uint64_t mfn = tools_entry(&p2m, pfn);

        if (mfn == INVALID_ENTRY)
            continue;
        if (!fake_frame(mfn) || fake_frame(mfn)->foreign || fake.m2p.table[mfn] != pfn)
            fail_msg("save: PFN %#lx has MFN %#lx, which is not the guest's", pfn, mfn);
    }
    for (uint64_t i = 0; i < fake.nr_mfns; i++)
        if (is_table(fake_frame(fake.first_mfn + i)))
            save_table(fake.first_mfn + i);
    if (!in_pseudophysmap(start_info))
        fail_msg("save: MFN of start_info is %#lx, which is not the guest's", start_info);
    si = (const struct start_info *)fake_ram(start_info);
    if (si->store_mfn >= p2m.nr_pfns || si->console.domU.mfn >= p2m.nr_pfns)
        fail_msg("save: start_info.store_mfn is %#lx, console.domU.mfn is %#lx, expected PFNs",
                 si->store_mfn, si->console.domU.mfn);
    if (fake_peer_mappings())
        fail_msg("save: the peer still maps pages of the guest");
    if (shared()->vcpu_info[0].evtchn_upcall_mask == 0)
        fail_msg("save: evtchn_upcall_mask is 0, expected 1");
}

/* Moves the frames, with their types, contents and M2P entries. */
static void move_frames(void)
{
    struct fake_frame *was = malloc(fake.nr_mfns * sizeof(*was));
    uint64_t *pfns = malloc(fake.nr_mfns * sizeof(*pfns));

    for (uint64_t i = 0; i < fake.nr_mfns; i++) {
        was[i] = *fake_frame(fake.first_mfn + i);
        pfns[i] = fake.m2p.table[fake.first_mfn + i];
    }
    for (uint64_t i = 0; i < fake.nr_mfns; i++) {
        uint64_t to = moved(fake.first_mfn + i);

        *fake_frame(to) = was[i];
        fake_set_m2p(to, pfns[i]);
    }
    free(was);
    free(pfns);
    fake.root = moved(fake.root);
    fake.shared = moved(fake.shared);
}

static void localise_tables(void)
{
    for (uint64_t i = 0; i < fake.nr_mfns; i++) {
        uint64_t mfn = fake.first_mfn + i;

        if (!is_table(fake_frame(mfn)))
            continue;
        for (unsigned int j = 0; j < PTES_PER_TABLE; j++) {
            uint64_t *pte = &fake_ram(mfn)[j];

            if (pte_present(*pte))
                *pte = pte_make(to_mfn(moved(pte_mfn(*pte).v)), *pte & ~PTE_MFN_MASK);
        }
    }
}

static uint64_t new_frame(uint64_t pfn)
{
    for (uint64_t i = 0; i < fake.nr_mfns; i++) {
        uint64_t mfn = fake.first_mfn + i;

        if (!fake_frame(mfn)->foreign || fake_frame(mfn)->owner || mfn == fake.shared)
            continue;
        fake_frame(mfn)->foreign = false;
        fake_set_m2p(mfn, pfn);
        return mfn;
    }
    fail_msg("restore: the new machine has no frame for PFN %#lx", pfn);
    return 0;
}

/* The P2M entry of @pfn, in the new frame of its leaf. */
static uint64_t *new_entry(uint64_t pfn)
{
    return fake_ram(moved(p2m.leaves[pfn / P2M_PER_PAGE])) + pfn % P2M_PER_PAGE;
}

/* As update_guest_p2m: writes all leaves that the save read. */
static void rewrite_list(void)
{
    for (uint64_t pfn = 0; pfn < p2m.nr_pfns; pfn++)
        if (*new_entry(pfn) != INVALID_ENTRY)
            *new_entry(pfn) = moved(*new_entry(pfn));
    for (unsigned int i = 0; i < fake_tools.nr_refilled; i++)
        *new_entry(fake_tools.refilled[i]) = new_frame(fake_tools.refilled[i]);
}

static void rewrite_start_info(struct start_info *si)
{
    /* take some ports, so that the guest's new ports have other numbers */
    for (int i = 0; i < 5; i++)
        (void)fake_events_port();
    fake_tools.store_port = fake_events_port();
    fake_tools.console_port = fake_events_port();
    si->store_mfn = *new_entry(si->store_mfn);
    si->store_evtchn = fake_tools.store_port;
    si->console.domU.mfn = *new_entry(si->console.domU.mfn);
    si->console.domU.evtchn = fake_tools.console_port;
    si->nr_pages = p2m.nr_pfns;
    si->shared_info = fake.shared * PAGE_SIZE;
    si->flags = 0;
}

static void rewrite_shared_info(struct shared_info *s)
{
    s->arch.pfn_to_mfn_frame_list_list = 0;
    memset(s->evtchn_pending, 0, sizeof(s->evtchn_pending));
    memset(s->evtchn_mask, 0xff, sizeof(s->evtchn_mask));
    for (unsigned int i = 0; i < ARRAY_SIZE(s->vcpu_info); i++)
        s->vcpu_info[i].evtchn_pending_sel = 0;
}

uint64_t fake_tools_restore(uint64_t start_info)
{
    fake_grants_new_domain(moved);
    localise_tables(); /* before the frames move */
    move_frames();
    rewrite_list();
    fake_tlb_flush();
    memset(fake_events.ports, 0, sizeof(fake_events.ports));
    fake_events.alarm_ns = 0;
    fake_events.watchdog_seconds = 0;
    fake_events.shared = shared();
    rewrite_start_info((struct start_info *)fake_ram(moved(start_info)));
    rewrite_shared_info(shared());
    fake.nr_restores++;
    fake_events_set_time(7000000000); /* the new Xen has a short uptime */
    tools_free(&p2m);
    return moved(start_info);
}
