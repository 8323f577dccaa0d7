/* SPDX-License-Identifier: MIT */
#include "kernel/suspend.h"

#include "lib/errno.h"
#include "lib/format.h"
#include "lib/printk.h"

#include "xen/watchdog.h"

#include "kernel/boot/stages.h"
#include "kernel/boot/store.h"

#include <xen/sched.h>

/* A mapping that the tools cannot carry: they would find a frame that no PFN of ours has. */
struct obstacle {
    uint64_t va;
    mfn_t mfn;
};

/* Is @mfn a frame that the list has, as the tools see it (mfn_in_pseudophysmap)? */
static bool is_ours(const struct domain *d, mfn_t mfn)
{
    return mfn_eq(p2m_get_ram(&d->p2m, m2p_get(&d->host.m2p, mfn)), mfn);
}

static bool is_xens(unsigned int level, uint64_t va)
{
    return level == PT_LEVELS && va >= HYPERVISOR_VIRT_START && va < HYPERVISOR_VIRT_END;
}

/*
 * Looks through @table and all below it; true if something there cannot be carried. A table that
 * the entry before leads to as well is looked through once: a hole of the list is one table, many
 * times.
 */
static bool find_obstacle(struct domain *d, mfn_t table, unsigned int level, uint64_t va,
                          struct obstacle *found)
{
    uint64_t last = 0;

    for (unsigned int i = 0; i < PTES_PER_TABLE; i++, va += level_bytes(level)) {
        uint64_t pte;

        if (level == PT_LEVELS && i == PTES_PER_TABLE / 2)
            va |= 0xffff000000000000; /* the upper half */
        pte = is_xens(level, va) ? 0 : pt_read(&d->pt, table, level, i);
        if (!pte_present(pte) || pte == last)
            continue;
        last = pte;
        if (!is_ours(d, pte_mfn(pte)) || (level > 1 && pte_is_leaf(pte, level))) {
            *found = (struct obstacle){va, pte_mfn(pte)};
            return true;
        }
        if (level > 1 && find_obstacle(d, pte_mfn(pte), level - 1, va, found))
            return true;
    }
    return false;
}

static void say(const char *what)
{
    printk(LOG_INFO, "suspend: %s\n", what);
    store_say("data/suspend", what);
}

static int refuse(int rc, const char *why)
{
    char text[160];

    format(text, sizeof(text), "refused: %s", why);
    say(text);
    return rc;
}

/* Stops. All stages are down when this is called, and when it comes back. */
static long stop(const struct domain *d)
{
    struct sched_shutdown arg = {.reason = SHUTDOWN_suspend};

    return HYPERVISOR_suspend(SCHEDOP_shutdown, &arg, d->suspend_mfn.v);
}

int suspend(struct domain *d)
{
    struct obstacle obstacle;
    const char *who = "";
    char why[120];
    int rc;
    long result;

    rc = stages_suspend(d, &who);
    if (rc) {
        format(why, sizeof(why), "%s cannot be suspended: %d (%s)", who, rc, errno_name(rc));
        return refuse(rc, why);
    }
    if (find_obstacle(d, d->pt.root, PT_LEVELS, 0, &obstacle)) {
        stages_resume(d, false);
        format(why, sizeof(why), "0x%lx maps frame 0x%lx, which is not ours", obstacle.va,
               obstacle.mfn.v);
        return refuse(-EBUSY, why);
    }
    fixmap_unmap_all(&d->fixmap);
    watchdog_stop();
    result = stop(d);
    stages_resume(d, result == 0);
    if (result < 0) {
        format(why, sizeof(why), "Xen says %ld", result);
        return refuse((int)result, why);
    }
    say(result == 0 ? "back in a new domain" : "cancelled");
    return result != 0;
}
