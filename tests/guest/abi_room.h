/* SPDX-License-Identifier: MIT */
/*
 * What the tests of Xen's interface have in common: memory of their own, and Xen's answers.
 *
 * A room is some frames of the pool, taken by a single request however many they are (so that
 * inject=alloc:N stays a short list of cases), and a heap that lives on them. A test may do to
 * these what it likes, and page tables that go wrong are its own.
 */
#ifndef TESTS_GUEST_ABI_ROOM_H
#define TESTS_GUEST_ABI_ROOM_H

#include "kernel/selftest/test.h"

struct room {
    struct test *t;
    struct frame_pool pool; /* frames that nobody uses         */
    struct pagetable pt;    /* as the domain's, fed by the pool */
    struct heap heap;       /* likewise                        */
};

/* A frame of the room, and a page of address space behind which it can be shown. */
struct spot {
    uintptr_t va;
    mfn_t mfn;
};

/*
 * Takes @nr_pages, page tables for what is mapped of them included. One room at a time. If there
 * are too few, the test is in error: false.
 */
bool room_open(struct room *r, struct test *t, uint64_t nr_pages) __must_check;

/* Gives everything back, which must be in the pool again but for what became page tables. */
void room_close(struct room *r);

/* @nr pages, zeroed, writable, and unmapped at both ends. Panics if the room is too small. */
void *room_alloc(struct room *r, uint64_t nr);
void room_free(struct room *r, void *page, uint64_t nr);

/* A zeroed frame that is mapped nowhere, and an address where nothing is mapped. */
struct spot room_spot(struct room *r);
void room_drop(struct room *r, struct spot s);

/* Shows @mfn at the spot with rights @flags; 0: nothing. What Xen says. */
int spot_show(struct spot s, mfn_t mfn, uint64_t flags) __must_check;

/* A pseudo-random number: the same ones after the same seed, which must not be 0. */
uint64_t draw(uint64_t *seed);

/* The first frame from @from on that has a PFN, and is not ours by it. INVALID_MFN: none. */
mfn_t foreign_frame(const struct domain *d, mfn_t from);

/* A frame of Xen's own: the level 3 table of its part of our address space. */
mfn_t xen_frame(struct domain *d);

/*
 * The PV shim stands between such a test and the Xen that it is about: it keeps a table of ports
 * beside the one below, answers in its own way what is no command, and knows no other domain. Skips
 * the test there.
 */
static inline bool shim_is_between(struct test *t)
{
    if (!boot_info_is_shim(&t->d->boot))
        return false;
    test_skip(t, "the PV shim stands between this domain and Xen");
    return true;
}

#endif
