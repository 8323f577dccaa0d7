/* SPDX-License-Identifier: MIT */
/*
 * The console: output before the ring exists, the PV console ring, and CONSOLEIO_write of a dom0.
 * Without this test a domU whose console nobody reads could block in its first line, or wait again
 * for each byte; ring indices that xenconsoled corrupted could be trusted; and a dom0 could lose
 * the rest of a line of which Xen accepted only a part.
 *
 * The console is one static object, as in the kernel. The first two tests run before a ring exists,
 * and the tests after them expect the output that was buffered then.
 */
#include "xen/console.h"

#include "lib/errno.h"

#include "xen/clock.h"
#include "xen/watchdog.h"

#include "tests/unit/fake_events.h"
#include "tests/unit/guest.h"
#include "tests/unit/harness.h"

#include <string.h>
#include <xen/errno.h>
#include <xen/io/console.h>

/* The console's platform_write, renamed by unit.mk. */
void console_write(const char *text, size_t len_bytes);

#define EARLY_KEPT     1024
#define EARLY_TOO_MUCH 2000

static struct guest g;
static struct shared_info shared __attribute__((aligned(4096)));
static struct xencons_interface *ring;
static evtchn_port_t port;
static char got[1 << 16]; /* bytes that the reader took */
static size_t nr_got;
static size_t bytes_per_turn; /* bytes that the reader takes in one turn */

static void reads(void)
{
    for (size_t i = 0; i < bytes_per_turn && ring->out_cons != ring->out_prod; i++)
        got[nr_got++] = ring->out[MASK_XENCONS_IDX(ring->out_cons++, ring->out)];
}

/* A reader that reads only after an event of the guest. */
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
    bytes_per_turn = sizeof(ring->out);
    reads();
    got[nr_got] = '\0';
}

static void say(const char *text)
{
    console_write(text, strlen(text));
}

/* Starts the console of a domU or a dom0; its ring is mapped at a page of the fixmap. */
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
    drain_ring(); /* each start sends the buffered early output */
    return rc;
}

/* Runs first, before the console is known: output goes to Xen's console, and is buffered. */
static void test_early(void **state)
{
    char line[EARLY_TOO_MUCH + 1] = {0};

    (void)state;
    fake_events_start(&shared);
    say("first words\n");
    assert_string_equal(fake_events.console, "first words\n");
    memset(line, 'e', EARLY_TOO_MUCH);
    say(line);
    check_equal("console_read before the console is known", console_read(line, sizeof(line)), 0);
    console_drain();
    check_equal("yields of console_drain before the ring is known", fake_events.nr_yields, 0);
}

/* The output of a dom0 goes by hypercall, in as many pieces as Xen accepts. */
static void test_dom0(void **state)
{
    char typed[8];

    (void)state;
    check_equal("console_start of a dom0", start(true, 0), 0);
    check_true("no ring is mapped for a dom0", !fake_walk((uintptr_t)g.fixmap.pages).present);
    say("all at once\n");
    fake_events.console_takes = 3;
    say("in pieces\n");
    fake_events.console_takes = 0;
    fake_events.console_rc = -XEN_EPERM;
    say("lost\n");
    fake_events.console_rc = 1000; /* more than the length of the text */
    say("lost as well\n");
    fake_events.console_rc = 0;
    assert_string_equal(fake_events.console, "all at once\nin pieces\n");

    fake_events.typed = "0123456789";
    check_equal("console_read of 8 of 10 typed bytes", console_read(typed, sizeof(typed)), 8);
    check_equal("bytes of console_read against the typed text", memcmp(typed, "01234567", 8), 0);
    check_equal("console_read of the remaining bytes", console_read(typed, sizeof(typed)), 2);
    check_equal("console_read of no typed bytes", console_read(typed, sizeof(typed)), 0);
    fake_events.console_rc = 1000;
    check_equal("console_read when Xen returns more than the buffer size",
                console_read(typed, sizeof(typed)), 8);
    fake_events.console_rc = -XEN_EPERM;
    check_equal("console_read when Xen returns an error", console_read(typed, sizeof(typed)), 0);
    console_drain();
    check_equal("yields of console_drain of a dom0", fake_events.nr_yields, 0);
}

/* Output before the ring was known comes first; only 1 KiB of it was buffered. */
static void test_early_words(void **state)
{
    (void)state;
    check_equal("console_start of a domU", start(false, 0), 0);
    check_equal("first bytes in the ring against the early output",
                memcmp(got, "first words\r\neee", 16), 0);
    check_equal("bytes in the ring: the early buffer and one carriage return", nr_got,
                EARLY_KEPT + 1);
    check_true("the backend gets an event for the early output",
               fake_events.ports[port].nr_sent > 0);
    output_clear();
    say("x");
    check_says("number of early bytes that were not buffered", output(),
               "\nwarning: console: 988 bytes are missing here");
}

