/* SPDX-License-Identifier: MIT */
/*
 * Segment bases and selectors of the kernel.
 *
 * Without these tests a guest could give Xen a non-canonical base, on which Xen's own WRMSR faults
 * (XSA-193), or load a segment that only Xen may use. HYPERVISOR_set_segment_base is described in
 * <xen/arch-x86/xen-x86_64.h>, which also has the selectors of Xen's flat segments.
 */
#include "lib/errno.h"

#include "arch/x86/hypercall.h"

#include "tests/guest/abi_room.h"
#include "tests/guest/traps/snippet.h"

/* SEGBASE_n is read and written as MSR MSR_BASES + the number here. */
#define MSR_BASES 0xc0000100

static const struct base {
    const char *name;
    unsigned int which, msr;
} bases[] = {
    {"FS base",        SEGBASE_FS,        MSR_BASES + 0},
    {"GS base",        SEGBASE_GS_KERNEL, MSR_BASES + 1},
    {"user's GS base", SEGBASE_GS_USER,   MSR_BASES + 2},
};

static const uint64_t canonical[] = {
    1, 0x7fffffffffff, 0xffff800000000000, 0xffffffffffffffff, 0x123456789abc, 0,
};

static const uint64_t non_canonical[] = {
    0x800000000000, 0xffff7fffffffffff, 0x8000000000000000, 0x1000000000000, 0x7fffffffffffffff,
};

/* The base @set is @value, the other bases are as check_base() has set them. */
static void check_bases(struct test *t, const char *how, size_t set, uint64_t value)
{
    for (size_t i = 0; i < ARRAY_SIZE(bases); i++)
        CHECK_EQ(snippet_rdmsr(bases[i].msr), i == set ? value : bases[i].msr,
                 "after %s of the %s, value 0x%lx: %s by rdmsr", how, bases[set].name, value,
                 bases[i].name);
}

static void check_good(struct test *t, size_t i, uint64_t value)
{
    CHECK_RC(set_base(bases[i].which, value), 0, "set_segment_base of the %s, 0x%lx", bases[i].name,
             value);
    check_bases(t, "set_segment_base", i, value);
    CHECK_RC(set_base(bases[i].which, bases[i].msr), 0, "set_segment_base of the %s, 0x%x",
             bases[i].name, bases[i].msr);
    CHECK_EQ(snippet_wrmsr(bases[i].msr, value), 0, "wrmsr of the %s, 0x%lx: number of exceptions",
             bases[i].name, value);
    check_bases(t, "wrmsr", i, value);
}

static void check_bad(struct test *t, size_t i, uint64_t value)
{
    uint64_t before = snippet_rdmsr(bases[i].msr);

    CHECK_RC(set_base(bases[i].which, value), -EINVAL,
             "set_segment_base of the %s, non-canonical 0x%lx", bases[i].name, value);
    CHECK_EQ(snippet_rdmsr(bases[i].msr), before, "after the refused set_segment_base: %s by rdmsr",
             bases[i].name);
    snippet_wrmsr(bases[i].msr, value);
    check_trap_is(t, "wrmsr of a non-canonical segment base", 13, 0, (uintptr_t)s_wrmsr);
    CHECK_EQ(snippet_rdmsr(bases[i].msr), before, "after the refused wrmsr of 0x%lx: %s by rdmsr",
             value, bases[i].name);
}

static void restore_bases(struct test *t, const uint64_t *before)
{
    for (size_t i = 0; i < ARRAY_SIZE(bases); i++)
        CHECK_RC(set_base(bases[i].which, before[i]), 0, "set_segment_base of the %s, 0x%lx",
                 bases[i].name, before[i]);
    snippets_end();
}

static void save_bases(struct test *t, uint64_t *before)
{
    snippets_begin(t);
    snippet_fill(0);
    for (size_t i = 0; i < ARRAY_SIZE(bases); i++)
        before[i] = snippet_rdmsr(bases[i].msr);
}

