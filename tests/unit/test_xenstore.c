/* SPDX-License-Identifier: MIT */
/*
 * xenstored is another domain's program, and a guest that believes it can be made to read and write
 * past its buffers, or to wait for ever. Without this that would be found by whoever tries; and a
 * reply that comes in two halves, or behind a watch event, would be taken for another.
 */
#include "xen/xenstore.h"

#include "lib/errno.h"

#include "xen/clock.h"
#include "xen/evtchn.h"

#include "tests/unit/fake_events.h"
#include "tests/unit/fake_store.h"
#include "tests/unit/fake_xen.h"
#include "tests/unit/harness.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <xen/errno.h>

#define RING_BYTES sizeof(struct xenstore_domain_interface)
#define CANARY     0xa5

static struct shared_info shared __attribute__((aligned(4096)));
static uint8_t *page; /* between two that cannot be touched */
static volatile struct xenstore_domain_interface *ring;
static struct xs_watch watch;

static void wake(void *context)
{
    (void)context;
}

static void start_at(uint32_t index)
{
    evtchn_port_t port, timer;

    if (!page) {
        page = mmap(NULL, 3 * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        page += 4096;
        mprotect(page, 4096, PROT_READ | PROT_WRITE);
    }
    memset(page, CANARY, 4096);
    ring = (volatile struct xenstore_domain_interface *)page;
    fake.fail_at = 0;
    fake_events_start(&shared);
    port = fake_events_port();
    clock_start(&shared.vcpu_info[0].time);
    evtchn_start(&shared);
    check_equal("timer", evtchn_bind_virq(VIRQ_TIMER, wake, NULL, &timer), 0);
    fake_store_start(page, port);
    ring->req_prod = ring->req_cons = ring->rsp_prod = ring->rsp_cons = index;
    watch = (struct xs_watch){.path = "a"};
    check_equal("connect", xenstore_start(page, port), 0);
    output_clear();
}

static int start(void **state)
{
    (void)state;
    start_at(0);
    return 0;
}

static void check_canary(const char *what)
{
    for (size_t i = RING_BYTES; i < 4096; i++)
        check_equal(what, page[i], CANARY);
}

/* Before any other: nothing was ever connected. */
static void test_no_store(void **state)
{
    struct xs_reply reply;

    (void)state;
    check_equal("read", xs_read(0, "a", &reply), -ENODEV);
    check_true("not connected", !xenstore_is_connected());
    xenstore_poll();
    check_equal("suspend", xenstore_suspend(), 0);
}

static void check_node(const char *path, const char *value)
{
    struct xs_reply reply;

    check_equal(path, xs_read(0, path, &reply), 0);
    assert_string_equal(reply.data, value);
    check_equal("its length", reply.len_bytes, strlen(value));
}

/* All that can be asked. */
static void ask_everything(void)
{
    struct xs_reply reply;
    xs_tx_t tx;

    check_equal("write", xs_write(0, "a/b", "hello"), 0);
    check_equal("write", xs_write(0, "a/c", ""), 0);
    check_node("a/b", "hello");
    check_node("a/c", "");
    check_equal("no such node", xs_read(0, "a/d", &reply), -ENOENT);
    check_equal("list", xs_list(0, "a", &reply), 0);
    check_equal("two names", reply.len_bytes, 4);
    check_equal("with an end each", memcmp(reply.data, "b\0c", 4), 0);
    check_equal("remove", xs_remove(0, "a/c"), 0);
    check_equal("gone", xs_remove(0, "a/c"), -ENOENT);
    check_true("really", !fake_store_get("a/c"));

    check_equal("watch", xs_watch(&watch), 0);
    check_equal("begin", xs_begin(&tx), 0);
    check_equal("write", xs_write(tx, "a/b", "in it"), 0);
    check_equal("not seen yet", strcmp(fake_store_get("a/b"), "hello"), 0);
    check_equal("read", xs_read(tx, "a/b", &reply), 0);
    assert_string_equal(reply.data, "in it");
    check_equal("commit", xs_end(tx, true), 0);
    assert_string_equal(fake_store_get("a/b"), "in it");
    check_equal("begin", xs_begin(&tx), 0);
    check_equal("remove", xs_remove(tx, "a/b"), 0);
    check_equal("not after all", xs_end(tx, false), 0);
    check_equal("and not again", xs_end(tx, false), -ENOENT);
    check_node("a/b", "in it");
    check_true("watched", watch.fired);
    check_equal("unwatch", xs_unwatch(&watch), 0);
    check_equal("nothing left there", fake_store_watches(), 0);
    check_equal("nor here", xs_count_watches(), 0);
    check_equal("no transaction either", fake_store_transactions(), 0);
    check_true("all is well", xenstore_is_connected());
    check_canary("behind the ring");
}

static void test_everything(void **state)
{
    static const size_t pieces[] = {0, 1, 2, 15, 16, 17, 1023};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
        start_at(0);
        fake_store.piece = pieces[i];
        fake_store.needs_kick = true;
        ask_everything();
        /* indices that are about to wrap; a kernel that was loaded by another one finds such */
        start_at((uint32_t)-20);
        fake_store.piece = pieces[i];
        fake_store.events_first = true;
        ask_everything();
    }
}

