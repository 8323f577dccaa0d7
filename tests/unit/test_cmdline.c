/* SPDX-License-Identifier: MIT */
/*
 * The kernel command line. Without this test a mistyped argument could be ignored, and a CI run
 * could pass although it ran none of the requested tests. Each argument and each of its values is
 * parsed. An unknown argument or value must be counted, and the console must name it together with
 * the values that were expected.
 */
#include "tests/unit/harness.h"

#include "xen/watchdog.h"

#include "kernel/cmdline.h"

#include <string.h>

static struct options parsed;

static const struct options *parse(const char *line)
{
    memset(&parsed, 0x5a, sizeof(parsed));
    output_clear();
    cmdline_parse(&parsed, line);
    return &parsed;
}

static void test_defaults(void **state)
{
    static const char *const empty[] = {"", " ", "     "};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(empty); i++) {
        const struct options *o = parse(empty[i]);

        check_true("an empty line selects all tests", cmdline_wants_test(o, "anything"));
        check_equal("done= of an empty line", o->done, DONE_DEFAULT);
        check_equal("loglevel= of an empty line", o->loglevel, LOG_INFO);
        check_equal("p2m= of an empty line", o->form, PUBLISH_BOTH);
        check_equal("balloon= of an empty line", o->balloon, false);
        check_equal("bad arguments of an empty line", o->nr_bad, 0);
        assert_string_equal(output(), "");
    }
}

static void test_every_word_of_every_argument(void **state)
{
    static const struct {
        const char *line;
        enum done done;
        enum loglevel loglevel;
        enum publish_form form;
        bool balloon_max;
    } rows[] = {
        {"done=reboot",                     DONE_REBOOT,   LOG_INFO,  PUBLISH_BOTH, false},
        {"done=poweroff",                   DONE_POWEROFF, LOG_INFO,  PUBLISH_BOTH, false},
        {"done=crash",                      DONE_CRASH,    LOG_INFO,  PUBLISH_BOTH, false},
        {"done=wait",                       DONE_WAIT,     LOG_INFO,  PUBLISH_BOTH, false},
        {"loglevel=error",                  DONE_DEFAULT,  LOG_ERROR, PUBLISH_BOTH, false},
        {"loglevel=warn",                   DONE_DEFAULT,  LOG_WARN,  PUBLISH_BOTH, false},
        {"loglevel=info",                   DONE_DEFAULT,  LOG_INFO,  PUBLISH_BOTH, false},
        {"loglevel=debug",                  DONE_DEFAULT,  LOG_DEBUG, PUBLISH_BOTH, false},
        {"p2m=both",                        DONE_DEFAULT,  LOG_INFO,  PUBLISH_BOTH, false},
        {"p2m=list",                        DONE_DEFAULT,  LOG_INFO,  PUBLISH_LIST, false},
        {"p2m=tree",                        DONE_DEFAULT,  LOG_INFO,  PUBLISH_TREE, false},
        {"balloon=none",                    DONE_DEFAULT,  LOG_INFO,  PUBLISH_BOTH, false},
        {"balloon=max",                     DONE_DEFAULT,  LOG_INFO,  PUBLISH_BOTH, true },
        {"done=wait done=crash",            DONE_CRASH,    LOG_INFO,  PUBLISH_BOTH, false},
        {"  p2m=list   done=wait ",         DONE_WAIT,     LOG_INFO,  PUBLISH_LIST, false},
        {"balloon=max p2m=tree done=crash", DONE_CRASH,    LOG_INFO,  PUBLISH_TREE, true },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const struct options *o = parse(rows[i].line);

        check_equal(rows[i].line, o->done, rows[i].done);
        check_equal(rows[i].line, o->loglevel, rows[i].loglevel);
        check_equal(rows[i].line, o->form, rows[i].form);
        check_equal(rows[i].line, o->balloon, rows[i].balloon_max);
        check_equal(rows[i].line, o->nr_bad, 0);
        assert_string_equal(output(), "");
    }
}

