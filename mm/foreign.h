/* SPDX-License-Identifier: MIT */
/*
 * The foreign window: virtual addresses for pages that do not belong to this domain. Such a page is
 * a frame of another domain, granted or (for a privileged domain) named by its MFN, or a page of a
 * device. A mapping needs page tables and a record of 8 bytes. It uses no PFN, no P2M entry and no
 * page of RAM in place of the foreign page, so the P2M list that Xen's tools read does not change.
 *
 * The window is one level 4 slot (512 GiB). It contains ranges, each with its own records:
 *
 *      base       range               free       range
 *       |[head|g|pppppppppppppppp|g][        ][head|g|pppp|g]            |
 *          |   \        \          \
 *          |    guard    pages      guard: a page that is never mapped
 *          frames of this domain: struct foreign_range, a record for each page, request buffer
 *
 * The ranges form a list in address order. A new range is placed in the first gap that is wide
 * enough. Page tables are made with a range and freed with the last range that needs them, so an
 * empty window costs one page table.
 *
 * The records of a range are the only information about its pages. The M2P must not be asked about
 * a foreign frame: its entry is a PFN of the owner.
 */
#ifndef MM_FOREIGN_H
#define MM_FOREIGN_H

#include "mm/pagetable.h"

#include <xen/xen.h>

enum foreign_kind {
    FOREIGN_GRANT,   /* by grant reference; mapped and unmapped by xen/grant_map.h only     */
    FOREIGN_FRAME,   /* by MFN: a frame of Xen's or of a domain that this one may control   */
    FOREIGN_MACHINE, /* by MFN: device memory, mapped uncached                              */
};

/* The record of a page of a range. @grant for FOREIGN_GRANT, @frame for the other kinds. */
union foreign_page {
    struct {
        uint32_t ref, handle; /* the granter's reference, and Xen's handle of the mapping */
    } grant;
    uint64_t frame; /* the MFN */
};

/* As @frame: the page is not mapped. No reference and handle of a grant have this value. */
#define FOREIGN_NOTHING UINT64_MAX

struct foreign_range;

/*
 * The owner of a range unmaps the pages of the range before a suspend, and maps them again after
 * it; in a new domain (@new_domain) frames and handles are different ones. @unmap is also called if
 * nothing is mapped. Both return 0 or a negative errno. A failed @unmap refuses the suspend. After
 * a failed @remap the range stays reserved, with the pages that could be mapped.
 */
struct foreign_owner {
    const char *name;
    int (*unmap)(struct foreign_range *range, void *context);
    int (*remap)(struct foreign_range *range, void *context, bool new_domain);
    void *context;
};

struct foreign_range {
    struct foreign_range *next; /* the next range at a higher address */
    uint64_t start, end;        /* addresses of the whole range, head and guards included */
    uint64_t pages;             /* the address of the first foreign page */
    uint64_t nr;                /* foreign pages in the range */
    uint64_t nr_mapped;         /* foreign pages that are mapped */
    enum foreign_kind kind;
    domid_t domain;                    /* the owner of the frames; DOMID_IO for devices */
    const struct foreign_owner *owner; /* NULL: a mapped page refuses each suspend */
    bool is_down;                      /* the owner has unmapped the range for a suspend */
    void *requests;                    /* buffer for nr_requests hypercall requests */
    uint64_t nr_requests;
    union foreign_page page[]; /* the records */
};

/* The maximum number of requests in one hypercall, and the room for each request in bytes. */
#define FOREIGN_BATCH         512
#define FOREIGN_REQUEST_BYTES 32

struct foreign_window {
    struct pagetable *pt;
    uint64_t base, end;
    struct foreign_range *first;   /* the list of ranges, in address order */
    uint64_t nr_ranges, nr_frames; /* ranges, and the frames of their heads */
};

/* The address of page @i of the range. */
static inline uint64_t foreign_va(const struct foreign_range *r, uint64_t i)
{
    return r->pages + i * PAGE_SIZE;
}

/* Is page @i of the range mapped? */
static inline bool foreign_is_mapped(const struct foreign_range *r, uint64_t i)
{
    return r->page[i].frame != FOREIGN_NOTHING;
}

/*
 * The range that has a foreign page at @va, and in *@i the index of that page. NULL if @va is no
 * foreign page: outside of the window, in a gap, a guard or a head.
 */
const struct foreign_range *foreign_find(const struct foreign_window *w, uint64_t va, uint64_t *i);

/*
 * Makes an empty window of @len_bytes at @base, a level 4 slot in which nothing is mapped. @pt must
 * outlive the window.
 */
void foreign_init(struct foreign_window *w, struct pagetable *pt, uint64_t base,
                  uint64_t len_bytes);

/*
 * Reserves a range of @nr pages for frames of @domain, and makes its page tables. No page is mapped
 * yet. Takes frames from the pool for tables and for the head: about one of each for 512 pages.
 * @owner may be NULL; it must outlive the range. Returns 0; -ENOSPC if no gap is wide enough;
 * -ENOMEM if no frame is free. Nothing is reserved after an error.
 */
int foreign_reserve(struct foreign_window *w, enum foreign_kind kind, domid_t domain, uint64_t nr,
                    const struct foreign_owner *owner, struct foreign_range **range) __must_check;

/* Frees the range, its head and its tables. -EBUSY if a page is mapped: then the range stays. */
int foreign_release(struct foreign_window *w, struct foreign_range *r) __must_check;

/*
 * Maps the frames @mfns at the pages [@first, @first + @nr) with @flags (PTE_RO or PTE_RW, and NX
 * in both cases), by mmu_update (<xen/xen.h>) with the range's domain as owner of the frames.
 * Device memory is mapped uncached. Not for FOREIGN_GRANT. Returns 0; -ERANGE if the pages are not
 * all in the range; -EEXIST if one of them is mapped; -EINVAL if an MFN does not fit a page-table
 * entry; or Xen's errno for the first refused frame (-EPERM, -EINVAL). No page is mapped after an
 * error.
 */
int foreign_map(struct foreign_window *w, struct foreign_range *r, uint64_t first,
                const mfn_t *mfns, uint64_t nr, uint64_t flags) __must_check;

/*
 * Unmaps the mapped pages of [@first, @first + @nr). Not for FOREIGN_GRANT. Returns 0; -ERANGE as
 * above; or Xen's errno: then the pages from the refused one on stay mapped.
 */
int foreign_unmap(struct foreign_window *w, struct foreign_range *r, uint64_t first,
                  uint64_t nr) __must_check;

/*
 * Before a suspend: asks the owner of every range to unmap it. Returns 0; -EBUSY if a range without
 * owner has a mapped page; or the errno of an owner. After an error *@who is the range that failed,
 * and the owners of the other ranges were asked to map their pages again.
 */
int foreign_suspend(struct foreign_window *w, const struct foreign_range **who) __must_check;

/*
 * After a suspend: asks the owners to map their ranges again. Returns the number of ranges whose
 * owner failed.
 */
unsigned int foreign_resume(struct foreign_window *w, bool new_domain);

#endif
