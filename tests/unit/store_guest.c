/* SPDX-License-Identifier: MIT */
#include "tests/unit/store_guest.h"

#include "lib/errno.h"

#include "xen/clock.h"
#include "xen/evtchn.h"

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

static void wake(void *context)
{
    (void)context;
}

void sg_start(uint32_t index)
{
    evtchn_port_t port, timer;

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
    check_equal("timer", evtchn_bind_virq(VIRQ_TIMER, wake, NULL, &timer), 0);
    fake_store_start(sg_page, port);
    sg_ring->req_prod = sg_ring->req_cons = sg_ring->rsp_prod = sg_ring->rsp_cons = index;
    sg_watch = (struct xs_watch){.path = "a"};
    check_equal("connect", xenstore_start(sg_page, port), 0);
    output_clear();
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
    check_equal("its length", reply.len_bytes, strlen(value));
}

void sg_ask_everything(void)
{
    struct xs_reply reply;
    xs_tx_t tx;

    check_equal("write", xs_write(0, "a/b", "hello"), 0);
    check_equal("write", xs_write(0, "a/c", ""), 0);
    sg_check_node("a/b", "hello");
    sg_check_node("a/c", "");
    check_equal("no such node", xs_read(0, "a/d", &reply), -ENOENT);
    check_equal("list", xs_list(0, "a", &reply), 0);
    check_equal("two names", reply.len_bytes, 4);
    check_equal("with an end each", memcmp(reply.data, "b\0c", 4), 0);
    check_equal("remove", xs_remove(0, "a/c"), 0);
    check_equal("gone", xs_remove(0, "a/c"), -ENOENT);
    check_true("really", !fake_store_get("a/c"));

    check_equal("watch", xs_watch(&sg_watch), 0);
    check_equal("begin", xs_begin(&tx), 0);
    check_equal("write", xs_write(tx, "a/b", "in it"), 0);
    check_equal("not seen yet", strcmp(fake_store_get("a/b"), "hello"), 0);
    check_equal("read", xs_read(tx, "a/b", &reply), 0);
    assert_string_equal(reply.data, "in it");
    check_equal("commit", xs_end(tx, true), 0);
    assert_string_equal(fake_store_get("a/b"), "in it");
    check_equal("begin", xs_begin(&tx), 0);
    check_equal("remove", xs_remove(tx, "a/b"), 0);
    check_equal("not after all", xs_end(tx, false), 0);
    check_equal("and not again", xs_end(tx, false), -ENOENT);
    sg_check_node("a/b", "in it");
    check_true("watched", sg_watch.fired);
    check_equal("unwatch", xs_unwatch(&sg_watch), 0);
    check_equal("nothing left there", fake_store_watches(), 0);
    check_equal("nor here", xs_count_watches(), 0);
    check_equal("no transaction either", fake_store_transactions(), 0);
    check_true("all is well", xenstore_is_connected());
    sg_check_canary("behind the ring");
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
