/* SPDX-License-Identifier: MIT */
#include "kernel/shell/commands.h"

#include "lib/errno.h"
#include "lib/number.h"
#include "lib/printk.h"
#include "lib/string.h"

#include "kernel/boot/balloon.h"
#include "kernel/report.h"
#include "kernel/selftest/grant_pair.h"
#include "kernel/selftest/pattern_pages.h"
#include "kernel/selftest/test.h"
#include "kernel/shell/show.h"
#include "kernel/shell/xs.h"
#include "kernel/suspend.h"

static int run_tests(struct domain *d, const char *arguments)
{
    struct text asked = d->options.tests;
    enum test_result result;

    if (*arguments)
        d->options.tests = (struct text){arguments, strlen(arguments)};
    result = tests_run(d);
    d->options.tests = asked;
    if (!*arguments) {
        report_boot(d);
        pattern_pages_report(d);
    }
    print("Test result: %s\n", test_result_name(result));
    return 0;
}

/* Makes a tool that reads the P2M list give up: p2m_generation changes, although no entry does. */
static int bump_generation(struct domain *d, const char *arguments)
{
    (void)arguments;
    print("generation: shared_info.p2m_generation is %lu\n",
          publish_bump_generation(&d->shared->arch));
    return 0;
}

static int churn_start(struct domain *d, const char *arguments)
{
    (void)arguments;
    if (!d->selftest.churn_pages) /* at a second start, nr_pages may be the lower size */
        d->selftest.churn_pages = d->balloon.nr_pages;
    print("churn: started\n");
    return 0;
}

static int churn_end(struct domain *d, const char *arguments)
{
    (void)arguments;
    if (d->selftest.churn_pages)
        balloon_go(d, d->selftest.churn_pages);
    d->selftest.churn_pages = 0;
    print("churn: ended; the pattern pages have generation %lu\n",
          d->selftest.pattern_pages.generation);
    return 0;
}

/* Maps shared_info a second time: Xen owns the frame, so suspend() refuses until it is unmapped. */
static int block_suspend(struct domain *d, const char *arguments)
{
    (void)arguments;
    if (!d->selftest.blocker)
        d->selftest.blocker = heap_map(&d->heap, maddr_to_mfn(d->boot.shared_info), PTE_RO);
    if (d->selftest.blocker)
        print("block_suspend: shared_info is mapped a second time: each suspend is refused\n");
    else
        printk(LOG_ERROR, "block_suspend: shared_info could not be mapped a second time: a suspend "
                          "is not refused\n");
    return 0;
}

static int unblock_suspend(struct domain *d, const char *arguments)
{
    (void)arguments;
    mfn_t mfn;
    int rc = 0;

    if (d->selftest.blocker)
        rc = heap_unmap(&d->heap, d->selftest.blocker, &mfn);
    if (!rc)
        d->selftest.blocker = NULL;
    if (rc)
        printk(LOG_ERROR,
               "unblock_suspend: the second mapping of shared_info could not be removed: %d (%s); "
               "each suspend is refused\n",
               rc, errno_name(rc));
    else
        print("unblock_suspend: shared_info has no second mapping\n");
    return 0;
}

static int list_pattern_pages(struct domain *d, const char *arguments)
{
    (void)arguments;
    if (!d->selftest.pattern_pages.nr)
        print("pattern_pages: this domain has no pattern pages; the argument pattern_pages=N "
              "allocates N\n");
    pattern_pages_list(d);
    return 0;
}

/* scripts/shell waits for this line on the console, and then ends QEMU. */
static int end_domain(struct domain *d, enum done done, const char *name)
{
    print("%s: the domain ends here\n", name);
    d->options.done = done;
    return 0;
}

static int power_off(struct domain *d, const char *arguments)
{
    (void)arguments;
    return end_domain(d, DONE_POWEROFF, "poweroff");
}

static int reboot(struct domain *d, const char *arguments)
{
    (void)arguments;
    return end_domain(d, DONE_REBOOT, "reboot");
}

static int crash(struct domain *d, const char *arguments)
{
    (void)arguments;
    return end_domain(d, DONE_CRASH, "crash");
}

/* A suspend without a tool: xl list shows the state, and xl can resume or destroy the domain. */
static int suspend_here(struct domain *d, const char *arguments)
{
    (void)arguments;
    if (boot_info_is_initdomain(&d->boot))
        printk(LOG_ERROR, "suspend: refused: no tool could resume a dom0\n");
    else
        (void)!suspend(d); /* prints the result */
    return 0;
}

