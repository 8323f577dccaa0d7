/* SPDX-License-Identifier: MIT */
/*
 * The xenstore client, with a xenstored that breaks the protocol. xenstored runs in another domain:
 * without this test a malformed reply or ring index could make the guest read or write past its
 * buffers, or wait for ever. The protocol itself is tested in test_xenstore.c.
 */
#include "xen/xenstore.h"

#include "lib/errno.h"
#include "lib/format.h"

#include "xen/clock.h"
#include "xen/evtchn.h"

#include "tests/unit/fake_events.h"
#include "tests/unit/fake_store.h"
#include "tests/unit/harness.h"
#include "tests/unit/store_guest.h"

#include <string.h>

static int start(void **state)
{
    (void)state;
    sg_start(0);
    return 0;
}

/* clang-format off */
static const struct {
    enum fake_store_fault fault;
    const char *says;
} fatal[] = {
    {STORE_TOO_LONG,       "sent a message longer than XENSTORE_PAYLOAD_MAX"},
    {STORE_RSP_PROD_FAR,   "index rsp_prod is not within 1024 above rsp_cons"},
    {STORE_RSP_PROD_BACK,  "index rsp_prod is not within 1024 above rsp_cons"},
    {STORE_ERROR,          "xenstored has ended the connection: error 3"},
};
/* clang-format on */

/* Starts, with the watched node a. */
static void start_watched(void)
{
    sg_start(0);
    fake_store_set("a", "hello");
    check_equal("xs_watch of a", xs_watch(&sg_watch), 0);
    xenstore_poll();
    sg_watch.fired = false;
}

/* Starts, and reads a node whose reply has the fault. Returns the result. */
static int read_with_fault(enum fake_store_fault fault, size_t piece, uint32_t features)
{
    struct xs_reply reply;

    start_watched();
    sg_ring->server_features = features;
    fake_store.piece = piece;
    fake_store.fault = fault;
    fake_store.fault_at = fake_store.nr_requests + 1;
    return xs_read(0, "a", &reply);
}

static void test_broken_protocol(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(fatal); i++) {
        for (size_t piece = 0; piece < 2; piece++) {
            check_equal(fatal[i].says, read_with_fault(fatal[i].fault, piece, 0), -EIO);
            check_says("message on the broken protocol", output(), fatal[i].says);
            check_says("message on the end of the connection", output(),
                       "all further xenstore requests fail with EIO");
            output_clear();
            sg_check_dead(fatal[i].says);
            check_equal("output of requests on a dead connection", strlen(output()), 0);
        }
    }
}

/* A xenstored that can make a new connection (bit 0 of server_features) is asked for one. */
static void test_new_connection(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(fatal); i++) {
        for (size_t piece = 0; piece < 2; piece++) {
            check_equal(
                fatal[i].says,
                read_with_fault(fatal[i].fault, piece, XENSTORE_SERVER_FEATURE_RECONNECTION), -EIO);
            check_says("message on the broken protocol", output(), fatal[i].says);
            check_says("message on the new connection", output(),
                       "this domain asks xenstored for a new connection");
            check_true("the connection is not given up", xenstore_is_connected());
            fake_store.is_silent = false;
            fake_store.piece = 0;
            sg_check_node("a", "hello");
            check_equal("number of new connections", fake_store.nr_reconnected, 1);
            check_equal("watches in xenstored, before the next poll", fake_store_watches(), 0);
            check_true("the watch fires after the gap", sg_watch.fired);
            xenstore_poll();
            check_equal("watches in xenstored, after the poll", fake_store_watches(), 1);
            xenstore_poll();
            sg_watch.fired = false;
            fake_store_set("a", "new");
            (void)fake_store_turn();
            xenstore_poll();
            check_true("the watch fires on the new connection", sg_watch.fired);
            check_equal("xs_unwatch of a", xs_unwatch(&sg_watch), 0);
            sg_ask_everything();
        }
    }
}

