/* SPDX-License-Identifier: MIT */
#include "kernel/boot/foreign.h"

#include "lib/errno.h"
#include "lib/printk.h"

#include "arch/x86/layout.h"

/*
 * A grant entry of version 1 holds an MFN in 32 bits (grant_entry_v1, <xen/grant_table.h>). What
 * decides is the RAM of this host, which is all that the balloon can get. The width in Xen's CPUID
 * leaf for PV guests does not: a Xen without CONFIG_BIGMEM names at most 44 bits, although its RAM
 * may lie above (get_upper_mfn_bound() in Xen arch/x86/mm.c).
 */
static unsigned int version_for(const struct domain *d)
{
    if (d->options.grants != GRANTS_DEFAULT)
        return d->options.grants;
    return d->host.ram_end > (uint64_t)UINT32_MAX + 1 ? 2 : 1;
}

/* Reports a version 1 table on a host that has frames that it cannot grant. */
static void say_version(const struct domain *d)
{
    printk(LOG_DEBUG, "grants: the grant table has version %u and may have at most %u frames\n",
           d->grants.version, d->grants.max_frames);
    if (d->grants.version == 1 && d->host.ram_end > (uint64_t)UINT32_MAX + 1)
        printk(
            LOG_WARN,
            "grants: the grant table has version 1, but this host has RAM up to MFN 0x%lx: pages "
            "whose MFN needs more than 32 bits cannot be granted\n",
            d->host.ram_end - 1);
}

int foreign_stage(struct domain *d)
{
    int rc;

    foreign_init(&d->foreign, &d->pt, FOREIGN_BASE, FOREIGN_BYTES);
    unpopulated_init(&d->unpopulated, &d->p2m, &d->balloon.empty, d->host.cpu_bits);
    d->grants = (struct grants){
        .window = &d->foreign, .heap = &d->heap, .p2m = &d->p2m, .pool = &d->frame_pool};
    rc = grants_start(&d->grants, version_for(d));
    if (rc == -ENOSYS) {
        printk(LOG_WARN,
               "grants: this domain has no grant table (ENOSYS): it cannot grant pages\n");
        return 0;
    }
    if (!rc)
        say_version(d);
    return rc;
}

/* Number of runs of unpopulated PFNs that are allocated. */
static unsigned int count_unpopulated(const struct domain *d)
{
    unsigned int nr = 0;

    for (unsigned int i = 0; i < MAX_UNPOPULATED; i++)
        nr += d->unpopulated.used[i].range != NULL;
    return nr;
}

/* Has the owners of foreign ranges remap them. Pages that cannot be mapped stay unmapped. */
static void remap_all(struct domain *d, bool new_domain)
{
    unsigned int nr_failed = foreign_resume(&d->foreign, new_domain);

    if (nr_failed)
        printk(
            LOG_WARN,
            "foreign: %u foreign ranges could not be remapped completely after resume: accesses to "
            "their unmapped pages fault\n",
            nr_failed);
}

/*
 * Refuses a suspend while unpopulated PFNs are allocated. The tools may give such a PFN a frame
 * again in the new domain if it had a frame when the live migration began, and only the balloon can
 * return that frame (balloon_reconcile).
 */
int foreign_before_suspend(struct domain *d)
{
    const struct foreign_range *who;
    int rc = foreign_suspend(&d->foreign, &who);

    if (rc) {
        printk(LOG_WARN,
               "foreign: suspend refused: foreign range at 0x%lx has %lu mapped pages and %s%s\n",
               who->pages, who->nr_mapped,
               who->owner ? "its owner cannot unmap them: " : "no owner that can remap them",
               who->owner ? who->owner->name : "");
        return rc;
    }
    if (!count_unpopulated(d))
        return 0;
    printk(LOG_WARN,
           "foreign: suspend refused: %u PFN runs of unpopulated_alloc are not freed, expected 0\n",
           count_unpopulated(d));
    remap_all(d, false);
    return -EBUSY;
}

int foreign_after_resume(struct domain *d, bool new_domain)
{
    uint32_t nr_before = d->grants.nr_dropped;

    remap_all(d, new_domain);
    if (d->grants.nr_dropped > nr_before)
        printk(
            LOG_WARN,
            "grants: this domain is new, so %u grants of the old domain were dropped: the number "
            "of a grantee may be another domain's now\n",
            d->grants.nr_dropped - nr_before);
    return 0;
}