static void test_bad_words_are_reported(void **state)
{
    static const struct {
        const char *line, *says;
        unsigned int nr_bad;
    } rows[] = {
        {"doen=crash",          "\"doen=crash\" is unknown and ignored: expected one of test=, done=", 1},
        {"quiet",               "\"quiet\" is unknown and ignored",                                    1},
        {"done",                "done= is ignored: expected reboot|poweroff|crash|wait",               1},
        {"done=",               "done= is ignored: expected reboot|poweroff|crash|wait",               1},
        {"done=rebooted",       "done=rebooted is ignored: expected reboot|poweroff|crash|wait",       1},
        {"done=reb",            "done=reb is ignored: expected",                                       1},
        {"done=reboot|crash",   "done=reboot|crash is ignored: expected",                              1},
        {"done=Crash",          "done=Crash is ignored: expected",                                     1},
        {"loglevel=7",          "loglevel=7 is ignored: expected error|warn|info|debug",               1},
        {"p2m=all",             "p2m=all is ignored: expected both|list|tree",                         1},
        {"balloon=yes",         "balloon=yes is ignored: expected none|max",                           1},
        {"test=",               "test= is ignored: expected all|none|NAME,...",                        1},
        {"test",                "test= is ignored: expected all|none|NAME,...",                        1},
        {"=",                   "\"=\" is unknown and ignored",                                        1},
        {"don=wait p2m=x a b",  "\"b\" is unknown and ignored",                                        4},
        {"p2m=list\tdone=wait", "expected both|list|tree",                                             1},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const struct options *o = parse(rows[i].line);

        check_equal(rows[i].line, o->nr_bad, rows[i].nr_bad);
        check_says(rows[i].line, output(), rows[i].says);
        check_equal(rows[i].line, o->done, DONE_DEFAULT);
        check_equal(rows[i].line, o->form, PUBLISH_BOTH);
        check_equal(rows[i].line, o->balloon, false);
    }
}

static void test_a_bad_word_does_not_spoil_the_next(void **state)
{
    const struct options *o;

    (void)state;
    o = parse("p2m=what p2m=list bogus done=wait");
    check_equal("p2m= after a bad p2m=", o->form, PUBLISH_LIST);
    check_equal("done= after an unknown argument", o->done, DONE_WAIT);
    check_equal("number of bad arguments", o->nr_bad, 2);
}

static void test_watchdog(void **state)
{
    (void)state;
    check_equal("watchdog of an empty line", parse("")->watchdog_seconds, WATCHDOG_SECONDS);
    check_equal("watchdog=150", parse("watchdog=150")->watchdog_seconds, 150);
    check_equal("watchdog=0", parse("watchdog=0")->watchdog_seconds, 0);
    check_equal("watchdog=never: bad arguments", parse("watchdog=never")->nr_bad, 1);
    check_equal("watchdog=never", parsed.watchdog_seconds, WATCHDOG_SECONDS);
}

static void test_seed(void **state)
{
    (void)state;
    check_equal("seed of an empty line", parse("")->seed, 0);
    check_equal("seed=7", parse("seed=7")->seed, 7);
    check_equal("seed=0x10", parse("seed=0x10")->seed, 16);
    check_equal("seed=7 seed=999999999: the last one counts", parse("seed=7 seed=999999999")->seed,
                999999999);
    check_equal("seed= of ten digits: bad arguments", parse("seed=1000000000")->nr_bad, 1);
    check_says("seed= of ten digits", output(),
               "warning: kernel argument seed=1000000000 is ignored: expected 0 to 999999999");
    check_equal("seed=x1: bad arguments", parse("seed=x1")->nr_bad, 1);
    check_equal("seed= without a value: bad arguments", parse("seed=")->nr_bad, 1);
    check_equal("seed= without a value", parsed.seed, 0);
}

