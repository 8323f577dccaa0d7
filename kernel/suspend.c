/* SPDX-License-Identifier: MIT */
#include "kernel/suspend.h"

#include "lib/errno.h"
#include "lib/format.h"
#include "lib/printk.h"

#include "mm/pt_visit.h"

#include "xen/watchdog.h"

#include "kernel/boot/stages.h"
#include "kernel/boot/store.h"

#include <xen/sched.h>

/* Is @mfn a frame that the list has, as the tools see it (mfn_in_pseudophysmap)? */
static bool is_ours(const struct domain *d, mfn_t mfn)
{
    return mfn_eq(p2m_get_ram(&d->p2m, m2p_get(&d->host.m2p, mfn)), mfn);
}

/* A search for a mapping that the tools cannot carry: they would find a frame without a PFN. */
struct search {
    const struct domain *d;
    uint64_t last[PT_LEVELS + 1]; /* the entry seen last, by level */
    uint64_t va;                  /* of what was found */
    mfn_t mfn;
};

/*
 * Ends the walk at an entry that cannot be carried. The table of an entry that is the same as the
 * last one is not read again: a hole of the P2M list is one table, many times.
 */
static enum pt_next look_at(void *context, const struct pt_visited *e)
{
    struct search *s = context;
    mfn_t mfn = pte_mfn(e->pte);

    if (e->pte == s->last[e->level])
        return PT_SKIP;
    s->last[e->level] = e->pte;
    if (is_ours(s->d, mfn) && (e->level == 1 || !e->is_leaf))
        return PT_ENTER;
    s->va = e->va;
    s->mfn = mfn;
    return PT_STOP;
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
    struct search obstacle = {.d = d};
    const char *who = "";
    char why[120];
    int rc;
    long result;

    rc = stages_suspend(d, &who);
    if (rc) {
        format(why, sizeof(why), "%s cannot be suspended: %d (%s)", who, rc, errno_name(rc));
        return refuse(rc, why);
    }
    if (pt_visit(&d->pt, look_at, &obstacle)) {
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