static void test_refused(void **state)
{
    static struct start_info si = {.console.domU.mfn = (uint64_t)1 << 40};

    (void)state;
    check_equal("console_start of a domU", start(false, 0), 0);
    fake.nr_hypercalls = 0;
    check_equal("console_start with an MFN of 41 bits", console_start(&si, g.fixmap.pages),
                -EINVAL);
    check_equal("hypercalls of console_start with an MFN of 41 bits", fake.nr_hypercalls, 0);
    si.console.domU.mfn = 5;
    check_equal("console_start with an MFN that the machine lacks",
                console_start(&si, g.fixmap.pages), -XEN_EINVAL);
    si.flags = SIF_INITDOMAIN;
    fake.nr_hypercalls = 0;
    fake.fail_at = 1;
    fake.fail_with = -XEN_ENOMEM;
    check_equal("console_start of a dom0 whose hypercall fails", console_start(&si, g.fixmap.pages),
                -XEN_ENOMEM);
    fake.fail_at = 0;
}

static void test_ring(void **state)
{
    static const uint32_t indices[] = {0, 2040, (uint32_t)-1030};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(indices); i++) {
        check_equal("console_start of a domU", start(false, indices[i]), 0);
        nr_got = 0;
        say("a line\nand another");
        check_equal("events sent for early output and one text", fake_events.ports[port].nr_sent,
                    2);
        drain_ring();
        assert_string_equal(got, "a line\r\nand another");
        check_equal("yields for a text that fits in the ring", fake_events.nr_yields, 0);
        fake_machine_stop();
    }
}

/* A text longer than the ring: every byte arrives if there is a reader. */
static void test_long_message(void **state)
{
    static char text[20000];

    (void)state;
    check_equal("console_start of a domU", start(false, 77), 0);
    for (size_t i = 0; i < sizeof(text) - 1; i++)
        text[i] = (char)('a' + i % 23);
    for (size_t chunk = 1; chunk < 3000; chunk = chunk * 3 + 1) {
        nr_got = 0;
        bytes_per_turn = chunk;
        fake_events.yielded = reads;
        say(text);
        drain_ring();
        check_equal("bytes read of a long text", nr_got, sizeof(text) - 1);
        assert_string_equal(got, text);
    }
    bytes_per_turn = sizeof(ring->out);
    nr_got = 0;
    fake_events.yielded = reads_if_told;
    say(text);
    drain_ring();
    check_equal("bytes read of a long text by a reader that waits for events", nr_got,
                sizeof(text) - 1);
}

/*
 * A reader that never reads delays the guest only once. Bytes that do not fit are counted, and the
 * count is printed when the ring has room again. (By print(), which in the kernel writes to the
 * console.)
 */
static void test_stuck(void **state)
{
    static char text[3000];
    unsigned int once;

    (void)state;
    check_equal("console_start of a domU", start(false, 0), 0);
    nr_got = 0;
    output_clear();
    memset(text, 'x', sizeof(text) - 1);
    say(text);
    once = fake_events.nr_yields;
    check_true("more than 1000 yields for a ring that stays full", once > 1000);
    check_true("the backend gets an event before the guest waits",
               fake_events.ports[port].nr_sent >= 2);
    say(text);
    check_equal("yields after the second text, against the first", fake_events.nr_yields, once);
    check_equal("bytes in the ring that nobody reads", ring->out_prod - ring->out_cons,
                sizeof(ring->out));
    ring->out_cons += sizeof(ring->out) / 2 - 13; /* room for this many bytes */
    say("no more of it");
    check_equal("length of the message on lost bytes, before there is room", strlen(output()), 0);

    /* the reader reads again: output from now on is not lost */
    drain_ring();
    check_equal("bytes read of the full ring", nr_got, sizeof(ring->out) / 2 + 26);
    nr_got = 0;
    say("here again\n");
    drain_ring();
    assert_string_equal(got, "here again\r\n");
    /* the number of all bytes that did not fit in the ring */
    check_says("message on lost bytes after the reader reads again", output(),
               "\nwarning: console: 3950 bytes are missing here: the ring");

    /* the reader reads a little, then stops: the room is used */
    say(text);
    check_true("yields after the ring is full again, against the first time",
               fake_events.nr_yields > once);
    once = fake_events.nr_yields;
    nr_got = 0;
    bytes_per_turn = 10;
    reads();
    fake_events.yielded = reads;
    bytes_per_turn = 1;
    say("0123456789");
    output_clear();
    console_drain(); /* the reader reads again, then the count is printed */
    check_equal("last 10 bytes read against the last text",
                memcmp(got + nr_got - 10, "0123456789", 10), 0);
    check_says("message on lost bytes of console_drain", output(),
               "\nwarning: console: 951 bytes are missing here");
    fake_events.yielded = never_reads;
    output_clear();
    console_drain();
    say("all is said\n");
    check_equal("length of a second message on lost bytes", strlen(output()), 0);
}

