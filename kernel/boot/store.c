/* SPDX-License-Identifier: MIT */
#include "kernel/boot/store.h"

#include "lib/errno.h"
#include "lib/number.h"
#include "lib/printk.h"
#include "lib/string.h"

#include "xen/console.h"
#include "xen/evtchn.h"
#include "xen/foreign_page.h"
#include "xen/xenstore.h"

#include <xen/io/xs_wire.h>

/* The virtual page that maps the xenstore ring. */
static uint8_t store_page[PAGE_SIZE] FOREIGN_PAGE;

/* Maximum number of tries of a transaction that ends with -EAGAIN (a conflicting write). */
#define MAX_TRIES 100

static struct xs_watch shutdown_watch = {.path = "control/shutdown"};
static struct xs_watch target_watch = {.path = "memory/target"};
static struct xs_watch command_watch = {.path = "data/command"};

/*
 * libxl reads these nodes to know which requests the domain handles (Xen's xenstore-paths.pandoc).
 */
static int write_features(void)
{
    static const char *const paths[] = {"control/feature-poweroff", "control/feature-reboot",
                                        "control/feature-halt", "control/feature-suspend"};
    int rc = 0;

    for (size_t i = 0; !rc && i < ARRAY_SIZE(paths); i++) {
        rc = xs_write(0, paths[i], "1");
        if (rc == -EACCES) /* not created by this toolstack, which then sends no such request */
            rc = 0;
    }
    return rc;
}

/* Writes the feature nodes and sets the watches. A failure is a warning: the boot continues. */
static void write_features_and_watch(void)
{
    static struct xs_watch *const watches[] = {&shutdown_watch, &target_watch, &command_watch};
    const char *verb = "write", *path = "control/feature-*";
    int rc = write_features();

    if (!rc) {
        path = command_watch.path;
        rc = xs_write(0, path, "");
    }
    for (size_t i = 0; !rc && i < ARRAY_SIZE(watches); i++) {
        verb = "watch";
        path = watches[i]->path;
        rc = xs_watch(watches[i]);
    }
    if (rc)
        printk(LOG_WARN,
               "store: cannot %s %s in xenstore: %d (%s); shutdown and memory/target requests may "
               "be missed\n",
               verb, path, rc, errno_name(rc));
}

static bool has_store(const struct domain *d)
{
    mfn_t ring = d->boot.store;

    return !mfn_eq(ring, INVALID_MFN) && ring.v != 0 && d->boot.store_port != 0;
}

/*
 * Maps the ring before the stage teardown removes the builder's mapping of it. The PV shim maps the
 * ring's page without a page reference, so the page leaves this domain with the last mapping. The
 * console ring has a second mapping since the stage console.
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
        printk(LOG_INFO,
               "store: start_info names no xenstore ring; no shutdown or memory/target request can "
               "arrive\n");
        return 0;
    }
    rc = xenstore_start(store_page, d->boot.store_port);
    if (!rc)
        write_features_and_watch();
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
        printk(LOG_WARN,
               "store: control/shutdown is \"%.20s\" and ignored: expected poweroff, reboot, halt, "
               "suspend\n",
               word);
    return REQUEST_NONE;
}

/*
 * Reads and empties control/shutdown in one transaction. -EAGAIN: another domain has written to the
 * node since xs_begin, and the node is unchanged.
 */
static int try_take_request(enum shutdown_request *request)
{
    struct xs_reply reply;
    xs_tx_t tx;
    int rc = xs_begin(&tx);

    *request = REQUEST_NONE;
    if (rc)
        return rc;
    rc = xs_read(tx, shutdown_watch.path, &reply);
    if (!rc)
        *request = request_of(reply.data);
    if (!rc && *request != REQUEST_NONE)
        rc = xs_write(tx, shutdown_watch.path, "");
    if (rc == -EIO) /* the connection is broken */
        return rc;

    int ended = xs_end(tx, !rc);

    return rc ? rc : ended;
}

enum shutdown_request store_take_shutdown_request(void)
{
    enum shutdown_request request = REQUEST_NONE;
    int rc = shutdown_watch.fired ? -EAGAIN : 0;

    shutdown_watch.fired = false;
    for (unsigned int i = 0; rc == -EAGAIN && i < MAX_TRIES; i++)
        rc = try_take_request(&request);
    if (rc && rc != -ENOENT)
        printk(LOG_WARN,
               "store: control/shutdown could not be read and emptied: %d (%s); the request is "
               "ignored\n",
               rc, errno_name(rc));
    return rc ? REQUEST_NONE : request;
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
    if (*reply.data && !number_parse_decimal(reply.data, strlen(reply.data), UINT64_MAX, &kib))
        printk(LOG_WARN, "store: memory/target is \"%.20s\" and ignored: expected KiB in decimal\n",
               reply.data);
    return kib / (PAGE_SIZE / 1024);
}

bool store_take_command(char *command, size_t size_bytes)
{
    struct xs_reply reply;
    size_t len;

    if (!command_watch.fired)
        return false;
    command_watch.fired = false;
    if (xs_read(0, command_watch.path, &reply) || !reply.len_bytes)
        return false;
    len = min_u64(strlen(reply.data), size_bytes - 1);
    memcpy(command, reply.data, len);
    command[len] = '\0';
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
        printk(LOG_WARN, "store: xenstore node %s could not be written: %d (%s)\n", path, rc,
               errno_name(rc));
}
