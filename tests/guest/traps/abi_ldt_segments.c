/* SPDX-License-Identifier: MIT */
/*
 * Segments of the local descriptor table (MMUEXT_SET_LDT of <xen/xen.h>), as the CPU and as Xen's
 * emulation use them; tests/guest/mmu/abi_ldt.c tests the table itself.
 *
 * Without these tests a guest could use a descriptor past the limit of its LDT, where another LDT
 * was before (XSA-298). Xen maps a page of the LDT when its first descriptor is used: a page that
 * is not there is a page fault of the guest.
 */
#include "lib/errno.h"

#include "arch/x86/hypercall.h"

#include "tests/guest/traps/user_room.h"

#include <xen/physdev.h>

#define ENTRIES     512 /* in one page */
#define SELECTOR(i) ((uint64_t)(i) << 3 | EC_LDT | 3)
#define ERROR(i)    ((uint64_t)(i) << 3 | EC_LDT)
#define MSR_FS_BASE 0xc0000100
#define PORT_POST   0x80 /* a write to this port has no effect */

/* Descriptors (Intel SDM vol. 3, 3.4.5): ring 3 data; not present; with a base. */
#define DATA      0x00cff3000000ffff
#define ABSENT    0x00cf73000000ffff
#define DATA_BASE 0x12cff3345678ffff
#define BASE      0x12345678

/* An LDT of two pages, of which the second one is not mapped. */
struct ldt {
    struct user user;
    struct spot page;
};

static long set_ldt(uint64_t address, unsigned int entries)
{
    const struct mmuext_op op = {
        .cmd = MMUEXT_SET_LDT, .arg1.linear_addr = address, .arg2.nr_ents = entries};

    return HYPERVISOR_mmuext_op(&op, 1, NULL, DOMID_SELF);
}

static void use_ldt(struct test *t, uint64_t address, unsigned int entries)
{
    CHECK_RC(set_ldt(address, entries), 0, "MMUEXT_SET_LDT at 0x%lx, %u entries", address, entries);
}

/*
 * Fills entries 0 to 3 and the last one of the page, and maps the page with @flags. False: Xen
 * refuses to map the page writable, as if an LDT still used the page.
 */
static bool fill_ldt(struct test *t, struct spot s, uint64_t second, uint64_t flags)
{
    uint64_t *entry = (uint64_t *)s.va;
    int rc = spot_show(s, s.mfn, PTE_RW);

    check_frame(t, rc, 0, "update_va_mapping, writable, of a page that is no LDT", s.mfn);
    if (rc)
        return false;
    entry[0] = entry[1] = entry[ENTRIES - 1] = DATA;
    entry[2] = second;
    entry[3] = DATA_BASE;
    check_frame(t, spot_show(s, s.mfn, flags), 0, "update_va_mapping of the LDT", s.mfn);
    return true;
}

static void ldt_close(struct test *t, struct ldt *l)
{
    snippet_in.gpr[RDI] = 0;
    snippet_run(s_mov_ds);
    snippet_run(s_mov_es);
    snippet_run(s_mov_fs);
    use_ldt(t, 0, 0);
    room_drop(&l->user.room, l->page);
    user_close(&l->user);
}

static bool ldt_open(struct test *t, struct ldt *l)
{
    if (!user_open(t, &l->user))
        return false;
    l->page = room_spot(&l->user.room);
    snippet_fill(0);
    if (fill_ldt(t, l->page, ABSENT, PTE_RO))
        return true;
    ldt_close(t, l);
    return false;
}

/* Loads @code's segment register with entry @i. @vector 0: this works. */
static void load(struct test *t, const char *what, const char *code, unsigned int i,
                 unsigned int vector, uint64_t error)
{
    snippet_in.gpr[RDI] = SELECTOR(i);
    snippet_run(code);
    if (vector)
        check_trap_is(t, what, vector, error, (uintptr_t)code);
    else
        check_no_trap(t, what);
}

/* The same for DS, which then has no segment of the LDT. */
static void check_load(struct test *t, const char *what, unsigned int i, unsigned int vector,
                       uint64_t error)
{
    load(t, what, s_mov_ds, i, vector, error);
    if (!vector) {
        snippet_in.gpr[RDI] = 0;
        snippet_run(s_mov_ds);
    }
}

static void check_missing(struct test *t, const struct ldt *l, unsigned int i, const char *what)
{
    check_load(t, what, i, 14, 0);
    CHECK_EQ(snippet_trap.cr2, l->page.va + (uint64_t)i * 8, "%s: CR2", what);
}

