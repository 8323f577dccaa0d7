/* SPDX-License-Identifier: MIT */
#include "tests/unit/fake_store_wire.h"

#include "tests/unit/fake_events.h"
#include "tests/unit/harness.h"

#include <stdio.h>
#include <string.h>

#define RING XENSTORE_RING_SIZE

struct fake_store fake_store;

static struct fake_store *const s = &fake_store;

/* The request being received, and the queued output. */
static struct fake_request request;
static size_t got;
static uint32_t last_id;
static bool kicked;
static char out[1 << 16];
static size_t out_len;
/* The messages in out, of which the first may have been written in part. */
static struct message {
    size_t len_bytes; /* still to be written */
    bool may_be_dropped;
    uint64_t since_ns;
} messages[1 << 12];
static size_t nr_messages;
static uint64_t paused_until_ns;

#define EVENT_TIMEOUT_NS 20000000000

void fake_store_queue(uint32_t type, uint32_t id, const void *payload, size_t len)
{
    struct xsd_sockmsg header = {.type = type, .req_id = id, .len = (uint32_t)len};

    if (out_len + sizeof(header) + len > sizeof(out) ||
        nr_messages == sizeof(messages) / sizeof(messages[0]))
        fail_msg("the guest reads no replies: %zu bytes are queued", out_len);
    memcpy(out + out_len, &header, sizeof(header));
    memcpy(out + out_len + sizeof(header), payload, len);
    out_len += sizeof(header) + len;
    messages[nr_messages++] =
        (struct message){sizeof(header) + len, type == XS_WATCH_EVENT, fake_events.now_ns};
}

/* Removes @len_bytes at offset @at of the output, which are the rest or a part of message @i. */
static void remove_bytes(size_t i, size_t at, size_t len_bytes)
{
    memmove(out + at, out + at + len_bytes, out_len - at - len_bytes);
    out_len -= len_bytes;
    messages[i].len_bytes -= len_bytes;
    messages[i].may_be_dropped = false;
    if (messages[i].len_bytes)
        return;
    nr_messages--;
    memmove(&messages[i], &messages[i + 1], (nr_messages - i) * sizeof(messages[0]));
}

/* Cuts the output off at offset @at. */
static void cut(size_t at)
{
    while (out_len > at) {
        size_t last = nr_messages - 1, len = messages[last].len_bytes;

        if (len > out_len - at)
            len = out_len - at;
        remove_bytes(last, out_len - len, len);
    }
}

static void drop_old_events(void)
{
    size_t at = 0;

    for (size_t i = 0; i < nr_messages;) {
        if (messages[i].may_be_dropped &&
            fake_events.now_ns >= messages[i].since_ns + EVENT_TIMEOUT_NS) {
            remove_bytes(i, at, messages[i].len_bytes);
            s->nr_dropped++;
        } else {
            at += messages[i++].len_bytes;
        }
    }
}

void fake_store_queue_event(const char *path, const char *token)
{
    char text[160];
    int len = snprintf(text, sizeof(text), "%s%c%s", path, 0, token);

    fake_store_queue(XS_WATCH_EVENT, 0, text, (size_t)len + 1);
}

static void queue_nonsense_event(void)
{
    static char longest[XENSTORE_PAYLOAD_MAX];

    memset(longest, 'x', sizeof(longest));
    switch (s->fault) {
    case STORE_EVENT_EMPTY:
        fake_store_queue(XS_WATCH_EVENT, 0, "", 0);
        break;
    case STORE_EVENT_NO_TOKEN:
        fake_store_queue(XS_WATCH_EVENT, 0, "a/path", 7);
        break;
    case STORE_EVENT_NO_ZERO:
        fake_store_queue(XS_WATCH_EVENT, 0, "a/path", 6);
        break;
    case STORE_EVENT_TOKEN_RANGE:
        fake_store_queue_event("a/path", "16");
        break;
    case STORE_EVENT_TOKEN_HUGE:
        fake_store_queue_event("a/path", "18446744073709551616");
        break;
    case STORE_EVENT_TOKEN_FREE:
        fake_store_queue_event("a/path", "15");
        break;
    case STORE_EVENT_LONGEST:
        fake_store_queue(XS_WATCH_EVENT, 0, longest, sizeof(longest));
        break;
    default:
        break;
    }
}

