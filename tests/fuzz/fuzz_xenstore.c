/* SPDX-License-Identifier: MIT */
/*
 * xen/xenstore.c: the fuzzer plays xenstored at the other end of the ring. It may write any index,
 * length, type, request id or event at any time, or nothing. Each request must end: with the reply
 * of an honest xenstored, which keeps to the protocol and answers in time, and otherwise with a
 * reply or an error. Once the connection is broken, -EIO is the result of all later requests.
 *
 *      input   [first index of the ring: 4][request of the kernel]...
 *              At each hypercall xenstored takes a byte of the same input for its action.
 */
#include "tests/fuzz/fuzz.h"

#include "lib/errno.h"
#include "lib/format.h"

#include "xen/clock.h"
#include "xen/evtchn.h"
#include "xen/xenstore.h"

#include <string.h>

#define RING        XENSTORE_RING_SIZE
#define NR_WATCHES  17 /* one more than the kernel has room for */
#define PATIENCE_NS (XENSTORE_PATIENCE * NS_PER_S)

static struct xenstore_domain_interface ring; /* ASan poisons the memory after it */
static struct input *in;
static bool is_honest; /* xenstored has kept to the protocol so far */
static bool is_storm;  /* once the input has ended: a watch event at each hypercall */
static struct xs_watch watches[NR_WATCHES];

/* What xenstored has taken from the ring, and has still to write. It keeps its own indices. */
static struct {
    struct xsd_sockmsg header;
    char payload[XENSTORE_PAYLOAD_MAX];
} request;
static size_t got;
static bool is_asked;
static char out[3 * XENSTORE_PAYLOAD_MAX];
static size_t out_len;
static uint32_t taken, given;

/* The request that the kernel makes, and the reply that xenstored has given. */
static struct {
    uint32_t type;
    char payload[XENSTORE_PAYLOAD_MAX];
    size_t len;
} asks;
static struct {
    bool given;
    int rc;
    char data[256];
    size_t len;
} reply;

static const struct {
    const char *name;
    int rc;
} errors[] = {
    {"ENOENT",    -ENOENT},
    {"EACCES",    -EACCES},
    {"EAGAIN",    -EAGAIN},
    {"EEXIST",    -EEXIST},
    {"ENOSPC",    -ENOMEM},
    {"EINVAL",    -EINVAL},
    {"EWHATEVER", -EINVAL},
    {"",          -EINVAL},
};

static void queue(uint32_t type, uint32_t id, const char *payload, size_t len)
{
    struct xsd_sockmsg header = {.type = type, .req_id = id, .len = (uint32_t)len};

    if (out_len + sizeof(header) + len > sizeof(out))
        return;
    memcpy(out + out_len, &header, sizeof(header));
    if (len)
        memcpy(out + out_len + sizeof(header), payload, len);
    out_len += sizeof(header) + len;
}

static bool flush(size_t nr)
{
    size_t room = RING - (given - ring.rsp_cons);
    size_t n = min_u64(min_u64(nr, out_len), room > RING ? 0 : room);

    size_t first = min_u64(n, RING - MASK_XENSTORE_IDX(given));

    memcpy(ring.rsp + MASK_XENSTORE_IDX(given), out, first);
    memcpy(ring.rsp, out + first, n - first);
    given += (uint32_t)n;
    if (n < out_len)
        memmove(out, out + n, out_len - n);
    out_len -= n;
    if (n)
        ring.rsp_prod = given;
    return n;
}

static void check_request(void)
{
    if (!is_honest)
        return;
    CHECK(request.header.type == asks.type,
          "the ring has a request of the type that the kernel made");
    CHECK(request.header.len == asks.len && !memcmp(request.payload, asks.payload, asks.len),
          "the ring has the payload that the kernel wrote");
}

