/* SPDX-License-Identifier: MIT */
/*
 * Suspend and resume of the whole guest. Without this test the guest could still use a value of the
 * old host after a migration: an MFN, an event-channel port, a flag; or stop for a suspend that was
 * refused and never continue. The table of stages is the kernel's own, and the fake tools change
 * the guest as Xen's tools do.
 */
#include "kernel/suspend.h"

#include "lib/errno.h"

#include "xen/clock.h"
#include "xen/evtchn.h"
#include "xen/xenstore.h"

#include "kernel/boot/stages.h"
#include "kernel/boot/store.h"

#include "tests/unit/fake_events.h"
#include "tests/unit/fake_store.h"
#include "tests/unit/fake_tools.h"
#include "tests/unit/harness.h"
#include "tests/unit/live_guest.h"

#include <string.h>
#include <xen/errno.h>

/* Checks a stopped guest: no clock, no watchdog, and an empty fixmap. */
static void check_quiet(void)
{
    check_equal("clock_ns of a stopped guest", clock_ns(), 0);
    if (!strstr(output(), "warning: watchdog: ")) /* stopping the watchdog failed */
        check_equal("watchdog of a stopped guest", fake_events.watchdog_seconds, 0);
    for (unsigned int slot = 0; slot < NR_FIXMAP_SLOTS; slot++)
        check_true("every fixmap slot of a stopped guest is empty",
                   mfn_eq(live.fixmap.mapped[slot], INVALID_MFN));
}

/* What the tools do after the guest has stopped. */
static long restored(uint64_t start_info)
{
    check_quiet();
    return live_restored(start_info);
}

static long cancelled(uint64_t start_info)
{
    check_quiet();
    return live_cancelled(start_info);
}

static long refused(uint64_t start_info)
{
    (void)start_info;
    return -XEN_EPERM;
}

/* Restores with frames at PFNs that had none, as a live migration does. */
static long restored_live(uint64_t start_info)
{
    const struct pfn_runs *empty = &live.balloon.empty;
    const struct pfn_run *run = &empty->runs[empty->nr_runs - 1];

    fake_tools.refilled[0] = empty->runs[0].start;
    fake_tools.refilled[1] = run->start + 7;
    fake_tools.refilled[2] = run->start + 8;
    fake_tools.nr_refilled = 3;
    return restored(start_info);
}

static void test_restore(void **state)
{
    (void)state;
    live_start_suspending(restored);
    live_check("guest before the suspend");
    output_clear();
    check_equal("first suspend", suspend(&live), 0);
    check_says("message after the resume", output(), "suspend: back in a new domain");
    check_true("no message on different page counts", !strstr(output(), "Xen counts"));
    assert_string_equal(fake_store_get("data/suspend"), "back in a new domain");
    check_equal("watchdog after the resume", fake_events.watchdog_seconds, 0);
    check_equal("console port in the new domain", live.boot.console_port, fake_tools.console_port);
    check_equal("xenstore port in the new domain", live.boot.store_port, fake_tools.store_port);
    check_equal("start_info flags after the resume", live.boot.flags, SIF_VIRT_P2M_4TOOLS);
    check_equal("nr_pages after the resume", live.boot.nr_pages, 2400);
    check_equal("minor version of Xen after the resume", live.host.minor, 17 + fake.nr_restores);
    live_check("guest in the new domain");
    check_equal("second suspend", suspend(&live), 0);
    live_check("guest in the second new domain");
    fake_events.suspend = cancelled;
    check_equal("suspend that is cancelled", suspend(&live), 1);
    live_check("guest after a cancelled suspend");
}

/*
 * bench/suspend needs each step once, in the order in which it ends, with the vCPU's running time.
 */
