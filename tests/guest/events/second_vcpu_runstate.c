/* SPDX-License-Identifier: MIT */
/*
 * The runstate area of a vCPU that Xen schedules in user mode
 * (VCPUOP_register_runstate_memory_area of <xen/vcpu.h>).
 *
 * The area is in the kernel's memory, which the page tables of user mode do not map. So Xen cannot
 * write to the area when it schedules the vCPU, and must do so when the vCPU enters the kernel
 * (update_runstate_area of Xen xen/arch/x86/domain.c). Without this test Xen could forget it: a
 * kernel whose time slice ended in user mode would not see the time that other vCPUs took from it.
 *
 *      vCPU 0   starts the job .......... VCPUOP_down, VCPUOP_up ... event
 *      vCPU 1            user mode writes a byte, waits ............. upcall: reads the area
 */
#include "lib/errno.h"

#include "arch/x86/cpu.h"
#include "arch/x86/hypercall.h"
#include "arch/x86/vectors.h"

#include "tests/guest/events/abi_port.h"
#include "tests/guest/events/second_room.h"
#include "tests/guest/traps/user_room.h"

#define MAX_READINGS 1000                     /* of an area that Xen changes meanwhile */
#define BYTE         ((uint8_t)USER_DATA | 8) /* DIL: see s_write_wait */

static struct vcpu_runstate_info area;

/* What both vCPUs share. */
struct traveller {
    const struct user *user;
    long rc;
    struct vcpu_runstate_info now, area; /* in the kernel, behind user mode */
};

static long read_both(struct traveller *w)
{
    struct vcpu_runstate_info again;
    unsigned int tries = 0;
    long rc;

    do {
        rc = HYPERVISOR_vcpu_op(VCPUOP_get_runstate_info, SECOND, &w->now);
        barrier();
        w->area = area;
        barrier();
        rc = rc ?: HYPERVISOR_vcpu_op(VCPUOP_get_runstate_info, SECOND, &again);
    } while (!rc && again.state_entry_time != w->now.state_entry_time && ++tries < MAX_READINGS);
    return rc;
}

/* Runs on vCPU 1. */
static void user_job(void *arg)
{
    struct traveller *w = arg;
    long rc = user_attach(w->user);

    if (!rc) {
        snippet_run_upcall();
        rc = read_both(w);
    }
    w->rc = rc ?: user_detach();
}

static void no_job(void *arg)
{
    (void)arg;
}

static void check_area(struct test *t, const struct traveller *w)
{
    CHECK_RC(w->rc, 0,
             "vCPU 1: MMUEXT_NEW_USER_BASEPTR, stack_switch and VCPUOP_get_runstate_info");
    CHECK_EQ(snippet_trap.nr ? snippet_trap.frame.vector : 0, VECTOR_EVENT,
             "vCPU 1 in user mode: number of the entry stub that ended user mode");
    CHECK_EQ(w->area.state_entry_time, w->now.state_entry_time,
             "after user mode, in which vCPU 1 was down and up: runstate area of vCPU 1: "
             "state_entry_time");
    CHECK_EQ((uint64_t)w->area.state, RUNSTATE_running,
             "after user mode, in which vCPU 1 was down and up: runstate area of vCPU 1: state");
    CHECK_EQ(w->area.time[RUNSTATE_offline], w->now.time[RUNSTATE_offline],
             "after user mode, in which vCPU 1 was down and up: runstate area of vCPU 1: "
             "time[RUNSTATE_offline]");
}

/* vCPU 1 is down for a moment while it is in user mode. Then the event ends user mode. */
static void try_user(struct test *t, struct user *u, evtchn_port_t port)
{
    volatile uint64_t *written = &u->data[1];
    static struct traveller w;

    w = (struct traveller){.user = u};
    *written = 0;
    snippet_fill(0);
    snippet_in.gpr[RDI] = USER_DATA + sizeof(*written);
    user_to(s_write_wait, FLAG_IF);
    if (!second_start(t, user_job, &w))
        return;
    if (second_wait_for(t, written, BYTE)) {
        CHECK_RC(HYPERVISOR_vcpu_op(VCPUOP_down, SECOND, NULL), 0,
                 "VCPUOP_down of vCPU 1 in user mode");
        (void)!second_wait_offline(t, "VCPUOP_down of vCPU 1 in user mode");
        CHECK_RC(HYPERVISOR_vcpu_op(VCPUOP_up, SECOND, NULL), 0, "VCPUOP_up of vCPU 1");
        (void)!second_wait_state(t, RUNSTATE_running);
    }
    CHECK_EQ(*written, BYTE, "word that vCPU 1 writes in user mode");
    check_port(t, port_send(port), 0, "EVTCHNOP_send to vCPU 1 in user mode", port);
    if (second_wait(t))
        check_area(t, &w);
}

static void with_port(struct test *t, evtchn_port_t port)
{
    struct vcpu_register_runstate_memory_area arg = {.addr.v = &area};
    struct events e;
    struct user u;

    if (!user_open(t, &u))
        return;
    events_quiet(t);
    events_read(t, &e);
    event_ack(t, &e, port, SECOND);
    event_mask(t, &e, port, false);
    CHECK_RC(HYPERVISOR_vcpu_op(VCPUOP_register_runstate_memory_area, SECOND, &arg), 0,
             "VCPUOP_register_runstate_memory_area of vCPU 1");
    try_user(t, &u, port);
    arg.addr.v = NULL;
    CHECK_RC(HYPERVISOR_vcpu_op(VCPUOP_register_runstate_memory_area, SECOND, &arg), 0,
             "VCPUOP_register_runstate_memory_area of vCPU 1: none");
    event_mask(t, &e, port, true);
    event_ack(t, &e, port, SECOND);
    events_restore(t);
    user_close(&u);
}

TEST_RULE(second_vcpu_runstate,
          "Xen updates the runstate area of a vCPU that it scheduled in user mode when the vCPU "
          "enters the kernel")
{
    evtchn_port_t port;

    /* the first job may initialise vCPU 1, which needs a room */
    if (!second_start(t, no_job, NULL) || !second_wait(t) || shim_is_between(t))
        return;
    if (!port_opened(t, port_ipi(SECOND, &port), "EVTCHNOP_bind_ipi of vCPU 1"))
        return;
    with_port(t, port);
    check_port(t, port_close(port), 0, "EVTCHNOP_close", port);
}
