/* SPDX-License-Identifier: MIT */
#include "kernel/boot/store.h"

#include "lib/errno.h"
#include "lib/number.h"
#include "lib/printk.h"
#include "lib/string.h"

#include "xen/clock.h"
#include "xen/console.h"
#include "xen/evtchn.h"
#include "xen/foreign_page.h"
#include "xen/xenstore.h"

#include "kernel/boot/events.h"

#include <xen/io/xs_wire.h>

/* The virtual page that maps the xenstore ring. */
static uint8_t store_page[PAGE_SIZE] FOREIGN_PAGE;

/* Maximum number of tries of a transaction that ends with -EAGAIN (a conflicting write). */
#define MAX_TRIES 100

static struct xs_watch shutdown_watch = {.path = "control/shutdown"};
static struct xs_watch target_watch = {.path = "memory/target"};
static struct xs_watch command_watch = {.path = "data/command"};

/*
 * At least one watch was refused: all three nodes are read every POLL_NS then, so that the
 * toolstack keeps its control.
 */
#define POLL_NS (5 * NS_PER_S)
static bool is_polling;
static uint64_t poll_at_ns;

/* The request that was read, as long as it is not known whether its acknowledgement was written. */
static enum shutdown_request unconfirmed;

/* The command that runs, or whose node could not be emptied when it was done (is_done). */
static char running[STORE_COMMAND_BYTES];
static bool is_done;

/* Is it likely that a failed request succeeds when xenstored answers again? Then watches fire. */
static bool is_transient(int rc)
{
    return rc == -ETIMEDOUT || (rc == -EIO && xenstore_is_connected());
}

/* Prints a failed request. The boot continues. */
static void check(int rc, const char *verb, const char *path, const char *consequence)
{
    if (rc)
        printk(LOG_WARN, "store: cannot %s %s in xenstore: %d (%s); %s\n", verb, path, rc,
               xs_error_name(rc), consequence);
}

static void watch(struct xs_watch *w)
{
    int rc = xs_watch(w);

    check(rc, "watch", w->path,
          is_transient(rc) ? "the watch is set when xenstored answers"
                           : "the node is read every 5 seconds");
    is_polling |= rc && !is_transient(rc);
}

/*
 * libxl reads these nodes to know which requests the domain handles (Xen's xenstore-paths.pandoc).
 */
static void write_features(void)
{
    static const char *const paths[] = {"control/feature-poweroff", "control/feature-reboot",
                                        "control/feature-halt", "control/feature-suspend"};

    for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
        int rc = xs_write(0, paths[i], "1");

        if (rc != -EACCES) /* not created by this toolstack, which then sends no such request */
            check(rc, "write", paths[i],
                  "the toolstack may not know that this domain obeys shutdown requests");
    }
}

/*
 * The watches on which the toolstack's control depends come first, and depend on nothing else. The
 * node for commands is created if it is not there: a command that waits in it is kept.
 */
