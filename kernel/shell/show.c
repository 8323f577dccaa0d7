/* SPDX-License-Identifier: MIT */
#include "kernel/shell/show.h"

#include "lib/errno.h"
#include "lib/number.h"
#include "lib/printk.h"

#include "arch/x86/hypercall.h"

#include "mm/pt_print.h"
#include "mm/readback.h"

#include "xen/evtchn.h"
#include "xen/watchdog.h"
#include "xen/xenstore.h"

#include <xen/event_channel.h>

int show_e820(struct domain *d, const char *arguments)
{
    static const char *const types[] = {"?", "RAM", "reserved", "ACPI", "ACPI NVS", "unusable"};

    (void)arguments;
    for (size_t i = 0; i < d->map.nr; i++) {
        const struct e820_entry *e = &d->map.entries[i];

        print("[0x%011lx, 0x%011lx) type %u %s\n", e->addr, e->addr + e->len_bytes, e->type,
              types[e->type < ARRAY_SIZE(types) ? e->type : 0]);
    }
    print("E820 map of the %s, %lu entries\n", d->map_source == MAP_MACHINE ? "machine" : "domain",
          d->map.nr);
    return 0;
}

int show_ranges(struct domain *d, const char *arguments)
{
    const struct ranges *t = &d->p2m.ranges;

    (void)arguments;
    for (size_t i = 0; i < t->nr; i++)
        print("PFNs [0x%lx, 0x%lx) %s, %lu pages\n", t->r[i].start, t->r[i].end,
              range_kind_name(t->r[i].kind), t->r[i].end - t->r[i].start);
    print("PFNs from 0x%lx on: %s\n", ranges_end(t), range_kind_name(t->beyond));
    return 0;
}

static void show_pfn(struct domain *d, pfn_t pfn)
{
    const char *kind = range_kind_name(ranges_find(&d->p2m.ranges, pfn.v).kind);
    mfn_t own = p2m_get_ram(&d->p2m, pfn), mfn = p2m_get(&d->p2m, pfn);

    if (!mfn_eq(own, INVALID_MFN))
        print("PFN 0x%lx: MFN 0x%lx%s\n", pfn.v, own.v,
              frame_pool_has(&d->frame_pool, pfn) ? ", free" : "");
    else if (!mfn_eq(mfn, INVALID_MFN))
        print("PFN 0x%lx: %s, machine frame 0x%lx\n", pfn.v, kind, mfn.v);
    else
        print("PFN 0x%lx: %s, no frame\n", pfn.v, kind);
}

int show_p2m(struct domain *d, const char *arguments)
{
    uint64_t pfn, count = 1;

    if (!number_next(&arguments, &pfn) || (*arguments && !number_next(&arguments, &count)) ||
        *arguments || count == 0 || count > SHOW_MAX_LINES || pfn >> MFN_BITS) {
        return -EINVAL;
    }
    for (uint64_t i = 0; i < count; i++)
        show_pfn(d, to_pfn(pfn + i));
    return 0;
}

int show_m2p(struct domain *d, const char *arguments)
{
    uint64_t mfn;
    pfn_t pfn;

    if (!number_next(&arguments, &mfn) || *arguments) {
        return -EINVAL;
    }
    pfn = m2p_get(&d->host.m2p, to_mfn(mfn));
    if (pfn.v == INVALID_ENTRY)
        print("MFN 0x%lx: the M2P has no PFN of this MFN\n", mfn);
    else if (mfn_eq(p2m_get_ram(&d->p2m, pfn), to_mfn(mfn)))
        print("MFN 0x%lx: PFN 0x%lx of this domain\n", mfn, pfn.v);
    else
        print("MFN 0x%lx: M2P entry PFN 0x%lx, but this domain's P2M entry of that PFN is MFN "
              "0x%lx\n",
              mfn, pfn.v, p2m_get_ram(&d->p2m, pfn).v);
    return 0;
}

int show_walk(struct domain *d, const char *arguments)
{
    uint64_t va;

    if (!number_next(&arguments, &va) || *arguments)
        return -EINVAL;
    if (!va_canonical(va))
        printk(LOG_ERROR, "walk: 0x%lx is not canonical: expected bits 47 to 63 to be equal\n", va);
    else
        pt_print_walk(&d->pt, va);
    return 0;
}

/* Leaves between two calls of watchdog_kick: the leaves of 8 GiB of PFNs. */
#define LEAVES_PER_KICK 4096

static void count_leaf(void *context, uint64_t leaf, mfn_t mfn)
{
    uint64_t *nr = context; /* visited leaves */

    (void)leaf;
    (void)mfn;
    if (++*nr % LEAVES_PER_KICK == 0)
        watchdog_kick();
}

int show_published(struct domain *d, const char *arguments)
{
    const struct arch_shared_info *a = &d->shared->arch;
    const struct readback rb = {.pt = &d->pt, .p2m = &d->p2m, .m2p = &d->host.m2p, .shared = a};
    struct readback_result read;
    uint64_t nr_visited = 0;
    int rc;

    (void)arguments;
    print("max_pfn 0x%lx, p2m_vaddr 0x%lx, p2m_cr3 0x%lx, p2m_generation %lu, "
          "pfn_to_mfn_frame_list_list 0x%lx\n",
          a->max_pfn, a->p2m_vaddr, a->p2m_cr3, a->p2m_generation, a->pfn_to_mfn_frame_list_list);
    rc = readback_list(&rb, count_leaf, &nr_visited, &read);
    if (rc)
        print("P2M list: Xen's tools cannot read the published P2M list: %d (%s)\n", rc,
              errno_name(rc));
    else
        print("P2M list: a tool reads %lu leaves, for 0x%lx PFNs\n", read.nr_leaves, read.nr_pfns);
    rc = readback_tree(&rb, count_leaf, &nr_visited, &read);
    if (rc)
        print("P2M tree: Xen's tools cannot read the published P2M tree: %d (%s)\n", rc,
              errno_name(rc));
    else
        print("P2M tree: a tool reads %lu leaves\n", read.nr_leaves);
    return 0;
}

