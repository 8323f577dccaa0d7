/* SPDX-License-Identifier: MIT */
#include "kernel/boot/foreign.h"

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

int foreign_stage(struct domain *d)
{
    int rc;

    foreign_init(&d->foreign, &d->pt, FOREIGN_BASE, FOREIGN_BYTES);
    unpopulated_init(&d->unpopulated, &d->p2m, &d->balloon.empty, d->host.cpu_bits);
    d->grants = (struct grants){
        .window = &d->foreign, .heap = &d->heap, .p2m = &d->p2m, .pool = &d->frame_pool};
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

/* Runs of unpopulated PFNs that somebody holds. */
static unsigned int count_unpopulated(const struct domain *d)
{
    unsigned int nr = 0;

    for (unsigned int i = 0; i < MAX_UNPOPULATED; i++)
        nr += d->unpopulated.taken[i].range != NULL;
    return nr;
}

/* Has the owners of foreign ranges map them again. A range that cannot be mapped stays empty. */
static void map_again(struct domain *d, bool new_domain)
{
    unsigned int nr_failed = foreign_resume(&d->foreign, new_domain);

    if (nr_failed)
        printk(LOG_WARN, "foreign: %u ranges could not be mapped again\n", nr_failed);
}

/*
 * A unpopulated PFN does not outlive a suspend: one that had a frame while a migration began comes
 * with a frame again, and it is the balloon that knows what to do with it.
 */
int foreign_before_suspend(struct domain *d)
{
    const struct foreign_range *who;
    int rc = foreign_suspend(&d->foreign, &who);

    if (rc) {
        printk(LOG_INFO, "foreign: %lu pages at 0x%lx are in use: %s\n", who->nr_mapped, who->pages,
               who->owner ? who->owner->name : "nobody could map them again");
        return rc;
    }
    if (!count_unpopulated(d))
        return 0;
    printk(LOG_INFO, "foreign: %u runs of unpopulated PFNs are in use\n", count_unpopulated(d));
    map_again(d, false);
    return -EBUSY;
}

int foreign_after_resume(struct domain *d, bool new_domain)
{
    map_again(d, new_domain);
    return 0;
}
