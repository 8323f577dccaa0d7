/* SPDX-License-Identifier: MIT */
#include "kernel/selftest/grant_pair.h"

#include "lib/errno.h"
#include "lib/format.h"
#include "lib/number.h"
#include "lib/printk.h"
#include "lib/string.h"

#include "arch/x86/probe.h"

#include "mm/list_tables.h"

#include "xen/clock.h"
#include "xen/grant_map.h"
#include "xen/watchdog.h"
#include "xen/xenstore.h"

/* Pages between two calls of watchdog_kick: the granter decides how many pages there are. */
#define KICK_PAGES 4096

/* The pages of the command "grantee", until "grantee_end". */
static struct mapping {
    struct domain *d; /* NULL: no pages */
    domid_t from;     /* the granter */
    bool readonly;
    uint64_t nr;            /* pages */
    uint64_t batch, rounds; /* arguments of the command */
    uint32_t *refs;         /* nr grant references, on the heap */
    int16_t *status;        /* nr statuses (GNTST_*) of the last mapping, on the heap */
    struct foreign_range *range;
    bool has_pfns;
    uint64_t pfn; /* if has_pfns: the unpopulated PFN of the first page */
} mapping;

/* Maps all pages, in batches, and fills @m->status. Returns the number of pages that failed. */
static uint64_t map_all(struct mapping *m)
{
    uint64_t nr_failed = 0;

    for (uint64_t i = 0, n; i < m->nr; i += n) {
        n = min_u64(m->batch, m->nr - i);
        if (i % KICK_PAGES < n)
            watchdog_kick();
        if (!grant_map(m->range, i, m->refs + i, m->status + i, n, m->readonly))
            continue;
        for (uint64_t k = 0; k < n; k++)
            nr_failed += m->status[i + k] != GNTST_okay;
    }
    watchdog_kick();
    return nr_failed;
}

/* Unmaps all pages, in batches. Returns 0 or the first error; tries all batches. */
static int unmap_all(struct mapping *m)
{
    int rc = 0;

    for (uint64_t i = 0, n; i < m->nr; i += n) {
        int batch_rc;

        n = min_u64(m->batch, m->nr - i);
        if (i % KICK_PAGES < n)
            watchdog_kick();
        batch_rc = grant_unmap(m->range, i, n);
        rc = rc ? rc : batch_rc;
    }
    watchdog_kick();
    return rc;
}

static int unmap_for_suspend(struct foreign_range *range, void *context)
{
    struct mapping *m = context;
    int rc = m->has_pfns ? unpopulated_free(&m->d->unpopulated, m->pfn) : 0;

    if (rc)
        return rc; /* all pages are still mapped */
    rc = grant_unmap(range, 0, range->nr);
    if (rc) /* the pages that are still mapped have lost their PFNs */
        m->has_pfns = false;
    return rc;
}

/*
 * In a new domain the pages stay unmapped: they were granted to the old domain, and the number of
 * the granter may be that of another domain there.
 */
static int remap_after_suspend(struct foreign_range *range, void *context, bool new_domain)
{
    struct mapping *m = context;
    int rc = 0;

    if (new_domain) {
        printk(LOG_WARN,
               "grantee: this domain is new, so %lu pages that domain %u granted to the old domain "
               "are not mapped again\n",
               m->nr, m->from);
        m->has_pfns = false;
        return 0;
    }
    if (m->has_pfns)
        rc = unpopulated_alloc(&m->d->unpopulated, range, &m->pfn);
    m->has_pfns = m->has_pfns && !rc;
    return map_all(m) ? -EIO : rc;
}

static const struct foreign_owner owner = {"grantee", unmap_for_suspend, remap_after_suspend,
                                           &mapping};