static void watch_and_write_features(void)
{
    struct xs_reply reply;
    int rc;

    watch(&shutdown_watch);
    watch(&target_watch);
    watch(&command_watch);
    poll_at_ns = 0;
    write_features();
    rc = xs_read(0, command_watch.path, &reply);
    if (rc == -ENOENT)
        rc = xs_write(0, command_watch.path, "");
    check(rc, "read or create", command_watch.path,
          "commands need a node that this domain can read");
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

static int connect(const struct domain *d, bool is_new)
{
    int rc;

    unconfirmed = REQUEST_NONE;
    is_done = false;
    is_polling = false;
    if (!has_store(d)) {
        xenstore_stop();
        printk(LOG_INFO,
               "store: start_info names no xenstore ring; no shutdown or memory/target request can "
               "arrive\n");
        return 0;
    }
    rc = xenstore_start(store_page, d->boot.store_port, is_new);
    if (!rc)
        watch_and_write_features();
    return rc;
}

int store_stage(struct domain *d)
{
    return connect(d, false);
}

int store_after_resume(struct domain *d, bool new_domain)
{
    if (!new_domain) {
        xenstore_resume();
        return 0;
    }
    if (events_are_of_old_domain() && has_store(d))
        return xenstore_resume_at(d->boot.store_port);
    return connect(d, true);
}

uint64_t store_wake_at(void)
{
    return is_polling ? poll_at_ns : UINT64_MAX;
}

bool store_has_news(void)
{
    if (is_polling && clock_ns() >= poll_at_ns) {
        shutdown_watch.fired = target_watch.fired = command_watch.fired = true;
        poll_at_ns = clock_ns() + POLL_NS;
    }
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

static const char *consequence_of(int rc)
{
    return is_transient(rc) ? "the node is read again when xenstored answers"
                            : "the node is ignored";
}

/* Looks at the value of a node. True: the node is to be emptied, which is the acknowledgement. */
typedef bool (*look_t)(const struct xs_reply *value, void *context);

/*
 * Begins a transaction. If a quota allows none, *@tx is 0, and each request stands for itself:
 * what another domain writes between two requests is lost, which is better than to read nothing.
 */
static int begin(xs_tx_t *tx, const char *path)
{
    int rc = xs_begin(tx);

    if (!xs_is_quota(rc))
        return rc;
    printk(LOG_WARN,
           "store: %s is read without a transaction: XS_TRANSACTION_START: result is %d (%s), "
           "expected 0 (success)\n",
           path, rc, xs_error_name(rc));
    *tx = 0;
    return 0;
}

/*
 * Shows the value of the node @path to @look, and empties the node if @look says so, both in one
 * transaction. -EAGAIN: another domain has written to the node since xs_begin, and the node is
 * unchanged. *@ending is set as soon as only the result of the transaction is missing.
 */
static int try_take_node(const char *path, look_t look, void *context, bool *ending)
{
    struct xs_reply reply;
    xs_tx_t tx;
    int rc = begin(&tx, path), ended;

    *ending = false;
    if (rc)
        return rc;
    rc = xs_read(tx, path, &reply);
    if (!rc && look(&reply, context)) {
        rc = xs_write(tx, path, "");
        *ending = !rc;
    }
    if (!tx || rc == -ETIMEDOUT || rc == -EIO) /* there is no transaction, or it is over */
        return rc;
    ended = xs_end(tx, !rc);
    return rc ? rc : ended;
}

static int take_node(const char *path, look_t look, void *context, bool *ending)
{
    int rc = -EAGAIN;

    for (unsigned int i = 0; rc == -EAGAIN && i < MAX_TRIES; i++)
        rc = try_take_node(path, look, context, ending);
    return rc;
}

static bool look_at_request(const struct xs_reply *value, void *context)
{
    enum shutdown_request *request = context;

    *request = request_of(value->data);
    return *request != REQUEST_NONE;
}

/*
 * The result of the acknowledgement that was late. If it was not written, the node is read again.
 */
static enum shutdown_request take_unconfirmed(void)
{
    enum shutdown_request request = unconfirmed;
    int rc = xs_end_result();

    if (rc == -ETIMEDOUT)
        return REQUEST_NONE;
    unconfirmed = REQUEST_NONE;
    return rc ? REQUEST_NONE : request;
}

/*
 * Such a request is obeyed although a quota forbids to empty the node: nobody reads it again. A
 * suspend request would be read again after each resume.
 */
static bool ends_domain(enum shutdown_request request)
{
    return request == REQUEST_POWEROFF || request == REQUEST_REBOOT || request == REQUEST_HALT;
}

enum shutdown_request store_take_shutdown_request(void)
{
    enum shutdown_request request = take_unconfirmed();
    bool ending, obeyed;
    int rc;

    if (request != REQUEST_NONE || unconfirmed != REQUEST_NONE || !shutdown_watch.fired)
        return request;
    shutdown_watch.fired = false;
    rc = take_node(shutdown_watch.path, look_at_request, &request, &ending);
    if (rc == -ETIMEDOUT && ending)
        unconfirmed = request;
    obeyed = !rc || (xs_is_quota(rc) && ends_domain(request));
    if (rc && rc != -ENOENT)
        printk(LOG_WARN, "store: control/shutdown could not be read and emptied: %d (%s); %s\n", rc,
               xs_error_name(rc), obeyed ? "the request is obeyed" : consequence_of(rc));
    return obeyed ? request : REQUEST_NONE;
}

/* The size in pages that the text of memory/target requests; 0: none. */
static uint64_t target_of(const char *text)
{
    uint64_t kib = 0;

    if (!*text)
        return 0;
    if (!number_parse_decimal(text, strlen(text), UINT64_MAX, &kib))
        printk(LOG_WARN, "store: memory/target is \"%.20s\" and ignored: expected KiB in decimal\n",
               text);
    else if (kib < PAGE_SIZE / 1024)
        printk(LOG_WARN,
               "store: memory/target is %lu KiB and ignored: expected at least one page\n", kib);
    return kib / (PAGE_SIZE / 1024);
}

uint64_t store_take_target(void)
{
    struct xs_reply reply;
    int rc;

    if (!target_watch.fired)
        return 0;
    target_watch.fired = false;
    rc = xs_read(0, target_watch.path, &reply);
    if (!rc)
        return target_of(reply.data);
    if (rc != -ENOENT)
        printk(LOG_WARN, "store: memory/target could not be read: %d (%s); %s\n", rc,
               xs_error_name(rc), consequence_of(rc));
    return 0;
}

static bool look_at_done(const struct xs_reply *value, void *context)
{
    (void)context;
    return !strcmp(value->data, running);
}

/* Empties data/command if it still has the command that ran: another one is a new command. */
static void empty_command(void)
{
    bool ending;
    int rc = take_node(command_watch.path, look_at_done, NULL, &ending);

    is_done = is_transient(rc);
    if (rc && rc != -ENOENT)
        printk(
            LOG_WARN,
            "store: data/command could not be emptied after its command was obeyed: %d (%s); %s\n",
            rc, xs_error_name(rc),
            is_done ? "the node is emptied when xenstored answers" : "the node keeps its value");
}

/* Copies @value to running[]. False if there is no command, or one that is too long. */
static bool is_command(const struct xs_reply *value)
{
    if (value->len_bytes >= sizeof(running)) {
        printk(LOG_WARN, "store: data/command has %lu bytes and is ignored: expected at most %lu\n",
               value->len_bytes, sizeof(running) - 1);
        return false;
    }
    memcpy(running, value->data, value->len_bytes + 1);
    return *running;
}

bool store_take_command(char *command)
{
    struct xs_reply reply;
    int rc;

    if (!command_watch.fired)
        return false;
    command_watch.fired = false;
    if (is_done)
        empty_command();
    if (is_done)
        return false;
    rc = xs_read(0, command_watch.path, &reply);
    if (rc && rc != -ENOENT)
        printk(LOG_WARN, "store: data/command could not be read: %d (%s); %s\n", rc,
               xs_error_name(rc), consequence_of(rc));
    if (rc || !is_command(&reply))
        return false;
    memcpy(command, running, sizeof(running));
    return true;
}

void store_end_command(void)
{
    empty_command();
}

void store_say(const char *path, const char *text)
{
    int rc = xenstore_is_connected() ? xs_write(0, path, text) : 0;

    if (rc)
        printk(LOG_WARN, "store: xenstore node %s could not be written: %d (%s)\n", path, rc,
               xs_error_name(rc));
}