/* A xenstored that breaks each connection is given up. */
static void test_each_connection_broken(void **state)
{
    unsigned int n = 0;

    (void)state;
    sg_start(0);
    sg_ring->server_features = XENSTORE_SERVER_FEATURE_RECONNECTION;
    fake_store.fault = STORE_TOO_LONG;
    for (; xenstore_is_connected() && n < 100; n++) {
        fake_store.fault_at = fake_store.nr_requests + 1;
        check_equal("xs_write on a connection that breaks", xs_write(0, "a", "b"), -EIO);
    }
    check_equal("requests until xenstored is given up", n, 17);
    sg_check_dead("connection after 16 new ones");
}

/* The new connection is requested, and does not come. */
static void test_no_new_connection(void **state)
{
    uint64_t before;

    (void)state;
    check_equal("xs_read of a broken reply",
                read_with_fault(STORE_TOO_LONG, 0, XENSTORE_SERVER_FEATURE_RECONNECTION), -EIO);
    fake_store.is_silent = true;
    before = clock_ns();
    check_equal("xs_write without a new connection", xs_write(0, "a", "b"), -ETIMEDOUT);
    check_equal("time of a request without a new connection", clock_ns() - before,
                XENSTORE_PATIENCE * NS_PER_S);
    xenstore_poll();
    check_equal("second xs_write without a new connection", xs_write(0, "a", "b"), -ETIMEDOUT);
    check_equal("time of the second request", clock_ns() - before,
                (XENSTORE_PATIENCE + XENSTORE_LATE_PATIENCE) * NS_PER_S);
    fake_store.is_silent = false;
    check_equal("xs_write when the new connection is there", xs_write(0, "a", "c"), 0);
    check_true("xenstored is late no more", !xenstore_is_late());
}

/* connection is 1 from the beginning: the domain was started before xenstored (Hyperlaunch). */
static void test_started_before_xenstored(void **state)
{
    (void)state;
    sg_start(0);
    sg_ring->connection = XENSTORE_RECONNECT;
    sg_ring->rsp_prod = 77; /* all other fields must be ignored */
    fake_store.is_silent = true;
    sg_forget_events();
    check_equal("xenstore_start before xenstored", xenstore_start(sg_page, fake_store.port, false),
                0);
    check_equal("xs_watch before xenstored", xs_watch(&sg_watch), -ETIMEDOUT);
    check_equal("bytes that were sent before xenstored", sg_ring->req_prod, 0);
    fake_store.is_silent = false;
    sg_ring->server_features = XENSTORE_SERVER_FEATURE_RECONNECTION;
    (void)fake_store_turn();
    xenstore_poll();
    check_equal("watches in xenstored, after it has started", fake_store_watches(), 1);
    check_equal("xs_unwatch of a", xs_unwatch(&sg_watch), 0);
    sg_ask_everything();
}

/* xenstored claims in req_cons to have read bytes that were not written: the next request fails. */
static void test_req_cons_ahead(void **state)
{
    (void)state;
    fake_store.fault = STORE_REQ_CONS_AHEAD;
    fake_store.fault_at = 1;
    check_equal("xs_write that is answered before req_cons is checked", xs_write(0, "a", "b"), 0);
    check_equal("xs_write after req_cons ran ahead", xs_write(0, "a", "c"), -EIO);
    check_says("message on req_cons", output(), "index req_cons is not within 1024 below req_prod");
    sg_check_dead("connection after req_cons ran ahead");
}

/* The client keeps its own indices and does not read them back from the ring page. */
static void test_our_indices(void **state)
{
    (void)state;
    check_equal("xs_write with correct indices", xs_write(0, "a", "b"), 0);
    sg_ring->req_prod += 2000;
    sg_ring->rsp_cons -= 500;
    check_equal("xs_write after xenstored changed the guest's indices", xs_write(0, "a", "c"), 0);
    sg_check_node("a", "c");
    check_equal("rsp_cons after a request", sg_ring->rsp_cons, sg_ring->rsp_prod);
    sg_check_canary("bytes behind the ring");
}

