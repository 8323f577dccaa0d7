/* SPDX-License-Identifier: MIT */
#include "xen/xenstore.h"

#include "lib/errno.h"
#include "lib/format.h"
#include "lib/number.h"
#include "lib/printk.h"
#include "lib/string.h"

#include "xen/xenstore_request.h"

#define MAX_WATCHES 16

static struct {
    struct xs_watch *watch;
    bool is_set;        /* in xenstored */
} watches[MAX_WATCHES]; /* the index is the token */

int xs_read(xs_tx_t tx, const char *path, struct xs_reply *reply)
{
    return xenstore_ask(&(struct xenstore_request){.type = XS_READ, .tx = tx, .first = path},
                        reply);
}

int xs_list(xs_tx_t tx, const char *path, struct xs_reply *names)
{
    return xenstore_ask(&(struct xenstore_request){.type = XS_DIRECTORY, .tx = tx, .first = path},
                        names);
}

int xs_write(xs_tx_t tx, const char *path, const char *value)
{
    return xenstore_ask(
        &(struct xenstore_request){.type = XS_WRITE, .tx = tx, .first = path, .second = value},
        NULL);
}

int xs_remove(xs_tx_t tx, const char *path)
{
    return xenstore_ask(&(struct xenstore_request){.type = XS_RM, .tx = tx, .first = path}, NULL);
}

int xs_set_perms(xs_tx_t tx, const char *path, const char *owner)
{
    return xenstore_ask(
        &(struct xenstore_request){
            .type = XS_SET_PERMS, .tx = tx, .first = path, .second = owner, .second_ends = true},
        NULL);
}

bool xs_is_quota(int rc)
{
    return rc == -ENOSPC || rc == -E2BIG || rc == -ENOMEM;
}

const char *xs_error_name(int rc)
{
    switch (rc) {
    case -ENOSPC:
        return "ENOSPC: quota of this domain in xenstored";
    case -E2BIG:
        return "E2BIG: quota of this domain in xenstored";
    case -ENOMEM:
        return "ENOMEM: memory quota of this domain in xenstored, or no memory there";
    default:
        return errno_name(rc);
    }
}

int xs_begin(xs_tx_t *tx)
{
    struct xs_reply reply;
    int rc =
        xenstore_ask(&(struct xenstore_request){.type = XS_TRANSACTION_START, .first = ""}, &reply);
    xs_tx_t id;

    if (rc)
        return rc;
    id = xenstore_transaction_of(reply.data);
    if (!id) {
        printk(LOG_WARN,
               "xenstore: xenstored's reply to XS_TRANSACTION_START has no valid number\n");
        return -EIO;
    }
    *tx = id;
    return 0;
}

int xs_end(xs_tx_t tx, bool commit)
{
    return xenstore_ask(&(struct xenstore_request){.type = XS_TRANSACTION_END,
                                                   .tx = tx,
                                                   .first = commit ? "T" : "F"},
                        NULL);
}

/* The payload is "path\0token\0". The token is an index of watches[], in decimal. */
void xenstore_take_event(const char *payload, size_t len_bytes)
{
    const char *token = payload + strlen(payload) + 1;
    uint64_t index;

    if (token >= payload + len_bytes)
        return;
    if (number_parse_decimal(token, strlen(token), MAX_WATCHES - 1, &index) && watches[index].watch)
        watches[index].watch->fired = true;
}

void xenstore_take_gap(bool new_connection)
{
    for (unsigned int i = 0; i < MAX_WATCHES; i++) {
        watches[i].is_set &= !new_connection;
        if (watches[i].watch)
            watches[i].watch->fired = true;
    }
}

static int watch_request(uint32_t type, const struct xs_watch *w, unsigned int index)
{
    char token[12];

    format(token, sizeof(token), "%u", index);
    return xenstore_ask(
        &(struct xenstore_request){
            .type = type, .first = w->path, .second = token, .second_ends = true},
        NULL);
}

static int set_watch(unsigned int i)
{
    int rc = watch_request(XS_WATCH, watches[i].watch, i);

    if (rc == -EEXIST) { /* xenstored has this path and token, of a request that timed out */
        watches[i].watch->fired = true;
        rc = 0;
    }
    watches[i].is_set = !rc;
    return rc;
}

/* Is it likely that the request succeeds later? */
static bool is_transient(int rc)
{
    return rc == -ETIMEDOUT || rc == -EIO;
}

int xs_watch(struct xs_watch *w)
{
    for (unsigned int i = 0; i < MAX_WATCHES; i++) {
        int rc;

        if (watches[i].watch)
            continue;
        watches[i].watch = w; /* before the request: an event may come before the reply */
        rc = set_watch(i);
        if (rc && !is_transient(rc))
            watches[i].watch = NULL;
        return rc;
    }
    return -ENOMEM;
}

/* Sets the watches that a new connection lacks, and those whose request timed out. */
static void set_missing_watches(void)
{
    for (unsigned int i = 0; i < MAX_WATCHES; i++) {
        int rc = watches[i].watch && !watches[i].is_set ? set_watch(i) : 0;

        if (is_transient(rc))
            return;
        if (rc) {
            printk(LOG_WARN, "xenstore: %s cannot be watched again: %d (%s)\n",
                   watches[i].watch->path, rc, xs_error_name(rc));
            watches[i].is_set = true; /* xenstored has answered: it is not asked again */
        }
    }
}

int xs_unwatch(struct xs_watch *w)
{
    for (unsigned int i = 0; i < MAX_WATCHES; i++) {
        if (watches[i].watch != w)
            continue;
        watches[i].watch = NULL;
        return watch_request(XS_UNWATCH, w, i);
    }
    return -ENOENT;
}

unsigned int xs_count_watches(void)
{
    unsigned int n = 0;

    for (unsigned int i = 0; i < MAX_WATCHES; i++)
        n += watches[i].watch != NULL;
    return n;
}

void xenstore_poll(void)
{
    if (xenstore_receive())
        set_missing_watches();
}

int xenstore_start(void *page, evtchn_port_t port, bool is_new)
{
    int rc = xenstore_connect(page, port, is_new);

    if (!rc)
        memset(watches, 0, sizeof(watches));
    return rc;
}

void xenstore_stop(void)
{
    xenstore_disconnect();
    memset(watches, 0, sizeof(watches));
}

void xenstore_resume(void)
{
    xenstore_take_gap(false);
}

int xenstore_resume_at(evtchn_port_t port)
{
    int rc = xenstore_listen(port);

    if (!rc)
        xenstore_take_gap(false);
    return rc;
}
