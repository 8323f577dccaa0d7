/* SPDX-License-Identifier: MIT */
#include "tests/unit/fake_store.h"

#include "tests/unit/fake_events.h"
#include "tests/unit/harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_NODES   32
#define MAX_WATCHES 32
#define MAX_TXS     4
#define MAX_CHANGES 4
#define RING        XENSTORE_RING_SIZE

struct fake_store fake_store;

static struct fake_store *const s = &fake_store;

struct node {
    char path[128];
    char *value; /* NULL: no such node */
};

static struct node nodes[MAX_NODES];
static unsigned int generation; /* of the tree: changes with any node */

static struct watch_entry {
    char path[128], token[16]; /* no token: free */
} watches[MAX_WATCHES];

static struct transaction {
    uint32_t id; /* 0: free */
    unsigned int generation;
    struct node changes[MAX_CHANGES];
    unsigned int nr_changes;
} txs[MAX_TXS];
static uint32_t last_tx;

/* The request that is coming in, and what is still to go out. */
static struct {
    struct xsd_sockmsg header;
    char payload[XENSTORE_PAYLOAD_MAX + 1];
} request;
static size_t got;
static uint32_t last_id;
static bool kicked;
static char out[1 << 16];
static size_t out_len;

static void copy_text(char *to, size_t size, const char *from)
{
    size_t len = strnlen(from, size - 1);

    memcpy(to, from, len);
    to[len] = '\0';
}

static void queue(uint32_t type, uint32_t id, const void *payload, size_t len)
{
    struct xsd_sockmsg header = {.type = type, .req_id = id, .len = (uint32_t)len};

    if (out_len + sizeof(header) + len > sizeof(out))
        fail_msg("the guest takes no replies: %zu bytes are waiting", out_len);
    memcpy(out + out_len, &header, sizeof(header));
    memcpy(out + out_len + sizeof(header), payload, len);
    out_len += sizeof(header) + len;
}

static void queue_event(const char *path, const char *token)
{
    char text[160];
    int len = snprintf(text, sizeof(text), "%s%c%s", path, 0, token);

    queue(XS_WATCH_EVENT, 0, text, (size_t)len + 1);
}

static struct node *find_node(struct node *in, size_t nr, const char *path)
{
    for (size_t i = 0; i < nr; i++)
        if (!strcmp(in[i].path, path))
            return &in[i];
    return NULL;
}

static void set_value(struct node *n, const char *value)
{
    free(n->value);
    n->value = value ? strdup(value) : NULL;
}

static bool is_at_or_below(const char *path, const char *top)
{
    size_t len = strlen(top);

    return !strncmp(path, top, len) && (!path[len] || path[len] == '/');
}

void fake_store_set(const char *path, const char *value)
{
    struct node *n = find_node(nodes, MAX_NODES, path);

    if (!n)
        n = find_node(nodes, MAX_NODES, "");
    if (!n)
        fail_msg("more than %d nodes", MAX_NODES);
    copy_text(n->path, sizeof(n->path), path);
    set_value(n, value);
    generation++;
    kicked = true;
    for (unsigned int i = 0; i < MAX_WATCHES; i++)
        if (watches[i].token[0] && is_at_or_below(path, watches[i].path))
            queue_event(path, watches[i].token);
}

const char *fake_store_get(const char *path)
{
    struct node *n = find_node(nodes, MAX_NODES, path);

    return n ? n->value : NULL;
}

unsigned int fake_store_watches(void)
{
    unsigned int n = 0;

    for (unsigned int i = 0; i < MAX_WATCHES; i++)
        n += watches[i].token[0] != '\0';
    return n;
}

static struct transaction *find_tx(uint32_t id)
{
    for (unsigned int i = 0; i < MAX_TXS; i++)
        if (txs[i].id == id)
            return &txs[i];
    return NULL;
}

unsigned int fake_store_transactions(void)
{
    unsigned int n = 0;

    for (unsigned int i = 0; i < MAX_TXS; i++)
        n += txs[i].id != 0;
    return n;
}

static void end_tx(struct transaction *tx)
{
    for (unsigned int i = 0; i < tx->nr_changes; i++)
        set_value(&tx->changes[i], NULL);
    memset(tx, 0, sizeof(*tx));
}

static const char *value_in(struct transaction *tx, const char *path)
{
    struct node *n = tx ? find_node(tx->changes, tx->nr_changes, path) : NULL;

    return n ? n->value : fake_store_get(path);
}

/* Each of these returns a word for an error, or NULL if a reply is queued. */

static const char *change(struct transaction *tx, const char *path, const char *value)
{
    struct node *n;

    if (!tx) {
        fake_store_set(path, value);
        return NULL;
    }
    n = find_node(tx->changes, tx->nr_changes, path);
    if (!n && tx->nr_changes == MAX_CHANGES)
        return "ENOSPC";
    if (!n)
        n = &tx->changes[tx->nr_changes++];
    copy_text(n->path, sizeof(n->path), path);
    set_value(n, value);
    return NULL;
}

static const char *take_read(struct transaction *tx, const char *path)
{
    const char *value = value_in(tx, path);

    if (!value)
        return "ENOENT";
    queue(XS_READ, request.header.req_id, value, strlen(value));
    return NULL;
}