static void test_report(void **state)
{
    (void)state;
    live_start_suspending(restored);
    fake_events.running_ns = 0;
    live.suspend_times.woken = 3;
    output_clear();
    check_equal("suspend", suspend(&live), 0);
    check_says(
        "report on a suspend in a new domain", output(),
        "{\"report\":\"suspend\",\"domain\":\"new\",\"pages\":2000,\"entries\":9216,"
        "\"before\":[[\"woken\",3],[\"request\",10],[\"foreign\",20],[\"revector\",30],"
        "[\"shared_info\",40],[\"start_info\",50],[\"fixmap\",60],[\"search\",70],[\"stop\",80]],"
        "\"after\":[[\"back\",90],[\"fixmap\",100],[\"start_info\",110],[\"shared_info\",120],"
        "[\"host\",130],[\"map\",140],[\"revector\",150],[\"publish\",160],[\"events\",170],"
        "[\"balloon\",180],[\"foreign\",190],[\"store\",200]]}\n");
    fake_events.suspend = cancelled;
    output_clear();
    check_equal("suspend that is cancelled", suspend(&live), 1);
    check_says("report on a cancelled suspend", output(),
               "{\"report\":\"suspend\",\"domain\":\"old\",");
    fake_events.suspend = refused;
    output_clear();
    check_equal("suspend that Xen refuses", suspend(&live), -XEN_EPERM);
    check_true("no report on a refused suspend", !strstr(output(), "\"report\""));
}

static void test_live_migration(void **state)
{
    uint64_t pages;

    (void)state;
    live_start_suspending(restored_live);
    pages = live.balloon.nr_pages;
    check_equal("suspend with refilled PFNs", suspend(&live), 0);
    check_says("message on refilled PFNs", output(),
               "balloon: 3 ballooned-out PFNs had a frame after resume");
    check_equal("balloon.nr_pages after the resume", live.balloon.nr_pages, pages);
    live_check("guest in the new domain");
}

/* On a CPU without NX, Xen refuses each entry that has the bit: boot, suspend and resume set none.
 */
static void test_without_nx(void **state)
{
    (void)state;
    pte_supported &= ~PTE_NX;
    live_start_suspending(restored);
    check_true("the fake Xen refuses entries with NX",
               pt_write(live.pt.root, 1, live.pt.root.v * PAGE_SIZE | PTE_NX | PTE_P) != 0);
    live_check("guest without NX before the suspend");
    check_equal("suspend without NX", suspend(&live), 0);
    live_check("guest without NX in the new domain");
    pte_supported |= PTE_NX;
}

/* The kernel's copy of start_info, which the tools find by this frame. */
static struct start_info *start_info(void)
{
    return (struct start_info *)fake_ram(live.suspend_mfn.v);
}

static void test_cancelled(void **state)
{
    uint64_t now;
    unsigned int ports;

    (void)state;
    live_start_suspending(cancelled);
    ports = fake_events_count();
    for (int i = 0; i < 3; i++) {
        now = clock_ns();
        check_equal("suspend that is cancelled", suspend(&live), 1);
        check_says("message on a cancelled suspend", output(), "suspend: cancelled");
        check_true("clock_ns does not go back", clock_ns() >= now);
        check_equal("open ports after a cancelled suspend", fake_events_count(), ports);
        check_equal("MFN of the console ring in start_info", start_info()->console.domU.mfn,
                    live.boot.console.v);
        check_equal("MFN of the xenstore ring in start_info", start_info()->store_mfn,
                    live.boot.store.v);
        check_equal("requests to xenstored for a cancelled suspend", fake_store.nr_requests,
                    1); /* data/suspend */
        live_check("guest after a cancelled suspend");
        fake_store.nr_requests = 0;
    }
    check_equal("saves by the tools", fake_tools.nr_saved, 3);
}