/* Replaces the reply at offset @at of the output. */
static void replace(size_t at, uint32_t type, const char *payload, size_t len_bytes)
{
    cut(at);
    fake_store_queue(type, request.header.req_id, payload, len_bytes);
}

/* Applies the fault to the reply at offset @at of the output. */
static void spoil(size_t at)
{
    static char longest[XENSTORE_PAYLOAD_MAX];
    struct xsd_sockmsg *reply = (struct xsd_sockmsg *)(out + at);
    uint32_t id = request.header.req_id, type = request.header.type;

    memset(longest, 'x', sizeof(longest));
    switch (s->fault) {
    case STORE_TOO_LONG:
        reply->len = XENSTORE_PAYLOAD_MAX + 1;
        break;
    case STORE_REQ_CONS_AHEAD:
        s->ring->req_cons = s->ring->req_prod + 1;
        break;
    case STORE_RSP_PROD_FAR:
        s->ring->rsp_prod = s->ring->rsp_cons + RING + 1;
        s->is_silent = true;
        break;
    case STORE_RSP_PROD_BACK:
        s->ring->rsp_prod = s->ring->rsp_cons - 1;
        s->is_silent = true;
        break;
    case STORE_ERROR:
        cut(at);
        s->ring->server_features |= XENSTORE_SERVER_FEATURE_ERROR;
        s->ring->error = XENSTORE_ERROR_PROTO;
        break;
    case STORE_UNKNOWN_ID:
        reply->req_id = id + 1;
        break;
    case STORE_UNKNOWN_TYPE:
        reply->type = XS_TYPE_COUNT + 5;
        break;
    case STORE_SILENCE:
        s->is_silent = true;
        break;
    case STORE_HALF_HEADER:
        cut(at + sizeof(*reply) / 2);
        s->is_silent_after = true;
        break;
    case STORE_HALF_REPLY:
        cut(at + sizeof(*reply) + 1);
        s->is_silent_after = true;
        break;
    case STORE_NO_TX:
        replace(at, type, "word", 5);
        break;
    case STORE_TX_ZERO:
        replace(at, type, "0", 2);
        break;
    case STORE_TX_HUGE:
        replace(at, type, "4294967296", 11);
        break;
    case STORE_NO_TERMINATOR:
        replace(at, XS_ERROR, "ENOENT", 6);
        break;
    case STORE_LONGEST:
        replace(at, type, longest, sizeof(longest));
        break;
    case STORE_UNKNOWN_ERROR:
        replace(at, XS_ERROR, "EWHATEVER", 10);
        break;
    case STORE_EMPTY_ERROR:
        replace(at, XS_ERROR, "", 0);
        break;
    default:
        break;
    }
}

static void begin_pause(void)
{
    paused_until_ns = fake_events.now_ns + s->pause_ns;
    s->pause_at = 0;
}

static bool is_paused(void)
{
    return fake_events.now_ns < paused_until_ns;
}

static void answer(void)
{
    const char *error;
    size_t at;

    if (request.header.req_id == last_id)
        fail_msg("two requests have the req_id %u", last_id);
    last_id = request.header.req_id;
    s->nr_requests++;
    s->nr_in_tx += request.header.tx_id != 0;
    request.payload[request.header.len] = '\0';
    if (s->fault_at == s->nr_requests)
        queue_nonsense_event();
    at = out_len;
    error = fake_store_carry_out(&request);
    if (error) {
        cut(at);
        fake_store_queue(XS_ERROR, request.header.req_id, error, strlen(error) + 1);
    }
    if (s->fault_at == s->nr_requests)
        spoil(at);
    if (s->pause_at && s->pause_reply && s->pause_at == s->nr_requests)
        begin_pause();
}

