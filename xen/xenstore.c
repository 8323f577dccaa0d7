/* SPDX-License-Identifier: MIT */
#include "xen/xenstore.h"

#include "lib/errno.h"
#include "lib/format.h"
#include "lib/number.h"
#include "lib/string.h"

#include "xen/clock.h"
#include "xen/xenstore_ring.h"

#define MAX_WATCHES 16
/* The maximum number of messages that one poll receives. */
#define MAX_POLLED 256

static struct xenstore_ring ring;

/* The incoming message, of which a part may have been received. */
static struct incoming {
    struct xsd_sockmsg header;
    char payload[XENSTORE_PAYLOAD_MAX + 1];
    size_t got_bytes; /* received bytes of header and payload together */
} in;

static uint32_t last_id; /* the req_id of the last request */

static struct xs_watch *watches[MAX_WATCHES]; /* the index is the token */

static uint64_t patience_ends(void)
{
    return clock_ns() + XENSTORE_PATIENCE * NS_PER_S;
}

/* The address for the next received bytes; *@len_bytes: missing bytes of the header or payload. */
static char *missing_part(size_t *len_bytes)
{
    if (in.got_bytes < sizeof(in.header)) {
        *len_bytes = sizeof(in.header) - in.got_bytes;
        return (char *)&in.header + in.got_bytes;
    }
    *len_bytes = sizeof(in.header) + in.header.len - in.got_bytes;
    return in.payload + (in.got_bytes - sizeof(in.header));
}

/* Receives available bytes of the message. 1: it is complete; 0: bytes are missing; or -EIO. */
static int receive_message(void)
{
    for (;;) {
        size_t missing;
        char *to = missing_part(&missing);
        long n;

        if (missing == 0) {
            in.payload[in.header.len] = '\0';
            in.got_bytes = 0;
            return 1;
        }
        n = xenstore_ring_receive(&ring, to, missing);
        if (n <= 0)
            return (int)n;
        in.got_bytes += (size_t)n;
        if (in.got_bytes == sizeof(in.header) && in.header.len > XENSTORE_PAYLOAD_MAX)
            return xenstore_ring_break(&ring,
                                       "xenstored sent a message longer than XENSTORE_PAYLOAD_MAX");
    }
}

/* The payload is "path\0token\0". The token is an index of watches[], in decimal. */
static void take_watch_event(void)
{
    const char *token = in.payload + strlen(in.payload) + 1;
    uint64_t index;

    if (token >= in.payload + in.header.len)
        return;
    if (number_parse_decimal(token, strlen(token), MAX_WATCHES - 1, &index) && watches[index])
        watches[index]->fired = true;
}

void xenstore_poll(void)
{
    /* Further messages stay in the ring, with their event pending, until the next poll. */
    for (unsigned int i = 0; i < MAX_POLLED && xenstore_is_connected(); i++) {
        if (receive_message() <= 0)
            return;
        if (in.header.type == XS_WATCH_EVENT)
            take_watch_event();
        else
            xenstore_ring_break(&ring, "xenstored sent a reply although there was no request");
    }
}

/*
 * Sends all bytes. While the ring is full, receives messages: xenstored may wait for room in its
 * own ring before it reads on.
 */
static int send_all(const void *data, size_t len_bytes, uint64_t until_ns)
{
    const char *at = data;

    while (len_bytes) {
        long n = xenstore_ring_send(&ring, at, len_bytes);
        int rc = n < 0 ? (int)n : 0;

        if (n == 0) {
            xenstore_poll();
            rc = ring.is_broken ? -EIO : xenstore_ring_wait(&ring, until_ns);
        }
        if (rc)
            return rc;
        at += n;
        len_bytes -= (size_t)n;
    }
    return 0;
}

/* The negative errno for an error name of XS_ERROR (xsd_errors of <xen/io/xs_wire.h>). */
static int error_of(const char *name)
{
    static const struct {
        const char *name;
        int number;
    } errors[] = {
        {"EINVAL", EINVAL},
        {"EACCES", EACCES},
        {"EEXIST", EEXIST},
        {"ENOENT", ENOENT},
        {"ENOMEM", ENOMEM},
        {"ENOSPC", ENOMEM},
        {"ENOSYS", ENOSYS},
        {"EBUSY",  EBUSY },
        {"EAGAIN", EAGAIN},
        {"E2BIG",  E2BIG },
        {"EPERM",  EPERM },
    };

    for (size_t i = 0; i < ARRAY_SIZE(errors); i++)
        if (!strcmp(name, errors[i].name))
            return -errors[i].number;
    return -EINVAL;
}

/* Handles a watch event before a reply. The timeout also applies if only events come. */
static int take_watch_event_before(uint64_t until_ns)
{
    take_watch_event();
    return clock_ns() < until_ns ? 0
                                 : xenstore_ring_break(&ring, "xenstored did not reply in time");
}

/* Waits for the reply to request @id of @type, and handles watch events that come before it. */
static int await_reply(uint32_t type, uint32_t id, uint64_t until_ns)
{
    for (;;) {
        int rc = receive_message();

        if (rc == 0)
            rc = xenstore_ring_wait(&ring, until_ns);
        else if (rc > 0 && in.header.type == XS_WATCH_EVENT)
            rc = take_watch_event_before(until_ns);
        else if (rc > 0 && in.header.req_id != id)
            rc = xenstore_ring_break(&ring,
                                     "the req_id of xenstored's reply is not that of the request");
        else if (rc > 0 && in.header.type == XS_ERROR)
            return error_of(in.payload);
        else if (rc > 0 && in.header.type != type)
            rc = xenstore_ring_break(&ring,
                                     "the type of xenstored's reply is not that of the request");
        else if (rc > 0)
            return 0;
        if (rc < 0)
            return rc;
    }
}

