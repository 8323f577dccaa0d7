/* SPDX-License-Identifier: MIT */
/*
 * Debug registers of the kernel: by HYPERVISOR_set_debugreg and _get_debugreg, and by mov, which
 * Xen emulates, and breakpoints.
 *
 * Without these tests a guest could set a breakpoint on Xen's own code, or GD of DR7, and so stop
 * the host, or a debugger in the guest would miss breakpoints. set_debugreg() of Xen's
 * arch/x86/pv/misc-hypercalls.c has the rules.
 */
#include "lib/errno.h"

#include "arch/x86/page.h"

#include "tests/guest/traps/snippet.h"

#define DR7_FIXED 0x400
#define DR7_LE_GE 0x300
#define DR7_GD    0x2000
/* Fields of DR7 for breakpoint @n: enable; kind of access and length (Intel SDM vol. 3, 17.2.4). */
#define DR7_ENABLE(n)  ((uint64_t)1 << (n)*2)
#define DR7_KIND(n, k) ((uint64_t)(k) << (16 + (n)*4))
#define KIND_EXEC      0x0
#define KIND_WRITE     0x1
#define KIND_IO        0x2
#define KIND_ACCESS    0x3
#define LEN_2          0x4
#define NR_ADDRESSES   4

/* Debugging is off, and all registers have the values of a new vCPU. */
static void debug_reset(struct test *t)
{
    CHECK_RC(set_dr(7, 0), 0, "set_debugreg of DR7, 0");
    for (unsigned int i = 0; i < NR_ADDRESSES; i++)
        CHECK_RC(set_dr(i, 0), 0, "set_debugreg of DR%u, 0", i);
    CHECK_RC(set_dr(6, 0), 0, "set_debugreg of DR6, 0");
}

static void debug_begin(struct test *t)
{
    snippets_begin(t);
    snippet_fill(0);
    debug_reset(t);
}

static void debug_end(struct test *t)
{
    debug_reset(t);
    snippets_end();
}

/* Self-tests run in the order of their names: no other test has written a debug register. */
TEST_RULE(abi_boot_debugreg, "DR0 to DR7 of vCPU 0 have the values of a reset when the vCPU starts")
{
    CHECK_EQ(get_dr(6), DR6_FIXED, "get_debugreg of DR6 before any set_debugreg");
    CHECK_EQ(get_dr(7), DR7_FIXED, "get_debugreg of DR7 before any set_debugreg");
    for (unsigned int i = 0; i < NR_ADDRESSES; i++)
        CHECK_EQ(get_dr(i), 0, "get_debugreg of DR%u before any set_debugreg", i);
}

static const struct row {
    unsigned int reg;
    uint64_t value;
    long rc;
    uint64_t reads; /* the register afterwards, if rc is 0 */
} rows[] = {
    {0,          0x1000,             0,       0x1000                },
    {1,          0x7ffffffff000,     0,       0x7ffffffff000        },
    {2,          0xffff880000000000, 0,       0xffff880000000000    },
    {3,          0xfffffffffffff000, 0,       0xfffffffffffff000    },
    {0,          0xffff800000000000, -EPERM,  0                     },
    {1,          0xffff87fffffffff0, -EPERM,  0                     },
    {2,          0xffff830000000000, -EPERM,  0                     },
    {3,          0xffff82d040200000, -EPERM,  0                     },
    {0,          0x800000000000,     -EPERM,  0                     },
    {3,          0xffff7fffffffffff, -EPERM,  0                     },
    {6,          0,                  0,       DR6_FIXED             },
    {6,          0xe00f,             0,       DR6_FIXED | 0xe00f    },
    {6,          0x100000000,        -EINVAL, 0                     },
    {7,          0,                  0,       DR7_FIXED             },
    {7,          DR7_LE_GE,          0,       DR7_FIXED | 0x300     },
    {7,          0xd000,             0,       DR7_FIXED             },
    {7,          0x33330000,         0,       0x33330000 | DR7_FIXED},
    {7,          DR7_GD,             -EPERM,  0                     },
    {7,          0x100000000,        -EINVAL, 0                     },
    {7,          0x00020001,         -EPERM,  0                     }, /* I/O breakpoint without CR4.DE */
    {8,          0,                  -ENODEV, 0                     },
    {64,         0,                  -ENODEV, 0                     },
    {UINT32_MAX, 0,                  -ENODEV, 0                     },
};

TEST_RULE(abi_debugreg,
          "set_debugreg refuses addresses of Xen, DR7.GD and reserved values, and fixes "
          "reserved bits")
{
    debug_begin(t);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const struct row *r = &rows[i];
        uint64_t before = get_dr(r->reg);

        CHECK_RC(set_dr(r->reg, r->value), r->rc, "set_debugreg of DR%u, 0x%lx", r->reg, r->value);
        CHECK_EQ(get_dr(r->reg), r->rc ? before : r->reads,
                 "after set_debugreg of DR%u, 0x%lx: "
                 "get_debugreg",
                 r->reg, r->value);
    }
    CHECK_EQ(get_dr(8), (uint64_t)-ENODEV, "get_debugreg of DR8");
    for (unsigned int i = 0; i < NR_ADDRESSES; i++)
        CHECK_EQ(get_dr(i), rows[i].reads, "get_debugreg of DR%u at the end", i);
    debug_end(t);
}

