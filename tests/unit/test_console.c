/* SPDX-License-Identifier: MIT */
/*
 * Without this a domU whose console nobody reads could hang in its first line, or wait again for
 * each byte; what xenconsoled writes into its indices could be believed; and a dom0 whose Xen takes
 * half a line could lose the other half.
 *
 * The console is one for the whole program, as it is in the kernel: the first two tests are what
 * comes before there is a ring, and what they said is kept for those that follow.
 */
#include "xen/console.h"

#include "lib/errno.h"

#include "tests/unit/fake_events.h"
#include "tests/unit/guest.h"
#include "tests/unit/harness.h"

#include <string.h>
#include <xen/errno.h>
#include <xen/io/console.h>

/* The console's own platform_write, by the name that unit.mk gives it. */
void console_write(const char *text, size_t len_bytes);

#define EARLY_KEPT     1024
#define EARLY_TOO_MUCH 2000

static struct guest g;
static struct shared_info shared __attribute__((aligned(4096)));
static struct xencons_interface *ring;
static evtchn_port_t port;
static char got[1 << 16]; /* by the reader */
static size_t nr_got;
static size_t appetite; /* how much the reader takes at a time */

static void reads(void)
{
    for (size_t i = 0; i < appetite && ring->out_cons != ring->out_prod; i++)
        got[nr_got++] = ring->out[MASK_XENCONS_IDX(ring->out_cons++, ring->out)];
}

/* A reader that sleeps until it is told. */
static void reads_if_told(void)
{
    static unsigned int heard;

    if (fake_events.ports[port].nr_sent != heard)
        reads();
    heard = fake_events.ports[port].nr_sent;
}

static void never_reads(void)
{
}

static void drain_ring(void)
{
    appetite = sizeof(ring->out);
    reads();
    got[nr_got] = '\0';
}

static void say(const char *text)
{
    console_write(text, strlen(text));
}

/* A domU's, or a dom0's, console; it is mapped at a page of the fixmap. */
static int start(bool dom0, uint32_t index)
{
    static const uint64_t sizes[] = {9000, 0};
    static const struct fake_shape shape = {.nr_pages = 3000};
    struct start_info si = {.flags = dom0 ? SIF_INITDOMAIN : 0};
    uint8_t *page;
    int rc;

    guest_start(&g, &shape, sizes, 0);
    fake_events_start(&shared);
    port = fake_events_port();
    page = g.fixmap.pages;
    si.console.domU.mfn = fake_builder_mfn(2900);
    si.console.domU.evtchn = port;
    ring = (struct xencons_interface *)fake_ram(fake_builder_mfn(2900));
    memset(ring, 0, sizeof(*ring));
    ring->out_prod = ring->out_cons = ring->in_prod = ring->in_cons = index;
    nr_got = 0;
    fake_events.yielded = never_reads;
    fake.nr_hypercalls = 0;
    rc = console_start(&si, page);
    drain_ring(); /* the early words, which come each time */
    return rc;
}

/* First of all: nothing is known yet. The words go to Xen, and are kept. */
static void test_early(void **state)
{
    char line[EARLY_TOO_MUCH + 1] = {0};

    (void)state;
    fake_events_start(&shared);
    say("first words\n");
    assert_string_equal(fake_events.console, "first words\n");
    memset(line, 'e', EARLY_TOO_MUCH);
    say(line);
    check_equal("nothing is typed yet", console_read(line, sizeof(line)), 0);
    console_drain();
    check_equal("no ring to wait for", fake_events.nr_yields, 0);
}

/* A dom0's words go by hypercall, in as many pieces as Xen likes. */
static void test_dom0(void **state)
{
    char typed[8];

    (void)state;
    check_equal("start", start(true, 0), 0);
    check_true("nothing is mapped", !fake_walk((uintptr_t)g.fixmap.pages).present);
    say("all at once\n");
    fake_events.console_takes = 3;
    say("in pieces\n");
    fake_events.console_takes = 0;
    fake_events.console_rc = -XEN_EPERM;
    say("lost\n");
    fake_events.console_rc = 1000; /* more than there was */
    say("lost as well\n");
    fake_events.console_rc = 0;
    assert_string_equal(fake_events.console, "all at once\nin pieces\n");

    fake_events.typed = "0123456789";
    check_equal("read", console_read(typed, sizeof(typed)), 8);
    check_equal("what was typed", memcmp(typed, "01234567", 8), 0);
    check_equal("the rest", console_read(typed, sizeof(typed)), 2);
    check_equal("no more", console_read(typed, sizeof(typed)), 0);
    fake_events.console_rc = 1000;
    check_equal("no more than there is room for", console_read(typed, sizeof(typed)), 8);
    fake_events.console_rc = -XEN_EPERM;
    check_equal("an error is nothing", console_read(typed, sizeof(typed)), 0);
    console_drain();
    check_equal("no ring to wait for", fake_events.nr_yields, 0);
}

