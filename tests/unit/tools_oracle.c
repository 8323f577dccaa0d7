/* SPDX-License-Identifier: MIT */
#include "tests/unit/tools_oracle.h"

#include "tests/unit/fake_xen.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a tool knows about the host. */
static uint64_t max_mfn(void)
{
    return fake.first_mfn + fake.nr_mfns - 1;
}

/* A tool can map any frame, but it rejects MFN 0 and MFNs past the last one. */
static bool bad_frame(uint64_t mfn)
{
    return mfn == 0 || mfn > max_mfn();
}

/* Records the error message of the tool, which gives up. */
static bool __printf(2, 3) fail(struct tools_p2m *t, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vsnprintf(t->error, sizeof(t->error), fmt, args);
    va_end(args);
    return false;
}

/* Takes the leaves that a walk found, and compares each with the M2P and with the P2M. */
static bool take_leaves(struct tools_p2m *t, const uint64_t *leaves, uint64_t last_pfn)
{
    t->nr_pfns = last_pfn + 1;
    t->nr_leaves = last_pfn / 512 + 1;
    t->leaves = malloc(t->nr_leaves * sizeof(*leaves));
    memcpy(t->leaves, leaves, t->nr_leaves * sizeof(*leaves));
    for (uint64_t i = 0; i < t->nr_leaves; i++) {
        uint64_t pfn = fake.m2p.table[t->leaves[i]];

        if (pfn > last_pfn || tools_entry(t, pfn) != t->leaves[i])
            return fail(t, "Bad mfn in p2m_frame_list[%lu]: its PFN is %#lx", i, pfn);
    }
    return true;
}

/* Where the repeated last entry of the level 2 entries begins. */
static uint64_t last_change(const uint64_t *frames, uint64_t nr)
{
    uint64_t at = 0;

    for (uint64_t i = 1; i < nr; i++)
        if (frames[i] != frames[i - 1])
            at = i;
    return at;
}

static bool read_list(struct tools_p2m *t, const struct arch_shared_info *shared)
{
    uint64_t last_pfn = shared->max_pfn - 1, start = shared->p2m_vaddr;
    uint64_t end = start + (last_pfn / 512 + 1) * 4096 - 1;
    uint64_t *tables = malloc(sizeof(*tables)), nr = 1;
    bool ok = true;

    tables[0] = shared->p2m_cr3 >> 12;
    if (bad_frame(tables[0]))
        ok = fail(t, "Bad p2m_cr3 value %#lx", (uint64_t)shared->p2m_cr3);
    /* the range must be canonical, ascending, and outside of the hypervisor's area */
    if (ok && ((int64_t)(start << 16) >> 16 != (int64_t)start ||
               (int64_t)(end << 16) >> 16 != (int64_t)end || end < start ||
               (end >= 0xffff800000000000 && start <= 0xffff87ffffffffff)))
        ok = fail(t, "Bad virtual p2m address range %#lx-%#lx", start, end);

    for (unsigned int level = 4; ok && level; level--) {
        unsigned int shift = 12 + 9 * (level - 1);
        /* the tables of a level form one array, whose first entry maps the start address */
        uint64_t base = level == 4 ? start >> 48 << 48 : start >> (shift + 9) << (shift + 9);
        uint64_t first = (start - base) >> shift, last = (end - base) >> shift;
        uint64_t *next = malloc((last - first + 1) * sizeof(*next));

        for (uint64_t i = first; ok && i <= last; i++) {
            /* the tools ignore the present bit, the page-size bit and the access rights */
            uint64_t mfn = fake_ram(tables[i / 512])[i % 512] << 12 >> 24;

            next[i - first] = mfn;
            if (bad_frame(mfn))
                ok = fail(t, "Bad mfn %#lx during page table walk for vaddr %#lx at level %u", mfn,
                          base + (i << shift), level);
        }
        nr = last - first + 1;
        free(tables);
        tables = next;
        /* the tools compare a relative index with an absolute one: correct only if first is 0 */
        if (ok && level == 2 && last_change(tables, nr) != last) {
            last_pfn = (last_change(tables, nr) << 18) - 1;
            end = start + (last_pfn / 512 + 1) * 4096 - 1;
        }
    }
    ok = ok && take_leaves(t, tables, last_pfn);
    free(tables);
    return ok;
}

static bool read_tree(struct tools_p2m *t, const struct arch_shared_info *shared)
{
    uint64_t last_pfn = shared->max_pfn - 1, nr_top = (last_pfn >> 18) + 1, last_top, nr, *leaves;
    uint64_t top = shared->pfn_to_mfn_frame_list_list;
    bool ok = true;

    if (nr_top > 512)
        return fail(t, "max_pfn %#lx too large for p2m tree", last_pfn);
    if (bad_frame(top))
        return fail(t, "Bad mfn %#lx for p2m frame list list", top);
    for (uint64_t i = 0; i < nr_top; i++)
        if (bad_frame(fake_ram(top)[i]))
            return fail(t, "Bad mfn %#lx at index %lu in p2m frame list list", fake_ram(top)[i], i);
    /* the tree keeps the first of a repeated tail */
    last_top = last_change(fake_ram(top), nr_top);
    if (last_top + 1 < nr_top)
        last_pfn = ((last_top + 1) << 18) - 1;

    nr = last_pfn / 512 + 1;
    leaves = malloc(nr * sizeof(*leaves));
    for (uint64_t i = 0; ok && i < nr; i++) {
        leaves[i] = fake_ram(fake_ram(top)[i / 512])[i % 512];
        if (bad_frame(leaves[i]))
            ok = fail(t, "Bad mfn %#lx at index %lu in p2m frame list", leaves[i], i);
    }
    ok = ok && take_leaves(t, leaves, last_pfn);
    free(leaves);
    return ok;
}

void tools_read(struct tools_p2m *t, const struct arch_shared_info *shared)
{
    *t = (struct tools_p2m){0};
    if (shared->max_pfn == 0)
        fail(t, "max_pfn is not set");
    else if (shared->p2m_cr3)
        read_list(t, shared);
    else
        read_tree(t, shared);
}

void tools_free(struct tools_p2m *t)
{
    free(t->leaves);
    *t = (struct tools_p2m){0};
}

uint64_t tools_entry(const struct tools_p2m *t, uint64_t pfn)
{
    return fake_ram(t->leaves[pfn / 512])[pfn % 512];
}
