/* SPDX-License-Identifier: MIT */
#include "kernel/selftest/test.h"

#include "lib/errno.h"
#include "lib/format.h"
#include "lib/printk.h"
#include "lib/string.h"

#include "xen/evtchn.h"
#include "xen/grant_map.h"
#include "xen/watchdog.h"
#include "xen/xenstore.h"

#define MAX_MESSAGES 8
#define MAX_TEXT     240

/* Collected by the linker, in order of name. */
extern const struct guest_test *const guest_tests_start[], *const guest_tests_end[];
extern const struct guest_test *const guest_benches_start[], *const guest_benches_end[];

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

/* The title as TAP 14 has it: a backslash before each "#", which would begin a directive. */
static const char *title_of(const struct test *t)
{
    static char title[MAX_TEXT];
    const char *at = t->test->what, *hash;
    size_t len = 0;

    for (; (hash = strchr(at, '#')) && len < sizeof(title); at = hash + 1)
        len += format(title + len, sizeof(title) - len, "%.*s\\#", (int)(hash - at), at);
    if (len < sizeof(title))
        format(title + len, sizeof(title) - len, "%s", at);
    return title;
}

static void print_not_ok(const struct test *t)
{
    if (t->number)
        print("not ok %u - %s: %s\n", t->number, t->test->name, title_of(t));
    else
        printk(LOG_ERROR, "benchmark %s: a check failed, so its figures may be wrong\n",
               t->test->name);
}

/* The first diagnostic of a test comes behind the line "not ok". */
static void say(struct test *t, const char *text)
{
    if (!t->nr_messages++)
        print_not_ok(t);
    if (t->nr_messages <= MAX_MESSAGES)
        print("# %s\n", text);
}

/* Prints the diagnostic of @fmt and @args, with @tail (what was found and expected) behind it. */
static void report(struct test *t, enum test_result result, const char *fmt, va_list args,
                   const char *tail) __printf(3, 0);

static void report(struct test *t, enum test_result result, const char *fmt, va_list args,
                   const char *tail)
{
    char text[MAX_TEXT];
    size_t len = min_u64(format_v(text, sizeof(text), fmt, args), sizeof(text) - 1);

    format(text + len, sizeof(text) - len, "%s", tail);
    say(t, text);
    worsen(t, result);
}

void test_fail(struct test *t, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    report(t, TEST_FAILURE, fmt, args, "");
    va_end(args);
}

void test_error(struct test *t, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    report(t, TEST_ERROR, fmt, args, "");
    va_end(args);
}

void test_check_eq(struct test *t, uint64_t found, uint64_t expected, const char *fmt, ...)
{
    char text[80];
    va_list args;

    if (found == expected)
        return;
    format(text, sizeof(text), " is 0x%lx, expected 0x%lx", found, expected);
    va_start(args, fmt);
    report(t, TEST_FAILURE, fmt, args, text);
    va_end(args);
}

void test_check_rc(struct test *t, long rc, long expected, const char *fmt, ...)
{
    char text[80];
    va_list args;

    if (rc == expected)
        return;
    format(text, sizeof(text), ": result is %ld (%s), expected %ld (%s)", rc, errno_name((int)rc),
           expected, errno_name((int)expected));
    va_start(args, fmt);
    report(t, TEST_FAILURE, fmt, args, text);
    va_end(args);
}

void test_check_gntst(struct test *t, int16_t status, int16_t expected, const char *fmt, ...)
{
    char text[100];
    va_list args;

    if (status == expected)
        return;
    format(text, sizeof(text), ": status is %d (%s), expected %d (%s)", status,
           grant_status_name(status), expected, grant_status_name(expected));
    va_start(args, fmt);
    report(t, TEST_FAILURE, fmt, args, text);
    va_end(args);
}

void test_skip(struct test *t, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    format_v(t->reason, sizeof(t->reason), fmt, args);
    va_end(args);
    worsen(t, TEST_SKIP);
}

/* A sweep_pass_t: the holes of the P2M list share their tables. */
static uint64_t pass_list(void *context, uint64_t pfn)
{
    struct domain *d = context;

    return list_tables_pass(&d->pt, &d->p2m, pfn);
}

void test_sweep(const struct test *t, struct sweep *s, uint64_t nr, unsigned int shift,
                const char *unit)
{
    sweep_start(s, &t->d->p2m.ranges, nr, shift, t->title, unit);
    sweep_pass_over(s, pass_list, t->d);
    s->full = cmdline_wants_full(&t->d->options);
    if (t->d->selftest.injected.sweep && !s->full)
        sweep_sample(s, 0);
}

/* Resources that a test must free. Page tables and grant records count as free: they are kept. */
struct holdings {
    uint64_t frames;
    unsigned int ports, watches, grants;
    uint64_t ranges; /* of the foreign window */
};

