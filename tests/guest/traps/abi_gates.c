/* SPDX-License-Identifier: MIT */
/*
 * Entries of the trap table, struct trap_info of <xen/arch-x86/xen.h>: the flag that masks upcalls
 * (TI_GET_IF), the privilege level of INT n (TI_GET_DPL), and the end of a table.
 *
 * Without these tests an exception handler could be interrupted by an upcall that it had asked Xen
 * to hold back, or code could raise any vector by INT n. Both are rare, and then damage a stack.
 */
#include "lib/errno.h"

#include "arch/x86/hypercall.h"

#include "tests/guest/abi_room.h"
#include "tests/guest/traps/snippet.h"

#define IF_FLAG      4 /* TI_SET_IF: "clear event enable on entry" */
#define NONCANONICAL 0x0000800000000000

/* No instruction of this kernel raises vector 5, so its entry stub marks a diverted trap. */
#define DIVERT 5

static long set_gate(unsigned int vector, unsigned int flags, uintptr_t address)
{
    const struct trap_info table[2] = {
        {.vector = (uint8_t)vector,
         .flags = (uint8_t)flags,
         .cs = FLAT_KERNEL_CS,
         .address = address}
    };

    return HYPERVISOR_set_trap_table(table);
}

/*
 * The error code of an INT n that may not use its entry: n * 8 + 2. QEMU before version 8 has
 * n * 16 + 2 (and Xen, which reads the vector there, serves another vector), except for the
 * vectors that need no #GP: 3, and 0x80.
 */
static unsigned int quirk;

/* The vector that Xen sees for INT @n, and the error code. */
static uint8_t seen_vector(unsigned int n)
{
    return (uint8_t)(n << quirk);
}

static uint64_t int_error(unsigned int n)
{
    return n << 3 << quirk | EC_IDT;
}

/* Clears the virtual IDT, which has no other way to lose an entry, and registers the kernel's. */
static void restore_table(struct test *t)
{
    long rc = HYPERVISOR_set_trap_table(NULL);
    int rc2 = traps_start();

    CHECK_RC(rc, 0, "set_trap_table(NULL)");
    CHECK_RC(rc2, 0, "set_trap_table of this kernel's own array");
}

/*
 * INT 0x20 must not arrive through an entry of DPL 0. If it does, the tests end here: an INT n for
 * which there is no entry ends the domain on such a Xen.
 */
static bool gates_begin(struct test *t)
{
    const struct trap_frame *f = &snippet_trap.frame;
    long rc;

    snippets_begin(t);
    snippet_fill(0);
    rc = set_gate(0x20, 0, trap_entry(DIVERT)) ?: set_gate(0x40, 0, trap_entry(DIVERT));
    snippet_run(s_int20);
    restore_table(t);
    CHECK_RC(rc, 0, "set_trap_table, vectors 0x20 and 0x40, DPL 0");
    CHECK_EQ(f->vector, 13, "int 0x20 through a trap_info with DPL 0: vector");
    quirk = f->error == (0x20 << 4 | EC_IDT);
    if (f->vector != 13)
        snippets_end();
    return f->vector == 13;
}

/*
 * Xen's commit a934a600c4 of March 2026 ("Don't assume that INT $imm8 instructions are two bytes
 * long", also in 4.19.5 and 4.20.3) reads the instruction at the low 32 bits of RIP, because it
 * sets no address size. It finds no INT there, and raises #GP. Skips the test on such a Xen.
 */
static bool int_is_truncated(struct test *t)
{
    const struct host *h = &t->d->host;

    if (h->major == 4 && h->minor < 18)
        return false;
    CHECK_RC(set_gate(seen_vector(0x20), 3, trap_entry(DIVERT)), 0, "set_trap_table, DPL 3");
    snippet_run(s_int20);
    restore_table(t);
    if (snippet_trap.frame.vector != 13)
        return false;
    test_skip(t, "Xen raises #GP at INT n above 4 GiB, also through a trap_info with DPL 3 (since "
                 "Xen's commit a934a600c4)");
    return true;
}

