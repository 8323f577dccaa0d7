/* SPDX-License-Identifier: MIT */
#include "kernel/services.h"

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
static struct xs_watch order_watch = {.path = "data/order"};

/* An event that is only there to wake us: what it is about is looked at in kernel/live.c. */
static void wake(void *context)
{
    (void)context;
}

static int bind_all(const struct domain *d)
{
    static evtchn_port_t timer, port;
    int rc = evtchn_bind_virq(VIRQ_TIMER, wake, NULL, &timer);

    /* The old domain, resumed as if it were a new one (xg_resume.c, fast=0): it is bound still. */
    if (rc == -EEXIST && timer)
        rc = evtchn_listen(timer, wake, NULL);
    if (rc)
        return rc;
    if (boot_info_is_initdomain(&d->boot))
        return evtchn_bind_virq(VIRQ_CONSOLE, wake, NULL, &port);
    return evtchn_listen(d->boot.console_port, wake, NULL);
}

int events_stage(struct domain *d)
{
    return bind_all(d);
}

int events_after_resume(struct domain *d, bool new_domain)
{
    return new_domain ? bind_all(d) : 0;
}

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
        rc = xs_write(0, order_watch.path, "");
    if (!rc)
        rc = xs_watch(&shutdown_watch);
    if (!rc)
        rc = xs_watch(&target_watch);
    if (!rc)
        rc = xs_watch(&order_watch);
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
 * The PV shim counts no reference for its own mapping of a ring. If that goes while there is no
 * other one, the page is no longer ours. (The console's ring has had another one for long.)
 */
int rings_stage(struct domain *d)
{
    const volatile struct xenstore_domain_interface *ring = (void *)store_page;
    int rc = foreign_page_map(store_page, has_store(d) ? d->boot.store : INVALID_MFN);

    if (rc)
        return rc;
    d->builder = boot_info_builder(&d->boot, has_store(d) && ring->req_prod != 0);
    printk(LOG_INFO, "builder: %s; list of %lu pages in %s, %s ramdisk\n", d->builder,
           DIV_ROUND_UP(d->boot.nr_pages, P2M_PER_PAGE),
           d->boot.list_va == LIST_BASE ? "its slot" : "the kernel mapping",
           !d->boot.ramdisk_bytes ? "no"
           : d->boot.ramdisk_va   ? "a mapped"
                                  : "an unmapped");
    return 0;
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
    return shutdown_watch.fired || target_watch.fired || order_watch.fired;
}

static const char *const wish_names[NR_WISHES] = {
    [WISH_NONE] = "",     [WISH_POWEROFF] = "poweroff", [WISH_REBOOT] = "reboot",
    [WISH_HALT] = "halt", [WISH_SUSPEND] = "suspend",
};

static enum wish wish_of(const char *word)
{
    for (unsigned int w = WISH_POWEROFF; w < NR_WISHES; w++)
        if (!strcmp(word, wish_names[w]))
            return (enum wish)w;
    if (*word)
        printk(LOG_WARN, "store: control/shutdown is \"%.20s\", which is nothing we can do\n",
               word);
    return WISH_NONE;
}

/* Reads the node and empties it, or nothing. -EAGAIN: somebody wrote meanwhile. */
static int try_take_wish(enum wish *wish)
{
    struct xs_reply reply;
    xs_tx_t tx;
    int rc = xs_begin(&tx);

    *wish = WISH_NONE;
    if (rc)
        return rc;
    rc = xs_read(tx, shutdown_watch.path, &reply);
    if (!rc)
        *wish = wish_of(reply.data);
    if (!rc && *wish != WISH_NONE)
        rc = xs_write(tx, shutdown_watch.path, "");
    if (rc == -EIO)
        return rc;

    int ended = xs_end(tx, !rc);

    return rc ? rc : ended;
}

enum wish store_take_wish(void)
{
    enum wish wish = WISH_NONE;
    int rc = shutdown_watch.fired ? -EAGAIN : 0;

    shutdown_watch.fired = false;
    for (unsigned int i = 0; rc == -EAGAIN && i < MAX_TRIES; i++)
        rc = try_take_wish(&wish);
    if (rc && rc != -ENOENT)
        printk(LOG_WARN, "store: control/shutdown cannot be read and answered: %d (%s)\n", rc,
               errno_name(rc));
    return rc ? WISH_NONE : wish;
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

bool store_take_order(char *order, size_t size_bytes)
{
    struct xs_reply reply;
    size_t len;

    if (!order_watch.fired)
        return false;
    order_watch.fired = false;
    if (xs_read(0, order_watch.path, &reply) || !reply.len_bytes)
        return false;
    len = min_u64(strlen(reply.data), size_bytes - 1);
    memcpy(order, reply.data, len);
    order[len] = '\0';
    return len > 0;
}

void store_end_order(void)
{
    store_say(order_watch.path, "");
}

void store_say(const char *path, const char *text)
{
    int rc = xenstore_is_connected() ? xs_write(0, path, text) : 0;

    if (rc)
        printk(LOG_WARN, "store: %s cannot be written: %d (%s)\n", path, rc, errno_name(rc));
}