static int move_balloon(struct domain *d, const char *arguments)
{
    uint64_t target;

    if (!number_next(&arguments, &target) || *arguments || !target)
        return -EINVAL;
    balloon_end_pursuit(d);
    balloon_go(d, target);
    print("balloon: this domain has %lu pages, the target is %lu\n", d->balloon.nr_pages, target);
    return 0;
}

static int print_help(struct domain *d, const char *arguments);

/* clang-format off */
static const struct command {
    const char *name, *arguments, *what;
    /* 0, or -EINVAL for wrong arguments. The function prints any other error, and returns 0. */
    int (*run)(struct domain *d, const char *arguments);
} commands[] = {
    {"help", "", "print this table", print_help},

    {"e820", "", "print the E820 map that Xen returned", show_e820},
    {"ranges", "", "print the PFN ranges: RAM, identity, missing, unpopulated", show_ranges},
    {"p2m", "PFN [COUNT]", "print the P2M entries of up to 256 PFNs", show_p2m},
    {"m2p", "MFN", "print the M2P entry of a frame", show_m2p},
    {"walk", "ADDRESS", "print the page-table entries that map an address", show_walk},
    {"published", "", "print the published P2M as Xen's tools read it", show_published},
    {"p2m_list", "[PFN]", "print runs of the P2M list, from a PFN on", show_p2m_list},
    {"frame_pool", "", "print the free frames of this domain", show_frame_pool},
    {"stats", "", "print counts of pages, tables, ports, watches and grants", show_stats},
    {"grants", "", "print what this domain has granted", show_grants},
    {"foreign", "", "print the ranges of the foreign window", show_foreign},
    {"evtchn", "", "print the open event channel ports", show_evtchn},

    {"balloon", "PAGES", "balloon this domain to a number of pages", move_balloon},
    {"xs", "ls|read|write PATH [VALUE]", "list, read or write a xenstore node", xs_command},
    {"test", "[NAME,...]", "run self-tests; without a name all, and print the reports", run_tests},

    {"pattern_pages", "", "print PFN and checksum of each pattern page", list_pattern_pages},
    {"churn", "", "rewrite the pattern pages and move the balloon, until churn_end", churn_start},
    {"churn_end", "", "end churn", churn_end},
    {"generation", "", "add 2 to p2m_generation: a tool that reads the P2M gives up", bump_generation},
    {"block_suspend", "", "map shared_info twice: each suspend is refused", block_suspend},
    {"unblock_suspend", "", "end block_suspend", unblock_suspend},
    {"granter", "DOMAIN PAGES [ro]", "grant new pages to a domain that runs this kernel", granter},
    {"granter_look", "", "count granted pages: untouched, written, mapped", granter_look},
    {"granter_end", "", "end these grants", granter_end},
    {"grantee", "DOMAIN [BATCH [ROUNDS]] [ro]", "map what a domain grants (or: look, poke)", grantee},
    {"grantee_end", "", "unmap these grants", grantee_end},

    {"suspend", "", "suspend this domain until a tool resumes it", suspend_here},
    {"poweroff", "", "end this domain", power_off},
    {"reboot", "", "end this domain, to be created again", reboot},
    {"crash", "", "end this domain as crashed", crash},
};
/* clang-format on */

/* Column in which help prints the descriptions. */
#define COLUMN 38

static void print_row(const struct command *c)
{
    size_t len = strlen(c->name) + 1 + strlen(c->arguments);

    print("  %s %s", c->name, c->arguments);
    for (; len < COLUMN; len++)
        print(" ");
    print("%s\n", c->what);
}

static int print_help(struct domain *d, const char *arguments)
{
    (void)d;
    (void)arguments;
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
        print_row(&commands[i]);
    return 0;
}

static void print_usage(const struct command *c)
{
    print("usage: %s%s%s: %s\n", c->name, *c->arguments ? " " : "", c->arguments, c->what);
}

/* True if the first word of @line is @name; sets *@arguments to the text behind that word. */
static bool begins_with(const char *line, const char *name, const char **arguments)
{
    size_t len = strlen(name);

    if (strncmp(line, name, len) || (line[len] && line[len] != ' '))
        return false;
    for (line += len; *line == ' ';)
        line++;
    *arguments = line;
    return true;
}

void command_run(struct domain *d, const char *line)
{
    const char *arguments;

    while (*line == ' ')
        line++;
    for (size_t i = 0; *line && i < ARRAY_SIZE(commands); i++) {
        const struct command *c = &commands[i];

        if (!begins_with(line, c->name, &arguments))
            continue;
        if ((*arguments && !*c->arguments) || c->run(d, arguments) == -EINVAL)
            print_usage(c);
        return;
    }
    if (*line)
        printk(LOG_ERROR, "shell: unknown command \"%.40s\"; \"help\" prints the commands\n", line);
}
