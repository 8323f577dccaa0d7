/* SPDX-License-Identifier: MIT */
#include "kernel/shell/show.h"

#include "lib/errno.h"
#include "lib/number.h"
#include "lib/printk.h"

#include "mm/list_tables.h"

#include "xen/watchdog.h"

/* Entries between two calls of watchdog_kick: the list of 1 TiB has 2^28 entries. */
#define ENTRIES_PER_KICK ((uint64_t)1 << 20)

/* Number of PFNs from @start on whose MFNs differ by @step from one PFN to the next. */
static uint64_t run_length(const struct p2m *p2m, uint64_t start, uint64_t step)
{
    uint64_t mfn = p2m_get_ram(p2m, to_pfn(start)).v, nr = 1;

    while (start + nr < p2m->nr && p2m_get_ram(p2m, to_pfn(start + nr)).v == mfn + nr * step)
        if (++nr % ENTRIES_PER_KICK == 0)
            watchdog_kick();
    return nr;
}

/* The first PFN from @pfn on that has a frame. Passes over the tables that a hole repeats. */
static uint64_t next_frame(struct domain *d, uint64_t pfn)
{
    const struct p2m *p2m = &d->p2m;

    while (pfn < p2m->nr && mfn_eq(p2m_get_ram(p2m, to_pfn(pfn)), INVALID_MFN))
        if (++pfn % LIST_TABLE_PFNS == 0) {
            watchdog_kick();
            pfn = list_tables_pass(&d->pt, p2m, pfn);
        }
    return pfn;
}

/*
 * Prints the run that begins at @start and returns its length. MFNs may descend: Xen's builder
 * allocates frames from the top of memory downward.
 */
static uint64_t print_run(const struct p2m *p2m, uint64_t start)
{
    uint64_t up = run_length(p2m, start, 1);
    uint64_t down = run_length(p2m, start, UINT64_MAX); /* -1 */
    uint64_t nr = max_u64(up, down);

    print("p2m_list: PFN 0x%lx MFN 0x%lx pages %lu%s\n", start, p2m_get_ram(p2m, to_pfn(start)).v,
          nr, down > up ? " downward" : "");
    return nr;
}

int show_p2m_list(struct domain *d, const char *arguments)
{
    const struct p2m *p2m = &d->p2m;
    uint64_t pfn = 0, nr_lines = 0;
    uint64_t max_lines = d->options.shell == SHELL_NONE ? UINT64_MAX : SHOW_MAX_LINES;

    if (*arguments && (!number_next(&arguments, &pfn) || *arguments))
        return -EINVAL;
    while (pfn < p2m->nr && nr_lines < max_lines) {
        if (mfn_eq(p2m_get_ram(p2m, to_pfn(pfn)), INVALID_MFN)) {
            pfn = next_frame(d, pfn);
            continue;
        }
        pfn += print_run(p2m, pfn);
        if (++nr_lines % SHOW_MAX_LINES == 0)
            watchdog_kick();
    }
    if (pfn < p2m->nr)
        print("p2m_list: more runs follow: p2m_list 0x%lx\n", pfn);
    else
        print("p2m_list: the P2M list ends at PFN 0x%lx\n", p2m->nr);
    return 0;
}