/* Copies the page that domain @from grants as @ref to @to, by a temporary read-only mapping. */
static int read_page(struct domain *d, domid_t from, uint32_t ref, void *to)
{
    struct foreign_range *range;
    int16_t status;
    int rc = foreign_reserve(&d->foreign, FOREIGN_GRANT, from, 1, NULL, &range);

    if (rc)
        return rc;
    rc = grant_map(range, 0, &ref, &status, 1, true);
    if (rc)
        printk(
            LOG_ERROR,
            "grantee: grant_map of reference %u of domain %u: status is %s, expected GNTST_okay\n",
            ref, from, grant_status_name(status));
    else
        memcpy(to, (const void *)(uintptr_t)foreign_va(range, 0), PAGE_SIZE);
    if (!rc)
        rc = grant_unmap(range, 0, 1);
    if (foreign_release(&d->foreign, range))
        printk(LOG_WARN,
               "grantee: grant reference %u of domain %u could not be unmapped; it stays mapped\n",
               ref, from);
    return rc;
}

/* Reads the grant reference that the granter has written to its node data/granter. */
static int read_node(domid_t from, uint32_t *ref)
{
    struct xs_reply reply;
    char path[48];
    const char *text;
    uint64_t n;
    int rc;

    format(path, sizeof(path), "/local/domain/%u/data/granter", from);
    rc = xs_read(0, path, &reply);
    if (rc)
        return rc;
    text = reply.data;
    if (!number_next(&text, &n) || n > UINT32_MAX)
        return -EINVAL;
    *ref = (uint32_t)n;
    return 0;
}

/* Copies the references of all pages: the granter can write to the granted pages at any time. */
static int read_refs(struct mapping *m)
{
    struct domain *d = m->d;
    struct grant_pair_top *top = heap_alloc(&d->heap, sizeof(*top));
    uint64_t nr_dirs = 0;
    uint32_t ref;
    int rc = top ? read_node(m->from, &ref) : -ENOMEM;

    if (!rc)
        rc = read_page(d, m->from, ref, top);
    if (!rc && (top->nr == 0 || top->nr > GRANT_PAIR_MAX_PAGES))
        rc = -ERANGE;
    if (!rc) {
        m->nr = top->nr;
        nr_dirs = DIV_ROUND_UP(m->nr, GRANT_PAIR_REFS);
        m->refs = heap_alloc(&d->heap, nr_dirs * PAGE_SIZE);
        m->status = heap_alloc(&d->heap, m->nr * sizeof(int16_t));
        rc = m->refs && m->status ? 0 : -ENOMEM;
    }
    for (uint64_t i = 0; !rc && i < nr_dirs; i++)
        rc = read_page(d, m->from, top->refs[i], m->refs + i * GRANT_PAIR_REFS);
    heap_free(&d->heap, top, sizeof(*top));
    return rc;
}

/* Releases the foreign range, the PFNs and the arrays; keeps them if pages are still mapped. */
static void release(struct mapping *m)
{
    struct domain *d = m->d;

    if (m->has_pfns && unpopulated_free(&d->unpopulated, m->pfn))
        printk(LOG_WARN,
               "grantee: PFNs of unpopulated_alloc from 0x%lx on could not be freed; they stay "
               "allocated\n",
               m->pfn);
    if (m->range && foreign_release(&d->foreign, m->range)) {
        printk(LOG_WARN,
               "grantee: %lu pages granted by domain %u could not be unmapped; grantee_end tries "
               "again\n",
               m->range->nr_mapped, m->from);
        m->has_pfns = false;
        return;
    }
    heap_free(&d->heap, m->refs, DIV_ROUND_UP(m->nr, GRANT_PAIR_REFS) * PAGE_SIZE);
    heap_free(&d->heap, m->status, m->nr * sizeof(int16_t));
    *m = (struct mapping){0};
}

/* What mapping a grant must not change. */
struct memory_state {
    uint64_t free;        /* frames in the pool */
    uint64_t reservation; /* pages of this domain, counted by Xen */
    uint64_t list_sum;    /* checksum of the P2M list, without the tables that a hole repeats */
};