static bool takes(uint32_t nr)
{
    uint32_t n = (uint32_t)min_u64(ring.req_prod - taken, nr);

    CHECK(!is_honest || ring.req_prod - taken <= RING,
          "req_prod - req_cons is at most the size of the ring");
    for (n = (uint32_t)min_u64(n, RING); n && !is_asked; n--) {
        ((char *)&request)[got++] = ring.req[MASK_XENSTORE_IDX(taken++)];
        if (got == sizeof(request.header))
            CHECK(!is_honest || request.header.len <= XENSTORE_PAYLOAD_MAX,
                  "a request has at most XENSTORE_PAYLOAD_MAX bytes");
        if (got >= sizeof(request.header))
            is_asked = got == sizeof(request.header) + request.header.len;
        if (is_asked)
            check_request();
        if (is_asked || got == sizeof(request))
            got = 0;
    }
    ring.req_cons = taken;
    return true;
}

static bool takes_all(void)
{
    return takes(RING);
}

static void answers(uint32_t type, const char *data, size_t len, int rc)
{
    (void)takes_all();
    if (!is_asked)
        return;
    is_asked = false;
    queue(type, request.header.req_id, data, len);
    reply.given = true;
    reply.rc = rc;
    reply.len = len;
    if (len)
        memcpy(reply.data, data, len);
}

static void answers_data(size_t len)
{
    char data[256];

    for (size_t i = 0; i < len; i++)
        data[i] = (char)take(in, 1);
    is_honest &= asks.type != XS_TRANSACTION_START;
    answers(asks.type, data, len, 0);
}

static void answers_number(void)
{
    char data[16];
    uint32_t n = (uint32_t)take(in, 4);

    is_honest &= n != 0;
    answers(asks.type, data, format(data, sizeof(data), "%u", n) + 1, 0);
}

static void sends_event(unsigned int token)
{
    char text[32];
    size_t len = format(text, sizeof(text), "a/path %u", token);

    text[6] = '\0';
    queue(XS_WATCH_EVENT, 0, text, len + 1);
}

/* A message of about XENSTORE_PAYLOAD_MAX bytes, and a header with its length. */
static void sends_longest(uint32_t type, uint32_t id)
{
    static char x[XENSTORE_PAYLOAD_MAX + 8];

    queue(type, id, x, XENSTORE_PAYLOAD_MAX - 8 + take(in, 1) % 16);
}

static void sends_nonsense(uint64_t how)
{
    char bytes[16];

    is_honest = false;
    if (how & 1) {
        struct xsd_sockmsg header = {.type = (uint32_t)take(in, 1),
                                     .req_id = request.header.req_id + (uint32_t)take(in, 1)};

        if (how & 2) {
            sends_longest(how & 4 ? asks.type : header.type, header.req_id);
            return;
        }
        header.len = (uint32_t)take(in, 2);
        if (out_len + sizeof(header) <= sizeof(out))
            memcpy(out + out_len, &header, sizeof(header)), out_len += sizeof(header);
        return;
    }
    for (size_t i = 0; i < how; i++)
        bytes[i] = (char)take(in, 1);
    if (out_len + how <= sizeof(out))
        memcpy(out + out_len, bytes, how), out_len += how;
}

static bool spoils_index(volatile uint32_t *index, uint64_t how)
{
    is_honest = false;
    *index = how ? *index + (uint32_t)take(in, 2) - 0x8000 : (uint32_t)take(in, 4);
    return true;
}

/* xenstored can make new connections from now on, or ends this one, or both. */
static bool shows_features(uint64_t how)
{
    is_honest = false;
    ring.server_features = (uint32_t)how & 3;
    ring.error = (uint32_t)how >> 2;
    return true;
}

static void reconnects(void)
{
    is_honest = false;
    ring.req_prod = ring.req_cons = ring.rsp_prod = ring.rsp_cons = taken = given = 0;
    got = out_len = 0;
    is_asked = false;
    ring.connection = XENSTORE_CONNECTED;
}