static const char *take_directory(const char *path)
{
    char names[1024];
    size_t len = 0, skip = strlen(path) + 1;

    for (unsigned int i = 0; i < MAX_NODES; i++) {
        const char *name = nodes[i].path + skip;

        if (!nodes[i].value || !is_at_or_below(nodes[i].path, path) || !nodes[i].path[skip - 1])
            continue;
        len += (size_t)snprintf(names + len, sizeof(names) - len, "%s", name) + 1;
    }
    if (!len)
        return "ENOENT";
    queue(XS_DIRECTORY, request.header.req_id, names, len);
    return NULL;
}

/* Both strings of the request end within it. */
static bool is_well_formed(void)
{
    uint32_t len = request.header.len;

    return len && !request.payload[len - 1] && memchr(request.payload, 0, len - 1);
}

static const char *take_watch(const char *path, const char *token)
{
    if (!is_well_formed())
        return "EINVAL";
    for (unsigned int i = 0; i < MAX_WATCHES; i++) {
        if (watches[i].token[0])
            continue;
        copy_text(watches[i].path, sizeof(watches[i].path), path);
        copy_text(watches[i].token, sizeof(watches[i].token), token);
        if (s->events_first)
            queue_event(path, token);
        queue(XS_WATCH, request.header.req_id, "OK", 3);
        if (!s->events_first)
            queue_event(path, token);
        return NULL;
    }
    return "E2BIG";
}

/* Of a node, not of a change that is still to come. */
static const char *take_set_perms(const char *path, const char *owner)
{
    if (!is_well_formed())
        return "EINVAL";
    if (!fake_store_get(path))
        return "ENOENT";
    copy_text(s->perms, sizeof(s->perms), owner);
    queue(XS_SET_PERMS, request.header.req_id, "OK", 3);
    return NULL;
}

static const char *take_unwatch(const char *path, const char *token)
{
    for (unsigned int i = 0; i < MAX_WATCHES; i++) {
        if (strcmp(watches[i].path, path) || strcmp(watches[i].token, token))
            continue;
        watches[i].token[0] = '\0';
        queue(XS_UNWATCH, request.header.req_id, "OK", 3);
        return NULL;
    }
    return "ENOENT";
}

static const char *take_begin(void)
{
    struct transaction *tx = find_tx(0);
    char number[16];

    if (!tx)
        return "ENOSPC";
    *tx = (struct transaction){.id = ++last_tx, .generation = generation};
    queue(XS_TRANSACTION_START, request.header.req_id, number,
          (size_t)snprintf(number, sizeof(number), "%u", tx->id) + 1);
    return NULL;
}

static const char *take_end(struct transaction *tx, const char *how)
{
    bool commit = !strcmp(how, "T"), conflict;

    if (!tx)
        return "ENOENT";
    if (commit && s->nr_conflicts) {
        s->nr_conflicts--;
        generation++;
        if (s->on_conflict)
            s->on_conflict();
    }
    conflict = commit && generation != tx->generation;
    for (unsigned int i = 0; commit && !conflict && i < tx->nr_changes; i++)
        fake_store_set(tx->changes[i].path, tx->changes[i].value);
    end_tx(tx);
    if (conflict)
        return "EAGAIN";
    queue(XS_TRANSACTION_END, request.header.req_id, "OK", 3);
    return NULL;
}

static const char *carry_out(void)
{
    const char *first = request.payload, *second = first + strlen(first) + 1;
    uint32_t tx_id = request.header.tx_id, type = request.header.type;
    struct transaction *tx = tx_id ? find_tx(tx_id) : NULL;
    const char *error;

    if (strlen(first) >= sizeof(nodes[0].path))
        return "EINVAL";
    if (s->refuse_at == s->nr_requests)
        return s->refuse_with;
    if (tx_id && !tx)
        return "ENOENT";
    switch (type) {
    case XS_READ:
        return take_read(tx, first);
    case XS_DIRECTORY:
        return take_directory(first);
    case XS_WRITE:
    case XS_RM:
        if (type == XS_RM && !value_in(tx, first))
            return "ENOENT";
        error = change(tx, first, type == XS_WRITE ? second : NULL);
        if (!error)
            queue(type, request.header.req_id, "OK", 3);
        return error;
    case XS_SET_PERMS:
        return take_set_perms(first, second);
    case XS_WATCH:
        return take_watch(first, second);
    case XS_UNWATCH:
        return take_unwatch(first, second);
    case XS_TRANSACTION_START:
        return take_begin();
    case XS_TRANSACTION_END:
        return take_end(tx, first);
    }
    return "ENOSYS";
}

