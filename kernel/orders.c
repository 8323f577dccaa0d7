/* SPDX-License-Identifier: MIT */
#include "kernel/orders.h"

#include "lib/errno.h"
#include "lib/format.h"
#include "lib/number.h"
#include "lib/printk.h"
#include "lib/string.h"

#include "arch/x86/cpu.h"

#include "xen/xenstore.h"

#include "kernel/balloon.h"
#include "kernel/marks.h"
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
    print("balloon: %lu pages\n", d->balloon.nr_pages);
}

/* The path's end, and what follows it, in @text, which is changed. */
static char *cut_word(char *text)
{
    char *end = strchr(text, ' ');

    if (!end)
        return text + strlen(text);
    *end++ = '\0';
    while (*end == ' ')
        end++;
    return end;
}

static void list_names(const struct xs_reply *names)
{
    for (size_t i = 0; i < names->len_bytes; i += strlen(names->data + i) + 1)
        print("%s\n", names->data + i);
}

static void ask_store(struct domain *d, const char *arguments)
{
    char text[128], *verb = text, *path;
    struct xs_reply reply;
    const char *value;
    int rc;

    (void)d;
    format(text, sizeof(text), "%s", arguments);
    path = cut_word(verb);
    value = cut_word(path);
    if (!*path) {
        order_usage("xs");
        return;
    }
    if (!strcmp(verb, "ls") && !*value) {
        rc = xs_list(0, path, &reply);
        if (!rc)
            list_names(&reply);
    } else if (!strcmp(verb, "read") && !*value) {
        rc = xs_read(0, path, &reply);
        if (!rc)
            print("%s\n", reply.data);
    } else if (!strcmp(verb, "write")) {
        rc = xs_write(0, path, value);
    } else {
        order_usage("xs");
        return;
    }
    if (rc)
        print("xs: %s: %d (%s)\n", path, rc, errno_name(rc));
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
    {"list", "", "the P2M list, as runs", print_list},
    {"frames", "", "memory that nobody uses", show_frames},
    {"stats", "", "counts of everything", show_stats},
    {"grants", "", "what others may map", show_grants},
    {"window", "", "what of others is mapped", show_window},
    {"evtchn", "", "event channels", show_evtchn},

    {"balloon", "PAGES", "give pages back to Xen, or ask for more", move_balloon},
    {"xs", "ls|read|write PATH [VALUE]", "xenstore", ask_store},
    {"test", "[NAME,...]", "the self-tests; all of them, and the reports", run_tests},

    {"marks", "", "where the marked pages are", list_marks},
    {"churn", "", "write the marks, and move the balloon, again and again", start_churn},
    {"rest", "", "no more of that", end_churn},
    {"generation", "", "say to the tools that the list has changed", bump_generation},
    {"obstruct", "", "map a frame that is not ours: no suspend can be done", obstruct},
    {"clear", "", "and no longer", clear_obstacle},
    {"lend", "DOMAIN PAGES [ro]", "grant pages to another domain of this kernel", lend},
    {"look", "", "at what is lent: untouched, written, in use", lend_look},
    {"lend_end", "", "take back what is lent", lend_end},
    {"borrow", "DOMAIN [BATCH [ROUNDS]] [ro]", "map what a domain lends", borrow},
    {"borrow_end", "", "unmap what is borrowed", borrow_end},

    {"suspend", "", "stop, until a tool resumes us", suspend_here},
    {"poweroff", "", "the end", wish_poweroff},
    {"reboot", "", "and a new beginning", wish_reboot},
    {"crash", "", "and no good one", wish_crash},
};
/* clang-format on */

static void print_row(const struct order *o)
{
    size_t len = strlen(o->name) + 1 + strlen(o->arguments);

    print("  %s %s", o->name, o->arguments);
    for (; len < 40; len++)
        print(" ");
    print(" %s\n", o->what);
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
            print("usage: %s %s: %s\n", name, orders[i].arguments, orders[i].what);
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
