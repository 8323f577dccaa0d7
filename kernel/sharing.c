/* SPDX-License-Identifier: MIT */
#include "kernel/sharing.h"

#include "lib/errno.h"
#include "lib/printk.h"

#include "arch/x86/layout.h"

/* Version 1 names frames by 32 bits, and Xen tells how wide machine addresses can become. */
static unsigned int version_for(const struct domain *d)
{
    if (d->options.grants != GRANTS_DEFAULT)
        return d->options.grants;
    return d->host.xen_bits > 32 + PAGE_SHIFT ? 2 : 1;
}

int sharing_stage(struct domain *d)
{
    int rc;

    foreign_init(&d->foreign, &d->pt, FOREIGN_BASE, FOREIGN_BYTES);
    safe_init(&d->safe, &d->p2m, &d->balloon.empty, d->host.cpu_bits);
    d->grants = (struct grants){
        .window = &d->foreign, .heap = &d->heap, .p2m = &d->p2m, .pool = &d->frames};
    rc = grants_start(&d->grants, version_for(d));
    if (rc == -ENOSYS) {
        printk(LOG_WARN, "grants: this Xen has no grant table for us\n");
        return 0;
    }
    if (!rc)
        printk(LOG_DEBUG, "grants: version %u, up to %u frames\n", d->grants.version,
               d->grants.max_frames);
    return rc;
}

/* Runs of safe PFNs that somebody holds. */
static unsigned int count_safe(const struct domain *d)
{
    unsigned int nr = 0;

    for (unsigned int i = 0; i < MAX_SAFE; i++)
        nr += d->safe.taken[i].range != NULL;
    return nr;
}

/*
 * A safe PFN does not outlive a suspend: one that had a frame while a migration began comes with a
 * frame again, and it is the balloon that knows what to do with it.
 */
int sharing_before_suspend(struct domain *d)
{
    const struct foreign_range *who;
    int rc = foreign_suspend(&d->foreign, &who);

    if (rc) {
        printk(LOG_INFO, "sharing: %lu pages at 0x%lx are in use: %s\n", who->nr_mapped, who->pages,
               who->owner ? who->owner->name : "nobody could map them again");
        return rc;
    }
    if (!count_safe(d))
        return 0;
    printk(LOG_INFO, "sharing: %u runs of safe PFNs are in use\n", count_safe(d));
    rc = sharing_after_resume(d, false);
    return rc ? rc : -EBUSY;
}

int sharing_after_resume(struct domain *d, bool new_domain)
{
    unsigned int nr_failed = foreign_resume(&d->foreign, new_domain);

    if (nr_failed)
        printk(LOG_WARN, "sharing: %u ranges could not be mapped again\n", nr_failed);
    return 0;
}

const void *page_show(struct domain *d, pfn_t pfn)
{
    mfn_t mfn = p2m_get_ram(&d->p2m, pfn);

    if (mfn_eq(mfn, INVALID_MFN))
        return safe_page(&d->safe, pfn);
    return window_show(&d->windows, WINDOW_SCRATCH, mfn, PTE_RO);
}