/* A request of one or two strings. The first is sent with its 0, the second if @second_ends. */
struct request {
    uint32_t type;
    xs_tx_t tx;
    const char *first, *second; /* @second may be NULL */
    bool second_ends;
};

static int ask(const struct request *r, struct xs_reply *reply)
{
    size_t first = strlen(r->first) + 1;
    size_t second = r->second ? strlen(r->second) + r->second_ends : 0;
    struct xsd_sockmsg header = {
        .type = r->type,
        .req_id = ++last_id,
        .tx_id = r->tx,
        .len = (uint32_t)(first + second),
    };
    uint64_t until_ns = patience_ends();
    int rc;

    if (!ring.page)
        return -ENODEV;
    if (ring.is_broken)
        return -EIO;
    if (first + second > XENSTORE_PAYLOAD_MAX)
        return -E2BIG;
    rc = send_all(&header, sizeof(header), until_ns);
    if (!rc)
        rc = send_all(r->first, first, until_ns);
    if (!rc && second)
        rc = send_all(r->second, second, until_ns);
    if (!rc)
        rc = await_reply(r->type, header.req_id, until_ns);
    if (!rc && reply)
        *reply = (struct xs_reply){.data = in.payload, .len_bytes = in.header.len};
    return rc;
}

int xs_read(xs_tx_t tx, const char *path, struct xs_reply *reply)
{
    return ask(&(struct request){.type = XS_READ, .tx = tx, .first = path}, reply);
}

int xs_list(xs_tx_t tx, const char *path, struct xs_reply *names)
{
    return ask(&(struct request){.type = XS_DIRECTORY, .tx = tx, .first = path}, names);
}

int xs_write(xs_tx_t tx, const char *path, const char *value)
{
    return ask(&(struct request){.type = XS_WRITE, .tx = tx, .first = path, .second = value}, NULL);
}

int xs_remove(xs_tx_t tx, const char *path)
{
    return ask(&(struct request){.type = XS_RM, .tx = tx, .first = path}, NULL);
}

int xs_set_perms(xs_tx_t tx, const char *path, const char *owner)
{
    return ask(
        &(struct request){
            .type = XS_SET_PERMS, .tx = tx, .first = path, .second = owner, .second_ends = true},
        NULL);
}

int xs_begin(xs_tx_t *tx)
{
    struct xs_reply reply;
    int rc = ask(&(struct request){.type = XS_TRANSACTION_START, .first = ""}, &reply);
    uint64_t id = 0;

    if (rc)
        return rc;
    if (!number_parse_decimal(reply.data, strlen(reply.data), UINT32_MAX, &id) || id == 0)
        return xenstore_ring_break(&ring,
                                   "xenstored's reply to XS_TRANSACTION_START has no valid number");
    *tx = (xs_tx_t)id;
    return 0;
}

int xs_end(xs_tx_t tx, bool commit)
{
    return ask(&(struct request){.type = XS_TRANSACTION_END, .tx = tx, .first = commit ? "T" : "F"},
               NULL);
}

static int watch_request(uint32_t type, const struct xs_watch *w, unsigned int index)
{
    char token[12];

    format(token, sizeof(token), "%u", index);
    return ask(
        &(struct request){.type = type, .first = w->path, .second = token, .second_ends = true},
        NULL);
}

int xs_watch(struct xs_watch *w)
{
    for (unsigned int i = 0; i < MAX_WATCHES; i++) {
        int rc;

        if (watches[i])
            continue;
        watches[i] = w; /* before the request: an event may come before the reply */
        rc = watch_request(XS_WATCH, w, i);
        if (rc == -EEXIST) { /* xenstored has this path and token: it kept the old connection */
            w->fired = true;
            rc = 0;
        }
        if (rc)
            watches[i] = NULL;
        return rc;
    }
    return -ENOMEM;
}

int xs_unwatch(struct xs_watch *w)
{
    for (unsigned int i = 0; i < MAX_WATCHES; i++) {
        if (watches[i] != w)
            continue;
        watches[i] = NULL;
        return watch_request(XS_UNWATCH, w, i);
    }
    return -ENOENT;
}

unsigned int xs_count_watches(void)
{
    unsigned int n = 0;

    for (unsigned int i = 0; i < MAX_WATCHES; i++)
        n += watches[i] != NULL;
    return n;
}

bool xenstore_is_connected(void)
{
    return xenstore_ring_is_usable(&ring);
}

int xenstore_start(void *page, evtchn_port_t port)
{
    int rc = xenstore_ring_open(&ring, page, port);

    if (rc)
        return rc;
    in.got_bytes = 0;
    memset(watches, 0, sizeof(watches));
    return 0;
}

void xenstore_stop(void)
{
    xenstore_ring_close(&ring);
    memset(watches, 0, sizeof(watches));
}

int xenstore_suspend(void)
{
    uint64_t until_ns = patience_ends();

    xenstore_poll();
    while (xenstore_is_connected() && in.got_bytes) {
        int rc = xenstore_ring_wait(&ring, until_ns);

        if (rc)
            return rc;
        xenstore_poll();
    }
    return 0;
}