static void queue_nonsense_event(void)
{
    static char longest[XENSTORE_PAYLOAD_MAX];

    memset(longest, 'x', sizeof(longest));
    switch (s->fault) {
    case STORE_EVENT_EMPTY:
        queue(XS_WATCH_EVENT, 0, "", 0);
        break;
    case STORE_EVENT_NO_TOKEN:
        queue(XS_WATCH_EVENT, 0, "a/path", 7);
        break;
    case STORE_EVENT_NO_ZERO:
        queue(XS_WATCH_EVENT, 0, "a/path", 6);
        break;
    case STORE_EVENT_TOKEN_RANGE:
        queue_event("a/path", "16");
        break;
    case STORE_EVENT_TOKEN_HUGE:
        queue_event("a/path", "18446744073709551616");
        break;
    case STORE_EVENT_TOKEN_FREE:
        queue_event("a/path", "15");
        break;
    case STORE_EVENT_LONGEST:
        queue(XS_WATCH_EVENT, 0, longest, sizeof(longest));
        break;
    default:
        break;
    }
}

/* Spoils the reply that begins at @at of what goes out. */
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
        out_len = at + sizeof(*reply) / 2;
        break;
    case STORE_HALF_REPLY:
        out_len = at + sizeof(*reply) + 1;
        break;
    case STORE_NO_TX:
    case STORE_TX_ZERO:
    case STORE_TX_HUGE:
        out_len = at;
        if (s->fault == STORE_NO_TX)
            queue(type, id, "word", 5);
        else if (s->fault == STORE_TX_ZERO)
            queue(type, id, "0", 2);
        else
            queue(type, id, "4294967296", 11);
        break;
    case STORE_NO_TERMINATOR:
        out_len = at;
        queue(XS_ERROR, id, "ENOENT", 6);
        break;
    case STORE_LONGEST:
        out_len = at;
        queue(type, id, longest, sizeof(longest));
        break;
    case STORE_UNKNOWN_ERROR:
        out_len = at;
        queue(XS_ERROR, id, "EWHATEVER", 10);
        break;
    case STORE_EMPTY_ERROR:
        out_len = at;
        queue(XS_ERROR, id, "", 0);
        break;
    default:
        break;
    }
}

static void answer(void)
{
    const char *error;
    size_t at;

    if (request.header.req_id == last_id)
        fail_msg("two requests have number %u", last_id);
    last_id = request.header.req_id;
    s->nr_requests++;
    s->nr_in_tx += request.header.tx_id != 0;
    request.payload[request.header.len] = '\0';
    if (s->fault_at == s->nr_requests)
        queue_nonsense_event();
    at = out_len;
    error = carry_out();
    if (error) {
        out_len = at;
        queue(XS_ERROR, request.header.req_id, error, strlen(error) + 1);
    }
    if (s->fault_at == s->nr_requests)
        spoil(at);
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
        fail_msg("the guest's request index is %u, and %u bytes were taken", prod, cons);
    if (s->one_by_one && out_len)
        return false;
    for (size_t i = 0; i < n; i++) {
        ((char *)&request)[got++] = s->ring->req[MASK_XENSTORE_IDX(cons + i)];
        s->ring->req_cons = cons + (uint32_t)i + 1;
        if (s->event_within && got == s->event_within)
            queue_event("a/path", "0");
        if (got == sizeof(request.header) && request.header.len > XENSTORE_PAYLOAD_MAX)
            fail_msg("the guest sends a request of %u bytes", request.header.len);
        if (got >= sizeof(request.header) && got == sizeof(request.header) + request.header.len) {
            got = 0;
            answer();
            if (s->one_by_one || s->fault_at == s->nr_requests)
                return true;
        }
    }
    return n > 0;
}

static bool give_bytes(void)
{
    uint32_t cons = s->ring->rsp_cons, prod = s->ring->rsp_prod;
    size_t n = RING - (prod - cons);

    n = at_a_time(n < out_len ? n : out_len);
    for (size_t i = 0; i < n; i++)
        s->ring->rsp[MASK_XENSTORE_IDX(prod + i)] = out[i];
    s->ring->rsp_prod = prod + (uint32_t)n;
    memmove(out, out + n, out_len - n);
    out_len -= n;
    return n > 0;
}

bool fake_store_turn(void)
{
    bool took, gave;

    if (!s->ring || s->is_silent || (s->needs_kick && !kicked))
        return false;
    took = take_bytes();
    gave = !s->is_silent && give_bytes();
    if (took || gave)
        fake_events_raise(s->port);
    kicked = (took || gave) && s->ring->rsp_prod - s->ring->rsp_cons < RING;
    return took || gave;
}

static void kick(evtchn_port_t port)
{
    kicked |= port == s->port;
}

static void disconnect(void)
{
    memset(watches, 0, sizeof(watches));
    for (unsigned int i = 0; i < MAX_TXS; i++)
        end_tx(&txs[i]);
    got = out_len = last_id = 0;
}

void fake_store_reconnect(evtchn_port_t port)
{
    disconnect();
    s->port = port;
}

void fake_store_start(void *ring, evtchn_port_t port)
{
    disconnect();
    for (unsigned int i = 0; i < MAX_NODES; i++) {
        set_value(&nodes[i], NULL);
        nodes[i].path[0] = '\0';
    }
    memset(ring, 0, sizeof(struct xenstore_domain_interface));
    *s = (struct fake_store){.ring = ring, .port = port};
    generation = last_tx = 0;
    fake_events.idle = fake_store_turn;
    fake_events.sent = kick;
}
