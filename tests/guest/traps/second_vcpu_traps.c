/* SPDX-License-Identifier: MIT */
/*
 * The trap table of vCPU 1, as XEN_DOMCTL_getvcpucontext of <xen/domctl.h> shows it.
 *
 * A kernel that hands over to another one (kexec) clears the trap table by set_trap_table(NULL).
 * Without this test Xen could keep an entry, whose address means something else in the next kernel.
 * INT n shows a part of the entries only (abi_gates.c). A vCPU cannot ask for its own context.
 */
#include "lib/errno.h"
#include "lib/string.h"

#include "arch/x86/hypercall.h"
#include "arch/x86/traps.h"

#include "tests/guest/events/second_room.h"
#include "tests/guest/peer/peer_domain.h"

#define ROOM_PAGES    32
#define CONTEXT_PAGES DIV_ROUND_UP(sizeof(struct vcpu_guest_context), PAGE_SIZE)
#define NR_ENTRIES    256
#define DIVERT        5 /* no instruction of this kernel raises this vector */

static const uint8_t vectors[] = {0, 31, 32, 128, 254, 255};

/* A job of vCPU 1: what it does, and the result of its hypercall. */
struct table_job {
    enum { OWN, FILL, CLEAR } what;
    long rc;
};

/* Runs on vCPU 1. */
static void table_job(void *arg)
{
    struct trap_info table[ARRAY_SIZE(vectors) + 1] = {0};
    struct table_job *job = arg;

    for (size_t i = 0; i < ARRAY_SIZE(vectors); i++)
        table[i] = (struct trap_info){
            .vector = vectors[i], .cs = FLAT_KERNEL_CS, .address = trap_entry(DIVERT)};
    if (job->what == OWN)
        job->rc = traps_start();
    else
        job->rc = HYPERVISOR_set_trap_table(job->what == FILL ? table : NULL);
}

static bool run_job(struct test *t, struct table_job job, const char *what)
{
    static struct table_job shared;

    shared = job;
    if (!second_start(t, table_job, &shared) || !second_wait(t))
        return false;
    CHECK_RC(shared.rc, 0, "%s on vCPU 1", what);
    return !shared.rc;
}

/* Reads the context of vCPU 1. */
static bool read_context(const struct peer *p, struct vcpu_guest_context *c)
{
    struct peer_domctl op = {
        .u.context = {.vcpu = SECOND, .context = c}
    };
    struct test *t = p->t;
    long rc;

    memset(c, 0xff, sizeof(*c));
    rc = peer_domctl_of(p, p->self, PEER_GET_CONTEXT, &op);
    CHECK_RC(rc, 0, "XEN_DOMCTL_getvcpucontext of vCPU 1");
    return !rc;
}

static void check_filled(struct test *t, const struct vcpu_guest_context *c)
{
    for (size_t i = 0; i < ARRAY_SIZE(vectors); i++)
        CHECK_EQ(c->trap_ctxt[vectors[i]].address, trap_entry(DIVERT),
                 "after set_trap_table on vCPU 1: address of trap_ctxt[%u]", vectors[i]);
}

static void check_clear(struct test *t, const struct vcpu_guest_context *c)
{
    for (unsigned int i = 0; i < NR_ENTRIES; i++)
        CHECK_EQ(c->trap_ctxt[i].address, 0,
                 "after set_trap_table(NULL) on vCPU 1: address of trap_ctxt[%u]", i);
}

TEST_RULE(second_vcpu_traps, "set_trap_table(NULL) removes all 256 entries of the trap table")
{
    struct vcpu_guest_context *c;
    struct peer p;

    /* the first job may initialise vCPU 1, which needs a room */
    if (!run_job(t, (struct table_job){OWN, 0}, "set_trap_table of this kernel's own array") ||
        !peer_open(&p, t, 1, ROOM_PAGES))
        return;
    c = room_alloc(&p.room, CONTEXT_PAGES);
    if (run_job(t, (struct table_job){FILL, 0}, "set_trap_table") && read_context(&p, c))
        check_filled(t, c);
    if (run_job(t, (struct table_job){CLEAR, 0}, "set_trap_table(NULL)") && read_context(&p, c))
        check_clear(t, c);
    run_job(t, (struct table_job){OWN, 0}, "set_trap_table of this kernel's own array");
    room_free(&p.room, c, CONTEXT_PAGES);
    peer_close(&p);
}