TEST_RULE(abi_segment_base,
          "set_segment_base and wrmsr set the FS base or a GS base, and no other base")
{
    uint64_t before[ARRAY_SIZE(bases)];

    save_bases(t, before);
    for (size_t i = 0; i < ARRAY_SIZE(bases); i++)
        CHECK_RC(set_base(bases[i].which, bases[i].msr), 0, "set_segment_base of the %s, 0x%x",
                 bases[i].name, bases[i].msr);
    for (size_t i = 0; i < ARRAY_SIZE(bases) * ARRAY_SIZE(canonical); i++) {
        check_good(t, i / ARRAY_SIZE(canonical), canonical[i % ARRAY_SIZE(canonical)]);
        CHECK_RC(
            set_base(bases[i / ARRAY_SIZE(canonical)].which, bases[i / ARRAY_SIZE(canonical)].msr),
            0, "set_segment_base of the %s", bases[i / ARRAY_SIZE(canonical)].name);
    }
    CHECK_RC(set_base(4, 0), -EINVAL, "set_segment_base(4)");
    CHECK_RC(set_base(UINT32_MAX, 0), -EINVAL, "set_segment_base(0xffffffff)");
    restore_bases(t, before);
}

TEST_RULE(abi_segment_base_bad,
          "a non-canonical segment base is refused by set_segment_base and wrmsr, "
          "and changes nothing (XSA-193)")
{
    uint64_t before[ARRAY_SIZE(bases)];

    save_bases(t, before);
    for (size_t i = 0; i < ARRAY_SIZE(bases) * ARRAY_SIZE(non_canonical); i++)
        check_bad(t, i / ARRAY_SIZE(non_canonical), non_canonical[i % ARRAY_SIZE(non_canonical)]);
    restore_bases(t, before);
}

/* The MSR could be right in Xen's memory alone. */
TEST_RULE(abi_segment_base_use,
          "loads by FS and GS use the bases that were set, by hypercall or wrmsr")
{
    static const uint64_t words[2] = {0x1111222233334444, 0x5555666677778888};
    static const char *const code[2] = {s_read_fs, s_read_gs};
    uint64_t before[ARRAY_SIZE(bases)];

    save_bases(t, before);
    for (size_t i = 0; i < 4; i++) {
        const struct base *b = &bases[i % 2];
        uintptr_t va = (uintptr_t)&words[i / 2];

        if (i / 2)
            snippet_wrmsr(b->msr, va);
        else
            CHECK_RC(set_base(b->which, va), 0, "set_segment_base of the %s, 0x%lx", b->name, va);
        CHECK_RC(HYPERVISOR_any(__HYPERVISOR_sched_op, 0, 0, 0, 0), 0, "SCHEDOP_yield");
        snippet_run(code[i % 2]);
        check_no_trap(t, "read at offset 0 of a segment");
        CHECK_EQ(snippet_out.gpr[RAX], words[i / 2], "word at the %s, set by %s", b->name,
                 i / 2 ? "wrmsr" : "set_segment_base");
    }
    restore_bases(t, before);
}

static uint16_t read_gs(void)
{
    uint16_t gs;

    __asm__ volatile("mov %%gs, %0" : "=r"(gs));
    return gs;
}

/* Xen loads a null selector in place of one that it cannot load; the call succeeds nevertheless. */
TEST_RULE(abi_segment_gs_user,
          "SEGBASE_GS_USER_SEL loads GS, changes the user's GS base, and no other")
{
    static const struct {
        uint16_t selector, gs;
    } rows[] = {
        {FLAT_USER_DS32,      FLAT_USER_DS32},
        {FLAT_USER_DS32 & ~3, FLAT_USER_DS32},
        {0x8ff8,              0             },
        {FLAT_USER_DS32,      FLAT_USER_DS32},
        {0xfff8,              0             },
        {0,                   0             },
    };
    uint64_t before[ARRAY_SIZE(bases)];
    uint16_t gs = read_gs();

    save_bases(t, before);
    for (size_t i = 0; i < ARRAY_SIZE(bases); i++)
        CHECK_RC(set_base(bases[i].which, bases[i].msr), 0, "set_segment_base of the %s, 0x%x",
                 bases[i].name, bases[i].msr);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        CHECK_RC(set_base(SEGBASE_GS_USER_SEL, rows[i].selector), 0,
                 "set_segment_base(SEGBASE_GS_USER_SEL, 0x%x)", rows[i].selector);
        CHECK_EQ(read_gs(), rows[i].gs, "after SEGBASE_GS_USER_SEL of selector 0x%x: GS",
                 rows[i].selector);
        CHECK_EQ(snippet_rdmsr(bases[1].msr), bases[1].msr,
                 "after SEGBASE_GS_USER_SEL of selector 0x%x: GS base of the kernel",
                 rows[i].selector);
        if (rows[i].gs) /* a null selector keeps the base on some CPUs */
            CHECK_EQ(snippet_rdmsr(bases[2].msr), 0,
                     "after SEGBASE_GS_USER_SEL of selector 0x%x: user's GS base",
                     rows[i].selector);
    }
    CHECK_RC(set_base(SEGBASE_GS_USER_SEL, gs), 0, "set_segment_base(SEGBASE_GS_USER_SEL, 0x%x)",
             gs);
    restore_bases(t, before);
}