/* Whose a node is: its path, and who may what, each terminated. */
static void test_permissions(void **state)
{
    (void)state;
    check_equal("write", xs_write(0, "a/b", "x"), 0);
    check_equal("perms", xs_set_perms(0, "a/b", "n5"), 0);
    assert_string_equal(fake_store.perms, "n5");
    check_equal("perms", xs_set_perms(0, "a/b", "r1234"), 0);
    assert_string_equal(fake_store.perms, "r1234");
    check_equal("no such node", xs_set_perms(0, "a/c", "n5"), -ENOENT);
    fake_store.refuse_at = fake_store.nr_requests + 1;
    fake_store.refuse_with = "EACCES";
    check_equal("not ours", xs_set_perms(0, "a/b", "n5"), -EACCES);
    check_equal("in no transaction", fake_store.nr_in_tx, 0);
    check_equal("in one that there is not", xs_set_perms(3, "a/b", "n5"), -ENOENT);
    check_equal("in that one", fake_store.nr_in_tx, 1);
    xenstore_stop();
    check_equal("no store", xs_set_perms(0, "a/b", "n5"), -ENODEV);
}

/* A request that is larger than the ring, and the longest there may be. */
static void test_long_requests(void **state)
{
    static char value[XENSTORE_PAYLOAD_MAX + 2];

    (void)state;
    fake_store.needs_kick = true;
    for (size_t len = 1000; len < 1100; len += 7) {
        memset(value, 'v', len);
        value[len] = '\0';
        check_equal("write", xs_write(0, "a", value), 0);
        check_node("a", value);
    }
    memset(value, 'v', sizeof(value) - 1);
    value[XENSTORE_PAYLOAD_MAX - 2] = '\0';
    check_equal("the longest", xs_write(0, "a", value), 0);
    assert_string_equal(fake_store_get("a"), value);
    value[XENSTORE_PAYLOAD_MAX - 2] = 'v';
    value[XENSTORE_PAYLOAD_MAX - 1] = '\0';
    uint32_t before = ring->req_prod;
    check_equal("one more", xs_write(0, "a", value), -E2BIG);
    check_equal("was not begun", ring->req_prod, before);
    check_equal("a path alone", xs_read(0, value, &(struct xs_reply){0}), -EINVAL);
    check_true("all is well", xenstore_is_connected());
}

/* Events come between any two bytes of what is asked. */
static void test_event_inside_a_request(void **state)
{
    static char value[3000];

    (void)state;
    memset(value, 'v', sizeof(value) - 1);
    check_equal("watch", xs_watch(&watch), 0);
    xenstore_poll();
    for (size_t at = 1; at < 2900; at += 97) {
        watch.fired = false;
        fake_store.event_within = at;
        check_equal("write", xs_write(0, "b", value), 0);
        fake_store.event_within = 0;
        check_node("b", value);
        check_true("the event was heard", watch.fired);
    }
}

