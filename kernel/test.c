/* SPDX-License-Identifier: MIT */
#include "kernel/test.h"

#include "lib/format.h"
#include "lib/printk.h"
#include "lib/string.h"

#include "xen/evtchn.h"
#include "xen/watchdog.h"
#include "xen/xenstore.h"

#define MAX_MESSAGES 8

/* Collected by the linker, in order of name. */
extern const struct guest_test *const guest_tests_start[], *const guest_tests_end[];

const char *test_result_name(enum test_result result)
{
    static const char *const names[] = {
        [TEST_SUCCESS] = "SUCCESS", [TEST_SKIP] = "SKIP",   [TEST_ERROR] = "ERROR",
        [TEST_FAILURE] = "FAILURE", [TEST_CRASH] = "CRASH",
    };

    return names[result];
}

static void worsen(struct test *t, enum test_result result)
{
    if (result > t->result)
        t->result = result;
}

static void say(struct test *t, const char *fmt, va_list args) __printf(2, 0);

static void say(struct test *t, const char *fmt, va_list args)
{
    char line[200];

    if (t->nr_messages++ < MAX_MESSAGES) {
        format_v(line, sizeof(line), fmt, args);
        print("# %s\n", line);
    }
}

void test_fail(struct test *t, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    say(t, fmt, args);
    va_end(args);
    worsen(t, TEST_FAILURE);
}

void test_error(struct test *t, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    say(t, fmt, args);
    va_end(args);
    worsen(t, TEST_ERROR);
}

void test_skip(struct test *t, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    format_v(t->reason, sizeof(t->reason), fmt, args);
    va_end(args);
    worsen(t, TEST_SKIP);
}

void test_sweep(const struct test *t, struct sweep *s, uint64_t nr, unsigned int shift,
                const char *unit)
{
    sweep_start(s, &t->d->p2m.ranges, nr, shift, t->title, unit);
    s->full = cmdline_wants_full(&t->d->options);
    if (t->d->injected.sweep && !s->full)
        sweep_sample(s, 0);
}

/*
 * What a test must leave as it found it. Frames may have become page tables, or the grant table's
 * book, which stay.
 */
struct holdings {
    uint64_t frames;
    unsigned int ports, watches, grants;
    uint64_t ranges;
};

static struct holdings holdings_of(const struct domain *d)
{
    return (struct holdings){
        .frames = d->frames.nr_free + d->pt.nr_tables + d->grants.nr_book_frames,
        .ports = evtchn_count(),
        .watches = xs_count_watches(),
        .grants = d->grants.nr_used + d->grants.nr_deferred,
        .ranges = d->foreign.nr_ranges,
    };
}

static void run(struct test *t, const struct guest_test *g)
{
    struct holdings before = holdings_of(t->d), after;

    format(t->title, sizeof(t->title), "# %s", g->name);
    watchdog_kick();
    g->run(t);
    after = holdings_of(t->d);
    CHECK(after.frames == before.frames, "%lu frames were free before, %lu are now, and in tables",
          before.frames, after.frames);
    CHECK(after.ports == before.ports, "%u ports were open before, %u are now", before.ports,
          after.ports);
    CHECK(after.watches == before.watches, "%u watches were set before, %u are now", before.watches,
          after.watches);
    CHECK(after.grants == before.grants, "%u grants were given before, %u are now", before.grants,
          after.grants);
    CHECK(after.ranges == before.ranges, "the window had %lu ranges before, it has %lu now",
          before.ranges, after.ranges);
}

static void print_result(const struct test *t, unsigned int number, const struct guest_test *g)
{
    bool ok = t->result <= TEST_SKIP;

    if (t->nr_messages > MAX_MESSAGES)
        print("# and %u more like these\n", t->nr_messages - MAX_MESSAGES);
    print("%sok %u - %s: %s%s%s\n", ok ? "" : "not ", number, g->name, g->what,
          t->result == TEST_SKIP ? " # SKIP " : "", t->result == TEST_SKIP ? t->reason : "");
}

static bool is_test(struct text name)
{
    for (const struct guest_test *const *g = guest_tests_start; g < guest_tests_end; g++)
        if (text_is(name, (*g)->name))
            return true;
    return false;
}

/* Reports a name that was asked for and is no test's: a list of tests must not shrink in silence.
 */
static enum test_result check_names(const struct options *o)
{
    struct text list = o->tests, name;
    enum test_result result = TEST_SUCCESS;

    if (text_is(list, "none"))
        return TEST_SUCCESS;
    while (cmdline_next(&list, &name)) {
        if (is_test(name) || text_is(name, "all") || text_is(name, "full"))
            continue;
        print("argument test=: \"%.*s\" is no test\n", (int)name.len, name.s);
        result = TEST_ERROR;
    }
    return result;
}

enum test_result tests_run(struct domain *d)
{
    enum test_result worst = check_names(&d->options);
    unsigned int planned = 0, number = 0, skipped = 0;

    for (const struct guest_test *const *g = guest_tests_start; g < guest_tests_end; g++)
        planned += cmdline_wants_test(&d->options, (*g)->name);
    print("TAP version 14\n1..%u%s\n", planned, planned ? "" : " # SKIP no test asked for");
    if (!planned && worst == TEST_SUCCESS)
        return TEST_SKIP;

    for (const struct guest_test *const *g = guest_tests_start; g < guest_tests_end; g++) {
        struct test t = {.d = d};

        if (!cmdline_wants_test(&d->options, (*g)->name))
            continue;
        if (d->injected.short_plan && number)
            break;
        run(&t, *g);
        print_result(&t, ++number, *g);
        skipped += t.result == TEST_SKIP;
        if (t.result > TEST_SKIP && t.result > worst)
            worst = t.result;
    }
    return worst == TEST_SUCCESS && skipped == planned ? TEST_SKIP : worst;
}