static void mov_to(struct test *t, const char *what, const char *code, uint64_t value,
                   unsigned int vector)
{
    snippet_set(code, value);
    if (vector)
        check_trap_is(t, what, vector, 0, (uintptr_t)code);
    else
        check_no_trap(t, what);
}

static void set_de(struct test *t, bool on)
{
    uint64_t cr4 = snippet_get(s_get_cr4) & ~(uint64_t)CR4_DE;

    mov_to(t, "mov to CR4 with another DE", s_set_cr4, cr4 | (on ? CR4_DE : 0), 0);
}

/* "If CR4.DE is clear, DR4 and DR5 are aliases of DR6 and DR7", else they do not exist. */
static void check_aliases(struct test *t)
{
    set_de(t, false);
    mov_to(t, "mov to DR4", s_set_dr4, 1, 0);
    CHECK_EQ(get_dr(6), DR6_FIXED | 1, "after mov of 1 to DR4 with CR4.DE clear: DR6");
    CHECK_EQ(snippet_get(s_get_dr4), DR6_FIXED | 1, "mov from DR4 with CR4.DE clear");
    CHECK_RC(set_dr(5, DR7_LE_GE), 0, "set_debugreg of DR5 with CR4.DE clear");
    CHECK_EQ(snippet_get(s_get_dr7), DR7_FIXED | DR7_LE_GE, "after set_debugreg of DR5: DR7");
    set_de(t, true);
    mov_to(t, "mov to DR4 with CR4.DE", s_set_dr4, 1, 6);
    mov_to(t, "mov to DR5 with CR4.DE", s_set_dr5, 0, 6);
    CHECK_RC(set_dr(4, 0), -ENODEV, "set_debugreg of DR4 with CR4.DE set");
    CHECK_RC(set_dr(5, 0), -ENODEV, "set_debugreg of DR5 with CR4.DE set");
    CHECK_EQ(get_dr(4), (uint64_t)-ENODEV, "get_debugreg of DR4 with CR4.DE set");
    CHECK_EQ(get_dr(5), (uint64_t)-ENODEV, "get_debugreg of DR5 with CR4.DE set");
    CHECK_RC(set_dr(7, 0x00020001), 0, "set_debugreg of DR7, an I/O breakpoint with CR4.DE set");
    CHECK_EQ(get_dr(7), DR7_FIXED | 0x00020001, "DR7 with an I/O breakpoint");
    CHECK_RC(set_dr(7, 0), 0, "set_debugreg of DR7, 0");
    CHECK_EQ(get_dr(7), DR7_FIXED, "DR7 after set_debugreg of DR7, 0 removed an I/O breakpoint");
    set_de(t, false);
}

TEST_RULE(abi_debugreg_mov,
          "mov to and from a debug register has the results of set_ and get_debugreg")
{
    bool de;

    debug_begin(t);
    de = snippet_get(s_get_cr4) & CR4_DE;
    mov_to(t, "mov of 0x5000 to DR0", s_set_dr0, 0x5000, 0);
    CHECK_EQ(get_dr(0), 0x5000, "after mov of 0x5000 to DR0: get_debugreg");
    mov_to(t, "mov of an address of Xen to DR0", s_set_dr0, 0xffff82d040200000, 13);
    CHECK_EQ(snippet_get(s_get_dr0), 0x5000, "mov from DR0 after a refused mov");
    mov_to(t, "mov of 2^32 to DR6", s_set_dr6, 0x100000000, 13);
    mov_to(t, "mov of 2 to DR6", s_set_dr6, 2, 0);
    CHECK_EQ(snippet_get(s_get_dr6), DR6_FIXED | 2, "mov from DR6 after mov of 2");
    mov_to(t, "mov of GD to DR7", s_set_dr7, DR7_GD, 13);
    mov_to(t, "mov of LE and GE to DR7", s_set_dr7, DR7_LE_GE, 0);
    CHECK_EQ(snippet_get(s_get_dr7), DR7_FIXED | DR7_LE_GE, "mov from DR7 after mov of LE and GE");
    check_aliases(t);
    set_de(t, de);
    debug_end(t);
}

static uint8_t watched[8] __attribute__((aligned(8)));