static void test_bench(void **state)
{
    (void)state;
    check_true("without bench= no benchmark is selected", !parse("")->bench.len);
    check_true("bench=grant selects the benchmark grant",
               text_is(parse("bench=grant test=p2m")->bench, "grant"));
    check_equal("words reported for bench= without a name", parse("bench=")->nr_bad, 1);
    check_says("bench= without a name", output(), "argument bench= is ignored: expected NAME");
}

static void test_names_of_tests(void **state)
{
    static const struct {
        const char *line, *name;
        bool wanted;
    } rows[] = {
        {"test=all",            "p2m",  true },
        {"test=none",           "p2m",  false},
        {"test=p2m",            "p2m",  true },
        {"test=p2m",            "p2",   false},
        {"test=p2m",            "p2m_", false},
        {"test=list,p2m",       "p2m",  true },
        {"test=list,p2m,tree",  "p2m",  true },
        {"test=list,p2m,tree",  "tree", true },
        {"test=list,p2m,tree",  "list", true },
        {"test=list,tree",      "p2m",  false},
        {"test=list,,tree,",    "tree", true },
        {"test=allp2m",         "p2m",  false},
        {"test=list done=wait", "done", false},
        {"test=list test=p2m",  "list", false},
        {"test=list test=p2m",  "p2m",  true },
        {"test=full",           "p2m",  true },
        {"test=p2m,full",       "p2m",  true },
        {"test=p2m,full",       "list", false},
        {"test=all,full",       "list", true },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        check_equal(rows[i].line, cmdline_wants_test(parse(rows[i].line), rows[i].name),
                    rows[i].wanted);
}

static void test_full(void **state)
{
    (void)state;
    check_true("an empty line does not select the full tests", !cmdline_wants_full(parse("")));
    check_true("test=all does not select the full tests", !cmdline_wants_full(parse("test=all")));
    check_true("test=p2m,fuller does not select the full tests",
               !cmdline_wants_full(parse("test=p2m,fuller")));
    check_true("test=full selects the full tests", cmdline_wants_full(parse("test=full")));
    check_true("test=p2m,holes names holes", cmdline_names_test(parse("test=p2m,holes"), "holes"));
    check_true("test=all names no test", !cmdline_names_test(parse("test=all"), "holes"));
    check_true("test=full names no test", !cmdline_names_test(parse("test=full"), "holes"));
    check_true("test=p2m,full selects the full tests", cmdline_wants_full(parse("test=p2m,full")));
}

/* Xen's builder cuts a command line at 1024 bytes, at any place. */
static void test_long_lines(void **state)
{
    char line[1024] = {0};

    (void)state;
    memset(line, 'x', sizeof(line) - 1);
    check_equal("one argument of 1023 bytes: bad arguments", parse(line)->nr_bad, 1);
    check_says("one argument of 1023 bytes", output(), "warning: kernel argument \"xxxx");

    for (size_t i = 0; i < sizeof(line) - 1; i++)
        line[i] = i % 2 ? ' ' : 'y';
    check_equal("512 unknown arguments", parse(line)->nr_bad, 512);

    memset(line, ' ', sizeof(line) - 1);
    memcpy(line + sizeof(line) - 1 - 8, "p2m=list", 8);
    check_equal("p2m=list at the end of 1023 bytes", parse(line)->form, PUBLISH_LIST);

    memset(line, 'n', sizeof(line) - 1);
    memcpy(line, "test=", 5);
    check_true("a test name of 1018 bytes does not select test n",
               !cmdline_wants_test(parse(line), "n"));
    check_true("a test name of 1018 bytes selects this test",
               cmdline_wants_test(&parsed, line + 5));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_every_word_of_every_argument),
        cmocka_unit_test(test_bad_words_are_reported),
        cmocka_unit_test(test_a_bad_word_does_not_spoil_the_next),
        cmocka_unit_test(test_watchdog),
        cmocka_unit_test(test_seed),
        cmocka_unit_test(test_bench),
        cmocka_unit_test(test_names_of_tests),
        cmocka_unit_test(test_full),
        cmocka_unit_test(test_long_lines),
    };

    return cmocka_run_group_tests_name("command line", tests, NULL, NULL);
}
