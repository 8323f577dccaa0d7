/* SPDX-License-Identifier: MIT */
/*
 * The walk over the table of stages. Without this test a refused suspend could leave the stages
 * below the refusing one suspended, or resume a stage that was never suspended; and the message of
 * a failing stage could lack the stage's name.
 *
 * The table of this program has three stages that refuse on request, and one without functions.
 */
#include "kernel/boot/stages.h"

#include "lib/errno.h"

#include "xen/watchdog.h"

#include "tests/unit/fake_events.h"
#include "tests/unit/fake_xen.h"
#include "tests/unit/harness.h"

#include <stdio.h>
#include <string.h>

static struct shared_info shared;
static struct domain d;
static char said[200]; /* the calls, in order */
static char refuses;   /* the stage whose calls fail */

static int note(char row, const char *what)
{
    snprintf(said + strlen(said), sizeof(said) - strlen(said), "%s%c ", what, row);
    return row == refuses ? -EBUSY : 0;
}

#define ROW(letter)                                            \
    static int start_##letter(struct domain *at)               \
    {                                                          \
        check_true("start gets the domain", at == &d);         \
        return note(#letter[0], "");                           \
    }                                                          \
    static int down_##letter(struct domain *at)                \
    {                                                          \
        check_true("suspend gets the domain", at == &d);       \
        return note(#letter[0], "-");                          \
    }                                                          \
    static int up_##letter(struct domain *at, bool new_domain) \
    {                                                          \
        check_true("resume gets the domain", at == &d);        \
        return note(#letter[0], new_domain ? "*" : "+");       \
    }

ROW(a)
ROW(b)
ROW(c)

static int start_nothing(struct domain *at)
{
    (void)at;
    return note('n', "");
}

const struct stage stages[] = {
    {"first",   "the first row",  start_a,       down_a, up_a},
    {"second",  "the second row", start_b,       down_b, up_b},
    {"nothing", "only started",   start_nothing, NULL,   NULL},
    {"last",    "the last row",   start_c,       down_c, up_c},
};
const size_t nr_stages = ARRAY_SIZE(stages);

static int start(void **state)
{
    (void)state;
    fake.fail_at = 0;
    fake_events_start(&shared);
    said[0] = '\0';
    refuses = '\0';
    return 0;
}

static void boot(void *domain)
{
    stages_start(domain);
}

static void resume_here(void *domain)
{
    stages_resume(domain, false);
}

static void resume_elsewhere(void *domain)
{
    stages_resume(domain, true);
}

static void test_boot(void **state)
{
    (void)state;
    stages_start(&d);
    assert_string_equal(said, "a b n c ");
    check_equal("watchdog after the boot", fake_events.watchdog_seconds, WATCHDOG_SECONDS);
    for (size_t i = 1; i < nr_stages; i++)
        check_true("ticks_after_stage is set and ascends",
                   ticks_after_stage[i] >= ticks_after_stage[i - 1] && ticks_after_stage[i]);
}

/* The command line is read by a boot stage, while the watchdog is armed. */
static void test_watchdog_time(void **state)
{
    (void)state;
    watchdog_stop();
    watchdog_set(150);
    check_equal("watchdog_set(150) while disarmed: watchdog", fake_events.watchdog_seconds, 0);
    stages_start(&d);
    check_equal("watchdog after watchdog_set(150) and the boot", fake_events.watchdog_seconds, 150);
    watchdog_set(40);
    check_equal("watchdog_set(40) while armed: watchdog", fake_events.watchdog_seconds, 40);
    watchdog_set(0);
    check_equal("watchdog_set(0) while armed: watchdog", fake_events.watchdog_seconds, 0);
    stages_start(&d);
    check_equal("watchdog after watchdog_set(0) and the boot", fake_events.watchdog_seconds, 0);
    watchdog_set(WATCHDOG_SECONDS);
}

static void test_boot_fails(void **state)
{
    (void)state;
    refuses = 'b';
    check_says("panic of a stage that fails at boot", panic_of(boot, &d),
               "boot stage second (the second row) failed: -16 (EBUSY");
    assert_string_equal(said, "a b ");
}

static void test_suspend_and_resume(void **state)
{
    const char *who = "nobody";

    (void)state;
    check_equal("stages_suspend", stages_suspend(&d, &who), 0);
    assert_string_equal(said, "-c -b -a ");
    assert_string_equal(who, "nobody");
    said[0] = '\0';
    stages_resume(&d, true);
    assert_string_equal(said, "*a *b *c ");
    said[0] = '\0';
    stages_resume(&d, false);
    assert_string_equal(said, "+a +b +c ");
}

/* Exactly the suspended stages are resumed, as in the same domain. */
static void test_refusals(void **state)
{
    static const struct {
        char refuses;
        const char *who, *said;
    } rows[] = {
        {'a', "first",  "-c -b -a +b +c "},
        {'b', "second", "-c -b +c "      },
        {'c', "last",   "-c "            },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const char *who = NULL;

        start(NULL);
        refuses = rows[i].refuses;
        check_equal("stages_suspend with a stage that refuses", stages_suspend(&d, &who), -EBUSY);
        assert_string_equal(who, rows[i].who);
        assert_string_equal(said, rows[i].said);
    }
}

static void test_resume_fails(void **state)
{
    (void)state;
    refuses = 'b';
    check_says("panic of a failing resume in the same domain", panic_of(resume_here, &d),
               "resume after a suspend: boot stage second (the second row) failed: -16 (EBUSY");
    assert_string_equal(said, "+a +b ");
    said[0] = '\0';
    refuses = 'a';
    check_says("panic of a failing resume in a new domain", panic_of(resume_elsewhere, &d),
               "stage first (");
    assert_string_equal(said, "*a ");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_boot, start),
        cmocka_unit_test_setup(test_watchdog_time, start),
        cmocka_unit_test_setup(test_boot_fails, start),
        cmocka_unit_test_setup(test_suspend_and_resume, start),
        cmocka_unit_test_setup(test_refusals, start),
        cmocka_unit_test_setup(test_resume_fails, start),
    };

    return cmocka_run_group_tests_name("walk", tests, NULL, NULL);
}
