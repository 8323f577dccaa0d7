/* SPDX-License-Identifier: MIT */
/*
 * Calls of event_channel_op that Xen must refuse: bad ports, vCPUs, VIRQs and domains. The errno is
 * the one for its cause, and nothing is changed: no port is opened, no bit of shared_info is
 * written.
 *
 * Without this test a port number that nobody checks could reach Xen's tables: XSA-343 ("races with
 * evtchn_reset()") and XSA-221 were faults of this kind. A driver that gets the wrong errno acts
 * wrongly: -EEXIST and -ENOSPC are temporary, -EINVAL and -ENOSYS are not.
 * (<xen/event_channel.h>; Xen xen/common/event_channel.c, event_fifo.c.)
 *
 * The calls of the FIFO ABI must fail: this kernel uses the two-level ABI.
 */
#include "tests/guest/events/abi_port.h"

#include "lib/errno.h"

#include "arch/x86/hypercall.h"

#include "tests/guest/abi_room.h"

#define NO_PORT (MAX_PORTS * 32u) /* past the 2^17 ports of the FIFO ABI */
#define ALL     UINT32_MAX

/* Which domains a row is for: XSM/FLASK has errnos of its own. */
enum who { ANY, NO_FLASK, DOMU };

/*
 * The argument as 32-bit words in the order of the structure. A free port is PORT_FREE, an absent
 * vCPU is ABSENT; the test replaces both.
 */
#define PORT_FREE 0xf4ee0001
#define ABSENT    0xf4ee0002
#define NR_ARGS   6

struct row {
    unsigned int cmd;
    const char *what;
    int expected;
    uint32_t arg[NR_ARGS];
    enum who who;
};

/* struct evtchn_alloc_unbound: two domids of 16 bits. */
#define DOMS(dom, remote) ((uint32_t)(remote) << 16 | (dom))

