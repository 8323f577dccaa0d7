/* SPDX-License-Identifier: MIT */
/*
 * xen/grant_map.c for a range of four pages, every set of mapped pages, every part of the range,
 * every size of a hypercall, and every mixture of requests that Xen grants and refuses. The code
 * compares a status only with GNTST_okay, and an errno only with 0 and -EIO, so two statuses and
 * two errnos stand for all.
 */
#include "exhaustive.h"

#include "lib/errno.h"

#include "xen/grant_map.h"

#include <string.h>

#define NR 4

static struct foreign_range *range;
static union {
    struct gnttab_map_grant_ref map[NR];
    struct gnttab_unmap_grant_ref unmap[NR];
} requests;

/* The input: bits are pages. A page in @refused is refused; hypercall number @failing_call fails.
 */
static uint32_t mapped, refused;
static uint64_t first, nr, failing_call;
static bool is_unmap;

static uint64_t nr_calls;
static uint32_t asked, carried_out; /* pages of all requests so far, and of those that succeeded */

static void print_input(void)
{
    printf(" %s of pages [%lu, %lu), mapped 0x%x, refused 0x%x, %lu requests in a hypercall, "
           "hypercall %lu fails",
           is_unmap ? "unmap" : "map", first, first + nr, mapped, refused, range->nr_requests,
           failing_call);
}

static uint32_t handle_of(uint64_t page)
{
    return 100 + (uint32_t)page;
}

static uint64_t page_of(uint64_t va)
{
    return (va - range->pages) / PAGE_SIZE;
}

/* Xen: carries out each request that is not refused. A hypercall that fails carries out none. */
long HYPERVISOR_grant_table_op(unsigned int cmd, void *ops, unsigned int count)
{
    bool fails = ++nr_calls == failing_call;

    CLAIM(ops == &requests && count >= 1 && count <= range->nr_requests);
    CLAIM(cmd == (is_unmap ? GNTTABOP_unmap_grant_ref : GNTTABOP_map_grant_ref));
    for (unsigned int i = 0; i < count; i++) {
        uint64_t page = page_of(is_unmap ? requests.unmap[i].host_addr : requests.map[i].host_addr);
        int16_t status = refused >> page & 1 ? GNTST_bad_handle : GNTST_okay;

        CLAIM(page >= first && page < first + nr && !(asked >> page & 1));
        CLAIM(is_unmap ? requests.unmap[i].handle == handle_of(page)
                       : requests.map[i].ref == page + 1);
        asked |= 1u << page;
        if (fails)
            continue;
        if (status == GNTST_okay)
            carried_out |= 1u << page;
        if (is_unmap)
            requests.unmap[i].status = status;
        else
            requests.map[i].status = status;
        if (!is_unmap)
            requests.map[i].handle = handle_of(page);
    }
    return fails ? -EFAULT : 0;
}

static void reset(void)
{
    range->nr_mapped = 0;
    for (uint64_t i = 0; i < NR; i++) {
        range->page[i].frame = FOREIGN_NOTHING;
        if (!(mapped >> i & 1))
            continue;
        range->page[i].grant.ref = (uint32_t)i + 1;
        range->page[i].grant.handle = handle_of(i);
        range->nr_mapped++;
    }
    nr_calls = 0;
    asked = carried_out = 0;
    nr_cases++;
}

/* Exactly the pages of @set are mapped, each with its own handle. */
static void check_pages(uint32_t set)
{
    CLAIM(range->nr_mapped == (uint64_t)__builtin_popcount(set));
    for (uint64_t i = 0; i < NR; i++) {
        CLAIM(foreign_is_mapped(range, i) == (set >> i & 1));
        CLAIM(!(set >> i & 1) || range->page[i].grant.handle == handle_of(i));
    }
}

static uint32_t pages_asked(void)
{
    return nr ? ((1u << nr) - 1) << first : 0;
}

/* The pages that Xen has unmapped are not mapped any more, and all others are as before. */
static void check_unmap(void)
{
    uint32_t all, wanted;
    int rc;

    is_unmap = true;
    reset();
    rc = grant_unmap(range, first, nr);
    if (first > NR || nr > NR - first) {
        CLAIM(rc == -ERANGE && !nr_calls);
        check_pages(mapped);
        return;
    }
    all = pages_asked() & mapped;
    wanted = all & ~refused;
    CLAIM(asked == all);
    check_pages(mapped & ~carried_out);
    if (!failing_call || nr_calls < failing_call)
        CLAIM(rc == (all & refused ? -EIO : 0) && carried_out == wanted);
    else
        CLAIM(rc == -EFAULT || rc == -EIO);
}

static void check_map(void)
{
    static const uint32_t all_refs[NR] = {1, 2, 3, 4};
    int16_t status[NR];
    uint32_t wanted, now = mapped;
    int rc;

    if (first > NR || nr > NR - first)
        return; /* the arrays of the caller have no room for more */
    is_unmap = false;
    reset();
    rc = grant_map(range, first, all_refs + first, status, nr, false);
    wanted = pages_asked();
    if (wanted & mapped) {
        CLAIM(rc == -EEXIST && !nr_calls);
        check_pages(mapped);
        return;
    }
    for (uint64_t i = 0; i < nr; i++)
        now |= status[i] == GNTST_okay ? 1u << (first + i) : 0;
    CLAIM(now == (mapped | carried_out));
    check_pages(now);
    if (!failing_call || nr_calls < failing_call) {
        CLAIM(rc == (wanted & refused ? -EIO : 0) && asked == wanted);
        CLAIM(carried_out == (wanted & ~refused));
    } else {
        CLAIM(rc == -EFAULT || rc == -EIO);
    }
}

int main(void)
{
    range = calloc(1, sizeof(*range) + NR * sizeof(range->page[0]));
    range->nr = NR;
    range->pages = 0x10000;
    range->requests = &requests;
    for (mapped = 0; mapped < 1u << NR; mapped++)
        for (refused = 0; refused < 1u << NR; refused++)
            for (failing_call = 0; failing_call <= NR; failing_call++)
                for (first = 0; first <= NR + 1; first++)
                    for (nr = 0; nr <= NR + 1; nr++)
                        for (range->nr_requests = 1; range->nr_requests <= NR;
                             range->nr_requests++) {
                            check_unmap();
                            check_map();
                        }
    free(range);
    return end_of_proof();
}
