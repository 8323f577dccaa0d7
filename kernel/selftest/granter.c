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

/* The pages of the command "granter", until "granter_end". All are on the heap. */
static struct granted {
    domid_t to; /* the grantee */
    bool readonly;
    uint64_t nr;                /* granted pages; 0: none */
    uint64_t nr_dirs;           /* pages of references, which are granted as well */
    uint64_t *pages;            /* nr pages */
    uint32_t *refs;             /* nr grant references of pages, in nr_dirs pages */
    uint32_t *dir_refs;         /* nr_dirs grant references of the pages of refs */
    struct grant_pair_top *top; /* the page that lists dir_refs */
    uint32_t top_ref;           /* its grant reference, which data/granter holds */
} granted;

static uint64_t *page_at(const struct granted *g, uint64_t i)
{
    return g->pages + i * GRANT_PAIR_WORDS;
}

/* PFN of a heap page. */
static pfn_t pfn_of(struct domain *d, const void *page)
{
    return m2p_get(&d->host.m2p, pt_mfn(&d->pt, (uintptr_t)page));
}

static int grant(struct domain *d, const void *page, bool readonly, uint32_t *ref)
{
    return grant_access(&d->grants, granted.to, pfn_of(d, page), readonly, ref);
}

static int grant_pages(struct domain *d, struct granted *g)
{
    int rc = 0;

    for (uint64_t i = 0; !rc && i < g->nr; i++) {
        for (uint64_t w = 0; w < GRANT_PAIR_WORDS; w++)
            page_at(g, i)[w] = grant_pair_word(i, 0, w);
        rc = grant(d, page_at(g, i), g->readonly, &g->refs[i]);
        watchdog_kick();
    }
    for (uint64_t i = 0; !rc && i < g->nr_dirs; i++) {
        rc = grant(d, g->refs + i * GRANT_PAIR_REFS, true, &g->dir_refs[i]);
        g->top->refs[i] = g->dir_refs[i];
    }
    g->top->nr = g->nr;
    return rc ? rc : grant(d, g->top, true, &g->top_ref);
}

/*
 * Ends the grant @ref of a heap page and frees the page: now, or when the peer has unmapped it.
 * @ref 0: the page was not granted.
 */
static void end_page(struct domain *d, void *page, uint32_t ref)
{
    mfn_t mfn;
    int rc = ref ? grant_end(&d->grants, ref) : 0;
    const char *step = "grant_end";

    if (!rc || rc == -EBUSY) {
        int unmapped = heap_unmap(&d->heap, page, &mfn);

        step = unmapped ? "heap_unmap" : rc ? "grant_end_page" : "frame_pool_free";
        if (!unmapped)
            rc = rc ? grant_end_page(&d->grants, ref) : frame_pool_free(&d->frame_pool, mfn);
        else
            rc = unmapped;
    }
    if (rc)
        printk(
            LOG_WARN,
            "granter: %s failed for page %p, grant reference %u: %d (%s); the page is not freed\n",
            step, page, ref, rc, errno_name(rc));
    watchdog_kick();
}

static void end_all(struct domain *d, struct granted *g)
{
    for (uint64_t i = 0; g->pages && i < g->nr; i++)
        end_page(d, page_at(g, i), g->refs ? g->refs[i] : 0);
    for (uint64_t i = 0; g->refs && i < g->nr_dirs; i++)
        end_page(d, g->refs + i * GRANT_PAIR_REFS, g->dir_refs ? g->dir_refs[i] : 0);
    if (g->top)
        end_page(d, g->top, g->top_ref);
    heap_free(&d->heap, g->dir_refs, g->nr_dirs * sizeof(uint32_t));
    *g = (struct granted){0};
}

/* Writes top_ref to data/granter, and makes the node readable for all domains. */
static int write_node(const struct granted *g)
{
    struct xs_reply own;
    char text[32];
    int rc;

    format(text, sizeof(text), "%u", g->top_ref);
    rc = xs_write(0, NODE, text);
    if (!rc)
        rc = xs_read(0, "domid", &own);
    if (rc)
        return rc;
    format(text, sizeof(text), "r%.10s", own.data); /* owner: this domain; others: read */
    return xs_set_perms(0, NODE, text);
}