static const struct row rows[] = {
    {EVTCHNOP_alloc_unbound,
     "alloc_unbound in a domain that does not exist",                    -ESRCH,
     {DOMS(NO_DOMAIN, DOMID_SELF)},
     NO_FLASK                                                                                                        },
    {EVTCHNOP_alloc_unbound,    "alloc_unbound in dom0",                 -EPERM,      {DOMS(0, DOMID_SELF)}, DOMU    },
    {EVTCHNOP_bind_interdomain,
     "bind_interdomain, domain that does not exist",                     -ESRCH,
     {NO_DOMAIN, 1},
     ANY                                                                                                             },
    {EVTCHNOP_bind_interdomain, "bind_interdomain, remote port 0",       -EINVAL,     {DOMID_SELF, 0},       ANY     },
    {EVTCHNOP_bind_interdomain,
     "bind_interdomain, remote port is closed",                          -EINVAL,
     {DOMID_SELF, PORT_FREE},
     ANY                                                                                                             },
    {EVTCHNOP_bind_interdomain,
     "bind_interdomain, remote port UINT32_MAX",                         -EINVAL,
     {DOMID_SELF, ALL},
     ANY                                                                                                             },
    {EVTCHNOP_bind_virq,        "bind_virq, VIRQ 24",                    -EINVAL,     {NR_VIRQS, 0},         ANY     },
    {EVTCHNOP_bind_virq,        "bind_virq, VIRQ 2^31",                  -EINVAL,     {1u << 31, 0},         ANY     },
    {EVTCHNOP_bind_virq,        "bind_virq, VIRQ UINT32_MAX",            -EINVAL,     {ALL, 0},              ANY     },
    {EVTCHNOP_bind_virq,        "bind_virq, global VIRQ on vCPU 1",      -EINVAL,     {VIRQ_TBUF, 1},        ANY     },
    {EVTCHNOP_bind_virq,
     "bind_virq, global VIRQ on an absent vCPU",                         -EINVAL,
     {VIRQ_TBUF, ABSENT},
     ANY                                                                                                             },
    {EVTCHNOP_bind_virq,
     "bind_virq, VIRQ_DEBUG on an absent vCPU",                          -ENOENT,
     {VIRQ_DEBUG, ABSENT},
     ANY                                                                                                             },
    {EVTCHNOP_bind_virq,
     "bind_virq, VIRQ_DEBUG on vCPU UINT32_MAX",                         -ENOENT,
     {VIRQ_DEBUG, ALL},
     ANY                                                                                                             },
    {EVTCHNOP_bind_pirq,        "bind_pirq, PIRQ UINT32_MAX",            -EINVAL,     {ALL, 0},              ANY     },
    {EVTCHNOP_close,            "close of port 0",                       -EINVAL,     {0},                   ANY     },
    {EVTCHNOP_close,            "close of a closed port",                -EINVAL,     {PORT_FREE},           ANY     },
    {EVTCHNOP_close,            "close of port 0x20000",                 -EINVAL,     {NO_PORT},             ANY     },
    {EVTCHNOP_close,            "close of port UINT32_MAX",              -EINVAL,     {ALL},                 ANY     },
    {EVTCHNOP_send,             "send to port 0",                        -EINVAL,     {0},                   NO_FLASK},
    {EVTCHNOP_send,             "send to a closed port",                 -EINVAL,     {PORT_FREE},           NO_FLASK},
    {EVTCHNOP_send,             "send to port UINT32_MAX",               -EINVAL,     {ALL},                 ANY     },
    {EVTCHNOP_status,           "status, domain that does not exist",    -ESRCH,      {NO_DOMAIN, 1},        ANY     },
    {EVTCHNOP_status,           "status of port 0x20000",                -EINVAL,     {DOMID_SELF, NO_PORT}, ANY     },
    {EVTCHNOP_status,           "status of port UINT32_MAX",             -EINVAL,     {DOMID_SELF, ALL},     ANY     },
    {EVTCHNOP_status,           "status of a port of dom0",              -EPERM,      {0, 1},                DOMU    },
    {EVTCHNOP_bind_ipi,         "bind_ipi, absent vCPU",                 -ENOENT,     {ABSENT},              ANY     },
    {EVTCHNOP_bind_ipi,         "bind_ipi, vCPU UINT32_MAX",             -ENOENT,     {ALL},                 ANY     },
    {EVTCHNOP_bind_vcpu,        "bind_vcpu of port 0",                   -EINVAL,     {0, 0},                ANY     },
    {EVTCHNOP_bind_vcpu,        "bind_vcpu of a closed port",            -EINVAL,     {PORT_FREE, 0},        ANY     },
    {EVTCHNOP_bind_vcpu,        "bind_vcpu of port 0x20000",             -EINVAL,     {NO_PORT, 0},          ANY     },
    {EVTCHNOP_bind_vcpu,        "bind_vcpu of port UINT32_MAX",          -EINVAL,     {ALL, 0},              ANY     },
    {EVTCHNOP_bind_vcpu,        "bind_vcpu, absent vCPU",                -ENOENT,     {PORT_FREE, ABSENT},   ANY     },
    {EVTCHNOP_bind_vcpu,        "bind_vcpu, vCPU UINT32_MAX",            -ENOENT,     {PORT_FREE, ALL},      ANY     },
    {EVTCHNOP_unmask,           "unmask of port 0x20000",                -EINVAL,     {NO_PORT},             ANY     },
    {EVTCHNOP_unmask,           "unmask of port UINT32_MAX",             -EINVAL,     {ALL},                 ANY     },
    {EVTCHNOP_unmask,           "unmask of a closed port (no effect)",   0,           {PORT_FREE},           ANY     },
    {EVTCHNOP_reset,            "reset of a domain that does not exist", -ESRCH,      {NO_DOMAIN},           ANY     },
    {EVTCHNOP_reset,            "reset of dom0",                         -EPERM,      {0},                   DOMU    },
    {EVTCHNOP_init_control,     "init_control, absent vCPU",             -ENOENT,     {ALL, ALL, 0, ABSENT}, ANY     },
    {EVTCHNOP_init_control,
     "init_control, GFN that does not exist",                            -EINVAL,
     {ALL, ALL, 0, 0},
     ANY                                                                                                             },
    {EVTCHNOP_expand_array,     "expand_array without init_control",     -EOPNOTSUPP, {ALL, ALL},            ANY     },
    {EVTCHNOP_set_priority,     "set_priority of port UINT32_MAX",       -EINVAL,     {ALL, 0},              ANY     },
    {EVTCHNOP_set_priority,     "set_priority with the two-level ABI",   -ENOSYS,     {PORT_FREE, 0},        ANY     },
    {15,                        "unknown command 15",                    -ENOSYS,     {0},                   ANY     },
    {1u << 31,                  "unknown command 2^31",                  -ENOSYS,     {0},                   ANY     },
    {UINT32_MAX,                "unknown command UINT32_MAX",            -ENOSYS,     {0},                   ANY     },
};

static bool is_for(const struct row *row, const struct test *t)
{
    if (row->who == DOMU)
        return !boot_info_is_initdomain(&t->d->boot) && !t->d->host.has_flask;
    return row->who == ANY || !t->d->host.has_flask;
}

static void try_row(struct test *t, const struct row *row, evtchn_port_t free, struct events *e)
{
    uint32_t arg[8] = {0}; /* as large as any of the structures */

    for (unsigned int i = 0; i < NR_ARGS; i++)
        arg[i] = row->arg[i] == PORT_FREE ? free
                 : row->arg[i] == ABSENT  ? t->d->host.nr_vcpus
                                          : row->arg[i];
    CHECK_RC(HYPERVISOR_event_channel_op(row->cmd, arg), row->expected, "EVTCHNOP_%s", row->what);
    events_check(t, e, row->what, free);
}

TEST_RULE(abi_event_refused,
          "a call of event_channel_op that fails has the errno of its cause, and opens "
          "no port and writes no bit")
{
    evtchn_port_t free, highest;
    unsigned int nr_open;
    struct events e;

    if (shim_is_between(t))
        return;
    if (!port_opened(t, port_unbound(DOMID_SELF, &free), "EVTCHNOP_alloc_unbound"))
        return;
    check_port(t, port_close(free), 0, "EVTCHNOP_close", free);
    nr_open = ports_open(&highest);
    events_quiet(t);
    events_read(t, &e);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        if (is_for(&rows[i], t))
            try_row(t, &rows[i], free, &e);
    events_restore(t);
    CHECK_EQ(ports_open(&highest), nr_open, "after refused calls: number of open ports");
}