int show_stats(struct domain *d, const char *arguments)
{
    (void)arguments;
    print("pages: %lu, limit %lu; P2M list of 0x%lx entries\n", d->balloon.nr_pages, d->max_pages,
          d->p2m.nr);
    print("frame pool: %lu free frames in %lu runs; %lu allocations since boot\n",
          d->frame_pool.free.nr_pfns, d->frame_pool.free.nr_runs, d->frame_pool.nr_requests);
    print("page tables: %lu allocated; heap addresses are used up to 0x%lx\n", d->pt.nr_tables,
          d->heap.next);
    print("P2M list: %lu new leaves, %lu shared leaves; %lu frames with new PFNs\n",
          d->revectored.nr_new_leaves, d->revectored.nr_none, d->plan.nr_moved);
    print("event channels: %u ports with a handler; xenstore: %u watches\n", evtchn_count(),
          xs_count_watches());
    print("grants: %u in force, %u deferred ends; foreign window: %lu ranges\n", d->grants.nr_used,
          d->grants.nr_deferred, d->foreign.nr_ranges);
    return 0;
}

int show_frame_pool(struct domain *d, const char *arguments)
{
    const struct pfn_runs *f = &d->frame_pool.free;

    (void)arguments;
    for (size_t i = 0; i < min_u64(f->nr_runs, SHOW_MAX_LINES); i++)
        print("PFNs [0x%lx, 0x%lx) free, %lu pages\n", f->runs[i].start, f->runs[i].end,
              f->runs[i].end - f->runs[i].start);
    if (f->nr_runs > SHOW_MAX_LINES)
        print("%lu more runs of free PFNs are not printed\n", f->nr_runs - SHOW_MAX_LINES);
    print("%lu pages free in %lu runs\n", f->nr_pfns, f->nr_runs);
    return 0;
}

int show_grants(struct domain *d, const char *arguments)
{
    const struct grants *g = &d->grants;

    (void)arguments;
    print("grant table version %u, %u of %u frames; %u grants in force, %u deferred ends\n",
          g->version, g->nr_frames, g->max_frames, g->nr_used, g->nr_deferred);
    return 0;
}

int show_foreign(struct domain *d, const char *arguments)
{
    static const char *const kinds[] = {[FOREIGN_GRANT] = "grants",
                                        [FOREIGN_FRAME] = "frames",
                                        [FOREIGN_MACHINE] = "device memory"};

    uint64_t nr = 0;

    (void)arguments;
    for (const struct foreign_range *r = d->foreign.first; r && nr < SHOW_MAX_LINES;
         r = r->next, nr++) {
        print("[0x%lx, 0x%lx) %s of ", r->pages, r->pages + r->nr * PAGE_SIZE, kinds[r->kind]);
        if (r->domain == DOMID_SELF)
            print("this domain");
        else
            print("domain %u", r->domain);
        print(", %lu of %lu pages mapped%s%s\n", r->nr_mapped, r->nr, r->owner ? ", owner " : "",
              r->owner ? r->owner->name : "");
    }
    if (d->foreign.nr_ranges > nr)
        print("%lu more foreign ranges are not printed\n", d->foreign.nr_ranges - nr);
    print("%lu foreign ranges; their descriptions take %lu frames\n", d->foreign.nr_ranges,
          d->foreign.nr_frames);
    return 0;
}

int show_evtchn(struct domain *d, const char *arguments)
{
    /* EVTCHNSTAT_* of <xen/event_channel.h> */
    static const char *const states[] = {"closed", "unbound", "bound to domain",
                                         "PIRQ",   "VIRQ",    "IPI"};
    unsigned int nr = 0, nr_denied = 0;

    (void)d;
    (void)arguments;
    for (evtchn_port_t port = 1; port < EVTCHN_2L_NR_CHANNELS; port++) {
        struct evtchn_status s = {.dom = DOMID_SELF, .port = port};
        long rc = HYPERVISOR_event_channel_op(EVTCHNOP_status, &s);

        nr_denied += rc == -EACCES;
        if (rc || s.status == EVTCHNSTAT_closed || s.status >= ARRAY_SIZE(states))
            continue;
        print("port %u: %s", port, states[s.status]);
        if (s.status == EVTCHNSTAT_interdomain)
            print(" %u, port %u", s.u.interdomain.dom, s.u.interdomain.port);
        else if (s.status == EVTCHNSTAT_virq)
            print(" %u", s.u.virq);
        else if (s.status == EVTCHNSTAT_unbound)
            print(", for domain %u", s.u.unbound.dom);
        print("\n");
        nr++;
    }
    print("%u open ports, %u with a handler\n", nr, evtchn_count());
    if (nr_denied)
        print("EVTCHNOP_status of %u more ports, open or closed, is denied by XSM/FLASK (EACCES)\n",
              nr_denied);
    return 0;
}