static void test_refused(void **state)
{
    (void)state;
    live_start_suspending(refused);
    check_equal("suspend that Xen refuses", suspend(&live), -XEN_EPERM);
    check_says(
        "message on a refused suspend", output(),
        "warning: suspend: refused: SCHEDOP_shutdown: result is -1 (EPERM), expected 0 or 1");
    assert_string_equal(fake_store_get("data/suspend"),
                        "refused: SCHEDOP_shutdown: result is -1 (EPERM), expected 0 or 1");
    live_check("guest after a refused suspend");
    fake_events.suspend = restored;
    check_equal("suspend after a refused one", suspend(&live), 0);
    live_check("guest in the new domain");
}

/* Xen's page count differs from the kernel's: a message says so, and the guest goes on. */
static void test_another_count(void **state)
{
    (void)state;
    live_start_suspending(restored);
    live.balloon.nr_pages++;
    check_equal("suspend with a wrong page count", suspend(&live), 0);
    check_says("message on different page counts", output(),
               "balloon: after resume XENMEM_current_reservation is 2000 pages, expected 2001");
}

/* A mapping that the tools cannot save: the kernel refuses the suspend and names the address. */
static void test_obstacle(void **state)
{
    void *page;

    (void)state;
    live_start_suspending(restored);
    page = heap_map(&live.heap, to_mfn(fake.shared), PTE_RW);
    check_true("heap_map of Xen's frame", page != NULL);
    check_equal("suspend with a mapping of Xen's frame", suspend(&live), -EBUSY);
    check_says("message on the mapping: address", output(), "0x210000");
    check_says("message on the mapping: reason", output(),
               " cannot be saved by Xen's tools: the P2M has no such MFN");
    check_equal("saves by the tools after a refused suspend", fake_tools.nr_saved, 0);
    live_check("guest after a refused suspend");
}

/* A superpage of the guest's own frames: the tools would fail with "Cannot migrate superpage". */
static void test_superpage(void **state)
{
    struct pt_entry e;

    (void)state;
    live_start_suspending(restored);
    e = pt_walk(&live.pt, FAKE_HEAP_BASE + level_bytes(2)); /* not mapped: an entry of level 2 */
    check_equal("level of the empty entry", e.level, 2);
    fake_ram(e.table.v)[e.index] =
        pte_make(p2m_get_ram(&live.p2m, to_pfn(0)), PTE_RX | PTE_W | PTE_PSE);
    check_equal("suspend with a superpage", suspend(&live), -EBUSY);
    check_says("message on the superpage", output(),
               "at 0x210000200000 cannot be saved by Xen's tools: it is a superpage");
}

/* Half a message of xenstored is received, and its rest comes while the domain does not run. */
static void half_an_event(long (*what_happens)(uint64_t))
{
    live_start_suspending(what_happens);
    fake_store_set("memory/target", "1");
    fake_store.piece = 5;
    (void)fake_store_turn();
    xenstore_poll();
    fake_store.piece = 0;
}

static long restored_after_events(uint64_t mfn)
{
    for (int i = 0; i < 100; i++)
        fake_store_set("memory/target", "8000");
    while (fake_store_turn())
        ;
    return restored(mfn);
}

static long cancelled_after_events(uint64_t mfn)
{
    for (int i = 0; i < 100; i++)
        fake_store_set("memory/target", "8000");
    while (fake_store_turn())
        ;
    return cancelled(mfn);
}

static void test_event_storm(void **state)
{
    (void)state;
    half_an_event(restored_after_events);
    check_equal("suspend with half a message", suspend(&live), 0);
    check_equal("memory/target in the new domain", store_take_target(), 2000);
    live_check("guest in the new domain");
    live_stop();

    half_an_event(cancelled_after_events);
    check_equal("suspend with half a message, cancelled", suspend(&live), 1);
    check_equal("memory/target after a cancelled suspend", store_take_target(), 2000);
    live_check("guest after a cancelled suspend");
}