static struct holdings holdings_of(const struct domain *d)
{
    return (struct holdings){
        .frames = d->frame_pool.free.nr_pfns + d->pt.nr_tables + d->grants.nr_record_frames,
        .ports = evtchn_count(),
        .watches = xs_count_watches(),
        .grants = d->grants.nr_used + d->grants.nr_deferred,
        .ranges = d->foreign.nr_ranges,
    };
}

static void check_same(struct test *t, const char *what, uint64_t after, uint64_t before)
{
    CHECK(after == before,
          "after self-test %s: this domain has %lu %s, expected %lu as before the self-test",
          t->test->name, after, what, before);
}

static void run(struct test *t)
{
    struct holdings before = holdings_of(t->d), after;

    format(t->title, sizeof(t->title), "# %s", t->test->name);
    watchdog_kick();
    t->test->run(t);
    after = holdings_of(t->d);
    check_same(t, "frames that are free, page tables or grant records", after.frames,
               before.frames);
    check_same(t, "open event channel ports", after.ports, before.ports);
    check_same(t, "xenstore watches", after.watches, before.watches);
    check_same(t, "grants in force or deferred", after.grants, before.grants);
    check_same(t, "ranges in the foreign window", after.ranges, before.ranges);
}

static void print_result(const struct test *t)
{
    if (t->nr_messages > MAX_MESSAGES)
        print("# %u more diagnostics of this test are not printed\n",
              t->nr_messages - MAX_MESSAGES);
    if (!t->nr_messages)
        print("ok %u - %s: %s%s%s\n", t->number, t->test->name, title_of(t),
              t->result == TEST_SKIP ? " # SKIP " : "", t->result == TEST_SKIP ? t->reason : "");
}

static bool is_test(struct text name)
{
    for (const struct guest_test *const *g = guest_tests_start; g < guest_tests_end; g++)
        if (text_is(name, (*g)->name))
            return true;
    return false;
}

/* TEST_ERROR if test= has a word that is no test: a misspelt name must not skip a test. */
static enum test_result check_names(const struct options *o)
{
    struct text list = o->tests, name;
    enum test_result result = TEST_SUCCESS;

    if (text_is(list, "none"))
        return TEST_SUCCESS;
    while (cmdline_next(&list, &name)) {
        if (is_test(name) || text_is(name, "all") || text_is(name, "full"))
            continue;
        printk(LOG_ERROR, "argument test=: \"%.*s\" is not the name of a self-test\n",
               (int)name.len, name.s);
        result = TEST_ERROR;
    }
    return result;
}

static bool is_wanted(const struct domain *d, const struct guest_test *g)
{
    const struct options *o = &d->options;

    if (g->rule && !boot_info_is_initdomain(&d->boot) && !cmdline_wants_full(o))
        return cmdline_names_test(o, g->name);
    return cmdline_wants_test(o, g->name);
}

enum test_result tests_run(struct domain *d)
{
    enum test_result worst = check_names(&d->options);
    unsigned int planned = 0, number = 0, skipped = 0;

    for (const struct guest_test *const *g = guest_tests_start; g < guest_tests_end; g++)
        planned += is_wanted(d, *g);
    print("TAP version 14\n1..%u%s\n", planned, planned ? "" : " # SKIP no test asked for");
    if (!planned && worst == TEST_SUCCESS)
        return TEST_SKIP;

    for (const struct guest_test *const *g = guest_tests_start; g < guest_tests_end; g++) {
        struct test t = {.d = d, .test = *g};

        if (!is_wanted(d, *g))
            continue;
        if (d->selftest.injected.short_plan && number)
            break;
        t.number = ++number;
        run(&t);
        print_result(&t);
        skipped += t.result == TEST_SKIP;
        if (t.result > TEST_SKIP && t.result > worst)
            worst = t.result;
    }
    return worst == TEST_SUCCESS && skipped == planned ? TEST_SKIP : worst;
}

static const struct guest_test *find_bench(struct text name)
{
    for (const struct guest_test *const *b = guest_benches_start; b < guest_benches_end; b++)
        if (text_is(name, (*b)->name))
            return *b;
    return NULL;
}

enum test_result bench_run(struct domain *d)
{
    struct text name = d->options.bench;
    struct test t = {.d = d, .test = find_bench(name)};

    if (!name.len)
        return TEST_SUCCESS;
    if (!t.test) {
        printk(LOG_ERROR, "argument bench=: \"%.*s\" is not the name of a benchmark\n",
               (int)name.len, name.s);
        return TEST_ERROR;
    }
    run(&t);
    if (t.result == TEST_SKIP)
        printk(LOG_ERROR, "benchmark %s cannot run: %s\n", t.test->name, t.reason);
    return t.result == TEST_SUCCESS ? TEST_SUCCESS : TEST_ERROR;
}