static void test_drain(void **state)
{
    (void)state;
    check_equal("console_start of a domU", start(false, 0), 0);
    say("last words");
    bytes_per_turn = 1;
    fake_events.yielded = reads;
    console_drain();
    check_equal("out_cons after console_drain", ring->out_cons, ring->out_prod);
    check_equal("yields of console_drain with a reader of one byte per turn", fake_events.nr_yields,
                10);
    say("x");
    fake_events.yielded = never_reads;
    console_drain();
    check_true("console_drain ends without a reader, after more than 1000 yields",
               fake_events.nr_yields > 1000);
    nr_got = 0;
    say("y");
    drain_ring();
    assert_string_equal(got, "xy"); /* text that fits is written although nobody reads */
}

/* Reads a byte each @read_period_ns. */
static uint64_t read_period_ns, next_read_ns;

static void reads_slowly(void)
{
    while (clock_ns() >= next_read_ns) {
        reads();
        next_read_ns += read_period_ns;
    }
}

static uint64_t time_to_say(const char *text)
{
    uint64_t before = clock_ns();

    say(text);
    return clock_ns() - before;
}

/* Starts a domU with a clock, and a reader of a byte each @period_ns. */
static void start_slow(uint64_t period_ns)
{
    check_equal("console_start of a domU", start(false, 0), 0);
    clock_start(&shared.vcpu_info[0].time);
    watchdog_stop(); /* left by the test before */
    output_clear();
    nr_got = 0;
    bytes_per_turn = 1;
    read_period_ns = period_ns;
    next_read_ns = clock_ns() + period_ns;
    fake_events.yielded = reads_slowly;
}

/* connection of Xen 4.21's <xen/io/console.h>, which Debian 12's header lacks. */
static volatile uint8_t *connection(void)
{
    return (volatile uint8_t *)ring + offsetof(struct xencons_interface, out_prod) +
           sizeof(ring->out_prod);
}

/* A reader that is too slow costs ten seconds for each KiB that it reads, whatever is written. */
static void test_slow_reader(void **state)
{
    static char text[3000];

    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    start_slow(9 * NS_PER_S);
    check_equal("time of a text for a reader of a byte each 9 s", time_to_say(text),
                CONSOLE_PATIENCE * NS_PER_S);
    check_equal("time of a second text", time_to_say(text), 0);
    fake_events_set_time(clock_ns() + 1000 * NS_PER_S);
    reads_slowly();
    check_equal("time after 111 bytes were read", time_to_say(text), 0);
    drain_ring();
    check_equal("time of a short text after all was read", time_to_say("back\n"), 0);
    check_says("message on lost bytes", output(), "bytes are missing here");
    clock_start(NULL);
    fake_machine_stop();

    /* a reader that is slow, but reads 1 KiB in less than ten seconds: nothing is lost */
    start_slow(9 * NS_PER_MS);
    say(text);
    drain_ring();
    check_equal("bytes read by a reader of a byte each 9 ms", nr_got, sizeof(text) - 1);
    check_equal("output on lost bytes", strlen(output()), 0);
    clock_start(NULL);
    fake_machine_stop();

    /* the tools say that no reader is connected */
    start_slow(1000 * NS_PER_S);
    *connection() = 1;
    check_equal("time of a text without a reader", time_to_say(text),
                CONSOLE_LONE_PATIENCE * NS_PER_S);
    check_equal("time of a second text without a reader", time_to_say(text), 0);
    clock_start(NULL);
}

static uint64_t connects_at_ns;

static void connects_late(void)
{
    if (clock_ns() < connects_at_ns)
        return;
    *connection() = 0;
    reads();
}

