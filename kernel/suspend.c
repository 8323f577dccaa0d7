/* SPDX-License-Identifier: MIT */
#include "kernel/suspend.h"

#include "lib/errno.h"
#include "lib/format.h"
#include "lib/printk.h"

#include "mm/pt_visit.h"

#include "xen/clock.h"
#include "xen/watchdog.h"

#include "kernel/boot/stages.h"
#include "kernel/boot/store.h"
#include "kernel/report.h"

#include <xen/sched.h>

/* True if the P2M and the M2P agree about @mfn: mfn_in_pseudophysmap() of xg_sr_save_x86_pv.c. */
static bool is_ours(const struct domain *d, mfn_t mfn)
{
    return mfn_eq(p2m_get_ram(&d->p2m, m2p_get(&d->host.m2p, mfn)), mfn);
}

/* The search for a mapping that Xen's tools cannot save. */
struct search {
    const struct domain *d;
    uint64_t last[PT_LEVELS + 1]; /* the entry before, by level */
    uint64_t va;                  /* the mapping that was found */
    mfn_t mfn;
};

/*
 * Ends the walk at an entry that Xen's tools cannot save: no PFN of this domain has the frame, or
 * the entry maps a superpage. A run of equal entries is walked once: a hole of the P2M list maps
 * the same table many times.
 */
static enum pt_next check_entry(void *context, const struct pt_visited *e)
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

/* Prints the result of a suspend, and writes it to data/suspend, where the host's user reads it. */
static void say(enum loglevel level, const char *result)
{
    printk(level, "suspend: %s\n", result);
    store_say("data/suspend", result);
}

static int refuse(int rc, const char *why)
{
    char text[160];

    format(text, sizeof(text), "refused: %s", why);
    say(LOG_WARN, text);
    return rc;
}

/* Runs between before_suspend and after_resume of the stages: no driver may be used here. */
static long stop(const struct domain *d)
{
    struct sched_shutdown arg = {.reason = SHUTDOWN_suspend};

    return HYPERVISOR_suspend(SCHEDOP_shutdown, &arg, d->suspend_mfn.v);
}

int suspend(struct domain *d)
{
    struct search obstacle = {.d = d};
    struct suspend_times *at = &d->suspend_times;
    const char *who = "";
    char why[140];
    int rc;
    long result;

    at->called = clock_running_ns();
    rc = stages_suspend(d, &who);
    if (rc) {
        format(why, sizeof(why), "boot stage %s failed to prepare for it: %d (%s)", who, rc,
               errno_name(rc));
        return refuse(rc, why);
    }
    if (pt_visit(&d->pt, check_entry, &obstacle)) {
        stages_resume(d, false);
        format(why, sizeof(why),
               "the mapping of MFN 0x%lx at 0x%lx cannot be saved by Xen's tools: %s",
               obstacle.mfn.v, obstacle.va,
               is_ours(d, obstacle.mfn) ? "it is a superpage" : "the P2M has no such MFN");
        return refuse(-EBUSY, why);
    }
    at->searched = clock_running_ns();
    fixmap_unmap_all(&d->fixmap);
    watchdog_stop();
    at->stopping = clock_running_ns();
    result = stop(d);
    at->back = clock_running_ns();
    stages_resume(d, result == 0);
    if (result < 0) {
        format(why, sizeof(why), "SCHEDOP_shutdown: result is %ld (%s), expected 0 or 1", result,
               errno_name((int)result));
        return refuse((int)result, why);
    }
    report_suspend(d, result == 0);
    say(LOG_INFO, result == 0 ? "back in a new domain" : "cancelled");
    return result != 0;
}