static void test_transaction_numbers(void **state)
{
    (void)state;
    for (enum fake_store_fault fault = STORE_NO_TX; fault <= STORE_TX_HUGE; fault++) {
        xs_tx_t tx = 77;

        sg_start(0);
        fake_store.fault = fault;
        fake_store.fault_at = 1;
        check_equal("xs_begin with a bad transaction number", xs_begin(&tx), -EIO);
        check_equal("transaction after a failed xs_begin", tx, 77);
        check_says("message on a bad transaction number", output(),
                   "reply to XS_TRANSACTION_START has no valid number");
        check_equal("xs_begin after a bad transaction number", xs_begin(&tx), 0);
    }
}

/* A reply of another type fails the request alone: the messages are still whole. */
static void test_unknown_type(void **state)
{
    char text[80];

    (void)state;
    check_equal("xs_read with a reply of another type", read_with_fault(STORE_UNKNOWN_TYPE, 0, 0),
                -EIO);
    format(text, sizeof(text), "the type of xenstored's reply is %d, expected %d, the type of",
           XS_TYPE_COUNT + 5, XS_READ);
    check_says("message on the type", output(), text);
    sg_check_node("a", "hello");
}

/* Odd messages that must not end the connection. */
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

        start_watched();
        fake_store.fault = rows[i].fault;
        fake_store.fault_at = 2;
        check_equal("xs_read with an odd message", xs_read(0, "a", &reply), rows[i].rc);
        if (rows[i].fault == STORE_LONGEST) {
            check_equal("length of the longest reply", reply.len_bytes, XENSTORE_PAYLOAD_MAX);
            check_equal("terminated length of the longest reply", strlen(reply.data),
                        XENSTORE_PAYLOAD_MAX);
        }
        check_equal("the watch fires only because the ring was full", sg_watch.fired,
                    rows[i].fault == STORE_LONGEST || rows[i].fault == STORE_EVENT_LONGEST);
        check_true("the connection is alive after an odd message", xenstore_is_connected());
        sg_check_node("a", "hello");
        sg_check_canary("bytes behind the ring");
    }
}

/* A reply without a request is dropped, as the reply to a request that timed out. */
static void test_unasked(void **state)
{
    static const struct xsd_sockmsg reply = {.type = XS_READ, .req_id = 1};

    (void)state;
    for (size_t i = 0; i < sizeof(reply); i++)
        sg_ring->rsp[i] = ((const char *)&reply)[i];
    sg_ring->rsp_prod = sizeof(reply);
    xenstore_poll();
    check_equal("rsp_cons after a reply without a request", sg_ring->rsp_cons, sizeof(reply));
    sg_ask_everything();
}

/* Events without data keep waking the guest while the clock advances: the timeout must still end
 * it. */
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
    check_equal("xs_write with events but no reply", xs_write(0, "a", "b"), -ETIMEDOUT);
    fake_events.idle = fake_store_turn;
    sg_ask_everything();
}

/* Watch events, or replies that nobody waits for, without end: each look at the ring has an end. */
static uint32_t storm_type;

static void storm(evtchn_port_t port)
{
    const struct xsd_sockmsg message = {.type = storm_type, .req_id = 1000000};

    (void)port;
    while (sg_ring->rsp_prod - sg_ring->rsp_cons <= XENSTORE_RING_SIZE - sizeof(message))
        for (size_t i = 0; i < sizeof(message); i++)
            sg_ring->rsp[MASK_XENSTORE_IDX(sg_ring->rsp_prod++)] = ((const char *)&message)[i];
    fake_events_set_time(clock_ns() + NS_PER_MS);
}