static void test_watches(void **state)
{
    static struct xs_watch many[17];
    char names[17][8];

    (void)state;
    for (unsigned int i = 0; i < 17; i++) {
        snprintf(names[i], sizeof(names[i]), "w%u", i);
        many[i] = (struct xs_watch){.path = names[i]};
        check_equal("watch", xs_watch(&many[i]), i < 16 ? 0 : -ENOMEM);
    }
    check_equal("as many as there is room for", xs_count_watches(), 16);
    xenstore_poll();
    for (unsigned int i = 0; i < 16; i++) {
        check_true("once at the start", many[i].fired);
        many[i].fired = false;
    }
    fake_store_set("w10/below", "x");
    fake_store_set("w1", "x");
    fake_store_set("w", "x");
    (void)fake_store_turn();
    xenstore_poll();
    for (unsigned int i = 0; i < 16; i++)
        check_equal("those alone", many[i].fired, i == 1 || i == 10);
    check_equal("unwatch", xs_unwatch(&many[3]), 0);
    check_equal("twice", xs_unwatch(&many[3]), -ENOENT);
    check_equal("there is room again", xs_watch(&many[16]), 0);
    /* refused: the place is free again */
    check_equal("unwatch", xs_unwatch(&many[16]), 0);
    fake_store.refuse_at = fake_store.nr_requests + 1;
    fake_store.refuse_with = "EACCES";
    check_equal("refused", xs_watch(&many[16]), -EACCES);
    check_equal("watches", xs_count_watches(), 15);
}

/* xenstored may say so before it says that it will. */
static void test_first_event_first(void **state)
{
    (void)state;
    fake_store.events_first = true;
    check_equal("watch", xs_watch(&watch), 0);
    check_true("fired", watch.fired);
}

static void test_errors(void **state)
{
    static const struct {
        const char *word;
        int rc;
    } rows[] = {
        {"EINVAL",  -EINVAL},
        {"EACCES",  -EACCES},
        {"EEXIST",  -EEXIST},
        {"ENOENT",  -ENOENT},
        {"ENOMEM",  -ENOMEM},
        {"ENOSPC",  -ENOMEM},
        {"ENOSYS",  -ENOSYS},
        {"EBUSY",   -EBUSY },
        {"EAGAIN",  -EAGAIN},
        {"E2BIG",   -E2BIG },
        {"EPERM",   -EPERM },
        {"EROFS",   -EINVAL},
        {"enoent",  -EINVAL},
        {"ENOENTS", -EINVAL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        fake_store.refuse_at = fake_store.nr_requests + 1;
        fake_store.refuse_with = rows[i].word;
        check_equal(rows[i].word, xs_write(0, "a", "b"), rows[i].rc);
        check_true("no reason to part", xenstore_is_connected());
    }
}

static void test_conflict(void **state)
{
    xs_tx_t tx;

    (void)state;
    fake_store.nr_conflicts = 1;
    for (int round = 0; round < 2; round++) {
        check_equal("begin", xs_begin(&tx), 0);
        check_equal("write", xs_write(tx, "a", "x"), 0);
        check_equal("end", xs_end(tx, true), round ? 0 : -EAGAIN);
        check_equal("done", fake_store_get("a") != NULL, round);
    }
}

/* The connection is at an end, for good: nothing is sent, nothing is taken in, nothing waits. */
static void check_dead(const char *what)
{
    uint32_t req_prod = ring->req_prod, rsp_cons = ring->rsp_cons;
    struct xs_reply reply;
    uint64_t now = clock_ns();
    xs_tx_t tx;

    fake.nr_hypercalls = 0;
    check_true(what, !xenstore_is_connected());
    check_equal(what, xs_read(0, "a", &reply), -EIO);
    check_equal(what, xs_write(0, "a", "b"), -EIO);
    check_equal(what, xs_begin(&tx), -EIO);
    check_equal(what, xs_watch(&watch), -EIO);
    xenstore_poll();
    check_equal(what, ring->req_prod, req_prod);
    check_equal(what, ring->rsp_cons, rsp_cons);
    check_equal(what, fake.nr_hypercalls, 0);
    check_equal(what, clock_ns(), now);
    check_canary(what);
}

/* clang-format off */
static const struct fatal {
    enum fake_store_fault fault;
    const char *says;
    bool slow; /* found by waiting */
} fatal[] = {
    {STORE_TOO_LONG,       "sends a message longer than the protocol allows", false},
    {STORE_RSP_PROD_FAR,   "has written more than there is room for", false},
    {STORE_RSP_PROD_BACK,  "has written more than there is room for", false},
    {STORE_UNKNOWN_ID,     "answers a request that was not made", false},
    {STORE_UNKNOWN_TYPE,   "answers with another type than was asked", false},
    {STORE_SILENCE,        "does not answer", true},
    {STORE_HALF_HEADER,    "does not answer", true},
    {STORE_HALF_REPLY,     "does not answer", true},
};
/* clang-format on */

static void test_broken_protocol(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(fatal); i++) {
        for (size_t piece = 0; piece < 2; piece++) {
            struct xs_reply reply;
            uint64_t before;

            start_at(0);
            fake_store_set("a", "hello");
            fake_store.piece = piece;
            fake_store.fault = fatal[i].fault;
            fake_store.fault_at = 1;
            before = clock_ns();
            check_equal(fatal[i].says, xs_read(0, "a", &reply), -EIO);
            check_says("the reason", output(), fatal[i].says);
            check_says("once", output(), "going on without it");
            check_equal(fatal[i].says, clock_ns() - before,
                        fatal[i].slow ? XENSTORE_PATIENCE * NS_PER_S : 0);
            output_clear();
            check_dead(fatal[i].says);
            check_equal("and not said again", strlen(output()), 0);
        }
    }
}

