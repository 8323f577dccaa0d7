/* SPDX-License-Identifier: MIT */
/*
 * Thousands of extents in one memory_op, while a timer interrupts it each millisecond.
 *
 * Xen preempts a long memory_op when there is other work. It encodes the number of extents that are
 * done in the hypercall's own arguments, and the hypercall starts again (do_memory_op() of Xen's
 * common/memory.c). Without these tests a continuation could skip an extent, do one twice, or go
 * past the last one: the result would name the right number, and the domain would have lost a frame
 * or gained one that it does not know.
 */
#include "lib/errno.h"
#include "lib/printk.h"

#include "arch/x86/hypercall.h"

#include "xen/clock.h"

#include "tests/guest/memory/extents.h"
#include "tests/guest/preemption.h"

#define NR_EXTENTS 3072
#define NR_FULL    8192 /* with test=full */
#define MAX_TRIES  20
/* A memory_op that takes two periods must be preempted; this many are needed to say so. */
#define NR_LONG 10

/* A memory_op during which Xen may deliver one upcall. *@ns is the time that it took. */
static long interrupted_op(const struct test *t, unsigned int cmd, void *arg, uint64_t *ns)
{
    uint64_t start;
    long rc;

    preemption_let_in(t);
    start = clock_ns();
    rc = HYPERVISOR_memory_op(cmd, arg);
    preemption_keep_out(t);
    *ns = clock_ns() - start;
    return rc;
}

/* The extents are the PFNs [0, nr); PFN nr, listed behind them, must survive. */
static void release_all(struct extents *e, uint64_t nr, uint64_t *ns)
{
    static const char step[] = "release of many frames, with a 1 ms timer";
    struct xen_memory_reservation arg = {.nr_extents = nr, .domid = DOMID_SELF};
    struct test *t = e->t;

    for (uint64_t i = 0; i <= nr; i++)
        e->list[i] = extents_mfn(e, i).v;
    set_xen_guest_handle(arg.extent_start, e->list);
    CHECK_RC(interrupted_op(t, XENMEM_decrease_reservation, &arg, ns), (long)nr,
             "XENMEM_decrease_reservation of %lu frames, with a 1 ms timer", nr);
    extents_check_gone(e, 0, nr, step);
    extents_check_kept(e, nr, 1, "release of the frames listed before this one, with a 1 ms timer");
    extents_check_pages(e, -(int64_t)nr, step);
}

static void populate_all(struct extents *e, uint64_t nr, uint64_t *ns)
{
    static const char step[] = "populate of many frames, with a 1 ms timer";
    struct xen_memory_reservation arg = {.nr_extents = nr, .domid = DOMID_SELF};
    struct test *t = e->t;

    for (uint64_t i = 0; i < nr; i++)
        e->list[i] = e->first + i;
    e->list[nr] = UNWRITTEN;
    set_xen_guest_handle(arg.extent_start, e->list);
    CHECK_RC(interrupted_op(t, XENMEM_populate_physmap, &arg, ns), (long)nr,
             "XENMEM_populate_physmap of %lu frames, with a 1 ms timer", nr);
    CHECK_EQ(e->list[nr], UNWRITTEN, "%s: list entry behind the last extent", step);
    for (uint64_t i = 0; i < nr; i++)
        extents_adopt(e, i, 1, e->list[i], step);
    extents_check_pages(e, (int64_t)nr, step);
}

