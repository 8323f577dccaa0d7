/* SPDX-License-Identifier: MIT */
/*
 * Frames that a self-test gives to Xen and gets from Xen: extents of <xen/memory.h>.
 *
 *      PFN     first                      first + nr
 *      frame   | own | own | ~0 | ~0 | own |            ~0: given to Xen, until extents_close
 *
 * The PFNs are a contiguous run of the domain's frame pool. The P2M list names the frame of each
 * PFN, or ~0 while the PFN has none. Each step that changes the number of frames compares Xen's
 * count of them (XENMEM_current_reservation) with the expected one, and the M2P with the P2M. If
 * Xen breaks a rule, the test fails, and the P2M list follows what Xen did, as far as the kernel
 * can find out. So the kernel can go on.
 */
#ifndef TESTS_GUEST_MEMORY_EXTENTS_H
#define TESTS_GUEST_MEMORY_EXTENTS_H

#include "tests/guest/abi_room.h"

#include <xen/memory.h>

/* What a list holds where Xen must write nothing. */
#define UNWRITTEN 0x5a5a5a5a5a5a5a5a

struct extents {
    struct test *t;
    struct room own, *room;
    uint64_t first, nr;     /* the PFNs [first, first + nr)                               */
    uint64_t *list, *out;   /* two lists for hypercalls, of nr + 1 entries each           */
    uint64_t nr_list_pages; /* pages of one list                                          */
    uint64_t pages;         /* frames that this domain must have at the moment            */
    struct spot spot;       /* a virtual page to map a frame at; its own frame is not used */
};

/*
 * Takes @nr contiguous PFNs with their frames, and what the test needs beside them. False: the test
 * is skipped (no run of free PFNs is long enough) or in error. extents_open_in uses the open @room,
 * which must have frames for two lists and a few page tables: EXTENTS_ROOM_PAGES(nr).
 */
#define EXTENTS_ROOM_PAGES(nr) (2 * DIV_ROUND_UP(((nr) + 1) * 8, PAGE_SIZE) + 16)
bool extents_open(struct extents *e, struct test *t, uint64_t nr) __must_check;
bool extents_open_in(struct extents *e, struct room *room, uint64_t nr) __must_check;

/* Asks Xen for a frame for each PFN that has none, and returns all frames to the frame pool. */
void extents_close(struct extents *e);

/*
 * The highest order that a test may ask for. 0 in the PV shim: it returns extents to Xen by their
 * order, and a frame that was released in an extent of order 1 does not come back as a single frame
 * (pv_shim_online_memory() of Xen's arch/x86/pv/shim.c).
 */
unsigned int extents_max_order(const struct test *t);

/* The frame of PFN number @i, counted from e->first. INVALID_MFN if the PFN has none. */
mfn_t extents_mfn(const struct extents *e, uint64_t i);

/* Fills the frame with @byte. The frame is not mapped before and after. */
void extents_fill(struct extents *e, uint64_t i, uint8_t byte);

/* The memory_op @cmd on @nr extents of @order listed at @list. Returns Xen's result. */
long extents_op(unsigned int cmd, const uint64_t *list, uint64_t nr, unsigned int order,
                unsigned int mem_flags) __must_check;

/*
 * The argument of XENMEM_exchange: the @nr frames with the MFNs at @in go, and as many come for the
 * PFNs at @out. Xen writes their MFNs to @out.
 */
struct xen_memory_exchange extents_exchange(const uint64_t *in, const uint64_t *out, uint64_t nr);

/*
 * XENMEM_exchange of the frame of PFN number 0, listed in e->list and e->out, for a frame by
 * @mem_flags. Returns Xen's result, and the number of exchanged frames.
 */
long extents_exchange_first(struct extents *e, unsigned int mem_flags,
                            uint64_t *nr_exchanged) __must_check;

/* Xen must have taken, or must have left, the frames of PFNs [@i, @i + @nr). @step: what was done.
 */
void extents_check_gone(struct extents *e, uint64_t i, uint64_t nr, const char *step);
void extents_check_kept(struct extents *e, uint64_t i, uint64_t nr, const char *step);

/* Xen must count @gained frames more, or fewer if negative, than after the last such check. */
void extents_check_pages(struct extents *e, int64_t gained, const char *step);

/* PFNs [@i, @i + @nr) have the frames from MFN @mfn on, by Xen's word: compares their M2P entries.
 */
void extents_adopt(struct extents *e, uint64_t i, uint64_t nr, uint64_t mfn, const char *step);

/*
 * Releases the frames of PFNs [@i, @i + @nr) one by one (order 0), or as one extent of @order. All
 * must be gone then.
 */
void extents_release(struct extents *e, uint64_t i, uint64_t nr, const char *step);
void extents_release_order(struct extents *e, uint64_t i, unsigned int order, const char *step);

/*
 * Asks for one extent of @order for the PFNs from number @i on, which have no frames. False: Xen
 * has no such extent, and has changed nothing.
 */
bool extents_populate(struct extents *e, uint64_t i, unsigned int order, unsigned int mem_flags,
                      const char *step) __must_check;

#endif
