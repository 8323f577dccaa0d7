/* SPDX-License-Identifier: MIT */
/*
 * Measures the cost of a look-up in nanoseconds: of p2m_get in the linear P2M list, of a look-up in
 * a three-level tree with the same contents, which PV kernels used before the linear list, and of a
 * load from an array without checks, the least that a translation needs. Without this benchmark, a
 * change of p2m_get could slow down each mapping that the kernel makes, and no test would notice.
 *
 *      array   load base[pfn]
 *      list    check the bound, load base[pfn], compare with ~0          mm/p2m.h
 *      tree    check the bound, load top[], mid[] and leaf[], compare
 *
 * All three read the same memory, so that caches and page placement affect them equally. The memory
 * is mapped by 4 KiB pages, as the P2M list is under Xen. Each result is made into a page-table
 * entry, the usual purpose of a look-up. A round measures the three kinds in turn. The fastest
 * round counts, because other load of the machine can only make a round slower.
 *
 * The exit code is 1 if a look-up in the P2M list takes more than 1.15 times the time of the array,
 * at any size, in random or sequential order, when each look-up waits for the one before. If
 * look-ups overlap, the time is that of the instructions of the loop: 13, and 4 more for the bound
 * and the comparison of the list. That time is printed and has no bound.
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
    uint64_t ***top; /* one entry for each GiB; may be longer than the one page of PV kernels */
    uint64_t nr;
};

static struct p2m p2m;
static volatile uint64_t no_bits; /* always 0 */
static struct tree tree;

/* The results are written here, as into a page table. */
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
 * The loop of a caller, one function for each kind and order. In the first two functions each
 * look-up depends on the result before, masked with @no_bits, which is 0 at run time but unknown to
 * the compiler: this measures the latency of a look-up. In the overlapped functions the processor
 * runs several look-ups at once: this measures the number of instructions.
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
    uint64_t nr_lookups; /* of each kind in a round */
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

/* Sizes of the memory that the P2M describes, in GiB. */
static const uint64_t sizes[] = {1, 64, 650};

static void *take(uint64_t len_bytes)
{
    void *p = mmap(NULL, len_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (p == MAP_FAILED) {
        perror("lookup: mmap");
        exit(2);
    }
    madvise(p, len_bytes, MADV_NOHUGEPAGE); /* fails if the machine has no huge pages */
    return p;
}

/* A P2M list without holes: each entry is an MFN, and no look-up calls p2m_get_absent. */
static void make_list(uint64_t nr)
{
    p2m.list = take(nr * sizeof(uint64_t));
    p2m.nr = nr;
    for (uint64_t pfn = 0; pfn < nr; pfn++)
        p2m.list[pfn] = nr - pfn;
}

/* The leaves of the tree are the pages of the list, as in a tree that the kernel publishes. */
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

/* Measures all kinds in all rounds: @ns is the time of one look-up of each kind. */
static void measure(const struct order *order, double ns[NR_KINDS])
{
    uint64_t seed = 0x9e3779b97f4a7c15;

    for (unsigned int round = 0; round < NR_ROUNDS; round++) {
        for (unsigned int k = 0; k < NR_KINDS; k++) {
            unsigned int kind = (round + k) % NR_KINDS; /* each kind comes first in some rounds */
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
        fprintf(stderr, "usage: lookup FILE\nPrints the table, and writes it to FILE.\n");
        return 2;
    }
    printf("nanoseconds of one look-up, in the fastest of %d rounds\n", NR_ROUNDS);
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
