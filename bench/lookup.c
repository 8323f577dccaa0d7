/* SPDX-License-Identifier: MIT */
/*
 * What a lookup costs: nanoseconds per p2m_get in the linear list, per lookup in a three-level
 * tree of the same contents, as PV kernels had before they had the list, and per load from a bare
 * array, which is what no translation can do without. Without this, a change of p2m_get could slow
 * down each mapping the kernel ever makes, and no test would see it.
 *
 *      array   base[pfn]
 *      list    bound, base[pfn], compare                 mm/p2m.h
 *      tree    bound, top[] --> mid[] --> leaf[], compare
 *
 * All three read the same memory, so caches and luck with pages serve them alike, and only the way
 * there differs; it is mapped by 4 KiB pages, as the list is under Xen. Each result makes a
 * page-table entry, which is what lookups are for. A round times each of them in turn, and what
 * counts is the fastest round, since whatever else the machine does can only make one slower.
 *
 * Exits with 1 if a lookup in the list takes more than 1.15 of the array's time, at any size, in
 * random order or sequential, each waiting for the one before. Where they overlap, the time is that
 * of issuing the instructions of the loop, of which the list's bound and compare are 4 more beside
 * 13: shown, and held to nothing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#include "mm/p2m.h"

#define PER_GIB    ((uint64_t)1 << 18)
#define NR_ROUNDS  25
#define MULTIPLIER 6364136223846793005u /* Knuth's, of MMIX */
#define MAX_RATIO  1.15

enum kind { ARRAY, LIST, TREE, NR_KINDS };
static const char *const kind_names[NR_KINDS] = {"array", "list", "tree"};

struct tree {
    uint64_t ***top; /* one entry a GiB; as long as it must be, where PV kernels' had one page */
    uint64_t nr;
};

static struct p2m p2m;
static volatile uint64_t no_bits; /* always 0 */
static struct tree tree;

/* Where results go, as into a page table that is being filled. */
static volatile uint64_t ptes[512];

static inline mfn_t array_get(const struct p2m *p, uint64_t pfn)
{
    return to_mfn(*(const volatile uint64_t *)&p->list[pfn]);
}

static inline mfn_t list_get(const struct p2m *p, uint64_t pfn)
{
    return p2m_get(p, to_pfn(pfn));
}

static inline mfn_t tree_get(const struct tree *t, uint64_t pfn)
{
    if (pfn < t->nr) {
        uint64_t **mid = t->top[pfn >> 18];
        uint64_t entry = *(const volatile uint64_t *)&mid[(pfn >> 9) % 512][pfn % 512];

        if (entry != INVALID_ENTRY)
            return to_mfn(entry);
    }
    return p2m_get_absent(&p2m, to_pfn(pfn));
}

static inline void use(uint64_t i, mfn_t mfn)
{
    ptes[i % 512] = mfn.v << PAGE_SHIFT | 0x67;
}

/*
 * A caller's loop, one function for each way to look up. Where each lookup waits for the one before
 * it, @no_bits is 0 and hides that from the compiler: this is what a lookup takes. Where it does
 * not, the processor has several under way, and what is seen is how many instructions it has to
 * issue.
 */
#define LOOKUPS(name, get, structure)                                                              \
    static __attribute__((noinline)) void name##_random(uint64_t seed, uint64_t nr, uint64_t n)    \
    {                                                                                              \
        const uint64_t mask = no_bits;                                                             \
                                                                                                   \
        for (uint64_t i = 0; i < n; i++) {                                                         \
            mfn_t mfn = get(structure, (seed >> 32) * nr >> 32);                                   \
                                                                                                   \
            use(i, mfn);                                                                           \
            seed = (seed ^ (mfn.v & mask)) * MULTIPLIER + 1;                                       \
        }                                                                                          \
    }                                                                                              \
    static                                                                                         \
        __attribute__((noinline)) void name##_sequential(uint64_t seed, uint64_t nr, uint64_t n)   \
    {                                                                                              \
        uint64_t pfn = (seed >> 32) * nr >> 32;                                                    \
        const uint64_t mask = no_bits;                                                             \
                                                                                                   \
        for (uint64_t i = 0; i < n; i++) {                                                         \
            mfn_t mfn = get(structure, pfn);                                                       \
                                                                                                   \
            use(i, mfn);                                                                           \
            pfn += 1 + (mfn.v & mask);                                                             \
            if (pfn >= nr)                                                                         \
                pfn = 0;                                                                           \
        }                                                                                          \
    }                                                                                              \
    static __attribute__((noinline)) void name##_random_overlapped(uint64_t seed, uint64_t nr,     \
                                                                   uint64_t n)                     \
    {                                                                                              \
        for (uint64_t i = 0; i < n; i++) {                                                         \
            use(i, get(structure, (seed >> 32) * nr >> 32));                                       \
            seed = seed * MULTIPLIER + 1;                                                          \
        }                                                                                          \
    }                                                                                              \
    static __attribute__((noinline)) void name##_sequential_overlapped(uint64_t seed, uint64_t nr, \
                                                                       uint64_t n)                 \
    {                                                                                              \
        uint64_t pfn = (seed >> 32) * nr >> 32;                                                    \
                                                                                                   \
        for (uint64_t i = 0; i < n; i++) {                                                         \
            use(i, get(structure, pfn));                                                           \
            if (++pfn >= nr)                                                                       \
                pfn = 0;                                                                           \
        }                                                                                          \
    }

LOOKUPS(array, array_get, &p2m)
LOOKUPS(list, list_get, &p2m)
LOOKUPS(tree, tree_get, &tree)

