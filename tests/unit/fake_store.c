/* SPDX-License-Identifier: MIT */
#include "tests/unit/fake_store.h"

#include "tests/unit/fake_store_wire.h"
#include "tests/unit/harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_NODES   32
#define MAX_WATCHES 32
#define MAX_TXS     10
#define MAX_CHANGES 4

static struct fake_store *const s = &fake_store;

struct node {
    char path[128];
    char *value; /* NULL: the slot is free */
};

static struct node nodes[MAX_NODES];
static unsigned int generation; /* changes with any node */

static struct watch_entry {
    char path[128], token[16]; /* no token: the watch is free */
} watches[MAX_WATCHES];

static struct transaction {
    uint32_t id; /* 0: the transaction is free */
    unsigned int generation;
    struct node changes[MAX_CHANGES];
    unsigned int nr_changes;
} txs[MAX_TXS];
static uint32_t last_tx;

/* The request that is being executed. */
static const struct fake_request *request;

static void reply(uint32_t type, const void *payload, size_t len)
{
    fake_store_queue(type, request->header.req_id, payload, len);
}

static void copy_text(char *to, size_t size, const char *from)
{
    size_t len = strnlen(from, size - 1);

    memcpy(to, from, len);
    to[len] = '\0';
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
        fail_msg("the fake xenstored has no free node: limit is %d", MAX_NODES);
    copy_text(n->path, sizeof(n->path), path);
    set_value(n, value);
    generation++;
    fake_store_wake();
    for (unsigned int i = 0; i < MAX_WATCHES; i++)
        if (watches[i].token[0] && is_at_or_below(path, watches[i].path))
            fake_store_queue_event(path, watches[i].token);
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

/* Each of these functions returns an error word, or NULL if a reply is queued. */

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
    reply(XS_READ, value, strlen(value));
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
    reply(XS_DIRECTORY, names, len);
    return NULL;
}

/* Do both strings of the request end inside the request? */
static bool is_well_formed(void)
{
    uint32_t len = request->header.len;

    return len && !request->payload[len - 1] && memchr(request->payload, 0, len - 1);
}

static const char *take_watch(const char *path, const char *token)
{
    if (!is_well_formed())
        return "EINVAL";
    for (unsigned int i = 0; i < MAX_WATCHES; i++)
        if (!strcmp(watches[i].path, path) && !strcmp(watches[i].token, token))
            return "EEXIST";
    for (unsigned int i = 0; i < MAX_WATCHES; i++) {
        if (watches[i].token[0])
            continue;
        copy_text(watches[i].path, sizeof(watches[i].path), path);
        copy_text(watches[i].token, sizeof(watches[i].token), token);
        if (s->events_first)
            fake_store_queue_event(path, token);
        reply(XS_WATCH, "OK", 3);
        if (!s->events_first)
            fake_store_queue_event(path, token);
        return NULL;
    }
    return "E2BIG";
}

/* Works on a node, not on a node changed in a transaction. */
static const char *take_set_perms(const char *path, const char *owner)
{
    if (!is_well_formed())
        return "EINVAL";
    if (!fake_store_get(path))
        return "ENOENT";
    copy_text(s->perms, sizeof(s->perms), owner);
    reply(XS_SET_PERMS, "OK", 3);
    return NULL;
}

static const char *take_unwatch(const char *path, const char *token)
{
    for (unsigned int i = 0; i < MAX_WATCHES; i++) {
        if (strcmp(watches[i].path, path) || strcmp(watches[i].token, token))
            continue;
        watches[i].token[0] = '\0';
        reply(XS_UNWATCH, "OK", 3);
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
    reply(XS_TRANSACTION_START, number, (size_t)snprintf(number, sizeof(number), "%u", tx->id) + 1);
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
    reply(XS_TRANSACTION_END, "OK", 3);
    return NULL;
}

const char *fake_store_carry_out(const struct fake_request *r)
{
    const char *first = r->payload, *second = first + strlen(first) + 1;
    uint32_t tx_id = r->header.tx_id, type = r->header.type;
    struct transaction *tx = tx_id ? find_tx(tx_id) : NULL;
    const char *error;

    request = r;
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
            reply(type, "OK", 3);
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

void fake_store_forget_connection(void)
{
    memset(watches, 0, sizeof(watches));
    for (unsigned int i = 0; i < MAX_TXS; i++)
        end_tx(&txs[i]);
}

void fake_store_forget_nodes(void)
{
    for (unsigned int i = 0; i < MAX_NODES; i++) {
        set_value(&nodes[i], NULL);
        nodes[i].path[0] = '\0';
    }
    generation = last_tx = 0;
}