static struct memory_state read_memory_state(struct domain *d)
{
    struct memory_state o = {.free = d->frame_pool.free.nr_pfns,
                             .reservation = host_current_pages()};

    for (uint64_t at = 0, end; at < d->p2m.nr; at = list_tables_pass(&d->pt, &d->p2m, end)) {
        end = min_u64(at + LIST_TABLE_PFNS, d->p2m.nr);
        for (uint64_t pfn = at; pfn < end; pfn++)
            o.list_sum += (pfn + 1) * p2m_get_ram(&d->p2m, to_pfn(pfn)).v;
        watchdog_kick();
    }
    return o;
}

static void print_memory_state(const char *when, const struct memory_state *o)
{
    print(",\"%s\":{\"free\":%lu,\"reservation\":%lu,\"list\":\"0x%016lx\"}", when, o->free,
          o->reservation, o->list_sum);
}

/* The mapped page number @i, looked up by PFN if the pages have PFNs; NULL: it is not mapped. */
static const uint64_t *page_at(struct mapping *m, uint64_t i)
{
    if (m->has_pfns)
        return page_show(&m->d->fixmap, &m->d->unpopulated, to_pfn(m->pfn + i));
    return foreign_is_mapped(m->range, i) ? (const void *)(uintptr_t)foreign_va(m->range, i) : NULL;
}

/* Number of mapped pages that hold the granter's contents, or all words of write_all. */
static uint64_t count_intact(struct mapping *m)
{
    uint64_t nr = 0;

    for (uint64_t i = 0; i < m->nr; i++) {
        const uint64_t *words = page_at(m, i);

        if (i % KICK_PAGES == 0)
            watchdog_kick();
        nr += words && (grant_pair_is(words, i, 0) || grant_pair_is(words, i, 1));
    }
    watchdog_kick();
    return nr;
}

static void write_all(struct mapping *m)
{
    for (uint64_t i = 0; i < m->nr && !m->readonly; i++) {
        uint64_t *words = (uint64_t *)(uintptr_t)foreign_va(m->range, i);

        if (i % KICK_PAGES == 0)
            watchdog_kick();
        for (uint64_t w = 0; foreign_is_mapped(m->range, i) && w < GRANT_PAIR_WORDS; w++)
            words[w] = grant_pair_word(i, 1, w);
    }
    watchdog_kick();
}

static const char *first_failure(const struct mapping *m)
{
    for (uint64_t i = 0; i < m->nr; i++)
        if (m->status[i] != GNTST_okay)
            return grant_status_name(m->status[i]);
    return "";
}

static int reserve(struct mapping *m)
{
    int rc = foreign_reserve(&m->d->foreign, FOREIGN_GRANT, m->from, m->nr, &owner, &m->range);

    if (!rc)
        m->has_pfns = unpopulated_alloc(&m->d->unpopulated, m->range, &m->pfn) == 0;
    return rc;
}

/* Maps and unmaps all pages @m->rounds times, without the last unmapping, and reports. */
static void run_rounds(struct mapping *m)
{
    struct domain *d = m->d;
    struct memory_state before = read_memory_state(d), mapped;
    struct grant_map_counts start = grant_map_counts;
    uint64_t since = clock_ns(), took, nr_failed = 0, intact;

    for (uint64_t round = 0; round < m->rounds; round++) {
        if (round && unmap_all(m))
            printk(LOG_WARN,
                   "grantee: round %lu: %lu pages granted by domain %u could not be unmapped; they "
                   "stay mapped and this round skips them\n",
                   round, m->range->nr_mapped, m->from);
        nr_failed += map_all(m);
    }
    took = clock_ns() - since;
    mapped = read_memory_state(d);
    intact = count_intact(m);
    write_all(m);
    print("{\"report\":\"grantee\",\"pages\":%lu,\"batch\":%lu,\"rounds\":%lu,\"mapped\":%lu,"
          "\"failed\":%lu,\"why\":\"%s\",\"intact\":%lu,\"ms\":%lu",
          m->nr, m->batch, m->rounds, m->range->nr_mapped, nr_failed, first_failure(m), intact,
          took / NS_PER_MS);
    print(",\"maps\":%lu,\"unmaps\":%lu,\"hypercalls\":%lu,\"ranges\":%lu,\"tables\":%lu",
          grant_map_counts.nr_mapped - start.nr_mapped,
          grant_map_counts.nr_unmapped - start.nr_unmapped,
          grant_map_counts.nr_hypercalls - start.nr_hypercalls, d->foreign.nr_ranges,
          d->pt.nr_tables);
    if (m->has_pfns)
        print(",\"pfn\":%lu", m->pfn);
    print_memory_state("before", &before);
    print_memory_state("with", &mapped);
    print("}\n");
}

