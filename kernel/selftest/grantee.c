/* SPDX-License-Identifier: MIT */
#include "kernel/selftest/grant_pair.h"

#include "lib/errno.h"
#include "lib/format.h"
#include "lib/number.h"
#include "lib/printk.h"
#include "lib/string.h"

#include "arch/x86/probe.h"

#include "xen/clock.h"
#include "xen/grant_map.h"
#include "xen/watchdog.h"
#include "xen/xenstore.h"

/* The granter says how many pages there are; the watchdog is told on the way. */
#define KICK_PAGES 4096

/* What is mapped now. */
static struct mapping_run {
    struct domain *d;
    domid_t from;
    bool readonly;
    uint64_t nr, batch, rounds;
    uint32_t *refs;  /* nr of them */
    int16_t *status; /* and for each what became of it */
    struct foreign_range *range;
    bool has_pfns;
    uint64_t pfn; /* of the first page, if it has one */
} mapping_run;

/* Maps the pages in batches. Their results are in @status; how many failed is the result. */
static uint64_t map_all(struct mapping_run *b)
{
    uint64_t nr_failed = 0;

    for (uint64_t i = 0, n; i < b->nr; i += n) {
        n = min_u64(b->batch, b->nr - i);
        if (i % KICK_PAGES < n)
            watchdog_kick();
        if (!grant_map(b->range, i, b->refs + i, b->status + i, n, b->readonly))
            continue;
        for (uint64_t k = 0; k < n; k++)
            nr_failed += b->status[i + k] != GNTST_okay;
    }
    watchdog_kick();
    return nr_failed;
}

static int unmap_all(struct mapping_run *b)
{
    int rc = 0;

    for (uint64_t i = 0, n; i < b->nr; i += n) {
        int now;

        n = min_u64(b->batch, b->nr - i);
        if (i % KICK_PAGES < n)
            watchdog_kick();
        now = grant_unmap(b->range, i, n);
        rc = rc ? rc : now;
    }
    watchdog_kick();
    return rc;
}

static int unmap_for_suspend(struct foreign_range *range, void *context)
{
    struct mapping_run *b = context;
    int rc = b->has_pfns ? unpopulated_free(&b->d->unpopulated, b->pfn) : 0;

    if (rc)
        return rc; /* and nothing has changed */
    rc = grant_unmap(range, 0, range->nr);
    if (rc) /* the mappings that are left do without */
        b->has_pfns = false;
    return rc;
}

/* In a new domain too the granter may take us for the old one: only it knows, by our number. */
static int remap_after_suspend(struct foreign_range *range, void *context, bool new_domain)
{
    struct mapping_run *b = context;
    int rc = 0;

    (void)new_domain;
    if (b->has_pfns)
        rc = unpopulated_alloc(&b->d->unpopulated, range, &b->pfn);
    b->has_pfns = b->has_pfns && !rc;
    return map_all(b) ? -EIO : rc;
}

static const struct foreign_owner owner = {"grantee", unmap_for_suspend, remap_after_suspend,
                                           &mapping_run};

/* A page of the granter's, for reading, through a range of its own for as long as it takes. */
static int read_page(struct domain *d, domid_t from, uint32_t ref, void *to)
{
    struct foreign_range *range;
    int16_t status;
    int rc = foreign_reserve(&d->foreign, FOREIGN_GRANT, from, 1, NULL, &range);

    if (rc)
        return rc;
    rc = grant_map(range, 0, &ref, &status, 1, true);
    if (rc)
        print("grantee: reference %u of domain %u: %s\n", ref, from, grant_status_name(status));
    else
        memcpy(to, (const void *)(uintptr_t)foreign_va(range, 0), PAGE_SIZE);
    if (!rc)
        rc = grant_unmap(range, 0, 1);
    if (foreign_release(&d->foreign, range))
        print("grantee: a page of domain %u stays mapped\n", from);
    return rc;
}

/* The reference that the granter has left in xenstore. */
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

/* Reads the references of all pages: copies, for the granter may write there at any time. */
static int read_refs(struct mapping_run *b)
{
    struct domain *d = b->d;
    struct grant_pair_top *top = heap_alloc(&d->heap, sizeof(*top));
    uint64_t nr_dirs = 0;
    uint32_t ref;
    int rc = top ? read_node(b->from, &ref) : -ENOMEM;

    if (!rc)
        rc = read_page(d, b->from, ref, top);
    if (!rc && (top->nr == 0 || top->nr > GRANT_PAIR_MAX_PAGES))
        rc = -ERANGE;
    if (!rc) {
        b->nr = top->nr;
        nr_dirs = DIV_ROUND_UP(b->nr, GRANT_PAIR_REFS);
        b->refs = heap_alloc(&d->heap, nr_dirs * PAGE_SIZE);
        b->status = heap_alloc(&d->heap, b->nr * sizeof(int16_t));
        rc = b->refs && b->status ? 0 : -ENOMEM;
    }
    for (uint64_t i = 0; !rc && i < nr_dirs; i++)
        rc = read_page(d, b->from, top->refs[i], b->refs + i * GRANT_PAIR_REFS);
    heap_free(&d->heap, top, sizeof(*top));
    return rc;
}

