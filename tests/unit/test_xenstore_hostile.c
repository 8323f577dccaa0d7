/* SPDX-License-Identifier: MIT */
/*
 * xenstored is another domain's program, and a guest that believes it can be made to read and write
 * past its buffers, or to wait for ever. Without this that would be found by whoever tries. The
 * protocol itself is tested in test_xenstore.c.
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
    bool slow; /* found by waiting */
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
            check_says("the reason", output(), fatal[i].says);
            check_says("once", output(), "further requests fail with EIO");
            check_equal(fatal[i].says, clock_ns() - before,
                        fatal[i].slow ? XENSTORE_PATIENCE * NS_PER_S : 0);
            output_clear();
            sg_check_dead(fatal[i].says);
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
    check_says("the reason", output(), "index req_cons is not within 1024 below req_prod");
    sg_check_dead("req_cons");
}

/* The indices that are ours are known to us, whatever is written over them. */
static void test_our_indices(void **state)
{
    (void)state;
    check_equal("write", xs_write(0, "a", "b"), 0);
    sg_ring->req_prod += 2000;
    sg_ring->rsp_cons -= 500;
    check_equal("write", xs_write(0, "a", "c"), 0);
    sg_check_node("a", "c");
    check_equal("as if nothing had been", sg_ring->rsp_cons, sg_ring->rsp_prod);
    sg_check_canary("behind the ring");
}

static void test_transaction_numbers(void **state)
{
    (void)state;
    for (enum fake_store_fault fault = STORE_NO_TX; fault <= STORE_TX_HUGE; fault++) {
        xs_tx_t tx = 77;

        sg_start(0);
        fake_store.fault = fault;
        fake_store.fault_at = 1;
        check_equal("begin", xs_begin(&tx), -EIO);
        check_equal("none given", tx, 77);
        check_says("the reason", output(), "reply to XS_TRANSACTION_START has no valid number");
        sg_check_dead("transaction");
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

        sg_start(0);
        fake_store_set("a", "hello");
        check_equal("watch", xs_watch(&sg_watch), 0);
        xenstore_poll();
        sg_watch.fired = false;
        fake_store.fault = rows[i].fault;
        fake_store.fault_at = 2;
        check_equal("read", xs_read(0, "a", &reply), rows[i].rc);
        if (rows[i].fault == STORE_LONGEST) {
            check_equal("its length", reply.len_bytes, XENSTORE_PAYLOAD_MAX);
            check_equal("has an end", strlen(reply.data), XENSTORE_PAYLOAD_MAX);
        }
        check_true("no watch of ours", !sg_watch.fired);
        check_true("still connected", xenstore_is_connected());
        sg_check_node("a", "hello");
        sg_check_canary("behind the ring");
    }
}

/* An answer that nobody asked for. */
static void test_unasked(void **state)
{
    static const struct xsd_sockmsg reply = {.type = XS_READ, .req_id = 1};

    (void)state;
    for (size_t i = 0; i < sizeof(reply); i++)
        sg_ring->rsp[i] = ((const char *)&reply)[i];
    sg_ring->rsp_prod = sizeof(reply);
    xenstore_poll();
    check_says("the reason", output(), "sent a reply although there was no request");
    sg_check_dead("unasked");
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
    check_says("the reason", output(), "did not reply in time");
    sg_check_dead("noise");
}

/* Garbage of any kind, a seed a case: an end, or not, but no access out of bounds and no hang. */
static void test_garbage(void **state)
{
    struct rng r = {.state = 1};

    (void)state;
    for (unsigned int seed = 0; seed < 2000; seed++) {
        struct xs_reply reply;
        size_t len = 1 + rng_below(&r, XENSTORE_RING_SIZE);

        sg_start((uint32_t)rng_next(&r));
        check_equal("watch", xs_watch(&sg_watch), 0);
        xenstore_poll();
        for (size_t i = 0; i < len; i++)
            sg_ring->rsp[MASK_XENSTORE_IDX(sg_ring->rsp_prod + i)] = (char)rng_next(&r);
        if (seed % 2) { /* a header that may be true, with any payload */
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
        check_equal("no reply in that", xs_read(0, "a", &reply), -EIO);
        sg_check_canary("behind the ring");
    }
}

/* A token that is no number is none of ours. */
static void test_token_word(void **state)
{
    static const char event[] = "a\0x";
    struct xsd_sockmsg h = {.type = XS_WATCH_EVENT, .len = sizeof(event)};

    (void)state;
    check_equal("watch", xs_watch(&sg_watch), 0);
    xenstore_poll();
    sg_watch.fired = false;
    for (size_t i = 0; i < sizeof(h); i++)
        sg_ring->rsp[MASK_XENSTORE_IDX(sg_ring->rsp_prod + i)] = ((const char *)&h)[i];
    for (size_t i = 0; i < sizeof(event); i++)
        sg_ring->rsp[MASK_XENSTORE_IDX(sg_ring->rsp_prod + sizeof(h) + i)] = event[i];
    sg_ring->rsp_prod += sizeof(h) + sizeof(event);
    xenstore_poll();
    check_true("no watch of ours", !sg_watch.fired);
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