/* "look": for use after the granter has ended its grants, or has been destroyed. */
static int look(struct mapping *m)
{
    print("{\"report\":\"grantee_look\",\"pages\":%lu,\"mapped\":%lu,\"intact\":%lu}\n", m->nr,
          m->range ? m->range->nr_mapped : 0, count_intact(m));
    return 0;
}

/*
 * "poke": writes a word of each page back to it. The write traps if the page is mapped read-only.
 */
static int poke(struct mapping *m)
{
    uint64_t nr_poked = 0, nr_traps = 0;

    for (uint64_t i = 0; i < m->nr; i++) {
        uint64_t *word = (uint64_t *)(uintptr_t)foreign_va(m->range, i);

        if (!foreign_is_mapped(m->range, i))
            continue;
        nr_poked++;
        nr_traps += probe_write(word, *word) != 0;
    }
    print("{\"report\":\"grantee_poke\",\"pages\":%lu,\"traps\":%lu}\n", nr_poked, nr_traps);
    return 0;
}

int grantee(struct domain *d, const char *arguments)
{
    struct mapping *m = &mapping;
    uint64_t from, batch = FOREIGN_BATCH, rounds = 1;
    int rc;

    if (!strcmp(arguments, "look"))
        return look(m);
    if (!strcmp(arguments, "poke"))
        return poke(m);
    if (!number_next(&arguments, &from) || from >= DOMID_FIRST_RESERVED)
        return -EINVAL;
    if (number_next(&arguments, &batch))
        (void)!number_next(&arguments, &rounds);
    if (*arguments && strcmp(arguments, "ro") != 0)
        return -EINVAL;
    if (m->range) {
        printk(LOG_ERROR, "grantee: %lu pages are mapped already; grantee_end unmaps them\n",
               m->nr);
        return 0;
    }
    *m = (struct mapping){
        .d = d,
        .from = (domid_t)from,
        .batch = max_u64(batch, 1),
        .rounds = max_u64(rounds, 1),
        .readonly = !strcmp(arguments, "ro"),
    };
    rc = read_refs(m);
    if (!rc)
        rc = reserve(m);
    if (rc) {
        printk(LOG_ERROR, "grantee: the grants of domain %lu could not be mapped: %d (%s)\n", from,
               rc, errno_name(rc));
        release(m);
        return 0;
    }
    run_rounds(m);
    return 0;
}

int grantee_end(struct domain *d, const char *arguments)
{
    struct mapping *m = &mapping;
    uint64_t nr = m->nr;
    int rc = m->range ? unmap_all(m) : 0;
    struct memory_state after;

    (void)arguments;
    if (m->d)
        release(m);
    after = read_memory_state(d);
    print("{\"report\":\"grantee_end\",\"pages\":%lu,\"result\":%d,\"maps\":%lu,\"unmaps\":%lu,"
          "\"ranges\":%lu,\"tables\":%lu",
          nr, rc, grant_map_counts.nr_mapped, grant_map_counts.nr_unmapped, d->foreign.nr_ranges,
          d->pt.nr_tables);
    print_memory_state("after", &after);
    print("}\n");
    return 0;
}