/* Segments of Xen: code and data of ring 0 (0xe008, 0xe010), its TSS (0xe040), its LDT (0xe050). */
static const struct {
    uint16_t selector;
    bool data, ss; /* can the selector be loaded into DS, ES, FS and GS; into SS? */
} selectors[] = {
    {0,      true,  false},
    {3,      true,  false},
    {0xe02b, true,  true },
    {0xe033, true,  false}, /* code, but readable */
    {0xe008, false, false},
    {0xe010, false, false},
    {0xe013, false, false},
    {0xe040, false, false},
    {0xe050, false, false},
    {0x8ff8, false, false}, /* in the part of the GDT that has no frame of this domain */
    {0xfff8, false, false}, /* past the GDT's limit */
    {0x000f, false, false}, /* in the LDT, which is empty */
    {0xffff, false, false},
};

static const struct {
    const char *name, *code;
} registers[] = {
    {"DS", s_mov_ds},
    {"ES", s_mov_es},
    {"FS", s_mov_fs},
    {"GS", s_mov_gs},
    {"SS", s_mov_ss},
};

static void check_load(struct test *t, const char *name, const char *code, uint16_t selector,
                       bool loads)
{
    snippet_fill(FLAGS_OWN & ~FLAG_NT);
    snippet_in.gpr[RDI] = selector;
    snippet_run(code);
    if (loads) {
        CHECK(!snippet_trap.nr,
              "load of %s with selector 0x%x: trap has vector %lu, error code 0x%lx, RIP 0x%lx, "
              "expected no trap",
              name, selector, snippet_trap.frame.vector, snippet_trap.frame.error,
              snippet_trap.frame.rip);
        return;
    }
    CHECK(snippet_trap.nr && snippet_trap.frame.vector == 13 &&
              snippet_trap.frame.error == (selector & ~3u),
          "load of %s with selector 0x%x: %u traps, vector %lu, error code 0x%lx, expected 1 trap, "
          "vector 13, error code 0x%x",
          name, selector, snippet_trap.nr, snippet_trap.frame.vector, snippet_trap.frame.error,
          selector & ~3u);
    check_trap_gprs(t, "load of a bad selector", 0);
}

TEST_RULE(abi_selectors,
          "a load of a selector that the guest may not use raises #GP with the selector")
{
    uint16_t ds, es, fs, gs = read_gs();
    uint64_t before[ARRAY_SIZE(bases)];

    __asm__ volatile("mov %%ds, %0; mov %%es, %1; mov %%fs, %2" : "=r"(ds), "=r"(es), "=r"(fs));
    save_bases(t, before);
    for (size_t i = 0; i < ARRAY_SIZE(selectors) * ARRAY_SIZE(registers); i++) {
        size_t r = i % ARRAY_SIZE(registers), s = i / ARRAY_SIZE(registers);

        check_load(t, registers[r].name, registers[r].code, selectors[s].selector,
                   registers[r].code == s_mov_ss ? selectors[s].ss : selectors[s].data);
    }
    __asm__ volatile("mov %0, %%ds; mov %1, %%es; mov %2, %%fs; mov %3, %%gs"
                     :
                     : "r"(ds), "r"(es), "r"(fs), "r"(gs));
    restore_bases(t, before);
}