static void forget(struct mapping_run *b)
{
    struct domain *d = b->d;

    if (b->has_pfns && unpopulated_free(&d->unpopulated, b->pfn))
        print("grantee: PFNs from 0x%lx on cannot be given back\n", b->pfn);
    if (b->range && foreign_release(&d->foreign, b->range)) {
        print("grantee: %lu pages stay mapped\n", b->range->nr_mapped);
        b->has_pfns = false;
        return; /* and all that is known of them stays */
    }
    heap_free(&d->heap, b->refs, DIV_ROUND_UP(b->nr, GRANT_PAIR_REFS) * PAGE_SIZE);
    heap_free(&d->heap, b->status, b->nr * sizeof(int16_t));
    *b = (struct mapping_run){0};
}

/* What must not change by mapping: our frames, what Xen counts, what the tools would read. */
struct ours {
    uint64_t free, reservation, list_sum;
};

static struct ours ours_now(struct domain *d)
{
    struct ours o = {.free = d->frame_pool.nr_free, .reservation = host_current_pages()};

    for (uint64_t pfn = 0; pfn < d->p2m.nr; pfn++) {
        if (pfn % (KICK_PAGES * P2M_PER_PAGE) == 0)
            watchdog_kick();
        o.list_sum += (pfn + 1) * p2m_get_ram(&d->p2m, to_pfn(pfn)).v;
    }
    return o;
}

static void print_ours(const char *when, const struct ours *o)
{
    print(",\"%s\":{\"free\":%lu,\"reservation\":%lu,\"list\":\"0x%016lx\"}", when, o->free,
          o->reservation, o->list_sum);
}

/* Page @i as the rest of the kernel would find it: by PFN, if there is one. */
static const uint64_t *show(struct mapping_run *b, uint64_t i)
{
    if (b->has_pfns)
        return page_show(&b->d->fixmap, &b->d->unpopulated, to_pfn(b->pfn + i));
    return foreign_is_mapped(b->range, i) ? (const void *)(uintptr_t)foreign_va(b->range, i) : NULL;
}

/* How many of the pages hold what was lent, or what is written there. */
static uint64_t count_intact(struct mapping_run *b)
{
    uint64_t nr = 0;

    for (uint64_t i = 0; i < b->nr; i++) {
        const uint64_t *words = show(b, i);
        bool lent = words != NULL, written = words != NULL;

        if (i % KICK_PAGES == 0)
            watchdog_kick();
        for (uint64_t w = 0; words && w < GRANT_PAIR_WORDS; w++) {
            uint64_t word = words[w];

            lent = lent && word == grant_pair_word(i, 0, w);
            written = written && word == grant_pair_word(i, 1, w);
        }
        nr += lent || written;
    }
    watchdog_kick();
    return nr;
}

static void write_all(struct mapping_run *b)
{
    for (uint64_t i = 0; i < b->nr && !b->readonly; i++) {
        uint64_t *words = (uint64_t *)(uintptr_t)foreign_va(b->range, i);

        if (i % KICK_PAGES == 0)
            watchdog_kick();
        for (uint64_t w = 0; foreign_is_mapped(b->range, i) && w < GRANT_PAIR_WORDS; w++)
            words[w] = grant_pair_word(i, 1, w);
    }
    watchdog_kick();
}

static const char *first_failure(const struct mapping_run *b)
{
    for (uint64_t i = 0; i < b->nr; i++)
        if (b->status[i] != GNTST_okay)
            return grant_status_name(b->status[i]);
    return "";
}

static int reserve(struct mapping_run *b)
{
    int rc = foreign_reserve(&b->d->foreign, FOREIGN_GRANT, b->from, b->nr, &owner, &b->range);

    if (!rc)
        b->has_pfns = unpopulated_alloc(&b->d->unpopulated, b->range, &b->pfn) == 0;
    return rc;
}