/* It claims to have read what was not written. The next request finds that. */
static void test_req_cons_ahead(void **state)
{
    (void)state;
    fake_store.fault = STORE_REQ_CONS_AHEAD;
    fake_store.fault_at = 1;
    check_equal("answered before it is seen", xs_write(0, "a", "b"), 0);
    check_equal("then", xs_write(0, "a", "c"), -EIO);
    check_says("the reason", output(), "has read more than was written");
    check_dead("req_cons");
}

/* The indices that are ours are known to us, whatever is written over them. */
static void test_our_indices(void **state)
{
    (void)state;
    check_equal("write", xs_write(0, "a", "b"), 0);
    ring->req_prod += 2000;
    ring->rsp_cons -= 500;
    check_equal("write", xs_write(0, "a", "c"), 0);
    check_node("a", "c");
    check_equal("as if nothing had been", ring->rsp_cons, ring->rsp_prod);
    check_canary("behind the ring");
}

static void test_transaction_numbers(void **state)
{
    (void)state;
    for (enum fake_store_fault fault = STORE_NO_TX; fault <= STORE_TX_HUGE; fault++) {
        xs_tx_t tx = 77;

        start_at(0);
        fake_store.fault = fault;
        fake_store.fault_at = 1;
        check_equal("begin", xs_begin(&tx), -EIO);
        check_equal("none given", tx, 77);
        check_says("the reason", output(), "gives a transaction no number");
        check_dead("transaction");
    }
}

/* What is odd, and no reason to part. */
static void test_oddities(void **state)
{
    static const struct {
        enum fake_store_fault fault;
        int rc;
    } rows[] = {
        {STORE_NO_TERMINATOR,     -ENOENT},
        {STORE_LONGEST,           0      },
        {STORE_UNKNOWN_ERROR,     -EINVAL},
        {STORE_EMPTY_ERROR,       -EINVAL},
        {STORE_EVENT_EMPTY,       0      },
        {STORE_EVENT_NO_TOKEN,    0      },
        {STORE_EVENT_NO_ZERO,     0      },
        {STORE_EVENT_TOKEN_RANGE, 0      },
        {STORE_EVENT_TOKEN_HUGE,  0      },
        {STORE_EVENT_TOKEN_FREE,  0      },
        {STORE_EVENT_LONGEST,     0      },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct xs_reply reply;

        start_at(0);
        fake_store_set("a", "hello");
        check_equal("watch", xs_watch(&watch), 0);
        xenstore_poll();
        watch.fired = false;
        fake_store.fault = rows[i].fault;
        fake_store.fault_at = 2;
        check_equal("read", xs_read(0, "a", &reply), rows[i].rc);
        if (rows[i].fault == STORE_LONGEST) {
            check_equal("its length", reply.len_bytes, XENSTORE_PAYLOAD_MAX);
            check_equal("has an end", strlen(reply.data), XENSTORE_PAYLOAD_MAX);
        }
        check_true("no watch of ours", !watch.fired);
        check_true("still connected", xenstore_is_connected());
        check_node("a", "hello");
        check_canary("behind the ring");
    }
}

