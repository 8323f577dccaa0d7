/* SPDX-License-Identifier: MIT */
/*
 * The xenstore client, with a xenstored that breaks the protocol. xenstored runs in another domain:
 * without this test a malformed reply or ring index could make the guest read or write past its
 * buffers, or wait for ever. The protocol itself is tested in test_xenstore.c.
 */
#include "xen/xenstore.h"

#include "lib/errno.h"

#include "xen/clock.h"

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
static const struct fatal {
    enum fake_store_fault fault;
    const char *says;
    bool slow; /* detected by a timeout */
} fatal[] = {
    {STORE_TOO_LONG,       "sent a message longer than XENSTORE_PAYLOAD_MAX", false},
    {STORE_RSP_PROD_FAR,   "index rsp_prod is not within 1024 above rsp_cons", false},
    {STORE_RSP_PROD_BACK,  "index rsp_prod is not within 1024 above rsp_cons", false},
    {STORE_UNKNOWN_ID,     "the req_id of xenstored's reply is not that of", false},
    {STORE_UNKNOWN_TYPE,   "the type of xenstored's reply is not that of", false},
    {STORE_SILENCE,        "did not reply in time", true},
    {STORE_HALF_HEADER,    "did not reply in time", true},
    {STORE_HALF_REPLY,     "did not reply in time", true},
};
/* clang-format on */

static void test_broken_protocol(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(fatal); i++) {
        for (size_t piece = 0; piece < 2; piece++) {
            struct xs_reply reply;
            uint64_t before;

            sg_start(0);
            fake_store_set("a", "hello");
            fake_store.piece = piece;
            fake_store.fault = fatal[i].fault;
            fake_store.fault_at = 1;
            before = clock_ns();
            check_equal(fatal[i].says, xs_read(0, "a", &reply), -EIO);
            check_says("message on the broken protocol", output(), fatal[i].says);
            check_says("message on the end of the connection", output(),
                       "further requests fail with EIO");
            check_equal(fatal[i].says, clock_ns() - before,
                        fatal[i].slow ? XENSTORE_PATIENCE * NS_PER_S : 0);
            output_clear();
            sg_check_dead(fatal[i].says);
            check_equal("output of requests on a dead connection", strlen(output()), 0);
        }
    }
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
        sg_check_dead("connection after a bad transaction number");
    }
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

        sg_start(0);
        fake_store_set("a", "hello");
        check_equal("xs_watch of a", xs_watch(&sg_watch), 0);
        xenstore_poll();
        sg_watch.fired = false;
        fake_store.fault = rows[i].fault;
        fake_store.fault_at = 2;
        check_equal("xs_read with an odd message", xs_read(0, "a", &reply), rows[i].rc);
        if (rows[i].fault == STORE_LONGEST) {
            check_equal("length of the longest reply", reply.len_bytes, XENSTORE_PAYLOAD_MAX);
            check_equal("terminated length of the longest reply", strlen(reply.data),
                        XENSTORE_PAYLOAD_MAX);
        }
        check_true("no watch fires for an odd event", !sg_watch.fired);
        check_true("the connection is alive after an odd message", xenstore_is_connected());
        sg_check_node("a", "hello");
        sg_check_canary("bytes behind the ring");
    }
}

/* A reply without a request. */
static void test_unasked(void **state)
{
    static const struct xsd_sockmsg reply = {.type = XS_READ, .req_id = 1};

    (void)state;
    for (size_t i = 0; i < sizeof(reply); i++)
        sg_ring->rsp[i] = ((const char *)&reply)[i];
    sg_ring->rsp_prod = sizeof(reply);
    xenstore_poll();
    check_says("message on a reply without a request", output(),
               "sent a reply although there was no request");
    sg_check_dead("connection after a reply without a request");
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
    check_equal("xs_write with events but no reply", xs_write(0, "a", "b"), -EIO);
    check_says("message on the missing reply", output(), "did not reply in time");
    sg_check_dead("connection after a missing reply");
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
        check_equal("xs_read after random bytes", xs_read(0, "a", &reply), -EIO);
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
        cmocka_unit_test_setup(test_req_cons_ahead, start),
        cmocka_unit_test_setup(test_our_indices, start),
        cmocka_unit_test(test_transaction_numbers),
        cmocka_unit_test(test_oddities),
        cmocka_unit_test_setup(test_unasked, start),
        cmocka_unit_test_setup(test_noise_is_no_answer, start),
        cmocka_unit_test(test_garbage),
        cmocka_unit_test_setup(test_token_word, start),
    };

    return cmocka_run_group_tests_name("xenstore, a hostile xenstored", tests, NULL, NULL);
}