/* Maps, unmaps and maps again; the last mapping stays. */
static void go_round(struct mapping_run *b)
{
    struct domain *d = b->d;
    struct ours before = ours_now(d), mapped;
    struct grant_map_counts start = grant_map_counts;
    uint64_t since = clock_ns(), took, nr_failed = 0, intact;

    for (uint64_t round = 0; round < b->rounds; round++) {
        if (round && unmap_all(b))
            print("grantee: round %lu: something could not be unmapped\n", round);
        nr_failed += map_all(b);
    }
    took = clock_ns() - since;
    mapped = ours_now(d);
    intact = count_intact(b);
    write_all(b);
    print("{\"report\":\"grantee\",\"pages\":%lu,\"batch\":%lu,\"rounds\":%lu,\"mapped\":%lu,"
          "\"failed\":%lu,\"why\":\"%s\",\"intact\":%lu,\"ms\":%lu",
          b->nr, b->batch, b->rounds, b->range->nr_mapped, nr_failed, first_failure(b), intact,
          took / NS_PER_MS);
    print(",\"maps\":%lu,\"unmaps\":%lu,\"hypercalls\":%lu,\"ranges\":%lu,\"tables\":%lu",
          grant_map_counts.nr_mapped - start.nr_mapped,
          grant_map_counts.nr_unmapped - start.nr_unmapped,
          grant_map_counts.nr_hypercalls - start.nr_hypercalls, d->foreign.nr_ranges,
          d->pt.nr_tables);
    if (b->has_pfns)
        print(",\"pfn\":%lu", b->pfn);
    print_ours("before", &before);
    print_ours("with", &mapped);
    print("}\n");
}

/* What is left of the mappings, after the granter has ended its grants, or itself. */
static int look(struct mapping_run *b)
{
    print("{\"report\":\"grantee_look\",\"pages\":%lu,\"mapped\":%lu,\"intact\":%lu}\n", b->nr,
          b->range ? b->range->nr_mapped : 0, count_intact(b));
    return 0;
}

/* Writes to each page a word that it holds already; at those that are read-only, it traps. */
static int poke(struct mapping_run *b)
{
    uint64_t nr_poked = 0, nr_traps = 0;

    for (uint64_t i = 0; i < b->nr; i++) {
        uint64_t *word = (uint64_t *)(uintptr_t)foreign_va(b->range, i);

        if (!foreign_is_mapped(b->range, i))
            continue;
        nr_poked++;
        nr_traps += probe_write(word, *word) != 0;
    }
    print("{\"report\":\"grantee_poke\",\"pages\":%lu,\"traps\":%lu}\n", nr_poked, nr_traps);
    return 0;
}

int grantee(struct domain *d, const char *arguments)
{
    struct mapping_run *b = &mapping_run;
    uint64_t from, batch = FOREIGN_BATCH, rounds = 1;
    int rc;

    if (!strcmp(arguments, "look"))
        return look(b);
    if (!strcmp(arguments, "poke"))
        return poke(b);
    if (!number_next(&arguments, &from) || from >= DOMID_FIRST_RESERVED)
        return -EINVAL;
    if (number_next(&arguments, &batch))
        (void)!number_next(&arguments, &rounds);
    if (*arguments && strcmp(arguments, "ro") != 0)
        return -EINVAL;
    if (b->range) {
        print("error: grantee: %lu pages are mapped already; grantee_end unmaps them\n", b->nr);
        return 0;
    }
    *b = (struct mapping_run){
        .d = d,
        .from = (domid_t)from,
        .batch = max_u64(batch, 1),
        .rounds = max_u64(rounds, 1),
        .readonly = !strcmp(arguments, "ro"),
    };
    rc = read_refs(b);
    if (!rc)
        rc = reserve(b);
    if (rc) {
        print("error: grantee: the grants of domain %lu could not be mapped: %d (%s)\n", from, rc,
              errno_name(rc));
        forget(b);
        return 0;
    }
    go_round(b);
    return 0;
}

int grantee_end(struct domain *d, const char *arguments)
{
    struct mapping_run *b = &mapping_run;
    uint64_t nr = b->nr;
    int rc = b->range ? unmap_all(b) : 0;
    struct ours after;

    (void)arguments;
    if (b->d)
        forget(b);
    after = ours_now(d);
    print("{\"report\":\"grantee_end\",\"pages\":%lu,\"result\":%d,\"maps\":%lu,\"unmaps\":%lu,"
          "\"ranges\":%lu,\"tables\":%lu",
          nr, rc, grant_map_counts.nr_mapped, grant_map_counts.nr_unmapped, d->foreign.nr_ranges,
          d->pt.nr_tables);
    print_ours("after", &after);
    print("}\n");
    return 0;
}
