/* SPDX-License-Identifier: MIT */
#include "kernel/selftest/grant_pair.h"

#include "lib/errno.h"
#include "lib/format.h"
#include "lib/number.h"
#include "lib/printk.h"
#include "lib/string.h"

#include "xen/watchdog.h"
#include "xen/xenstore.h"

#define NODE "data/granter"

/* What is lent now. Pages and their references lie side by side, the first page is for both. */
static struct granting {
    domid_t to;
    bool readonly;
    uint64_t nr, nr_dirs;
    uint64_t *pages;            /* nr of them */
    uint32_t *refs;             /* nr, in nr_dirs pages, which are lent as well */
    uint32_t *dir_refs;         /* nr_dirs */
    struct grant_pair_top *top; /* the first page */
    uint32_t top_ref;
} granting;

static uint64_t *page_at(const struct granting *l, uint64_t i)
{
    return l->pages + i * GRANT_PAIR_WORDS;
}

/* The PFN of a page on the heap. */
static pfn_t pfn_of(struct domain *d, const void *page)
{
    return m2p_get(&d->host.m2p, pt_mfn(&d->pt, (uintptr_t)page));
}

static int grant(struct domain *d, const void *page, bool readonly, uint32_t *ref)
{
    return grant_access(&d->grants, granting.to, pfn_of(d, page), readonly, ref);
}

static int grant_pages(struct domain *d, struct granting *l)
{
    int rc = 0;

    for (uint64_t i = 0; !rc && i < l->nr; i++) {
        for (uint64_t w = 0; w < GRANT_PAIR_WORDS; w++)
            page_at(l, i)[w] = grant_pair_word(i, 0, w);
        rc = grant(d, page_at(l, i), l->readonly, &l->refs[i]);
        watchdog_kick();
    }
    for (uint64_t i = 0; !rc && i < l->nr_dirs; i++) {
        rc = grant(d, l->refs + i * GRANT_PAIR_REFS, true, &l->dir_refs[i]);
        l->top->refs[i] = l->dir_refs[i];
    }
    l->top->nr = l->nr;
    return rc ? rc : grant(d, l->top, true, &l->top_ref);
}

/* Takes one page back: to the pool now, or when its grant has ended. References of 0 are none. */
static void end_page(struct domain *d, void *page, uint32_t ref)
{
    mfn_t mfn;
    int rc = ref ? grant_end(&d->grants, ref) : 0;

    if (!rc || rc == -EBUSY) {
        int unmapped = heap_unmap(&d->heap, page, &mfn);

        if (!unmapped)
            rc = rc ? grant_end_page(&d->grants, ref) : frame_pool_free(&d->frame_pool, mfn);
        else
            rc = unmapped;
    }
    if (rc)
        print("granter: page %p, reference %u, cannot be had back: %d (%s)\n", page, ref, rc,
              errno_name(rc));
    watchdog_kick();
}

static void end_all(struct domain *d, struct granting *l)
{
    for (uint64_t i = 0; l->pages && i < l->nr; i++)
        end_page(d, page_at(l, i), l->refs ? l->refs[i] : 0);
    for (uint64_t i = 0; l->refs && i < l->nr_dirs; i++)
        end_page(d, l->refs + i * GRANT_PAIR_REFS, l->dir_refs ? l->dir_refs[i] : 0);
    if (l->top)
        end_page(d, l->top, l->top_ref);
    heap_free(&d->heap, l->dir_refs, l->nr_dirs * sizeof(uint32_t));
    *l = (struct granting){0};
}

/* Says in xenstore where to begin, for that domain to read. */
static int announce(const struct granting *l)
{
    struct xs_reply own;
    char text[32];
    int rc;

    format(text, sizeof(text), "%u", l->top_ref);
    rc = xs_write(0, NODE, text);
    if (!rc)
        rc = xs_read(0, "domid", &own);
    if (rc)
        return rc;
    format(text, sizeof(text), "r%.10s", own.data); /* ours, and for all to read */
    return xs_set_perms(0, NODE, text);
}

