/* SPDX-License-Identifier: MIT */
#include "kernel/orders.h"

#include "lib/printk.h"
#include "lib/string.h"

#include "arch/x86/cpu.h"

#include "kernel/balloon.h"
#include "kernel/marks.h"
#include "kernel/peers.h"
#include "kernel/report.h"
#include "kernel/test.h"

static void run_tests(struct domain *d, const char *arguments)
{
    (void)arguments;
    enum test_result result = tests_run(d);

    report_boot(d);
    marks_report(d);
    print("Test result: %s\n", test_result_name(result));
}

/* How many PFNs from @start on have frames that are @step apart, or, if that is 0, have none. */
static uint64_t run_length(const struct p2m *p2m, uint64_t start, uint64_t step)
{
    uint64_t mfn = p2m_get_ram(p2m, to_pfn(start)).v, nr = 1;

    while (start + nr < p2m->nr && p2m_get_ram(p2m, to_pfn(start + nr)).v == mfn + nr * step)
        nr++;
    return nr;
}

/*
 * The list as runs of PFNs whose frames follow each other, upward or, as builders like it,
 * downward, to be held against what a tool reads.
 */
static void print_list(struct domain *d, const char *arguments)
{
    (void)arguments;
    const struct p2m *p2m = &d->p2m;
    uint64_t start = 0, nr;

    for (; start < p2m->nr; start += nr) {
        mfn_t mfn = p2m_get_ram(p2m, to_pfn(start));
        uint64_t up, down;

        if (mfn_eq(mfn, INVALID_MFN)) {
            nr = run_length(p2m, start, 0);
            continue;
        }
        up = run_length(p2m, start, 1);
        down = run_length(p2m, start, UINT64_MAX); /* a step of -1 */
        nr = max_u64(up, down);
        print("list: PFN 0x%lx MFN 0x%lx pages %lu%s\n", start, mfn.v, nr,
              down > up ? " downward" : "");
    }
    print("list: end 0x%lx\n", p2m->nr);
}

/*
 * The mapping of the list changes, says the generation; a tool that reads it meanwhile gives up, as
 * it must (<xen/arch-x86/xen.h>, p2m_generation). Nothing does change.
 */
static void bump_generation(struct domain *d, const char *arguments)
{
    (void)arguments;
    volatile uint64_t *generation = (volatile uint64_t *)&d->shared->arch.p2m_generation;

    ++*generation;
    store_barrier();
    ++*generation;
    print("generation: %lu\n", *generation);
}

static void start_churn(struct domain *d, const char *arguments)
{
    (void)arguments;
    if (!d->churn_pages) /* given twice, it would take the lower end of the way for the upper one */
        d->churn_pages = d->balloon.nr_pages;
    print("churn: on\n");
}

static void end_churn(struct domain *d, const char *arguments)
{
    (void)arguments;
    if (d->churn_pages)
        balloon_go(d, d->churn_pages);
    d->churn_pages = 0;
    print("churn: off, generation %lu\n", d->marks.generation);
}

/* Shows shared_info a second time, which is Xen's frame and not ours: no suspend can be done. */
static void obstruct(struct domain *d, const char *arguments)
{
    (void)arguments;
    if (!d->obstacle)
        d->obstacle = heap_map(&d->heap, maddr_to_mfn(d->boot.shared_info), PTE_RO);
    print("obstruct: %s\n", d->obstacle ? "on" : "the frame cannot be mapped");
}

static void clear_obstacle(struct domain *d, const char *arguments)
{
    (void)arguments;
    mfn_t mfn;

    if (d->obstacle && pt_unmap(&d->pt, (uintptr_t)d->obstacle, &mfn))
        return;
    d->obstacle = NULL;
    print("obstruct: off\n");
}

static void list_marks(struct domain *d, const char *arguments)
{
    (void)arguments;
    marks_list(d);
}

static void wish_poweroff(struct domain *d, const char *arguments)
{
    (void)arguments;
    d->options.done = DONE_POWEROFF;
}

static void wish_reboot(struct domain *d, const char *arguments)
{
    (void)arguments;
    d->options.done = DONE_REBOOT;
}

static void wish_crash(struct domain *d, const char *arguments)
{
    (void)arguments;
    d->options.done = DONE_CRASH;
}

static void print_help(struct domain *d, const char *arguments);

static const struct order {
    const char *name, *what;
    void (*obey)(struct domain *d, const char *arguments);
} orders[] = {
    {"help",       "this list",                                                       print_help     },
    {"test",       "the self-tests, and the reports",                                 run_tests      },
    {"list",       "the P2M list",                                                    print_list     },
    {"marks",      "where the marked pages are",                                      list_marks     },
    {"churn",      "write the marks, and move the balloon, again and again",          start_churn    },
    {"rest",       "no more of that",                                                 end_churn      },
    {"generation", "say to the tools that the list has changed",                      bump_generation},
    {"obstruct",   "map a frame that is not ours: no suspend can be done",            obstruct       },
    {"clear",      "and no longer",                                                   clear_obstacle },
    {"lend",       "DOMAIN PAGES [ro]: grant pages to another domain of this kernel", lend           },
    {"look",       "at what is lent: untouched, written, in use",                     lend_look      },
    {"lend_end",   "take back what is lent",                                          lend_end       },
    {"borrow",     "DOMAIN [BATCH [ROUNDS]] [ro]: map what a domain lends",           borrow         },
    {"borrow_end", "unmap what is borrowed",                                          borrow_end     },
    {"poweroff",   "the end",                                                         wish_poweroff  },
    {"reboot",     "and a new beginning",                                             wish_reboot    },
    {"crash",      "and no good one",                                                 wish_crash     },
};

static void print_help(struct domain *d, const char *arguments)
{
    (void)d;
    (void)arguments;
    for (size_t i = 0; i < ARRAY_SIZE(orders); i++)
        print("  %s: %s\n", orders[i].name, orders[i].what);
}

void order_obey(struct domain *d, const char *order)
{
    for (size_t i = 0; i < ARRAY_SIZE(orders); i++) {
        size_t len = strlen(orders[i].name);

        if (strncmp(order, orders[i].name, len) || (order[len] && order[len] != ' '))
            continue;
        for (order += len; *order == ' ';)
            order++;
        orders[i].obey(d, order);
        return;
    }
    print("order \"%.40s\" is not known: help lists those that are\n", order);
}