static const struct source {
    const char *what, *code;
    unsigned int vector, stub;
    uint64_t rdi;
} sources[] = {
    {"div by 0",                        s_div,   0,    DIVERT, 0                    },
    {"int3",                            s_int3,  3,    DIVERT, 0                    },
    {"ud2",                             s_ud2,   6,    DIVERT, 0                    },
    {"read at a non-canonical address", s_read,  13,   13,     NONCANONICAL         },
    {"jump to an unmapped page",        s_jump,  14,   14,     (uint64_t)stack_guard},
    {"int 0x80",                        s_int80, 0x80, DIVERT, 0                    },
    {"int 0x40",                        s_int40, 0x40, DIVERT, 0                    }, /* the last */
};

static void check_gate_mask(struct test *t, const struct source *s, unsigned int flags)
{
    unsigned int vector = s->vector == 0x40 ? seen_vector(0x40) : s->vector;

    snippet_fill(0);
    snippet_in.gpr[RDI] = s->rdi;
    CHECK_RC(set_gate(vector, flags, trap_entry(s->stub)), 0,
             "set_trap_table, vector %u, flags 0x%x", vector, flags);
    CHECK_EQ(snippet_run_unmasked(s->code), 1, "%s: number of exceptions", s->what);
    CHECK_EQ(snippet_trap.mask, flags & IF_FLAG ? 1 : 0,
             "%s with flags 0x%x in its trap_info: evtchn_upcall_mask in the handler", s->what,
             flags);
    CHECK_EQ((uint8_t)(snippet_trap.frame.cs >> 32), 0,
             "%s with upcalls unmasked: saved_upcall_mask in the frame", s->what);
    CHECK_EQ(snippet_trap.frame.rflags & FLAG_IF, FLAG_IF,
             "%s with upcalls unmasked: IF in the frame", s->what);
    CHECK_EQ(snippet_run(s->code), 1, "%s: number of exceptions", s->what);
    CHECK_EQ(snippet_trap.mask, 1, "%s with upcalls masked: evtchn_upcall_mask in the handler",
             s->what);
}

TEST_RULE(abi_gate_mask,
          "an exception masks upcalls if, and only if, its trap_info has the IF flag")
{
    size_t nr;

    if (!gates_begin(t))
        return;
    nr = ARRAY_SIZE(sources) - int_is_truncated(t);
    for (size_t i = 0; i < nr; i++) {
        check_gate_mask(t, &sources[i], IF_FLAG | 3);
        check_gate_mask(t, &sources[i], 3);
    }
    restore_table(t);
    snippets_end();
}

static const struct {
    const char *what, *code;
    unsigned int vector;
} gates[] = {
    {"int 0x20", s_int20, 0x20},
    {"int 0x40", s_int40, 0x40},
    {"int 0xff", s_intff, 0xff},
};

/* "Level == 0: Noone may enter, 1, 2: Kernel may enter, 3: Everyone may enter" */
TEST_RULE(abi_gate_dpl, "INT n in kernel mode raises #GP if the trap_info has DPL 0, else vector n")
{
    bool truncated;

    if (!gates_begin(t))
        return;
    truncated = int_is_truncated(t);
    for (size_t i = 0; i < ARRAY_SIZE(gates) * 4 && !truncated; i++) {
        const char *what = gates[i / 4].what, *code = gates[i / 4].code;
        unsigned int vector = gates[i / 4].vector, dpl = i % 4;

        snippet_fill(FLAGS_OWN);
        CHECK_RC(set_gate(seen_vector(vector), dpl, trap_entry(DIVERT)), 0,
                 "set_trap_table, vector %u, DPL %u", vector, dpl);
        snippet_run(code);
        if (dpl)
            check_trap_is(t, what, DIVERT, 0, (uintptr_t)code + 2);
        else
            check_trap_is(t, what, 13, int_error(vector), (uintptr_t)code);
        check_trap_gprs(t, what, 0);
        check_flags(t, what, snippet_trap.frame.rflags);
        check_out(t, what, 0);
    }
    restore_table(t);
    snippets_end();
}

