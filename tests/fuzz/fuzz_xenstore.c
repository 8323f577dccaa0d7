/* SPDX-License-Identifier: MIT */
/*
 * xen/xenstore.c: the other end of the ring is the fuzzer. It may write any index, length, type, id
 * or event, at any time, or nothing; each request must end, with what an honest xenstored has said
 * if it was one, and else with a reply, an error, or -EIO for good.
 *
 *      input   [index at the start: 4][what the kernel asks]...
 *              At each hypercall the other end takes a byte of the same input for what it does.
 */
#include "tests/fuzz/fuzz.h"

#include "lib/errno.h"
#include "lib/format.h"

#include "xen/clock.h"
#include "xen/evtchn.h"
#include "xen/xenstore.h"

#include <string.h>

#define RING        XENSTORE_RING_SIZE
#define NR_WATCHES  17 /* one more than there is room for */
#define PATIENCE_NS (XENSTORE_PATIENCE * NS_PER_S)

static struct xenstore_domain_interface ring; /* behind it the memory is poisoned */
static struct input *in;
static bool is_honest; /* so far */
static bool is_storm;  /* an event at each hypercall, whatever else */
static struct xs_watch watches[NR_WATCHES];

/* What the other end has taken of the requests, and is to give. Its indices are its own. */
static struct {
    struct xsd_sockmsg header;
    char payload[XENSTORE_PAYLOAD_MAX];
} request;
static size_t got;
static bool is_asked;
static char out[3 * XENSTORE_PAYLOAD_MAX];
static size_t out_len;
static uint32_t taken, given;

/* The request that the kernel makes, and what it was told. */
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
    CHECK(request.header.type == asks.type, "a request of the type that was made");
    CHECK(request.header.len == asks.len && !memcmp(request.payload, asks.payload, asks.len),
          "a request as it was made");
}

static bool takes(uint32_t nr)
{
    uint32_t n = (uint32_t)min_u64(ring.req_prod - taken, nr);

    CHECK(!is_honest || ring.req_prod - taken <= RING, "no more than the ring holds");
    for (n = (uint32_t)min_u64(n, RING); n && !is_asked; n--) {
        ((char *)&request)[got++] = ring.req[MASK_XENSTORE_IDX(taken++)];
        if (got == sizeof(request.header))
            CHECK(!is_honest || request.header.len <= XENSTORE_PAYLOAD_MAX, "a short request");
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

/* A message about as long as may be, and a header that says so. */
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

static bool move(uint64_t m)
{
    uint64_t how = m >> 4;

    switch (m & 15) {
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
 * What it does at a hypercall; with nothing left of the input it sends what it has to send, and is
 * dead then, or a storm.
 */
static bool turn(void)
{
    if (!is_empty(in)) {
        fake.nr_hypercalls = 0;
        return move(take(in, 1));
    }
    if (is_storm)
        sends_event(0);
    return flush(SIZE_MAX);
}

/* What goes over the ring for a request of these strings; false if it is too long for it. */
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

/* The result @rc of a request that was made at @began, of which the connection is @alive. */
static void check_result(int rc, bool fits, bool alive, uint64_t began, unsigned int calls)
{
    bool in_time = fake_now() - began < PATIENCE_NS;

    if (!alive) {
        CHECK(rc == -EIO, "-EIO from a broken connection");
        CHECK(fake.nr_hypercalls == calls && fake_now() == began, "nothing but that");
        return;
    }
    if (!fits) {
        CHECK(rc == -E2BIG, "-E2BIG");
        return;
    }
    CHECK(rc <= 0 && rc >= -ENOSYS, "0 or an error");
    CHECK((rc == -EIO) == !xenstore_is_connected(), "-EIO and an end, or neither");
    if (!is_honest)
        return;
    CHECK(rc != -EIO || !in_time, "patience with an honest end");
    CHECK(rc == -EIO || (reply.given && rc == reply.rc), "what an honest end has said");
}

static void check_data(const struct xs_reply *r)
{
    CHECK(r->len_bytes <= XENSTORE_PAYLOAD_MAX, "a reply of the protocol's length");
    CHECK(r->data[r->len_bytes] == '\0', "an end of the reply");
    if (is_honest)
        CHECK(r->len_bytes == reply.len && !memcmp(r->data, reply.data, reply.len),
              "the data that an honest end has sent");
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

/* Watches: the token is the first free place, or the one where it is. */
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
        CHECK(rc == (set ? -ENOMEM : -ENOENT), "no room, or no such watch");
        return 1;
    }
    format(token, sizeof(token), "%u", i);
    *fits = expect(set ? XS_WATCH : XS_UNWATCH, w->path, token, true);
    rc = set ? xs_watch(w) : xs_unwatch(w);
    if (set && rc == 0 && reply.rc == -EEXIST)
        reply.rc = 0;
    places[i] = set && rc == 0 ? w : NULL;
    return rc;
}

static void poll_or_suspend(bool suspend)
{
    bool alive = xenstore_is_connected();
    int rc = 0;

    asks.type = XS_DEBUG; /* nothing is asked */
    if (suspend)
        rc = xenstore_suspend();
    else
        xenstore_poll();
    CHECK(rc == 0 || (rc == -EIO && !xenstore_is_connected()), "0, or -EIO and an end");
    CHECK(alive || !xenstore_is_connected(), "once broken, always broken");
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
        poll_or_suspend(what & 8);
        return;
    }
    check_result(rc, fits, alive, began, calls);
    if (rc == 0 && r.data)
        check_data(&r);
    if (rc == 0 && (what & 7) == 3)
        CHECK(tx != 0, "a transaction's number");
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
    CHECK(xenstore_start(&ring, FAKE_PORT) == 0, "a connection");
    while (!is_empty(&all))
        act();
    xenstore_stop();
    return 0;
}