static size_t at_a_time(size_t there)
{
    return s->piece && s->piece < there ? s->piece : there;
}

static bool take_bytes(void)
{
    uint32_t cons = s->ring->req_cons, prod = s->ring->req_prod;
    size_t n = at_a_time(prod - cons);

    if (prod - cons > RING)
        fail_msg("req_prod is %u, req_cons is %u: more than a ring apart", prod, cons);
    if (s->one_by_one && out_len)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (s->stop_within && got == s->stop_within)
            return i > 0;
        ((char *)&request)[got++] = s->ring->req[MASK_XENSTORE_IDX(cons + i)];
        s->ring->req_cons = cons + (uint32_t)i + 1;
        if (s->event_within && got == s->event_within)
            fake_store_queue_event("a/path", "0");
        if (got == sizeof(request.header) && request.header.len > XENSTORE_PAYLOAD_MAX)
            fail_msg("request length is %u, expected at most XENSTORE_PAYLOAD_MAX",
                     request.header.len);
        if (got >= sizeof(request.header) && got == sizeof(request.header) + request.header.len) {
            got = 0;
            answer();
            if (is_paused() || s->one_by_one || s->fault_at == s->nr_requests)
                return true;
        }
    }
    return n > 0;
}

static bool give_bytes(void)
{
    uint32_t cons = s->ring->rsp_cons, prod = s->ring->rsp_prod;
    size_t n = RING - (prod - cons), left;

    drop_old_events();
    n = at_a_time(n < out_len ? n : out_len);
    for (size_t i = 0; i < n; i++)
        s->ring->rsp[MASK_XENSTORE_IDX(prod + i)] = out[i];
    s->ring->rsp_prod = prod + (uint32_t)n;
    for (left = n; left;) {
        size_t part = messages[0].len_bytes < left ? messages[0].len_bytes : left;

        remove_bytes(0, 0, part);
        left -= part;
    }
    return n > 0;
}

static void disconnect(void)
{
    fake_store_forget_connection();
    got = out_len = nr_messages = last_id = 0;
    paused_until_ns = 0;
}

/* As docs/misc/xenstore-ring.txt of Xen says. */
static bool reconnect(void)
{
    if (!(s->ring->server_features & XENSTORE_SERVER_FEATURE_RECONNECTION) ||
        s->ring->connection != XENSTORE_RECONNECT)
        return false;
    disconnect();
    s->ring->req_cons = s->ring->req_prod = s->ring->rsp_cons = s->ring->rsp_prod = 0;
    s->ring->error = XENSTORE_ERROR_NONE;
    s->ring->connection = XENSTORE_CONNECTED;
    s->nr_reconnected++;
    fake_events_raise(s->port);
    return true;
}

bool fake_store_turn(void)
{
    bool took, gave;

    if (!s->ring || s->is_silent || is_paused() || (s->needs_kick && !kicked))
        return false;
    if (reconnect())
        return true;
    if (s->ring->error)
        return false;
    if (s->pause_at == s->nr_requests + 1 && !s->pause_reply &&
        s->ring->req_prod != s->ring->req_cons) {
        begin_pause();
        return false;
    }
    took = take_bytes();
    gave = !s->is_silent && !is_paused() && give_bytes();
    s->is_silent |= s->is_silent_after && !out_len;
    if (took || gave)
        fake_events_raise(s->port);
    kicked = (took || gave) && s->ring->rsp_prod - s->ring->rsp_cons < RING;
    return took || gave;
}

static void kick(evtchn_port_t port)
{
    kicked |= port == s->port;
}

void fake_store_wake(void)
{
    kicked = true;
}

void fake_store_reconnect(evtchn_port_t port)
{
    disconnect();
    s->port = port;
}

void fake_store_start(void *ring, evtchn_port_t port)
{
    disconnect();
    fake_store_forget_nodes();
    memset(ring, 0, sizeof(struct xenstore_domain_interface));
    *s = (struct fake_store){.ring = ring, .port = port};
    fake_events.idle = fake_store_turn;
    fake_events.sent = kick;
}