/* Extents of order @in for such of order @out. */
static void exchange_all(struct extents *e, uint64_t nr, unsigned int in, unsigned int out,
                         uint64_t *ns)
{
    static const char step[] = "exchange of many frames, with a 1 ms timer";
    uint64_t nr_in = nr >> in, nr_out = nr >> out;
    struct xen_memory_exchange x = extents_exchange(e->list, e->out, nr_in);
    struct test *t = e->t;
    uint64_t done;
    long rc;

    for (uint64_t i = 0; i < nr_in; i++)
        e->list[i] = extents_mfn(e, i << in).v;
    for (uint64_t i = 0; i < nr_out; i++)
        e->out[i] = e->first + (i << out);
    e->list[nr_in] = extents_mfn(e, nr).v, e->out[nr_out] = UNWRITTEN;
    x.in.extent_order = in;
    x.out.nr_extents = nr_out, x.out.extent_order = out;
    rc = interrupted_op(t, XENMEM_exchange, &x, ns);
    if (!out || (rc != -ENOMEM && rc != -EPERM)) /* Xen may lack extents, or allow none */
        CHECK_RC(rc, 0, "XENMEM_exchange of %lu extents of order %u for %lu, with a 1 ms timer",
                 nr_in, in, nr_out);
    if (!rc)
        CHECK_EQ(x.nr_exchanged, nr_in, "%s: nr_exchanged", step);
    CHECK_EQ(e->out[nr_out], UNWRITTEN, "%s: entry behind the output list", step);
    done = min_u64(x.nr_exchanged << in, nr) >> out;
    for (uint64_t i = 0; i < done; i++)
        extents_adopt(e, i << out, (uint64_t)1 << out, e->out[i], step);
    for (uint64_t i = done; i < nr_out; i++)
        CHECK_EQ(e->out[i], e->first + (i << out), "%s: output extent %lu, not exchanged,", step,
                 i);
    extents_check_kept(e, done << out, nr + 1 - (done << out), step);
    extents_check_pages(e, 0, step);
}

/* What was seen of one kind of memory_op. */
struct seen {
    unsigned int tries, nr_long;
    bool preempted;
};

static void note(struct seen *s, uint64_t ns)
{
    s->tries++;
    s->nr_long += ns >= 2 * PREEMPTION_PERIOD;
    s->preempted = s->preempted || preemption_seen() == UPCALL_PREEMPTED;
}

static void check_seen(struct test *t, const struct seen *s, const char *what)
{
    CHECK(s->preempted || s->nr_long < NR_LONG,
          "with a 1 ms timer, Xen preempted none of %u %s, %u of which took 2 ms or longer, "
          "expected at least 1",
          s->tries, what, s->nr_long);
}

static uint64_t open_many(struct extents *e, struct test *t)
{
    uint64_t nr = cmdline_wants_full(&t->d->options) ? NR_FULL : NR_EXTENTS;

    nr = ROUND_DOWN(min_u64(nr, t->d->frame_pool.free.nr_pfns / 4), 2);
    if (!extents_open(e, t, nr + 1))
        return 0;
    preemption_start(t);
    return nr;
}

static void close_many(struct extents *e)
{
    preemption_stop(e->t);
    extents_close(e);
}

TEST_RULE(
    abi_extent_preempt,
    "decrease_reservation and populate_physmap of many frames, preempted by Xen, do each once")
{
    struct seen released = {0}, populated = {0};
    struct extents e;
    uint64_t nr = open_many(&e, t), ns;

    if (!nr)
        return;
    do {
        release_all(&e, nr, &ns);
        note(&released, ns);
        populate_all(&e, nr, &ns);
        note(&populated, ns);
    } while (t->result == TEST_SUCCESS && (!released.preempted || !populated.preempted) &&
             released.tries < MAX_TRIES);
    check_seen(t, &released, "decrease_reservations");
    check_seen(t, &populated, "populate_physmaps");
    close_many(&e);
}

/* Are the frames of each two PFNs neighbours, so that they can be exchanged as extents of order 1?
 */
static bool are_pairs(const struct extents *e, uint64_t nr)
{
    for (uint64_t i = 0; i < nr; i += 2)
        if (extents_mfn(e, i + 1).v != extents_mfn(e, i).v + 1)
            return false;
    return true;
}

TEST_RULE(abi_exchange_preempt,
          "XENMEM_exchange of many frames, preempted by Xen, exchanges each once")
{
    unsigned int order = extents_max_order(t) ? 1 : 0;
    struct seen exchanged = {0};
    struct extents e;
    uint64_t nr = open_many(&e, t), ns;

    if (!nr)
        return;
    do {
        exchange_all(&e, nr, 0, order, &ns);
        note(&exchanged, ns);
        if (t->result == TEST_SUCCESS && are_pairs(&e, nr)) {
            exchange_all(&e, nr, 1, 0, &ns);
            note(&exchanged, ns);
        }
        order = 0;
    } while (t->result == TEST_SUCCESS && !exchanged.preempted && exchanged.tries < MAX_TRIES);
    check_seen(t, &exchanged, "exchanges");
    close_many(&e);
}