static const struct {
    const char *what, *code;
    const void *address, *target; /* of breakpoint 2; of the access */
    unsigned int kind;
    bool fires, fault; /* fault: #DB comes before the instruction */
} points[] = {
    {"write, breakpoint on writes",          s_write, &watched[0], &watched[0], KIND_WRITE,         true,  false},
    {"read, breakpoint on writes",           s_read,  &watched[0], &watched[0], KIND_WRITE,         false, false},
    {"read, breakpoint on reads and writes", s_read,  &watched[3], &watched[3], KIND_ACCESS,        true,
     false                                                                                                      },
    {"write of the byte behind",             s_write, &watched[3], &watched[4], KIND_ACCESS,        false, false},
    {"write of the last of two bytes",       s_write, &watched[4], &watched[5], KIND_WRITE | LEN_2, true,
     false                                                                                                      },
    {"execution of the instruction",         s_end,   s_end,       NULL,        KIND_EXEC,          true,  true },
    {"execution of the next instruction",    s_end,   s_end + 1,   NULL,        KIND_EXEC,          true,  false},
};

static void check_point(struct test *t, size_t i, bool enabled)
{
    const char *what = points[i].what;

    snippet_fill(0);
    snippet_in.gpr[RDI] = (uintptr_t)points[i].target;
    CHECK_RC(set_dr(6, 0), 0, "set_debugreg of DR6, 0");
    CHECK_RC(set_dr(2, (uintptr_t)points[i].address), 0, "set_debugreg of DR2");
    CHECK_RC(set_dr(7, DR7_KIND(2, points[i].kind) | (enabled ? DR7_ENABLE(2) : 0)), 0,
             "set_debugreg of DR7");
    snippet_run(points[i].code);
    if (enabled && points[i].fires) {
        /* each of these instructions has 3 bytes, except for the nop of s_end */
        check_trap_is(t, what, VECTOR_DB, 0,
                      (uintptr_t)points[i].code + (points[i].fault           ? 0
                                                   : points[i].code == s_end ? 1
                                                                             : 3));
        CHECK_EQ(get_dr(6), DR6_FIXED | 1 << 2, "%s: DR6 after #DB", what);
    } else {
        check_no_trap(t, what);
        CHECK_EQ(get_dr(6), DR6_FIXED, "%s: DR6 without #DB", what);
    }
}

TEST_RULE(abi_breakpoints,
          "a breakpoint raises #DB with its bit of DR6, if it is enabled and matches")
{
    debug_begin(t);
    for (size_t i = 0; i < ARRAY_SIZE(points); i++) {
        check_point(t, i, true);
        check_point(t, i, false);
    }
    debug_end(t);
}

/*
 * "Debug exceptions may clear bits 0-3. The remaining contents of the DR6 register are never
 * cleared by the processor" (Intel SDM vol. 3, 17.2.3). The breakpoint is enabled from the start,
 * because a change of DR7 can make Xen load DR6 of the CPU anew, and hide a fault.
 */
TEST_RULE(abi_debug_status, "DR6 keeps BS of a single step at the next #DB, until it is written")
{
    debug_begin(t);
    CHECK_RC(set_dr(2, (uintptr_t)watched), 0, "set_debugreg of DR2");
    CHECK_RC(set_dr(7, DR7_KIND(2, KIND_WRITE) | DR7_ENABLE(2)), 0, "set_debugreg of DR7");
    snippet_to_kernel(s_end, FLAGS_ALWAYS | FLAG_TF);
    snippet_run(s_iret);
    check_trap_is(t, "nop with TF", VECTOR_DB, 0, (uintptr_t)s_end + 1);
    CHECK_EQ(get_dr(6), DR6_FIXED | DR6_BS, "DR6 after a single step");
    snippet_fill(0);
    snippet_in.gpr[RDI] = (uintptr_t)watched;
    snippet_run(s_write);
    check_trap_is(t, "write, breakpoint on writes", VECTOR_DB, 0, (uintptr_t)s_write + 3);
    CHECK_EQ(get_dr(6), DR6_FIXED | DR6_BS | 1 << 2,
             "DR6 after a single step and a breakpoint, with no write to DR6 between them");
    debug_end(t);
}

/* Execution breakpoints are faults: a debugger returns to the instruction with RF set. */
TEST_RULE(abi_resume_flag,
          "an iret with RF set runs an instruction that has an execution breakpoint")
{
    debug_begin(t);
    CHECK_RC(set_dr(1, (uintptr_t)s_end), 0, "set_debugreg of DR1");
    CHECK_RC(set_dr(7, DR7_KIND(1, KIND_EXEC) | DR7_ENABLE(1)), 0, "set_debugreg of DR7");
    snippet_to_kernel(s_end, FLAGS_ALWAYS);
    snippet_run(s_iret);
    check_trap_is(t, "iret to a breakpoint", VECTOR_DB, 0, (uintptr_t)s_end);
    snippet_to_kernel(s_end, FLAGS_ALWAYS | FLAG_RF);
    snippet_run(s_iret);
    check_no_trap(t, "iret with RF to a breakpoint");
    debug_end(t);
}