/* xenconsoled connects while the guest waits: the guest goes on waiting for this reader. */
static void test_late_reader(void **state)
{
    static char text[3000];

    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    start_slow(NS_PER_S);
    say("reports what the test before has lost\n");
    drain_ring();
    nr_got = 0;
    output_clear();
    *connection() = 1;
    connects_at_ns = clock_ns() + 900 * NS_PER_MS;
    bytes_per_turn = 3; /* each millisecond */
    fake_events.yielded = connects_late;
    check_true("a text for a reader that connects after 0.9 s takes more than a second",
               time_to_say(text) > NS_PER_S);
    drain_ring();
    check_equal("bytes read by a reader that connects after 0.9 s", nr_got, sizeof(text) - 1);
    check_equal("output on lost bytes", strlen(output()), 0);

    /* after a restore no reader is connected again; it connects when the guest has given up */
    *connection() = 1;
    console_set_port(port);
    connects_at_ns = clock_ns() + 5 * NS_PER_S;
    check_equal("time of a text after the restore", time_to_say(text),
                CONSOLE_LONE_PATIENCE * NS_PER_S);
    fake_events_set_time(connects_at_ns);
    bytes_per_turn = sizeof(ring->out);
    connects_late();
    nr_got = 0;
    say("here\n");
    drain_ring();
    assert_string_equal(got, "here\r\n");
    check_says("message on lost bytes", output(), "bytes are missing here");
    clock_start(NULL);
}

/* Whatever the backend writes to its indices, the guest's own indices stay consistent. */
static void test_hostile_indices(void **state)
{
    struct rng r = {.state = 5};

    (void)state;
    check_equal("console_start of a domU", start(false, 0), 0);
    for (unsigned int i = 0; i < 60; i++) {
        uint32_t before = ring->out_prod;
        char typed[64];

        ring->out_cons = (uint32_t)rng_next(&r);
        ring->in_prod = (uint32_t)rng_next(&r);
        say("some words\n");
        check_true("out_prod advances by at most the text length", ring->out_prod - before <= 12);
        if (before - ring->out_cons > sizeof(ring->out))
            check_equal("out_prod when out_cons is inconsistent", ring->out_prod, before);
        check_true("console_read returns at most the buffer size",
                   console_read(typed, sizeof(typed)) <= 64);
        check_equal("in_cons after an inconsistent in_prod", ring->in_cons, 0);
    }
    /* out_prod is the guest's own index: its value in the ring page is not read */
    ring->out_cons = ring->out_prod;
    nr_got = 0;
    uint32_t prod = ring->out_prod;
    ring->out_prod += 500;
    say("y");
    check_equal("out_prod after the backend changed it", ring->out_prod, prod + 1);
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
    check_equal("console_start of a domU", start(false, (uint32_t)-5), 0);
    sent = fake_events.ports[port].nr_sent;
    check_equal("console_read of an empty ring", console_read(typed, sizeof(typed)), 0);
    check_equal("events sent after reading an empty ring", fake_events.ports[port].nr_sent, sent);
    type("hello, world");
    check_equal("console_read of 5 of 12 bytes", console_read(typed, 5), 5);
    check_equal("bytes read against \"hello\"", memcmp(typed, "hello", 5), 0);
    check_equal("events sent after console_read", fake_events.ports[port].nr_sent, sent + 1);
    check_equal("console_read of the remaining 7 bytes", console_read(typed, sizeof(typed)), 7);
    check_equal("bytes read against \", world\"", memcmp(typed, ", world", 7), 0);
    check_equal("in_cons after reading all bytes", ring->in_cons, ring->in_prod);

    ring->in_prod += sizeof(ring->in); /* full */
    check_equal("console_read of a full ring", console_read(typed, sizeof(typed)),
                sizeof(ring->in));
    ring->in_prod += sizeof(ring->in) + 1;
    check_equal("console_read when in_prod is a ring and a byte ahead",
                console_read(typed, sizeof(typed)), 0);
}

static void test_port(void **state)
{
    evtchn_port_t other;

    (void)state;
    check_equal("console_start of a domU", start(false, 0), 0);
    other = fake_events_port();
    console_set_port(other);
    say("x");
    check_equal("events sent on the new port", fake_events.ports[other].nr_sent, 1);
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
        cmocka_unit_test_teardown(test_slow_reader, fake_machine_teardown),
        cmocka_unit_test_teardown(test_late_reader, fake_machine_teardown),
        cmocka_unit_test_teardown(test_hostile_indices, fake_machine_teardown),
        cmocka_unit_test_teardown(test_input, fake_machine_teardown),
        cmocka_unit_test_teardown(test_port, fake_machine_teardown),
    };

    return cmocka_run_group_tests_name("console", tests, NULL, NULL);
}
