/* SPDX-License-Identifier: MIT */
#include "kernel/boot/store.h"

#include "lib/errno.h"
#include "lib/printk.h"
#include "lib/string.h"

#include "xen/console.h"
#include "xen/evtchn.h"
#include "xen/foreign_page.h"
#include "xen/xenstore.h"

#include <xen/io/xs_wire.h>

/* Where the store's ring is mapped. */
static uint8_t store_page[PAGE_SIZE] FOREIGN_PAGE;

/* Of a transaction that somebody else is always faster than. */
#define MAX_TRIES 100

static struct xs_watch shutdown_watch = {.path = "control/shutdown"};
static struct xs_watch target_watch = {.path = "memory/target"};
static struct xs_watch command_watch = {.path = "data/command"};

/* What libxl reads to know what it may ask for (docs/misc/xenstore-paths.pandoc of Xen). */
static int write_features(void)
{
    static const char *const paths[] = {"control/feature-poweroff", "control/feature-reboot",
                                        "control/feature-halt", "control/feature-suspend"};
    int rc = 0;

    for (size_t i = 0; !rc && i < ARRAY_SIZE(paths); i++) {
        rc = xs_write(0, paths[i], "1");
        if (rc == -EACCES) /* one that this toolstack did not make: it does not ask for it */
            rc = 0;
    }
    return rc;
}

/* A store that does not work is said to be so, and is no reason to stop. */
static void greet_store(void)
{
    int rc = write_features();

    if (!rc)
        rc = xs_write(0, command_watch.path, "");
    if (!rc)
        rc = xs_watch(&shutdown_watch);
    if (!rc)
        rc = xs_watch(&target_watch);
    if (!rc)
        rc = xs_watch(&command_watch);
    if (rc)
        printk(LOG_WARN, "store: xenstored says %d (%s); the toolstack's wishes are not seen\n", rc,
               errno_name(rc));
}

static bool has_store(const struct domain *d)
{
    mfn_t ring = d->boot.store;

    return !mfn_eq(ring, INVALID_MFN) && ring.v != 0 && d->boot.store_port != 0;
}

/*
 * The PV shim counts no reference for its own mapping of the store ring. If that mapping goes while
 * there is no other one, the page is lost to this domain. (The console ring has had another mapping
 * since the stage "console".)
 */
int store_ring_stage(struct domain *d)
{
    return foreign_page_map(store_page, has_store(d) ? d->boot.store : INVALID_MFN);
}

bool store_ring_was_used(const struct domain *d)
{
    const volatile struct xenstore_domain_interface *ring = (void *)store_page;

    return has_store(d) && ring->req_prod != 0;
}

int store_stage(struct domain *d)
{
    int rc;

    if (!has_store(d)) {
        xenstore_stop();
        printk(LOG_INFO, "store: none; this domain lives without\n");
        return 0;
    }
    rc = xenstore_start(store_page, d->boot.store_port);
    if (!rc)
        greet_store();
    return rc;
}

int store_before_suspend(struct domain *d)
{
    (void)d;
    return xenstore_suspend();
}

int store_after_resume(struct domain *d, bool new_domain)
{
    return new_domain ? store_stage(d) : 0;
}

bool store_has_news(void)
{
    return shutdown_watch.fired || target_watch.fired || command_watch.fired;
}

static const char *const request_names[NR_REQUESTS] = {
    [REQUEST_NONE] = "",     [REQUEST_POWEROFF] = "poweroff", [REQUEST_REBOOT] = "reboot",
    [REQUEST_HALT] = "halt", [REQUEST_SUSPEND] = "suspend",
};

static enum shutdown_request request_of(const char *word)
{
    for (unsigned int w = REQUEST_POWEROFF; w < NR_REQUESTS; w++)
        if (!strcmp(word, request_names[w]))
            return (enum shutdown_request)w;
    if (*word)
        printk(LOG_WARN, "store: control/shutdown is \"%.20s\", which is nothing we can do\n",
               word);
    return REQUEST_NONE;
}

/* Reads the node and empties it, or nothing. -EAGAIN: somebody wrote meanwhile. */
static int try_take_request(enum shutdown_request *wish)
{
    struct xs_reply reply;
    xs_tx_t tx;
    int rc = xs_begin(&tx);

    *wish = REQUEST_NONE;
    if (rc)
        return rc;
    rc = xs_read(tx, shutdown_watch.path, &reply);
    if (!rc)
        *wish = request_of(reply.data);
    if (!rc && *wish != REQUEST_NONE)
        rc = xs_write(tx, shutdown_watch.path, "");
    if (rc == -EIO)
        return rc;

    int ended = xs_end(tx, !rc);

    return rc ? rc : ended;
}

enum shutdown_request store_take_shutdown_request(void)
{
    enum shutdown_request wish = REQUEST_NONE;
    int rc = shutdown_watch.fired ? -EAGAIN : 0;

    shutdown_watch.fired = false;
    for (unsigned int i = 0; rc == -EAGAIN && i < MAX_TRIES; i++)
        rc = try_take_request(&wish);
    if (rc && rc != -ENOENT)
        printk(LOG_WARN, "store: control/shutdown cannot be read and answered: %d (%s)\n", rc,
               errno_name(rc));
    return rc ? REQUEST_NONE : wish;
}

uint64_t store_take_target(void)
{
    struct xs_reply reply;
    uint64_t kib = 0;
    int rc;

    if (!target_watch.fired)
        return 0;
    target_watch.fired = false;
    rc = xs_read(0, target_watch.path, &reply);
    if (rc)
        return 0;
    for (const char *s = reply.data; *s; s++) {
        if (*s < '0' || *s > '9' || kib > UINT64_MAX / 16) {
            printk(LOG_WARN, "store: memory/target is \"%.20s\", expected a number of KiB\n",
                   reply.data);
            return 0;
        }
        kib = kib * 10 + (uint64_t)(*s - '0');
    }
    return kib / (PAGE_SIZE / 1024);
}

bool store_take_command(char *order, size_t size_bytes)
{
    struct xs_reply reply;
    size_t len;

    if (!command_watch.fired)
        return false;
    command_watch.fired = false;
    if (xs_read(0, command_watch.path, &reply) || !reply.len_bytes)
        return false;
    len = min_u64(strlen(reply.data), size_bytes - 1);
    memcpy(order, reply.data, len);
    order[len] = '\0';
    return len > 0;
}

void store_end_command(void)
{
    store_say(command_watch.path, "");
}

void store_say(const char *path, const char *text)
{
    int rc = xenstore_is_connected() ? xs_write(0, path, text) : 0;

    if (rc)
        printk(LOG_WARN, "store: %s cannot be written: %d (%s)\n", path, rc, errno_name(rc));
}