/* The peer must not find a reference that is no longer in force. */
static void clear_node(void)
{
    int rc = xs_write(0, NODE, "");

    if (rc)
        print("warning: granter: xenstore node " NODE " could not be emptied: %d (%s); the peer "
              "may still read an old reference there\n",
              rc, errno_name(rc));
}

static int start(struct domain *d, struct granting *l)
{
    int rc = -ENOMEM;

    l->nr_dirs = DIV_ROUND_UP(l->nr, GRANT_PAIR_REFS);
    l->pages = heap_alloc(&d->heap, l->nr * PAGE_SIZE);
    l->refs = heap_alloc(&d->heap, l->nr_dirs * PAGE_SIZE);
    l->dir_refs = heap_alloc(&d->heap, l->nr_dirs * sizeof(uint32_t));
    l->top = heap_alloc(&d->heap, PAGE_SIZE);
    if (l->pages && l->refs && l->dir_refs && l->top)
        rc = grant_pages(d, l);
    return rc ? rc : announce(l);
}

int granter(struct domain *d, const char *arguments)
{
    struct granting *l = &granting;
    uint64_t to, nr;
    int rc;

    if (!number_next(&arguments, &to) || !number_next(&arguments, &nr) || !nr ||
        nr > GRANT_PAIR_MAX_PAGES || to >= DOMID_FIRST_RESERVED ||
        (*arguments && strcmp(arguments, "ro") != 0))
        return -EINVAL;
    if (l->nr) {
        print("error: granter: %lu pages are granted already; granter_end ends these grants\n",
              l->nr);
        return 0;
    }
    *l = (struct granting){.to = (domid_t)to, .nr = nr, .readonly = !strcmp(arguments, "ro")};
    rc = start(d, l);
    if (rc) {
        print("error: granter: %lu pages could not be granted to domain %u: %d (%s)\n", nr, l->to,
              rc, errno_name(rc));
        end_all(d, l);
        return 0;
    }
    print("{\"report\":\"granter\",\"pages\":%lu,\"grants\":%u,\"version\":%u,\"table_frames\":%u,"
          "\"status_frames\":%lu}\n",
          nr, d->grants.nr_used, d->grants.version, d->grants.nr_frames,
          d->grants.status ? d->grants.status->nr_mapped : 0);
    return 0;
}

static bool is_generation(const uint64_t *words, uint64_t page, unsigned int generation)
{
    for (uint64_t w = 0; w < GRANT_PAIR_WORDS; w++)
        if (words[w] != grant_pair_word(page, generation, w))
            return false;
    return true;
}

int granter_look(struct domain *d, const char *arguments)
{
    uint64_t untouched = 0, written = 0, in_use = 0;

    (void)arguments;
    for (uint64_t i = 0; i < granting.nr; i++) {
        untouched += is_generation(page_at(&granting, i), i, 0);
        written += is_generation(page_at(&granting, i), i, 1);
        in_use += grant_in_use(&d->grants, granting.refs[i]);
        watchdog_kick();
    }
    print("{\"report\":\"granter_look\",\"pages\":%lu,\"untouched\":%lu,\"written\":%lu,\"in_use\":"
          "%lu}\n",
          granting.nr, untouched, written, in_use);
    return 0;
}

int granter_end(struct domain *d, const char *arguments)
{
    uint64_t nr = granting.nr;
    uint32_t deferred;

    (void)arguments;
    end_all(d, &granting);
    if (nr)
        clear_node();
    deferred = grants_poll(&d->grants);
    print("{\"report\":\"granter_end\",\"pages\":%lu,\"grants\":%u,\"deferred\":%u,\"free\":%lu,"
          "\"tables\":%lu}\n",
          nr, d->grants.nr_used, deferred, d->frame_pool.nr_free, d->pt.nr_tables);
    return 0;
}
