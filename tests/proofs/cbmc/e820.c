/* SPDX-License-Identifier: MIT */
/*
 * e820_sanitize for a map of one arbitrary entry: any address, any length, any type. The kind of
 * any PFN is what the rules of mm/e820.h say, and no arithmetic goes wrong.
 */
#include "proof.h"

#include "lib/errno.h"

#include "arch/x86/page.h"

#include "mm/e820.h"

#define NR      1
#define LOW_MIB 0x100
#define END_PFN ((uint64_t)1 << MFN_BITS)

static struct e820_entry raw[NR];
static struct e820_edge edges[E820_MAX_EDGES(NR)];
static struct range table[E820_MAX_RANGES(NR)];

static enum range_kind expected_kind(const struct e820_entry *e, bool initdom, uint64_t pfn)
{
    uint64_t first = pfn * PAGE_SIZE, last = first + PAGE_SIZE - 1;
    bool wraps = e->addr + e->len_bytes < e->addr;
    uint64_t end = wraps ? UINT64_MAX : e->addr + e->len_bytes - 1; /* the last byte */
    bool touches = e->len_bytes && e->addr <= last && first <= end;

    if (!initdom && pfn < LOW_MIB)
        return RANGE_RAM;
    if (e->type == E820_RAM)
        return touches && !wraps && e->addr <= first && last <= end ? RANGE_RAM : RANGE_IDENTITY;
    if (e->type == E820_UNUSABLE && touches)
        return initdom ? RANGE_RAM : RANGE_MISSING;
    return RANGE_IDENTITY;
}

int main(void)
{
    struct ranges t = {.r = table, .cap = nondet_u64()};
    bool initdom = nondet_bool();
    uint64_t pfn = nondet_u64();
    int rc;

    raw[0] = (struct e820_entry){nondet_u64(), nondet_u64(), nondet_u32()};
    ASSUME(t.cap <= E820_MAX_RANGES(NR));
    rc = e820_sanitize(raw, NR, initdom, edges, &t);
    PROVE(rc == 0 || (rc == -EINVAL && initdom) || (rc == -ENOMEM && t.cap < E820_MAX_RANGES(NR)));
    PROVE(t.nr <= t.cap);
    if (rc == -ENOMEM)
        return 0;
    for (size_t i = 0; i < t.nr; i++) {
        PROVE(table[i].start == (i ? table[i - 1].end : 0));
        PROVE(table[i].start < table[i].end && table[i].end <= END_PFN);
        PROVE(!i || table[i].kind != table[i - 1].kind);
    }
    ASSUME(pfn < END_PFN);
    PROVE((pfn < ranges_end(&t) ? ranges_find(&t, pfn).kind : RANGE_IDENTITY) ==
          expected_kind(&raw[0], initdom, pfn));
    REACHED();
    return 0;
}