static void check_missing_in_user(struct test *t, const struct ldt *l, unsigned int i,
                                  const char *what)
{
    uint64_t va = l->page.va + (uint64_t)i * 8;

    snippet_in.gpr[RDI] = SELECTOR(i);
    user_run(s_mov_ds, 0);
    check_user_trap(t, what, 14, PF_USER, user_va(s_mov_ds));
    CHECK_EQ(snippet_trap.cr2, va, "%s in user mode: CR2", what);
}

TEST_RULE(abi_ldt_segments,
          "segment loads in kernel and user mode use the LDT up to its limit, and fault past it")
{
    struct ldt l;

    if (!ldt_open(t, &l))
        return;
    use_ldt(t, l.page.va, ENTRIES);
    check_load(t, "load of DS with LDT entry 0 of 512", 0, 0, 0);
    check_load(t, "load of DS with LDT entry 511 of 512", ENTRIES - 1, 0, 0);
    check_load(t, "load of DS with LDT entry 2, not present", 2, 11, ERROR(2));
    check_load(t, "load of DS with LDT entry 512 of 512", ENTRIES, 13, ERROR(ENTRIES));
    check_frame_refused(t, spot_show(l.page, l.page.mfn, PTE_RW),
                        "update_va_mapping, writable, of the LDT in use", l.page.mfn);
    load(t, "load of FS with LDT entry 3, base 0x12345678", s_mov_fs, 3, 0, 0);
    snippet_in.gpr[RCX] = MSR_FS_BASE;
    snippet_run(s_rdmsr);
    CHECK_EQ(snippet_out.gpr[RAX], BASE, "FS base by rdmsr, from entry 3 of the LDT");
    use_ldt(t, l.page.va, 2);
    check_load(t, "load of DS with LDT entry 1 of 2", 1, 0, 0);
    check_load(t, "load of DS with LDT entry 2 of 2", 2, 13, ERROR(2));
    use_ldt(t, l.page.va, ENTRIES + 1);
    check_missing(t, &l, ENTRIES, "load of DS with LDT entry 512 of 513, in an unmapped page");
    check_missing_in_user(t, &l, ENTRIES,
                          "load of DS with LDT entry 512 of 513, in an unmapped page");
    snippet_in.gpr[RDI] = SELECTOR(1);
    user_run(s_mov_ds, 0);
    check_user_end(t, "load of DS with LDT entry 1");
    use_ldt(t, 0, 0);
    check_load(t, "load of DS with LDT entry 0 of 0", 0, 13, ERROR(0));
    check_frame(t, spot_show(l.page, l.page.mfn, PTE_RW), 0,
                "update_va_mapping, writable, of a former LDT", l.page.mfn);
    ldt_close(t, &l);
}

/* Runs OUTSB in 32-bit user mode, which Xen emulates, and for which Xen reads the descriptor of DS.
 */
static void run_outsb(void)
{
    snippet_in.gpr[RDX] = PORT_POST;
    snippet_in.gpr[RSI] = USER_DATA;
    user_to(s_outsb32, 0);
    snippet_iret.cs = FLAT_USER_CS32;
    snippet_run(s_iret);
}

/*
 * DS keeps the segment of entry 1, whose descriptor was in the LDT when DS was loaded. Then the LDT
 * ends in front of this entry, in a page that Xen has mapped again, because ES uses entry 0.
 */
TEST_RULE(abi_ldt_limit, "emulation by Xen uses no descriptor past the limit of the LDT (XSA-298)")
{
    struct ldt l;

    if (!ldt_open(t, &l))
        return;
    CHECK_RC(set_iopl(3), 0, "PHYSDEVOP_set_iopl(3)");
    use_ldt(t, l.page.va, 2);
    load(t, "load of DS with LDT entry 1 of 2", s_mov_ds, 1, 0, 0);
    run_outsb();
    check_trap_is(t, "ud2 behind OUTSB with DS in the LDT", 6, 0, user_va(s_outsb32) + 1);
    use_ldt(t, l.page.va, 1);
    load(t, "load of ES with LDT entry 0 of 1", s_mov_es, 0, 0, 0);
    run_outsb();
    check_trap_is(t, "OUTSB with DS past the limit of the LDT", 13, 0, user_va(s_outsb32));
    CHECK_RC(set_iopl(0), 0, "PHYSDEVOP_set_iopl(0)");
    ldt_close(t, &l);
}