/* xenstored is stopped during the whole suspend. */
static void test_silent_store(void **state)
{
    (void)state;
    live_start_suspending(cancelled);
    fake_store.is_silent = true;
    check_equal("suspend with a silent xenstored, cancelled", suspend(&live), 1);
    live_check_memory("guest after a cancelled suspend, without xenstore");
    fake_store.is_silent = false;
    evtchn_wait(clock_ns() + NS_PER_S);
    xenstore_poll();
    assert_string_equal(fake_store_get("data/suspend"), "cancelled");
    live_check("guest with xenstored answering again");
}

static void suspend_once(void *rc)
{
    *(int *)rc = suspend(&live);
}

/* start_info as the tools leave it is validated like start_info from a builder. */
static const struct lie {
    size_t offset;
    uint64_t value;
    const char *says;
} lies[] = {
    {offsetof(struct start_info, console.domU.mfn), 0x40001,
     "start_info.console.domU.mfn is 0x40001 after the suspend, expected 0x"          },
    {offsetof(struct start_info, store_mfn),        ~0ul,
     "start_info.store_mfn is 0xffffffffffffffff after the suspend, expected 0x"      },
    {offsetof(struct start_info, shared_info),      0x123456,
     "start_info.shared_info is 0x123456 after the suspend, expected a page-a"        },
    {offsetof(struct start_info, shared_info),      (uint64_t)1 << 52,
     "start_info.shared_info is 0x10000000000000 after the suspend, expected a page-a"},
};
static const struct lie *lie;

static long restored_by_a_liar(uint64_t mfn)
{
    uint64_t page;

    fake_tools_save(mfn);
    page = fake_tools_restore(mfn);
    *(uint64_t *)((uint8_t *)fake_ram(page) + lie->offset) = lie->value;
    return 0;
}

static void test_lies(void **state)
{
    (void)state;
    for (lie = lies; lie < lies + ARRAY_SIZE(lies); lie++) {
        int rc;

        live_start_suspending(restored_by_a_liar);
        check_says(
            "panic on a wrong start_info", panic_of(suspend_once, &rc),
            "resume after a suspend: boot stage start_info (copy and validate start_info) failed");
        check_says("output on a wrong start_info", output(), lie->says);
        live_stop();
    }
}

/* A ring whose frame has no PFN in the M2P: the tools could not find the ring. */
static void test_ring_without_a_pfn(void **state)
{
    (void)state;
    live_start_suspending(restored);
    fake_set_m2p(live.boot.store.v, INVALID_ENTRY);
    check_equal("suspend with a ring without a PFN", suspend(&live), -EINVAL);
    check_says("message on a ring without a PFN", output(),
               "refused: boot stage start_info failed to prepare for it: -22 (EINVAL");
    check_equal("saves by the tools after a refused suspend", fake_tools.nr_saved, 0);
    check_equal("watchdog after a refused suspend", fake_events.watchdog_seconds, 0);
}

/* Each xenstore request of a suspend is refused once, then each is left without a reply once. */
static void test_every_request_failing(void **state)
{
    static const char *const words[] = {"EACCES", "EINVAL", NULL};

    (void)state;
    for (size_t w = 0; w < ARRAY_SIZE(words); w++) {
        for (unsigned int n = 1;; n++) {
            const char *panic;
            int rc = 77;

            live_start_suspending(restored);
            if (words[w]) {
                fake_store.refuse_at = n;
                fake_store.refuse_with = words[w];
            } else {
                fake_store.fault_at = n;
                fake_store.fault = STORE_SILENCE;
            }
            panic = panic_of(suspend_once, &rc);
            if (panic)
                fail_msg("request %u: %s", n, panic);
            check_equal("suspend with a failing xenstore request", rc, 0);
            live_check_memory("guest after a failing xenstore request");
            if (fake_store.nr_requests < n) {
                check_true("a suspend makes more than 8 xenstore requests", n > 8);
                live_stop();
                break;
            }
            if (!words[w])
                check_true("xenstored is late after a missing reply", xenstore_is_late());
            else if (n < 4 || n > 7) /* a missing control/feature node is no failure */
                check_says("message on a refused request", output(), "store: ");
            live_stop();
        }
    }
}