/* Xen has a faster way for INT 0x80, which tests only whether there is an entry. */
TEST_RULE(abi_gate_cleared, "set_trap_table(NULL) removes every entry: INT n raises #GP again")
{
    if (!gates_begin(t))
        return;
    snippet_fill(0);
    CHECK_RC(set_gate(0x80, 3, trap_entry(DIVERT)), 0, "set_trap_table, vector 0x80, DPL 3");
    CHECK_RC(set_gate(seen_vector(0xff), 3, trap_entry(DIVERT)), 0,
             "set_trap_table, vector 0xff, DPL 3");
    snippet_run(s_int80);
    check_trap_is(t, "int 0x80", DIVERT, 0, (uintptr_t)s_int80 + 2);
    restore_table(t);
    snippet_run(s_int80);
    check_trap_is(t, "int 0x80 behind set_trap_table(NULL)", 13, 0x80 << 3 | EC_IDT,
                  (uintptr_t)s_int80);
    snippet_run(s_intff);
    check_trap_is(t, "int 0xff behind set_trap_table(NULL)", 13, int_error(0xff),
                  (uintptr_t)s_intff);
    snippets_end();
}

/* With the error codes of QEMU before version 8, Xen sees INT 7 as INT 14. */
static const char *code_of_int14(void)
{
    return quirk ? s_int7 : s_int14;
}

/* Only the exception itself has an error code; the entry stub of vector 5 expects none. */
TEST_RULE(abi_gate_exception, "INT 14 pushes no error code and keeps CR2, unlike a page fault")
{
    volatile struct vcpu_info *vcpu = &t->d->shared->vcpu_info[0];
    const uint64_t cr2 = 0x123456789000;
    const char *code;

    if (!gates_begin(t))
        return;
    snippet_fill(FLAGS_OWN);
    if (!int_is_truncated(t)) {
        code = code_of_int14();
        CHECK_EQ(snippet_set(s_set_cr2, cr2), 0, "mov to CR2: number of exceptions");
        CHECK_RC(set_gate(TRAP_PAGE_FAULT, 3, trap_entry(DIVERT)), 0,
                 "set_trap_table, vector 14, DPL 3");
        snippet_run(code);
        restore_table(t);
        check_trap_is(t, "int 14", DIVERT, 0, (uintptr_t)code + 2);
        check_trap_gprs(t, "int 14", 0);
        CHECK_EQ(vcpu->arch.cr2, cr2, "vcpu_info[0].arch.cr2 after int 14");
    }
    snippets_end();
}

static struct trap_info gate(unsigned int vector, uintptr_t address)
{
    return (struct trap_info){
        .vector = seen_vector(vector), .flags = 3, .cs = FLAT_KERNEL_CS, .address = address};
}

/* The array has the entries vector 0x20, @middle, vector 0xff, and its end. */
static void check_array(struct test *t, const char *what, struct trap_info middle, long expected)
{
    const struct trap_info table[4] = {gate(0x20, trap_entry(DIVERT)), middle,
                                       gate(0xff, trap_entry(DIVERT))};

    CHECK_RC(HYPERVISOR_set_trap_table(table), expected, "set_trap_table with %s in the middle",
             what);
    snippet_run(s_int20);
    check_trap_is(t, "int 0x20, whose trap_info is in front of the middle one", DIVERT, 0,
                  (uintptr_t)s_int20 + 2);
    snippet_run(s_intff);
    if (middle.address == trap_entry(DIVERT))
        check_trap_is(t, "int 0xff, whose trap_info is behind a valid one", DIVERT, 0,
                      (uintptr_t)s_intff + 2);
    else
        check_trap_is(t, "int 0xff, whose trap_info is behind the end or a bad address", 13,
                      int_error(0xff), (uintptr_t)s_intff);
    restore_table(t);
}

TEST_RULE(abi_gate_array, "set_trap_table installs the entries in front of an end or a bad address")
{
    if (!gates_begin(t))
        return;
    snippet_fill(0);
    if (!int_is_truncated(t)) {
        check_array(t, "a valid entry", gate(0x40, trap_entry(DIVERT)), 0);
        check_array(t, "an address of 0 (the end)", gate(0x40, 0), 0);
        check_array(t, "a non-canonical address", gate(0x40, NONCANONICAL), -EINVAL);
        check_array(t, "a non-canonical address", gate(0x40, 0xffff7fffffffffff), -EINVAL);
    }
    snippets_end();
}
