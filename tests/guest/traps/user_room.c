/* SPDX-License-Identifier: MIT */
#include "tests/guest/traps/user_room.h"

#include "lib/errno.h"

#include "arch/x86/hypercall.h"

/* Frames for four page tables and a page of data, and for the page tables that map them. */
#define ROOM_PAGES 24

static int new_user_root(mfn_t root)
{
    const struct mmuext_op op = {.cmd = MMUEXT_NEW_USER_BASEPTR,
                                 .arg1.mfn = mfn_valid(root) ? root.v : 0};

    return (int)HYPERVISOR_mmuext_op(&op, 1, NULL, DOMID_SELF);
}

/* Writes an entry of a table that is not in use yet, for the address @va. */
static int set_entry(const struct user *u, unsigned int level, uint64_t va, uint64_t pte)
{
    return pt_write(u->tables[level - 1].mfn, pte_index(va, level), pte);
}

static int map_text(struct user *u)
{
    uint64_t start = ROUND_DOWN((uintptr_t)snippet_start, PAGE_SIZE);
    struct pagetable *pt = &u->room.pt;
    int rc = 0;

    for (uint64_t va = start; !rc && va < (uintptr_t)snippet_stop; va += PAGE_SIZE)
        rc = set_entry(u, 1, USER_TEXT + (va - start), pte_make(pt_mfn(pt, va), PTE_RX));
    return rc;
}

static int make_tables(struct user *u)
{
    int rc = map_text(u);

    if (!rc)
        rc = set_entry(u, 1, USER_DATA, pte_make(pt_mfn(&u->room.pt, (uintptr_t)u->data), PTE_RW));
    for (unsigned int level = 2; !rc && level <= PT_LEVELS; level++)
        rc = set_entry(u, level, USER_TEXT, pte_make(u->tables[level - 2].mfn, PTE_TABLE));
    if (!rc)
        rc = pt_pin(u->tables[PT_LEVELS - 1].mfn, PT_LEVELS);
    return rc;
}

int user_attach(const struct user *u)
{
    int rc = new_user_root(u->tables[PT_LEVELS - 1].mfn);

    if (!rc)
        rc = (int)HYPERVISOR_any(__HYPERVISOR_stack_switch, FLAT_KERNEL_SS,
                                 (uintptr_t)snippet_trap_stack, 0, 0);
    return rc;
}

int user_detach(void)
{
    return new_user_root(INVALID_MFN);
}

bool user_open(struct test *t, struct user *u)
{
    int rc;

    if (!room_open(&u->room, t, ROOM_PAGES))
        return false;
    for (unsigned int i = 0; i < PT_LEVELS; i++)
        u->tables[i] = room_spot(&u->room);
    u->data = room_alloc(&u->room, 1);
    rc = make_tables(u) ?: user_attach(u);
    snippets_begin(t);
    CHECK_RC(rc, 0, "page tables of user mode, MMUEXT_NEW_USER_BASEPTR of MFN 0x%lx, stack_switch",
             u->tables[PT_LEVELS - 1].mfn.v);
    if (!rc)
        return true;
    user_close(u);
    return false;
}

void user_close(struct user *u)
{
    struct test *t = u->room.t;
    mfn_t root = u->tables[PT_LEVELS - 1].mfn;

    snippets_end();
    CHECK_RC(user_detach(), 0, "MMUEXT_NEW_USER_BASEPTR of MFN 0 (none)");
    CHECK_RC(pt_unpin(root), 0, "unpin of the L4 table of user mode, MFN 0x%lx", root.v);
    for (unsigned int i = 0; i < PT_LEVELS; i++)
        room_drop(&u->room, u->tables[i]);
    room_free(&u->room, u->data, 1);
    room_close(&u->room);
}

uint64_t user_va(const char *code)
{
    return USER_TEXT + ((uintptr_t)code - ROUND_DOWN((uintptr_t)snippet_start, PAGE_SIZE));
}

void user_to(const char *code, uint64_t rflags)
{
    snippet_to_kernel(code, rflags | FLAGS_ALWAYS);
    snippet_iret.rip = user_va(code);
    snippet_iret.cs = FLAT_USER_CS;
    snippet_iret.ss = FLAT_USER_SS;
    snippet_iret.rsp = USER_STACK;
}

unsigned int user_run(const char *code, uint64_t rflags)
{
    user_to(code, rflags);
    return snippet_run(s_iret);
}

static void check_left_user(struct test *t, const char *what)
{
    const struct trap_frame *f = &snippet_trap.frame;

    CHECK_EQ(snippet_trap.nr, 1, "%s in user mode: number of traps", what);
    CHECK_EQ((uint16_t)f->cs, FLAT_USER_CS, "%s in user mode: CS in the frame", what);
    CHECK_EQ(f->ss, FLAT_USER_SS, "%s in user mode: SS in the frame", what);
    CHECK_EQ(f->rsp, snippet_iret.rsp, "%s in user mode: RSP in the frame", what);
    CHECK_EQ(snippet_trap.frame_end, (uintptr_t)snippet_trap_stack,
             "%s in user mode: end of the frame, on the stack of stack_switch", what);
}

void check_user_trap(struct test *t, const char *what, unsigned int vector, uint64_t error,
                     uint64_t rip)
{
    check_trap_at(t, what, " in user mode", vector, error, rip);
    check_left_user(t, what);
}

void check_user_end(struct test *t, const char *what)
{
    const struct trap_frame *f = &snippet_trap.frame;

    CHECK(f->vector == TRAP_PAGE_FAULT && f->rip == user_va(snippet_end),
          "%s in user mode: trap has vector %lu, error code 0x%lx, RIP 0x%lx, expected no trap "
          "before the page fault at RIP 0x%lx",
          what, f->vector, f->error, f->rip, user_va(snippet_end));
    check_left_user(t, what);
}