/* Whether a panic names one of the expected reasons; a failing resume is one of them. */
static bool is_stated(const char *panic)
{
    static const char *const reasons[] = {
        ") failed: -22 (EINVAL",
        "fixmap: cannot unmap slot ",
        "page tables: cannot read the level ",
        "page tables: cannot flush the TLB: ",
        "heap: cannot unmap the heap page at ",
        "XENMEM_machphys_mapping: result is -22 (EINVAL), expected 0",
        "_reservation: result is -22 (EINVAL), expected a number of pages",
    };

    for (size_t i = 0; i < ARRAY_SIZE(reasons); i++)
        if (strstr(panic, reasons[i]))
            return true;
    return false;
}

/*
 * Each hypercall of a suspend fails once, for each result of the suspend: the guest panics with an
 * expected reason, or works as before, and a message reports every failure that matters.
 */
static void test_every_hypercall_failing(void **state)
{
    static long (*const happens[])(uint64_t) = {restored, cancelled, refused};
    static const int results[] = {0, 1, -XEN_EPERM};
    unsigned int n, nr_panics = 0;

    (void)state;
    for (size_t h = 0; h < ARRAY_SIZE(happens); h++) {
        for (n = 1;; n++) {
            const char *panic;
            int rc = 77;

            live_start_suspending(happens[h]);
            panic = guest_fail_nth(n, -XEN_EINVAL, suspend_once, &rc);
            if (panic && !is_stated(panic))
                fail_msg("hypercall %u: %s", n, panic);
            nr_panics += panic != NULL;
            if (panic && fake.nr_restores && !strstr(panic, "stage shared_info"))
                check_true("after a panic p2m_cr3 is 0 or right",
                           !live_shared()->arch.p2m_cr3 ||
                               live_shared()->arch.p2m_cr3 == fake.root * PAGE_SIZE);
            if (!panic && fake_tools.nr_saved == 0 && h < 2) {
                check_says(
                    "message on a suspend refused by the kernel", output(),
                    n == 4 /* the first ones read the vCPU's running time */
                        ? "suspend: refused: boot stage shared_info failed to prepare for it: -22"
                        : "suspend: refused: ");
                check_says("message on a suspend refused by the kernel: errno", output(), "-22");
                check_equal("suspend refused by the kernel", rc, -XEN_EINVAL);
            } else if (!panic && rc != -XEN_EINVAL) {
                check_equal("suspend with a failing hypercall", rc, results[h]);
            }
            if (!panic)
                live_check("guest after a failing hypercall");
            if (fake.nr_hypercalls < n)
                break;
            live_stop();
        }
        live_stop();
        check_true("a suspend makes more than 30 hypercalls", n > 30);
    }
    check_true("more than 30 failing hypercalls end in a panic", nr_panics > 30);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_restore, live_teardown),
        cmocka_unit_test_teardown(test_report, live_teardown),
        cmocka_unit_test_teardown(test_live_migration, live_teardown),
        cmocka_unit_test_teardown(test_without_nx, live_teardown),
        cmocka_unit_test_teardown(test_cancelled, live_teardown),
        cmocka_unit_test_teardown(test_refused, live_teardown),
        cmocka_unit_test_teardown(test_another_count, live_teardown),
        cmocka_unit_test_teardown(test_obstacle, live_teardown),
        cmocka_unit_test_teardown(test_superpage, live_teardown),
        cmocka_unit_test_teardown(test_event_storm, live_teardown),
        cmocka_unit_test_teardown(test_silent_store, live_teardown),
        cmocka_unit_test(test_lies),
        cmocka_unit_test_teardown(test_ring_without_a_pfn, live_teardown),
        cmocka_unit_test(test_every_request_failing),
        cmocka_unit_test(test_every_hypercall_failing),
    };

    return cmocka_run_group_tests_name("suspend", tests, NULL, NULL);
}