/* What was said before the ring was known comes first; of 1 KiB, no more. */
static void test_early_words(void **state)
{
    (void)state;
    check_equal("start", start(false, 0), 0);
    check_equal("first", memcmp(got, "first words\r\neee", 16), 0);
    check_equal("a carriage return more", nr_got, EARLY_KEPT + 1);
    check_true("told", fake_events.ports[port].nr_sent > 0);
    output_clear();
    say("x");
    check_says("what was not kept", output(), "\nwarning: console: 988 bytes are missing here");
}

static void test_refused(void **state)
{
    static struct start_info si = {.console.domU.mfn = (uint64_t)1 << 40};

    (void)state;
    check_equal("start", start(false, 0), 0);
    fake.nr_hypercalls = 0;
    check_equal("no MFN", console_start(&si, g.fixmap.pages), -EINVAL);
    check_equal("nobody was asked", fake.nr_hypercalls, 0);
    si.console.domU.mfn = 5;
    check_equal("no frame of the machine", console_start(&si, g.fixmap.pages), -XEN_EINVAL);
    si.flags = SIF_INITDOMAIN;
    fake.nr_hypercalls = 0;
    fake.fail_at = 1;
    fake.fail_with = -XEN_ENOMEM;
    check_equal("dom0", console_start(&si, g.fixmap.pages), -XEN_ENOMEM);
    fake.fail_at = 0;
}

static void test_ring(void **state)
{
    static const uint32_t indices[] = {0, 2040, (uint32_t)-1030};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(indices); i++) {
        check_equal("start", start(false, indices[i]), 0);
        nr_got = 0;
        say("a line\nand another");
        check_equal("told once", fake_events.ports[port].nr_sent, 2); /* and for the early words */
        drain_ring();
        assert_string_equal(got, "a line\r\nand another");
        check_equal("no need to wait", fake_events.nr_yields, 0);
        fake_machine_stop();
    }
}

/* Longer than the ring: each byte comes, if there is a reader. */
static void test_long_message(void **state)
{
    static char text[20000];

    (void)state;
    check_equal("start", start(false, 77), 0);
    for (size_t i = 0; i < sizeof(text) - 1; i++)
        text[i] = (char)('a' + i % 23);
    for (size_t chunk = 1; chunk < 3000; chunk = chunk * 3 + 1) {
        nr_got = 0;
        appetite = chunk;
        fake_events.yielded = reads;
        say(text);
        drain_ring();
        check_equal("all of it", nr_got, sizeof(text) - 1);
        assert_string_equal(got, text);
    }
    appetite = sizeof(ring->out);
    nr_got = 0;
    fake_events.yielded = reads_if_told;
    say(text);
    drain_ring();
    check_equal("all of it", nr_got, sizeof(text) - 1);
}

/*
 * A reader that never reads costs its patience once. What does not fit is counted, and that is said
 * as soon as it is of use. (By print(), which in the kernel leads back to the console.)
 */
static void test_stuck(void **state)
{
    static char text[3000];
    unsigned int once;

    (void)state;
    check_equal("start", start(false, 0), 0);
    nr_got = 0;
    output_clear();
    memset(text, 'x', sizeof(text) - 1);
    say(text);
    once = fake_events.nr_yields;
    check_true("waited", once > 1000);
    check_true("told before it was waited for", fake_events.ports[port].nr_sent >= 2);
    say(text);
    check_equal("not a second time", fake_events.nr_yields, once);
    check_equal("the ring is full", ring->out_prod - ring->out_cons, sizeof(ring->out));
    ring->out_cons += sizeof(ring->out) / 2 - 13; /* this much of it gets room */
    say("no more of it");
    check_equal("nothing is said of it yet", strlen(output()), 0);

    /* it moves: what comes now is not lost */
    drain_ring();
    check_equal("what fitted", nr_got, sizeof(ring->out) / 2 + 26);
    nr_got = 0;
    say("here again\n");
    drain_ring();
    assert_string_equal(got, "here again\r\n");
    /* all that went beyond the ring, and then all */
    check_says("loss is said", output(),
               "\nwarning: console: 3950 bytes are missing here: the ring");

    /* it reads a little, and then no more: what there is room for is used */
    say(text);
    check_true("waited again", fake_events.nr_yields > once);
    once = fake_events.nr_yields;
    nr_got = 0;
    appetite = 10;
    reads();
    fake_events.yielded = reads;
    appetite = 1;
    say("0123456789");
    output_clear();
    console_drain(); /* it reads on, and then it is told */
    check_equal("the last of it", memcmp(got + nr_got - 10, "0123456789", 10), 0);
    check_says("and the last of it", output(), "\nwarning: console: 951 bytes are missing here");
    fake_events.yielded = never_reads;
    output_clear();
    console_drain();
    say("all is said\n");
    check_equal("once", strlen(output()), 0);
}

