/* SPDX-License-Identifier: MIT */
/*
 * The foreign window: virtual addresses behind which is what is not ours. A frame of another
 * domain, granted or (for a privileged domain) named by number, or a page of a device. It costs no
 * RAM but that of its own tables: no PFN is taken, no P2M entry is written, nothing is ballooned
 * out, and the list that the tools read does not change.
 *
 * The window is a 512 GiB slot of its own. A range of it begins with what is known of its pages:
 *
 *      base       range               free       range
 *       |[head|g|pppppppppppppppp|g][        ][head|g|pppp|g]            |
 *          |   \        \          \
 *          |    guard    pages      guard: nothing is mapped there, ever
 *          frames of ours: struct foreign_range, what is behind each page, room for requests
 *
 * Ranges are a list, upward; a new one goes into the first gap that is wide enough. Tables come
 * with a range and go with the last one that needs them, so that an empty window costs a page.
 *
 * Nothing here or elsewhere asks the M2P about a foreign frame: the answer would be its owner's
 * PFN. What a page is stands in its range, and only there.
 */
#ifndef MM_FOREIGN_H
#define MM_FOREIGN_H

#include "mm/pagetable.h"

#include <xen/xen.h>

enum foreign_kind {
    FOREIGN_GRANT,   /* by grant reference: mapped and unmapped by xen/grant_map.h only */
    FOREIGN_FRAME,   /* by MFN, of a domain that lets us, or that we are privileged over */
    FOREIGN_MACHINE, /* by MFN, device memory; never cached                              */
};

/* What is behind a page of a range, by its kind. */
union foreign_page {
    struct {
        uint32_t ref, handle; /* the owner's, and Xen's for the mapping */
    } grant;
    uint64_t frame; /* MFN */
};

#define FOREIGN_NOTHING UINT64_MAX /* as frame, and no grant's ref and handle either */

struct foreign_range;

/*
 * Who is asked to unmap a range's pages before a suspend, if there are any, and to give up what
 * else hangs on them; and to map them anew after it: in a new domain, behind other frames and
 * handles. Both return 0 or a negative errno. A failed @unmap refuses the suspend; after a failed
 * @remap the range stays, with what is mapped.
 */
struct foreign_owner {
    const char *name;
    int (*unmap)(struct foreign_range *range, void *context);
    int (*remap)(struct foreign_range *range, void *context, bool new_domain);
    void *context;
};

struct foreign_range {
    struct foreign_range *next; /* upward */
    uint64_t start, end;        /* all of it, from its head to behind the last guard */
    uint64_t pages;             /* the address of the first foreign page */
    uint64_t nr;                /* how many there are */
    uint64_t nr_mapped;         /* and behind how many of them there is something */
    enum foreign_kind kind;
    domid_t domain;                    /* whose frames; DOMID_IO for a device's */
    const struct foreign_owner *owner; /* NULL: no suspend while something is mapped */
    bool is_down;                      /* the owner has unmapped it for a suspend */
    void *requests;                    /* room for nr_requests of any hypercall's */
    uint64_t nr_requests;
    union foreign_page page[];
};

/* Requests that one hypercall carries, at most, and the bytes that there are for each. */
#define FOREIGN_BATCH         512
#define FOREIGN_REQUEST_BYTES 32

struct foreign_window {
    struct pagetable *pt;
    uint64_t base, end;
    struct foreign_range *first;
    uint64_t nr_ranges, nr_frames; /* ranges that there are, and frames their heads take */
};

static inline uint64_t foreign_va(const struct foreign_range *r, uint64_t i)
{
    return r->pages + i * PAGE_SIZE;
}

static inline bool foreign_is_mapped(const struct foreign_range *r, uint64_t i)
{
    return r->page[i].frame != FOREIGN_NOTHING;
}

/*
 * The range of which @va is a foreign page, and in *@i which one; NULL if it is none: past the
 * window, a guard, a head.
 */
const struct foreign_range *foreign_find(const struct foreign_window *w, uint64_t va, uint64_t *i);

/* An empty window of @len_bytes from @base on, in a slot in which nothing is mapped. */
void foreign_init(struct foreign_window *w, struct pagetable *pt, uint64_t base,
                  uint64_t len_bytes);

/*
 * Reserves @nr pages for frames of @domain, with their tables; nothing is behind them yet. Takes
 * frames for those tables and for the range's head: one for each 512 pages, each. @owner lives as
 * long as the range, or is NULL. -ENOSPC: no gap is wide enough; -ENOMEM: no frames; then nothing
 * is taken.
 */
int foreign_reserve(struct foreign_window *w, enum foreign_kind kind, domid_t domain, uint64_t nr,
                    const struct foreign_owner *owner, struct foreign_range **range) __must_check;

/* Gives all of that back. -EBUSY while something is mapped: then nothing is. */
int foreign_release(struct foreign_window *w, struct foreign_range *r) __must_check;

/*
 * Maps the frames @mfns behind the pages [@first, @first + @nr), with rights @flags (PTE_RO or
 * PTE_RW), by mmu_update in the name of the range's domain; a device's are not cached. Not for
 * grants. All or none: -EEXIST if something is behind one of the pages, -ERANGE past the range,
 * or what Xen says to the first that it refuses: -EPERM, -EINVAL.
 */
int foreign_map(struct foreign_window *w, struct foreign_range *r, uint64_t first,
                const mfn_t *mfns, uint64_t nr, uint64_t flags) __must_check;

/* Takes away what is behind those of the pages [@first, @first + @nr) that have something. */
int foreign_unmap(struct foreign_window *w, struct foreign_range *r, uint64_t first,
                  uint64_t nr) __must_check;

/*
 * Before a suspend: has every range unmapped by its owner. If one has none, or cannot, all are
 * mapped again, as far as their owners can, *@who is what stands in the way, and an errno is
 * returned: -EBUSY for no owner.
 */
int foreign_suspend(struct foreign_window *w, const struct foreign_range **who) __must_check;

/* And after it: has the owners map anew. Returns how many could not. */
unsigned int foreign_resume(struct foreign_window *w, bool new_domain);

#endif