static void test_message_storm(void **state)
{
    static const uint32_t types[] = {XS_WATCH_EVENT, XS_READ, XS_ERROR};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        uint64_t before;

        sg_start(0);
        storm_type = types[i];
        fake_events.sent = storm;
        storm(0);
        before = clock_ns();
        xenstore_poll();
        check_true("a poll ends during a storm of messages", clock_ns() - before < NS_PER_S);
        before = clock_ns();
        check_equal("xs_write during a storm of messages", xs_write(0, "a", "b"), -ETIMEDOUT);
        check_true("the request ends in time",
                   clock_ns() - before < (XENSTORE_PATIENCE + 1) * NS_PER_S);
    }
}

/* Random bytes, one seed per case: no access out of bounds, and no request waits for ever. */
static void test_garbage(void **state)
{
    struct rng r = {.state = 1};

    (void)state;
    for (unsigned int seed = 0; seed < 2000; seed++) {
        struct xs_reply reply;
        size_t len = 1 + rng_below(&r, XENSTORE_RING_SIZE);

        sg_start((uint32_t)rng_next(&r));
        check_equal("xs_watch of a", xs_watch(&sg_watch), 0);
        xenstore_poll();
        for (size_t i = 0; i < len; i++)
            sg_ring->rsp[MASK_XENSTORE_IDX(sg_ring->rsp_prod + i)] = (char)rng_next(&r);
        if (seed % 2) { /* a plausible header with a random payload */
            struct xsd_sockmsg h = {.type = (uint32_t)rng_below(&r, XS_TYPE_COUNT),
                                    .req_id = (uint32_t)rng_next(&r),
                                    .len = (uint32_t)rng_below(&r, len)};

            for (size_t i = 0; i < sizeof(h); i++)
                sg_ring->rsp[MASK_XENSTORE_IDX(sg_ring->rsp_prod + i)] = ((const char *)&h)[i];
        }
        sg_ring->rsp_prod += (uint32_t)len;
        if (seed % 3 == 0)
            sg_ring->rsp_prod = (uint32_t)rng_next(&r);
        if (seed % 5 == 0)
            sg_ring->req_cons = (uint32_t)rng_next(&r);
        fake_store.is_silent = true;
        xenstore_poll();
        check_true("xs_read after random bytes fails", xs_read(0, "a", &reply) < 0);
        sg_check_canary("bytes behind the ring");
    }
}

/* A token that is no number belongs to no watch. */
static void test_token_word(void **state)
{
    static const char event[] = "a\0x";
    struct xsd_sockmsg h = {.type = XS_WATCH_EVENT, .len = sizeof(event)};

    (void)state;
    check_equal("xs_watch of a", xs_watch(&sg_watch), 0);
    xenstore_poll();
    sg_watch.fired = false;
    for (size_t i = 0; i < sizeof(h); i++)
        sg_ring->rsp[MASK_XENSTORE_IDX(sg_ring->rsp_prod + i)] = ((const char *)&h)[i];
    for (size_t i = 0; i < sizeof(event); i++)
        sg_ring->rsp[MASK_XENSTORE_IDX(sg_ring->rsp_prod + sizeof(h) + i)] = event[i];
    sg_ring->rsp_prod += sizeof(h) + sizeof(event);
    xenstore_poll();
    check_true("no watch fires for a token that is no number", !sg_watch.fired);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_broken_protocol),
        cmocka_unit_test(test_new_connection),
        cmocka_unit_test(test_each_connection_broken),
        cmocka_unit_test(test_no_new_connection),
        cmocka_unit_test(test_started_before_xenstored),
        cmocka_unit_test_setup(test_req_cons_ahead, start),
        cmocka_unit_test_setup(test_our_indices, start),
        cmocka_unit_test(test_transaction_numbers),
        cmocka_unit_test(test_unknown_type),
        cmocka_unit_test(test_oddities),
        cmocka_unit_test_setup(test_unasked, start),
        cmocka_unit_test_setup(test_noise_is_no_answer, start),
        cmocka_unit_test(test_message_storm),
        cmocka_unit_test(test_garbage),
        cmocka_unit_test_setup(test_token_word, start),
    };

    return cmocka_run_group_tests_name("xenstore, a hostile xenstored", tests, NULL, NULL);
}