/* An answer that nobody asked for. */
static void test_unasked(void **state)
{
    static const struct xsd_sockmsg reply = {.type = XS_READ, .req_id = 1};

    (void)state;
    for (size_t i = 0; i < sizeof(reply); i++)
        ring->rsp[i] = ((const char *)&reply)[i];
    ring->rsp_prod = sizeof(reply);
    xenstore_poll();
    check_says("the reason", output(), "answers what was not asked");
    check_dead("unasked");
}

/* Someone else keeps waking us, and the clock goes on: patience ends all the same. */
static bool only_noise(void)
{
    fake_events_raise(fake_store.port);
    fake_events_set_time(clock_ns() + NS_PER_S);
    return true;
}

static void test_noise_is_no_answer(void **state)
{
    (void)state;
    fake_events.idle = only_noise;
    check_equal("write", xs_write(0, "a", "b"), -EIO);
    check_says("the reason", output(), "does not answer");
    check_dead("noise");
}

/* Garbage of any kind, a seed a case: an end, or not, but no access out of bounds and no hang. */
static void test_garbage(void **state)
{
    struct rng r = {.state = 1};

    (void)state;
    for (unsigned int seed = 0; seed < 2000; seed++) {
        struct xs_reply reply;
        size_t len = 1 + rng_below(&r, XENSTORE_RING_SIZE);

        start_at((uint32_t)rng_next(&r));
        check_equal("watch", xs_watch(&watch), 0);
        xenstore_poll();
        for (size_t i = 0; i < len; i++)
            ring->rsp[MASK_XENSTORE_IDX(ring->rsp_prod + i)] = (char)rng_next(&r);
        if (seed % 2) { /* a header that may be true, with any payload */
            struct xsd_sockmsg h = {.type = (uint32_t)rng_below(&r, XS_TYPE_COUNT),
                                    .req_id = (uint32_t)rng_next(&r),
                                    .len = (uint32_t)rng_below(&r, len)};

            for (size_t i = 0; i < sizeof(h); i++)
                ring->rsp[MASK_XENSTORE_IDX(ring->rsp_prod + i)] = ((const char *)&h)[i];
        }
        ring->rsp_prod += (uint32_t)len;
        if (seed % 3 == 0)
            ring->rsp_prod = (uint32_t)rng_next(&r);
        if (seed % 5 == 0)
            ring->req_cons = (uint32_t)rng_next(&r);
        fake_store.is_silent = true;
        xenstore_poll();
        check_equal("no reply in that", xs_read(0, "a", &reply), -EIO);
        check_canary("behind the ring");
    }
}

/* Half a message has come when the domain is to be suspended. */
static void test_suspend(void **state)
{
    (void)state;
    check_equal("nothing half said", xenstore_suspend(), 0);
    check_equal("watch", xs_watch(&watch), 0);
    xenstore_poll();
    watch.fired = false;
    fake_store_set("a", "b");
    fake_store.piece = 5;
    (void)fake_store_turn();
    check_equal("waits for the rest", xenstore_suspend(), 0);
    check_true("and takes it", watch.fired);
    check_equal("all of it", ring->rsp_cons, ring->rsp_prod);

    fake_store_set("a", "c");
    (void)fake_store_turn();
    fake_store.is_silent = true;
    check_equal("which does not come", xenstore_suspend(), -EIO);
    check_says("the reason", output(), "does not answer");
    check_dead("suspend");
    check_equal("no connection is no obstacle", xenstore_suspend(), 0);
}

