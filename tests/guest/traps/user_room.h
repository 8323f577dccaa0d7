/* SPDX-License-Identifier: MIT */
/*
 * User mode, for self-tests: page tables of its own, with the snippets of snippet.S and a page of
 * data.
 *
 *      USER_TEXT   the pages of the snippets          R X
 *      USER_DATA   a page, also mapped in kernel mode R W
 *      USER_HOLE   no mapping
 *
 * Kernel and user mode of a 64-bit PV guest both run in ring 3. They differ in the level 4 table:
 * MMUEXT_NEW_USER_BASEPTR of <xen/xen.h> sets the one of user mode. HYPERVISOR_iret to a CS with
 * RPL 3 enters user mode. A trap, an upcall or SYSCALL leaves it, to the stack of
 * HYPERVISOR_stack_switch.
 */
#ifndef TESTS_GUEST_TRAPS_USER_ROOM_H
#define TESTS_GUEST_TRAPS_USER_ROOM_H

#include "tests/guest/abi_room.h"
#include "tests/guest/traps/snippet.h"

#define USER_TEXT  ((uint64_t)0x400000)
#define USER_DATA  ((uint64_t)0x410000)
#define USER_HOLE  ((uint64_t)0x420000)
#define USER_STACK (USER_DATA + PAGE_SIZE)

struct user {
    struct room room;
    struct spot tables[PT_LEVELS]; /* of level 1 to 4, not mapped */
    uint64_t *data;                /* USER_DATA in kernel mode    */
};

/* Makes the page tables, and begins snippets. False: the test is skipped or in error. */
bool user_open(struct test *t, struct user *u) __must_check;
void user_close(struct user *u);

/*
 * For another vCPU than the one of user_open, which must run no snippet meanwhile: gives the
 * calling vCPU the page tables of *@u and the stack of traps, or takes the page tables away.
 * Returns 0 or a negative errno.
 */
int user_attach(const struct user *u) __must_check;
int user_detach(void) __must_check;

/* The address of the snippet @code in user mode. */
uint64_t user_va(const char *code);

/*
 * Runs @code in user mode with the registers of snippet_in, and RFLAGS @rflags | FLAGS_ALWAYS.
 * Returns the number of traps, which is 1: snippet_trap.frame shows how user mode was left.
 */
unsigned int user_run(const char *code, uint64_t rflags);

/* Sets snippet_iret to enter user mode at @code, with the registers of snippet_in. */
void user_to(const char *code, uint64_t rflags);

/* The snippet @code, in user mode, ended by a trap with these properties; or by itself. */
void check_user_trap(struct test *t, const char *what, unsigned int vector, uint64_t error,
                     uint64_t rip);
void check_user_end(struct test *t, const char *what);

#endif