static bool move(uint64_t m)
{
    uint64_t how = m >> 4;

    switch (m & 15) {
    case 0:
        return how && shows_features(how);
    case 1:
        return takes_all();
    case 2:
        return takes((uint32_t)how);
    case 3:
        answers_data(how * how);
        return flush(SIZE_MAX);
    case 4:
        answers(XS_ERROR, errors[how & 7].name, strlen(errors[how & 7].name) + 1,
                errors[how & 7].rc);
        return flush(SIZE_MAX);
    case 5:
        sends_event((unsigned int)how + (unsigned int)take(in, 1) / 16);
        return flush(SIZE_MAX);
    case 6:
        answers_data(how);
        return flush(1);
    case 7:
        return flush(how + 1);
    case 8:
        sends_nonsense(how);
        return flush(SIZE_MAX);
    case 9:
        return spoils_index(&ring.rsp_prod, how);
    case 10:
        return spoils_index(&ring.req_cons, how);
    case 11:
        return spoils_index(how & 1 ? &ring.req_prod : &ring.rsp_cons, how >> 1);
    case 12:
        is_storm = true;
        fake.call_ns = (how + 1) * 25 * NS_PER_MS;
        return false;
    case 13:
        fake.call_ns = (how * 16 + 1) * 25 * NS_PER_MS;
        return false;
    case 14:
        answers_number();
        return flush(SIZE_MAX);
    case 15:
        return flush(SIZE_MAX);
    }
    return false;
}

/*
 * The action of xenstored at a hypercall. Once the input has ended, xenstored sends what it has
 * still to send; then it does nothing, or sends watch events without end (is_storm).
 */
static bool turn(void)
{
    if (ring.connection == XENSTORE_RECONNECT)
        reconnects();
    if (!is_empty(in)) {
        fake.nr_hypercalls = 0;
        return move(take(in, 1));
    }
    if (is_storm)
        sends_event(0);
    return flush(SIZE_MAX);
}

/* Notes the expected bytes of a request of these strings; false if it is too long to be sent. */
static bool expect(uint32_t type, const char *first, const char *second, bool second_ends)
{
    size_t len = strlen(first) + 1, more = second ? strlen(second) + second_ends : 0;

    asks.type = type;
    asks.len = len + more;
    reply.given = false;
    if (asks.len > XENSTORE_PAYLOAD_MAX)
        return false;
    memcpy(asks.payload, first, len);
    if (more)
        memcpy(asks.payload + len, second, more);
    return true;
}

/* Checks @rc of a request made at @began; @fits: not too long, @alive: was the ring usable? */
static void check_result(int rc, bool fits, bool alive, uint64_t began, unsigned int calls)
{
    bool in_time = fake_now() - began < PATIENCE_NS;

    if (!alive) {
        CHECK(rc == -EIO, "a request on a broken connection returns -EIO");
        CHECK(fake.nr_hypercalls == calls && fake_now() == began,
              "a request on a broken connection makes no hypercall and does not wait");
        return;
    }
    if (!fits) {
        CHECK(rc == -E2BIG, "a request longer than XENSTORE_PAYLOAD_MAX returns -E2BIG");
        return;
    }
    CHECK((rc <= 0 && rc >= -ENOSYS) || rc == -ETIMEDOUT,
          "a request returns 0, -ETIMEDOUT or an error from -1 to -ENOSYS");
    CHECK(rc == -EIO || xenstore_is_connected(), "a request that breaks the connection is -EIO");
    CHECK(rc != -ETIMEDOUT || xenstore_is_late(), "after -ETIMEDOUT xenstored is late");
    if (!is_honest)
        return;
    CHECK(rc != -EIO, "no -EIO for an honest xenstored");
    CHECK(rc != -ETIMEDOUT || !in_time,
          "no -ETIMEDOUT for an honest xenstored that replies within PATIENCE_NS");
    CHECK(rc == -ETIMEDOUT || (reply.given && rc == reply.rc),
          "a request returns the result that an honest xenstored has sent");
    is_honest = rc != -ETIMEDOUT; /* the next request would find the reply to this one */
}

static void check_data(const struct xs_reply *r)
{
    CHECK(r->len_bytes <= XENSTORE_PAYLOAD_MAX, "a reply has at most XENSTORE_PAYLOAD_MAX bytes");
    CHECK(r->data[r->len_bytes] == '\0', "the data of a reply end with a 0");
    if (is_honest)
        CHECK(r->len_bytes == reply.len && !memcmp(r->data, reply.data, reply.len),
              "a reply has the data that an honest xenstored has sent");
}

static const char *path_of(uint64_t what)
{
    static char longest[XENSTORE_PAYLOAD_MAX + 1];

    if (what % 32 < 28)
        return what & 1 ? "data/a" : "";
    memset(longest, 'p', sizeof(longest) - 1);
    longest[what % 32 == 31   ? XENSTORE_PAYLOAD_MAX
            : what % 32 == 30 ? XENSTORE_PAYLOAD_MAX - 1
                              : 700 * (what % 32 - 27)] = '\0';
    return longest;
}

