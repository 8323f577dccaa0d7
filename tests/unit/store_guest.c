/* SPDX-License-Identifier: MIT */
#include "tests/unit/store_guest.h"

#include "lib/errno.h"

#include "xen/clock.h"
#include "xen/evtchn.h"
#include "xen/watchdog.h"

#include "tests/unit/fake_events.h"
#include "tests/unit/fake_store.h"
#include "tests/unit/fake_xen.h"
#include "tests/unit/harness.h"

#include <string.h>
#include <sys/mman.h>

#define RING_BYTES sizeof(struct xenstore_domain_interface)
#define CANARY     0xa5

struct shared_info sg_shared __attribute__((aligned(4096)));
uint8_t *sg_page;
volatile struct xenstore_domain_interface *sg_ring;
struct xs_watch sg_watch;

static evtchn_port_t timer;

static void wake(void *context)
{
    (void)context;
}

void sg_start(uint32_t index)
{
    evtchn_port_t port;

    if (!sg_page) {
        sg_page = mmap(NULL, 3 * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        sg_page += 4096;
        mprotect(sg_page, 4096, PROT_READ | PROT_WRITE);
    }
    memset(sg_page, CANARY, 4096);
    sg_ring = (volatile struct xenstore_domain_interface *)sg_page;
    fake.fail_at = 0;
    fake_events_start(&sg_shared);
    port = fake_events_port();
    clock_start(&sg_shared.vcpu_info[0].time);
    evtchn_start(&sg_shared);
    check_equal("bind VIRQ_TIMER", evtchn_bind_virq(VIRQ_TIMER, wake, NULL, &timer), 0);
    fake_store_start(sg_page, port);
    sg_ring->req_prod = sg_ring->req_cons = sg_ring->rsp_prod = sg_ring->rsp_cons = index;
    sg_watch = (struct xs_watch){.path = "a"};
    check_equal("xenstore_start on an empty store", xenstore_start(sg_page, port, false), 0);
    watchdog_stop(); /* left by the previous test */
    output_clear();
}

void sg_forget_events(void)
{
    evtchn_start(&sg_shared);
    check_equal("listen to VIRQ_TIMER", evtchn_listen(timer, wake, NULL), 0);
}

void sg_check_canary(const char *what)
{
    for (size_t i = RING_BYTES; i < 4096; i++)
        check_equal(what, sg_page[i], CANARY);
}

void sg_check_node(const char *path, const char *value)
{
    struct xs_reply reply;

    check_equal(path, xs_read(0, path, &reply), 0);
    assert_string_equal(reply.data, value);
    check_equal("length of the node's value", reply.len_bytes, strlen(value));
}

void sg_ask_everything(void)
{
    struct xs_reply reply;
    xs_tx_t tx;

    check_equal("xs_write of a/b", xs_write(0, "a/b", "hello"), 0);
    check_equal("xs_write of a/c, empty", xs_write(0, "a/c", ""), 0);
    sg_check_node("a/b", "hello");
    sg_check_node("a/c", "");
    check_equal("xs_read of a missing node", xs_read(0, "a/d", &reply), -ENOENT);
    check_equal("xs_list of a", xs_list(0, "a", &reply), 0);
    check_equal("length of the list of two names", reply.len_bytes, 4);
    check_equal("each listed name ends with a 0", memcmp(reply.data, "b\0c", 4), 0);
    check_equal("xs_remove of a/c", xs_remove(0, "a/c"), 0);
    check_equal("xs_remove of a/c, removed before", xs_remove(0, "a/c"), -ENOENT);
    check_true("a/c is removed in xenstored", !fake_store_get("a/c"));

    check_equal("xs_watch of a", xs_watch(&sg_watch), 0);
    check_equal("xs_begin of the first transaction", xs_begin(&tx), 0);
    check_equal("xs_write of a/b in a transaction", xs_write(tx, "a/b", "in it"), 0);
    check_equal("a/b in xenstored before the commit, against the old value",
                strcmp(fake_store_get("a/b"), "hello"), 0);
    check_equal("xs_read of a/b in a transaction", xs_read(tx, "a/b", &reply), 0);
    assert_string_equal(reply.data, "in it");
    check_equal("xs_end with commit", xs_end(tx, true), 0);
    assert_string_equal(fake_store_get("a/b"), "in it");
    check_equal("xs_begin of the second transaction", xs_begin(&tx), 0);
    check_equal("xs_remove of a/b in a transaction", xs_remove(tx, "a/b"), 0);
    check_equal("xs_end with abort", xs_end(tx, false), 0);
    check_equal("xs_end of an ended transaction", xs_end(tx, false), -ENOENT);
    sg_check_node("a/b", "in it");
    check_true("the watch of a has fired", sg_watch.fired);
    check_equal("xs_unwatch of a", xs_unwatch(&sg_watch), 0);
    check_equal("watches in xenstored at the end", fake_store_watches(), 0);
    check_equal("watches of the client at the end", xs_count_watches(), 0);
    check_equal("transactions in xenstored at the end", fake_store_transactions(), 0);
    check_true("the connection is alive at the end", xenstore_is_connected());
    sg_check_canary("bytes behind the ring");
}

void sg_check_dead(const char *what)
{
    uint32_t req_prod = sg_ring->req_prod, rsp_cons = sg_ring->rsp_cons;
    struct xs_reply reply;
    uint64_t now = clock_ns();
    xs_tx_t tx;

    fake.nr_hypercalls = 0;
    check_true(what, !xenstore_is_connected());
    check_equal(what, xs_read(0, "a", &reply), -EIO);
    check_equal(what, xs_write(0, "a", "b"), -EIO);
    check_equal(what, xs_begin(&tx), -EIO);
    check_equal(what, xs_watch(&sg_watch), -EIO);
    xenstore_poll();
    check_equal(what, sg_ring->req_prod, req_prod);
    check_equal(what, sg_ring->rsp_cons, rsp_cons);
    check_equal(what, fake.nr_hypercalls, 0);
    check_equal(what, clock_ns(), now);
    sg_check_canary(what);
}