/* In a new domain: what was broken is forgotten, and half a message too. */
static void test_reconnect(void **state)
{
    (void)state;
    check_equal("watch", xs_watch(&watch), 0);
    fake_store_set("a", "b");
    fake_store.piece = 5;
    (void)fake_store_turn();
    xenstore_poll();
    fake_store.is_silent = true;
    check_equal("broken", xs_write(0, "a", "b"), -EIO);
    evtchn_start(&shared);
    fake_store_start(page, fake_store.port);
    fake.fail_at = 1;
    fake.nr_hypercalls = 0;
    fake.fail_with = -XEN_EPERM;
    check_equal("refused", xenstore_start(page, fake_store.port), -XEN_EPERM);
    fake.fail_at = 0;
    check_equal("connect", xenstore_start(page, fake_store.port), 0);
    check_equal("no watch is left", xs_count_watches(), 0);
    ask_everything();
}

/* A notification that Xen refuses is lost, and no more than that. */
static void test_every_hypercall_failing(void **state)
{
    unsigned int n;

    (void)state;
    for (n = 1;; n++) {
        start_at(0);
        fake.nr_hypercalls = 0;
        fake.fail_at = n;
        fake.fail_with = -XEN_EINVAL;
        ask_everything();
        if (fake.nr_hypercalls < n)
            break;
    }
    fake.fail_at = 0;
    check_true("all of them", n > 20);
}

/* xenstored may take no more of a request while events wait to be read. */
static void test_both_wait(void **state)
{
    static char value[3000];

    (void)state;
    memset(value, 'v', sizeof(value) - 1);
    check_equal("watch", xs_watch(&watch), 0);
    xenstore_poll();
    fake_store.one_by_one = true;
    for (int i = 0; i < 200; i++)
        fake_store_set("a", "x");
    check_equal("write", xs_write(0, "b", value), 0);
}

/* A token that is no number is none of ours. */
static void test_token_word(void **state)
{
    static const char event[] = "a\0x";
    struct xsd_sockmsg h = {.type = XS_WATCH_EVENT, .len = sizeof(event)};

    (void)state;
    check_equal("watch", xs_watch(&watch), 0);
    xenstore_poll();
    watch.fired = false;
    for (size_t i = 0; i < sizeof(h); i++)
        ring->rsp[MASK_XENSTORE_IDX(ring->rsp_prod + i)] = ((const char *)&h)[i];
    for (size_t i = 0; i < sizeof(event); i++)
        ring->rsp[MASK_XENSTORE_IDX(ring->rsp_prod + sizeof(h) + i)] = event[i];
    ring->rsp_prod += sizeof(h) + sizeof(event);
    xenstore_poll();
    check_true("no watch of ours", !watch.fired);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_store),
        cmocka_unit_test(test_everything),
        cmocka_unit_test_setup(test_permissions, start),
        cmocka_unit_test_setup(test_long_requests, start),
        cmocka_unit_test_setup(test_event_inside_a_request, start),
        cmocka_unit_test_setup(test_watches, start),
        cmocka_unit_test_setup(test_first_event_first, start),
        cmocka_unit_test_setup(test_errors, start),
        cmocka_unit_test_setup(test_conflict, start),
        cmocka_unit_test(test_broken_protocol),
        cmocka_unit_test_setup(test_req_cons_ahead, start),
        cmocka_unit_test_setup(test_our_indices, start),
        cmocka_unit_test(test_transaction_numbers),
        cmocka_unit_test(test_oddities),
        cmocka_unit_test_setup(test_unasked, start),
        cmocka_unit_test_setup(test_noise_is_no_answer, start),
        cmocka_unit_test(test_garbage),
        cmocka_unit_test_setup(test_suspend, start),
        cmocka_unit_test_setup(test_reconnect, start),
        cmocka_unit_test(test_every_hypercall_failing),
        cmocka_unit_test(test_both_wait),
        cmocka_unit_test(test_token_word),
    };

    return cmocka_run_group_tests_name("xenstore", tests, NULL, NULL);
}