static const struct order {
    const char *name;
    bool bounded;        /* by MAX_RATIO */
    uint64_t nr_lookups; /* in a round, of each kind */
    void (*run[NR_KINDS])(uint64_t seed, uint64_t nr, uint64_t n);
} orders[] = {
    {"random",                 true, 1 << 19, {array_random, list_random, tree_random}            },
    {"sequential",             true, 1 << 22, {array_sequential, list_sequential, tree_sequential}},
    {"random, overlapped",
     false,                          1 << 21,
     {array_random_overlapped, list_random_overlapped, tree_random_overlapped}                    },
    {"sequential, overlapped",
     false,                          1 << 22,
     {array_sequential_overlapped, list_sequential_overlapped, tree_sequential_overlapped}        },
};

/* The sizes are of the memory that is described, in GiB. */
static const uint64_t sizes[] = {1, 64, 650};

static void *take(uint64_t len_bytes)
{
    void *p = mmap(NULL, len_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (p == MAP_FAILED) {
        perror("lookup: mmap");
        exit(2);
    }
    madvise(p, len_bytes, MADV_NOHUGEPAGE); /* an error: then there are none to be had */
    return p;
}

/* The list of a domain without holes: each entry is a frame, and no lookup takes the slow way. */
static void make_list(uint64_t nr)
{
    p2m.list = take(nr * sizeof(uint64_t));
    p2m.nr = nr;
    for (uint64_t pfn = 0; pfn < nr; pfn++)
        p2m.list[pfn] = nr - pfn;
}

/* Its leaves are the list's own pages, as those of a tree that the kernel publishes are. */
static void make_tree(void)
{
    uint64_t nr_mids = DIV_ROUND_UP(p2m.nr, PER_GIB);
    uint64_t **mids = take(nr_mids * PAGE_SIZE);

    tree.nr = p2m.nr;
    tree.top = take(nr_mids * sizeof(uint64_t **));
    for (uint64_t i = 0; i < nr_mids; i++)
        tree.top[i] = &mids[i * 512];
    for (uint64_t leaf = 0; leaf < p2m.nr / P2M_PER_PAGE; leaf++)
        mids[leaf] = &p2m.list[leaf * P2M_PER_PAGE];
}

static void free_all(void)
{
    uint64_t nr_mids = DIV_ROUND_UP(p2m.nr, PER_GIB);

    munmap(tree.top[0], nr_mids * PAGE_SIZE);
    munmap(tree.top, nr_mids * sizeof(uint64_t **));
    munmap(p2m.list, p2m.nr * sizeof(uint64_t));
}

static double now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* Times all kinds in all rounds: @ns for a lookup. */
static void measure(const struct order *order, double ns[NR_KINDS])
{
    uint64_t seed = 0x9e3779b97f4a7c15;

    for (unsigned int round = 0; round < NR_ROUNDS; round++) {
        for (unsigned int k = 0; k < NR_KINDS; k++) {
            unsigned int kind = (round + k) % NR_KINDS; /* each is the first, at times */
            double start, took;

            seed = seed * MULTIPLIER + 1;
            start = now_ns();
            order->run[kind](seed, p2m.nr, order->nr_lookups);
            took = (now_ns() - start) / (double)order->nr_lookups;
            if (round == 0 || took < ns[kind])
                ns[kind] = took;
        }
    }
}

static bool cell(FILE *out, uint64_t gib, const struct order *order)
{
    double ns[NR_KINDS], ratio;
    const char *verdict;

    measure(order, ns);
    ratio = ns[LIST] / ns[ARRAY];
    verdict = !order->bounded ? "-" : ratio <= MAX_RATIO ? "PASS" : "FAIL";
    printf("%6lu  %-22s", gib, order->name);
    fprintf(out, "%lu\t%s", gib, order->name);
    for (unsigned int kind = 0; kind < NR_KINDS; kind++) {
        printf("%9.2f", ns[kind]);
        fprintf(out, "\t%.2f", ns[kind]);
    }
    printf("%12.3f%12.3f  %s\n", ratio, ns[TREE] / ns[ARRAY], verdict);
    fprintf(out, "\t%.3f\t%.3f\t%.2f\t%s\t%s\n", ratio, ns[TREE] / ns[ARRAY], MAX_RATIO, verdict,
            "gcc " __VERSION__);
    fflush(stdout);
    return !order->bounded || ratio <= MAX_RATIO;
}

int main(int argc, char **argv)
{
    FILE *out = argc == 2 ? fopen(argv[1], "w") : NULL;
    bool good = true;

    if (!out) {
        fprintf(stderr, "usage: lookup FILE, where the table goes, too\n");
        return 2;
    }
    printf("ns per lookup; the fastest of %d rounds\n", NR_ROUNDS);
    printf("%6s  %-22s", "GiB", "order");
    fprintf(out, "gib\torder");
    for (unsigned int kind = 0; kind < NR_KINDS; kind++) {
        printf("%9s", kind_names[kind]);
        fprintf(out, "\t%s", kind_names[kind]);
    }
    printf("%12s%12s\n", "list/array", "tree/array");
    fprintf(out, "\tlist_array\ttree_array\tbound\tverdict\tcompiler\n");

    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        make_list(sizes[i] * PER_GIB);
        make_tree();
        for (size_t k = 0; k < ARRAY_SIZE(orders); k++)
            good = cell(out, sizes[i], &orders[k]) && good;
        free_all();
    }
    if (fclose(out)) {
        perror(argv[1]);
        return 2;
    }
    return good ? 0 : 1;
}