/* Sets or removes a watch. Its token is the number of its place, which is the first free place. */
static int ask_watch(struct xs_watch *w, bool set, bool *fits)
{
    static struct xs_watch *places[16];
    unsigned int i = 0;
    char token[12];
    int rc;

    if (!xs_count_watches())
        memset(places, 0, sizeof(places));
    while (i < 16 && places[i] != (set ? NULL : w))
        i++;
    if (i == 16) {
        rc = set ? xs_watch(w) : xs_unwatch(w);
        CHECK(rc == (set ? -ENOMEM : -ENOENT),
              "xs_watch without a free place: -ENOMEM; xs_unwatch without a watch: -ENOENT");
        return 1;
    }
    format(token, sizeof(token), "%u", i);
    *fits = expect(set ? XS_WATCH : XS_UNWATCH, w->path, token, true);
    rc = set ? xs_watch(w) : xs_unwatch(w);
    if (set && rc == 0 && reply.rc == -EEXIST)
        reply.rc = 0;
    is_honest &= rc != -ETIMEDOUT; /* the watch is set later, by any poll */
    places[i] = set && (rc == 0 || rc == -ETIMEDOUT || rc == -EIO) ? w : NULL;
    return rc;
}

static void poll_or_resume(bool resume)
{
    bool alive = xenstore_is_connected();

    asks.type = XS_DEBUG; /* no request is made, unless a watch is missing in xenstored */
    if (resume)
        xenstore_resume();
    else
        xenstore_poll();
    CHECK(alive || !xenstore_is_connected(), "a broken connection stays broken");
}

static void act(void)
{
    uint64_t what = take(in, 1), began = fake_now();
    bool alive = xenstore_is_connected(), fits = true;
    unsigned int calls = fake.nr_hypercalls;
    const char *path = path_of(what >> 3);
    struct xs_reply r = {0};
    xs_tx_t tx = 0;
    int rc;

    switch (what & 7) {
    case 0:
        fits = expect(XS_READ, path, NULL, false);
        rc = xs_read(0, path, &r);
        break;
    case 1:
        fits = expect(XS_WRITE, path, "value", false);
        rc = xs_write(7, path, "value");
        break;
    case 2:
        fits = expect(XS_DIRECTORY, path, NULL, false);
        rc = xs_list(0, path, &r);
        break;
    case 3:
        (void)expect(XS_TRANSACTION_START, "", NULL, false);
        rc = xs_begin(&tx);
        break;
    case 4:
        (void)expect(XS_TRANSACTION_END, what & 8 ? "T" : "F", NULL, false);
        rc = xs_end(7, what & 8);
        break;
    case 5:
    case 6:
        rc = ask_watch(&watches[(what >> 3) % NR_WATCHES], what & 1, &fits);
        if (rc > 0)
            return;
        break;
    default:
        poll_or_resume(what & 8);
        return;
    }
    check_result(rc, fits, alive, began, calls);
    if (rc == 0 && r.data)
        check_data(&r);
    if (rc == 0 && (what & 7) == 3)
        CHECK(tx != 0, "xs_begin returns a transaction id other than 0");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input all = {data, size};
    uint32_t index = (uint32_t)take(&all, 4);

    in = &all;
    memset(&ring, 0, sizeof(ring));
    ring.req_prod = ring.req_cons = ring.rsp_prod = ring.rsp_cons = taken = given = index;
    got = out_len = 0;
    is_asked = is_storm = false;
    is_honest = true;
    for (unsigned int i = 0; i < NR_WATCHES; i++)
        watches[i] = (struct xs_watch){.path = i % 2 ? "w" : "data/watched"};
    fake_start(turn);
    clock_start(&fake.shared->vcpu_info[0].time);
    evtchn_start(fake.shared);
    CHECK(xenstore_start(&ring, FAKE_PORT, false) == 0, "xenstore_start returns 0");
    while (!is_empty(&all))
        act();
    xenstore_stop();
    return 0;
}