static void test_drain(void **state)
{
    (void)state;
    check_equal("start", start(false, 0), 0);
    say("last words");
    appetite = 1;
    fake_events.yielded = reads;
    console_drain();
    check_equal("all was read", ring->out_cons, ring->out_prod);
    check_equal("byte by byte", fake_events.nr_yields, 10);
    say("x");
    fake_events.yielded = never_reads;
    console_drain();
    check_true("nobody reads: an end all the same", fake_events.nr_yields > 1000);
    nr_got = 0;
    say("y");
    drain_ring();
    assert_string_equal(got, "xy"); /* what there is room for is used */
}

/* Whatever the other end writes into its indices, ours is where we are. */
static void test_hostile_indices(void **state)
{
    struct rng r = {.state = 5};

    (void)state;
    check_equal("start", start(false, 0), 0);
    for (unsigned int i = 0; i < 60; i++) {
        uint32_t before = ring->out_prod;
        char typed[64];

        ring->out_cons = (uint32_t)rng_next(&r);
        ring->in_prod = (uint32_t)rng_next(&r);
        say("some words\n");
        check_true("no more than was said", ring->out_prod - before <= 12);
        if (before - ring->out_cons > sizeof(ring->out))
            check_equal("no room where it makes no sense", ring->out_prod, before);
        check_true("no more than there is room for", console_read(typed, sizeof(typed)) <= 64);
        check_equal("the page goes on", ring->in_cons, 0);
    }
    /* out_prod is ours, and is not read back */
    ring->out_cons = ring->out_prod;
    nr_got = 0;
    uint32_t prod = ring->out_prod;
    ring->out_prod += 500;
    say("y");
    check_equal("ours", ring->out_prod, prod + 1);
}

static void type(const char *text)
{
    for (; *text; text++)
        ring->in[MASK_XENCONS_IDX(ring->in_prod++, ring->in)] = *text;
}

static void test_input(void **state)
{
    char typed[2000];
    unsigned int sent;

    (void)state;
    check_equal("start", start(false, (uint32_t)-5), 0);
    sent = fake_events.ports[port].nr_sent;
    check_equal("nothing", console_read(typed, sizeof(typed)), 0);
    check_equal("nobody is told of nothing", fake_events.ports[port].nr_sent, sent);
    type("hello, world");
    check_equal("a part", console_read(typed, 5), 5);
    check_equal("it", memcmp(typed, "hello", 5), 0);
    check_equal("is told", fake_events.ports[port].nr_sent, sent + 1);
    check_equal("the rest", console_read(typed, sizeof(typed)), 7);
    check_equal("it", memcmp(typed, ", world", 7), 0);
    check_equal("given back", ring->in_cons, ring->in_prod);

    ring->in_prod += sizeof(ring->in); /* full */
    check_equal("as much as there can be", console_read(typed, sizeof(typed)), sizeof(ring->in));
    ring->in_prod += sizeof(ring->in) + 1;
    check_equal("more than there can be", console_read(typed, sizeof(typed)), 0);
}

static void test_port(void **state)
{
    evtchn_port_t other;

    (void)state;
    check_equal("start", start(false, 0), 0);
    other = fake_events_port();
    console_set_port(other);
    say("x");
    check_equal("told there", fake_events.ports[other].nr_sent, 1);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_early),
        cmocka_unit_test_teardown(test_dom0, fake_machine_teardown),
        cmocka_unit_test_teardown(test_early_words, fake_machine_teardown),
        cmocka_unit_test_teardown(test_refused, fake_machine_teardown),
        cmocka_unit_test(test_ring),
        cmocka_unit_test_teardown(test_long_message, fake_machine_teardown),
        cmocka_unit_test_teardown(test_stuck, fake_machine_teardown),
        cmocka_unit_test_teardown(test_drain, fake_machine_teardown),
        cmocka_unit_test_teardown(test_hostile_indices, fake_machine_teardown),
        cmocka_unit_test_teardown(test_input, fake_machine_teardown),
        cmocka_unit_test_teardown(test_port, fake_machine_teardown),
    };

    return cmocka_run_group_tests_name("console", tests, NULL, NULL);
}
