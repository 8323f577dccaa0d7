/* SPDX-License-Identifier: MIT */
#include "kernel/orders.h"

#include "lib/number.h"
#include "lib/printk.h"
#include "lib/string.h"

#include "arch/x86/cpu.h"

#include "kernel/balloon.h"
#include "kernel/marks.h"
#include "kernel/order_store.h"
#include "kernel/peers.h"
#include "kernel/report.h"
#include "kernel/show.h"
#include "kernel/suspend.h"
#include "kernel/test.h"

static void run_tests(struct domain *d, const char *arguments)
{
    struct text asked = d->options.tests;
    enum test_result result;

    if (*arguments)
        d->options.tests = (struct text){arguments, strlen(arguments)};
    result = tests_run(d);
    d->options.tests = asked;
    if (!*arguments) {
        report_boot(d);
        marks_report(d);
    }
    print("Test result: %s\n", test_result_name(result));
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

    int rc = d->obstacle ? pt_unmap(&d->pt, (uintptr_t)d->obstacle, &mfn) : 0;

    if (!rc)
        d->obstacle = NULL;
    print("obstruct: %s\n", rc ? "the frame cannot be unmapped" : "off");
}

static void list_marks(struct domain *d, const char *arguments)
{
    (void)arguments;
    if (!d->marks.nr)
        print("mark: none: the argument mark=N makes some\n");
    marks_list(d);
}

/* Says so, for whoever waits at the other end (scripts/shell). */
static void wish(struct domain *d, enum done done, const char *name)
{
    print("%s: the domain ends here\n", name);
    d->options.done = done;
}

static void wish_poweroff(struct domain *d, const char *arguments)
{
    (void)arguments;
    wish(d, DONE_POWEROFF, "poweroff");
}

static void wish_reboot(struct domain *d, const char *arguments)
{
    (void)arguments;
    wish(d, DONE_REBOOT, "reboot");
}

static void wish_crash(struct domain *d, const char *arguments)
{
    (void)arguments;
    wish(d, DONE_CRASH, "crash");
}

/* By ourselves: a tool that has not asked for it will say so, and may resume us. */
static void suspend_here(struct domain *d, const char *arguments)
{
    (void)arguments;
    if (boot_info_is_initdomain(&d->boot)) {
        print("suspend: a dom0 has nobody who would wake it\n");
        return;
    }
    print("suspend: %s\n", suspend(d) < 0 ? "refused" : "over");
}

static void move_balloon(struct domain *d, const char *arguments)
{
    uint64_t target;

    if (!number_next(&arguments, &target) || *arguments || !target) {
        order_usage("balloon");
        return;
    }
    balloon_go(d, target);
    print("balloon: %lu of %lu pages\n", d->balloon.nr_pages, target);
}

static void print_help(struct domain *d, const char *arguments);

/* clang-format off */
static const struct order {
    const char *name, *arguments, *what;
    void (*obey)(struct domain *d, const char *arguments);
} orders[] = {
    {"help", "", "this list", print_help},

    {"e820", "", "the memory map, as Xen gave it", show_e820},
    {"ranges", "", "what each PFN is for", show_ranges},
    {"p2m", "PFN [COUNT]", "the frames of up to 256 PFNs", show_p2m},
    {"m2p", "MFN", "the PFN of a frame, as Xen has it", show_m2p},
    {"walk", "ADDRESS", "the page tables on the way to an address", show_walk},
    {"published", "", "the P2M as Xen's tools see it", show_published},
    {"list", "[PFN]", "the P2M list as runs, from a PFN on", show_list},
    {"frames", "", "memory that nobody uses", show_frames},
    {"stats", "", "counts of everything", show_stats},
    {"grants", "", "what others may map", show_grants},
    {"window", "", "what of others is mapped", show_window},
    {"evtchn", "", "event channels", show_evtchn},

    {"balloon", "PAGES", "give pages back to Xen, or ask for more", move_balloon},
    {"xs", "ls|read|write PATH [VALUE]", "xenstore: names, a value, or a new one", order_store},
    {"test", "[NAME,...]", "the self-tests; all of them, and the reports", run_tests},

    {"marks", "", "where the marked pages are", list_marks},
    {"churn", "", "write the marks, and move the balloon, again and again", start_churn},
    {"rest", "", "end churn", end_churn},
    {"generation", "", "say to the tools that the list has changed", bump_generation},
    {"obstruct", "", "map a frame that is not ours: no suspend can be done", obstruct},
    {"clear", "", "end obstruct: unmap it", clear_obstacle},
    {"lend", "DOMAIN PAGES [ro]", "grant pages to another domain of this kernel", lend},
    {"look", "", "at what is lent: untouched, written, in use", lend_look},
    {"lend_end", "", "take back what is lent", lend_end},
    {"borrow", "DOMAIN [BATCH [ROUNDS]] [ro]", "map what a domain lends (or: look, poke)", borrow},
    {"borrow_end", "", "unmap what is borrowed", borrow_end},

    {"suspend", "", "stop, until a tool resumes us", suspend_here},
    {"poweroff", "", "end the domain", wish_poweroff},
    {"reboot", "", "end it, to be built again", wish_reboot},
    {"crash", "", "end it as one that has crashed", wish_crash},
};
/* clang-format on */

/* Where the third column of help begins: the longest row fits before it. */
#define COLUMN 38

static void print_row(const struct order *o)
{
    size_t len = strlen(o->name) + 1 + strlen(o->arguments);

    print("  %s %s", o->name, o->arguments);
    for (; len < COLUMN; len++)
        print(" ");
    print("%s\n", o->what);
}

static void print_help(struct domain *d, const char *arguments)
{
    (void)d;
    (void)arguments;
    for (size_t i = 0; i < ARRAY_SIZE(orders); i++)
        print_row(&orders[i]);
}

void order_usage(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(orders); i++)
        if (!strcmp(name, orders[i].name))
            print("usage: %s%s%s: %s\n", name, *orders[i].arguments ? " " : "", orders[i].arguments,
                  orders[i].what);
}

/* Does @order begin with the word @name? Then what follows it is in *@arguments. */
static bool begins_with(const char *order, const char *name, const char **arguments)
{
    size_t len = strlen(name);

    if (strncmp(order, name, len) || (order[len] && order[len] != ' '))
        return false;
    for (order += len; *order == ' ';)
        order++;
    *arguments = order;
    return true;
}

void order_obey(struct domain *d, const char *order)
{
    const char *arguments;

    while (*order == ' ')
        order++;
    for (size_t i = 0; *order && i < ARRAY_SIZE(orders); i++) {
        const struct order *o = &orders[i];

        if (!begins_with(order, o->name, &arguments))
            continue;
        if (*arguments && !*o->arguments)
            order_usage(o->name);
        else
            o->obey(d, arguments);
        return;
    }
    if (*order)
        print("order \"%.40s\" is not known: help lists those that are\n", order);
}