/* The grantee must not read a reference whose grant has ended. */
static void clear_node(void)
{
    int rc = xs_write(0, NODE, "");

    if (rc)
        printk(LOG_WARN,
               "granter: xenstore node " NODE
               " could not be emptied: %d (%s); the grantee may read "
               "an old reference there\n",
               rc, errno_name(rc));
}

static int start(struct domain *d, struct granted *g)
{
    int rc = -ENOMEM;

    g->nr_dirs = DIV_ROUND_UP(g->nr, GRANT_PAIR_REFS);
    g->pages = heap_alloc(&d->heap, g->nr * PAGE_SIZE);
    g->refs = heap_alloc(&d->heap, g->nr_dirs * PAGE_SIZE);
    g->dir_refs = heap_alloc(&d->heap, g->nr_dirs * sizeof(uint32_t));
    g->top = heap_alloc(&d->heap, PAGE_SIZE);
    if (g->pages && g->refs && g->dir_refs && g->top)
        rc = grant_pages(d, g);
    return rc ? rc : write_node(g);
}

int granter(struct domain *d, const char *arguments)
{
    struct granted *g = &granted;
    uint64_t to, nr;
    int rc;

    if (!number_next(&arguments, &to) || !number_next(&arguments, &nr) || !nr ||
        nr > GRANT_PAIR_MAX_PAGES || to >= DOMID_FIRST_RESERVED ||
        (*arguments && strcmp(arguments, "ro") != 0))
        return -EINVAL;
    if (g->nr) {
        printk(LOG_ERROR, "granter: %lu pages are granted already; granter_end ends these grants\n",
               g->nr);
        return 0;
    }
    *g = (struct granted){.to = (domid_t)to, .nr = nr, .readonly = !strcmp(arguments, "ro")};
    rc = start(d, g);
    if (rc) {
        printk(LOG_ERROR, "granter: %lu pages could not be granted to domain %u: %d (%s)\n", nr,
               g->to, rc, errno_name(rc));
        end_all(d, g);
        return 0;
    }
    print("{\"report\":\"granter\",\"pages\":%lu,\"grants\":%u,\"version\":%u,\"table_frames\":%u,"
          "\"status_frames\":%lu}\n",
          nr, d->grants.nr_used, d->grants.version, d->grants.nr_frames,
          d->grants.status ? d->grants.status->nr_mapped : 0);
    return 0;
}

int granter_look(struct domain *d, const char *arguments)
{
    uint64_t untouched = 0, written = 0, in_use = 0, dropped = 0;

    (void)arguments;
    for (uint64_t i = 0; i < granted.nr; i++) {
        untouched += grant_pair_is(page_at(&granted, i), i, 0);
        written += grant_pair_is(page_at(&granted, i), i, 1);
        in_use += grant_in_use(&d->grants, granted.refs[i]);
        dropped += grant_is_dropped(&d->grants, granted.refs[i]);
        watchdog_kick();
    }
    print("{\"report\":\"granter_look\",\"pages\":%lu,\"untouched\":%lu,\"written\":%lu,\"in_use\":"
          "%lu,\"dropped\":%lu}\n",
          granted.nr, untouched, written, in_use, dropped);
    return 0;
}

int granter_end(struct domain *d, const char *arguments)
{
    uint64_t nr = granted.nr;
    uint32_t deferred;

    (void)arguments;
    end_all(d, &granted);
    if (nr)
        clear_node();
    deferred = grants_poll(&d->grants);
    print("{\"report\":\"granter_end\",\"pages\":%lu,\"grants\":%u,\"deferred\":%u,\"free\":%lu,"
          "\"tables\":%lu}\n",
          nr, d->grants.nr_used, deferred, d->frame_pool.free.nr_pfns, d->pt.nr_tables);
    return 0;
}
