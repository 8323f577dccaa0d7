/* SPDX-License-Identifier: MIT */
#include "tests/unit/live_guest.h"

#include "arch/x86/layout.h"

#include "xen/clock.h"
#include "xen/console.h"
#include "xen/evtchn.h"
#include "xen/watchdog.h"
#include "xen/xenstore.h"

#include "kernel/boot/balloon.h"
#include "kernel/boot/events.h"
#include "kernel/boot/foreign.h"
#include "kernel/boot/memory.h"
#include "kernel/boot/protect.h"
#include "kernel/boot/setup.h"
#include "kernel/boot/store.h"
#include "kernel/selftest/inject.h"
#include "kernel/selftest/pattern_pages.h"

#include "tests/unit/fake_events.h"
#include "tests/unit/fake_store.h"
#include "tests/unit/fake_tools.h"
#include "tests/unit/harness.h"
#include "tests/unit/tools_oracle.h"

#include <string.h>
#include <xen/io/console.h>

#define NR_PAGES 2400
#define NR_MAX   8000

struct domain live;
enum grants_option live_grants;
uint64_t live_first_mfn;

static struct guest g;
static uint64_t nr_in_use; /* number of used frames after the boot */

/* foreign_init() of the foreign stage, renamed by unit.mk: moves the window to a usable address. */
void fake_foreign_init(struct foreign_window *w, struct pagetable *pt, uint64_t base,
                       uint64_t len_bytes);

void fake_foreign_init(struct foreign_window *w, struct pagetable *pt, uint64_t base,
                       uint64_t len_bytes)
{
    check_equal("base of the foreign window", base, FOREIGN_BASE);
    foreign_init(w, pt, FAKE_FOREIGN_BASE, len_bytes);
}

/* The console's platform_write, renamed by unit.mk. */
void console_write(const char *text, size_t len_bytes);

/* Stages that run only at boot, and symbols of the linker script: no test uses them. */
char image_start[1], rodata_start[1], data_start[1], stack_guard[1], fixmap_start[1], fixmap_end[1],
    image_end[1];

int inject_stage(struct domain *d)
{
    (void)d;
    return 0;
}

int inject_map(struct domain *d)
{
    (void)d;
    return 0;
}

int protect_stage(struct domain *d)
{
    (void)d;
    return 0;
}

int pattern_pages_stage(struct domain *d)
{
    (void)d;
    return 0;
}

struct shared_info *live_shared(void)
{
    return (struct shared_info *)fake_ram(fake.shared);
}

static mfn_t take_frame(void)
{
    mfn_t mfn;

    check_equal("frame_pool_alloc of one frame", frame_pool_alloc(&live.frame_pool, &mfn), 0);
    return mfn;
}

/* A page of the image has page tables from the start. Here they are made at its first use. */
static void adopt(uint64_t va)
{
    mfn_t mfn;

    if (fake_walk(va).level == 1)
        return;
    fake.adopt = NULL;
    mfn = take_frame();
    check_equal("pt_map of an image page, for its page tables", pt_map(&live.pt, va, mfn, PTE_RW),
                0);
    check_equal("pt_unmap of the image page", pt_unmap(&live.pt, va, &mfn), 0);
    check_equal("frame_pool_free of the image page's frame", frame_pool_free(&live.frame_pool, mfn),
                0);
    fake.adopt = adopt;
}

/* The kernel's copy of start_info gets a frame of the guest, with the same contents. */
static void adopt_start_info(void)
{
    const void *page;
    mfn_t mfn = take_frame();

    check_equal("start_info_suspend, for the address of the copy",
                start_info_suspend(&live.boot, &live.host.m2p, &page), 0);
    check_equal("start_info_resume after a cancelled suspend",
                start_info_resume(&live.boot, &live.p2m, false), 0);
    memcpy(fake_ram(mfn.v), page, PAGE_SIZE);
    check_equal("pt_map of the start_info copy", pt_map(&live.pt, (uintptr_t)page, mfn, PTE_RW), 0);
    fake_tlb_flush_page((uintptr_t)page);
}

/* The map whose ranges are the sizes of start_memory. */
const struct e820_entry live_map[3] = {
    {0,                600 * PAGE_SIZE,  E820_RAM},
    {600 * PAGE_SIZE,  1100 * PAGE_SIZE, 2       },
    {1700 * PAGE_SIZE, 9000 * PAGE_SIZE, E820_RAM},
};

void live_set_map(const struct e820_entry *entries, unsigned int nr)
{
    fake.e820 = entries;
    fake.nr_e820 = nr;
}

static void start_memory(void)
{
    static const uint64_t sizes[] = {600, 1100, 9000, 0};
    struct fake_shape shape = {
        .nr_pages = NR_PAGES, .more_mfns = NR_MAX, .first_mfn = live_first_mfn};

    guest_start(&g, &shape, sizes, NR_MAX);
    check_equal("guest_revector at start", guest_revector(&g), 0);
    memset(&live, 0, sizeof(live));
    live.options.grants = live_grants;
    live.fixmap = g.fixmap;
    live.frame_pool = g.frame_pool;
    live.p2m = g.p2m;
    live.plan = g.plan;
    live.plan.map = &live.p2m.ranges;
    live.revectored = g.revectored;
    live.heap = g.heap;
    live.pt = g.pt;
    live.frame_pool.p2m = &live.p2m;
    live.frame_pool.m2p = &live.host.m2p;
    live.pt.fixmap = &live.fixmap;
    live.pt.frame_pool = &live.frame_pool;
    live.heap.pt = &live.pt;
    live.host.m2p = g.m2p;
    live.max_pages = fake.max_pages = NR_MAX;
    live.map_source = MAP_OWN;
    live_set_map(live_map, ARRAY_SIZE(live_map));
    check_equal("host_memory_map at start", host_memory_map(&live.map, &live.heap, MAP_OWN, 0), 0);
}

static void start_start_info(void)
{
    static struct start_info si;

    si = *g.domain.start_info;
    si.flags = SIF_VIRT_P2M_4TOOLS;
    si.console.domU.mfn = take_frame().v;
    si.console.domU.evtchn = fake_events_port();
    si.store_mfn = take_frame().v;
    si.store_evtchn = fake_events_port();
    memset(fake_ram(si.console.domU.mfn), 0, PAGE_SIZE);
    fake_store_start(fake_ram(si.store_mfn), si.store_evtchn);
    start_info_read(&live.boot, &si, &live.pt);
    live.start_info = &si;
    check_equal("console_stage at start", console_stage(&live), 0);
    live.start_info = NULL;
    adopt_start_info();
}

void live_count_in_use(void)
{
    fixmap_unmap_all(&live.fixmap);
    nr_in_use = 0;
    for (uint64_t pfn = 0; pfn < live.p2m.nr; pfn++)
        nr_in_use += !mfn_eq(p2m_get_ram(&live.p2m, to_pfn(pfn)), INVALID_MFN) &&
                     !frame_pool_has(&live.frame_pool, to_pfn(pfn));
}

/* Each watch fires once when it is set. */
static void hear_first_events(void)
{
    char command[STORE_COMMAND_BYTES];

    while (fake_store_turn())
        xenstore_poll();
    check_equal("shutdown request after the first watch events", store_take_shutdown_request(),
                REQUEST_NONE);
    check_equal("memory target after the first watch events", store_take_target(), 0);
    check_true("no command after the first watch events", !store_take_command(command));
}

void live_start(void)
{
    start_memory();
    fake_events_start(live_shared());
    watchdog_stop(); /* left by the previous test */
    fake.adopt = adopt;
    start_start_info();
    check_equal("shared_info_stage at start", shared_info_stage(&live), 0);
    check_equal("host_stage at start", host_stage(&live), 0);
    check_equal("publish_stage at start", publish_stage(&live), 0);
    check_equal("events_stage at start", events_stage(&live), 0);
    check_equal("balloon_stage at start", balloon_stage(&live), 0);
    check_equal("pages of the domain after balloon_stage", live.balloon.nr_pages, NR_PAGES);
    check_equal("store_ring_stage at start", store_ring_stage(&live), 0);
    check_equal("foreign_stage at start", foreign_stage(&live), 0);
    check_equal("store_stage at start", store_stage(&live), 0);
    balloon_follow(&live, NR_PAGES - 400);
    check_equal("pages of the domain after ballooning 400 pages out", live.balloon.nr_pages,
                NR_PAGES - 400);
    hear_first_events();
    live_count_in_use();
    check_true("the P2M list has a shared leaf of ~0 entries",
               !mfn_eq(live.revectored.none_leaf, INVALID_MFN));
    fake.nr_hypercalls = 0;
    fake_store.nr_requests = 0;
    output_clear();
}

void live_stop(void)
{
    clock_start(NULL);
    fake_machine_stop();
}

int live_teardown(void **state)
{
    (void)state;
    live_stop();
    return 0;
}

void live_start_suspending(long (*what_happens)(uint64_t start_info))
{
    live_start();
    memset(&fake_tools, 0, sizeof(fake_tools));
    fake_events.suspend = what_happens;
}

long live_restored(uint64_t start_info)
{
    fake_tools_save(start_info);
    fake_tools_restore(start_info);
    fake_store_reconnect(fake_tools.store_port);
    return 0;
}

long live_cancelled(uint64_t start_info)
{
    fake_tools_save(start_info);
    return 1;
}

static void check_numbers(const char *what)
{
    uint64_t nr_filled = 0, nr_used = 0;

    fixmap_unmap_all(&live.fixmap);
    check_equal(what, live.pt.root.v, fake.root);
    for (uint64_t pfn = 0; pfn < live.p2m.nr; pfn++) {
        bool is_ram = ranges_find(&live.p2m.ranges, pfn).kind == RANGE_RAM;
        bool is_free = frame_pool_has(&live.frame_pool, to_pfn(pfn));
        bool is_empty = pfn_runs_has(&live.balloon.empty, to_pfn(pfn));
        uint64_t mfn = p2m_get_ram(&live.p2m, to_pfn(pfn)).v;
        const struct fake_frame *f = mfn == INVALID_ENTRY ? NULL : fake_frame(mfn);

        check_true(what, f || mfn == INVALID_ENTRY);
        check_true(what, is_ram || !f);
        if (is_ram && is_empty != !f)
            fail_msg("%s: PFN %#lx %s a frame, but is %sin balloon.empty", what, pfn,
                     f ? "has" : "lacks", is_empty ? "" : "not ");
        if (!f)
            continue;
        nr_filled++;
        nr_used += !is_free;
        check_true(what, !f->foreign);
        check_equal(what, fake.m2p.table[mfn], pfn);
        if (is_free && (f->refs || f->type_count))
            fail_msg("%s: PFN %#lx is in the frame pool and in use", what, pfn);
    }
    check_equal(what, nr_filled, live.balloon.nr_pages);
    check_equal(what, nr_used, nr_in_use);
}

/* Reads the P2M through the list or, with p2m_cr3 0, through the tree. */
static void check_readable(const char *what, const struct arch_shared_info *arch)
{
    struct tools_p2m t;

    tools_read(&t, arch);
    if (t.error[0])
        fail_msg("%s: the tools cannot read the P2M: \"%s\"", what, t.error);
    for (uint64_t pfn = 0; pfn < t.nr_pfns; pfn++)
        check_equal(what, tools_entry(&t, pfn), p2m_get_ram(&live.p2m, to_pfn(pfn)).v);
    tools_free(&t);
}

static void check_published(const char *what)
{
    struct arch_shared_info without_list = live_shared()->arch;

    without_list.p2m_cr3 = 0;
    check_readable(what, &live_shared()->arch);
    check_readable(what, &without_list);
    check_equal(what, live_shared()->arch.p2m_cr3, fake.root * PAGE_SIZE);
    check_equal(what, live_shared()->arch.pfn_to_mfn_frame_list_list, live.publication.top_mfn.v);
    check_equal(what, live_shared()->arch.max_pfn, live.p2m.nr);
    check_equal(what, live_shared()->arch.p2m_generation % 2, 0);
}

/* All recorded MFNs name the right frames. */
static void check_remembered(const char *what)
{
    struct boot_info *b = &live.boot;

    check_equal(what, b->shared_info, fake.shared * PAGE_SIZE);
    check_equal(what, fake_walk((uintptr_t)live.shared).mfn, fake.shared);
    check_true(what, fake_ram(b->store.v) == (uint64_t *)fake_store.ring);
    check_true(what, !mfn_eq(live.revectored.none_leaf, INVALID_MFN));
    check_equal(what, fake_ram(live.revectored.none_leaf.v)[511], INVALID_ENTRY);
}

static void check_alive(const char *what)
{
    uint64_t now;

    watchdog_kick(); /* long work must not arm the watchdog of a domain that a tool may pause */
    if (!strstr(output(), "warning: watchdog: ")) /* stopping the watchdog failed */
        check_equal(what, fake_events.watchdog_seconds, 0);
    check_equal(what, live_shared()->vcpu_info[0].evtchn_upcall_mask, 1);
    while (evtchn_dispatch())
        ;
    now = clock_ns();
    check_equal(what, now, fake_events.now_ns);
    evtchn_wait(now + NS_PER_S);
    check_equal(what, clock_ns(), now + NS_PER_S);
    fake_events.ports[live.boot.console_port].nr_sent = 0;
    console_write(".", 1);
    check_equal(what, fake_events.ports[live.boot.console_port].nr_sent, 1);
    fake_events_raise(live.boot.console_port);
    check_equal(what, evtchn_dispatch(), !strstr(output(), "this domain has no console input"));
}

void live_check_memory(const char *what)
{
    check_numbers(what);
    check_published(what);
    check_remembered(what);
    check_alive(what);
}

void live_check(const char *what)
{
    live_check_memory(what);
    check_true(what, xenstore_is_connected());
    check_equal(what, fake_store_watches(), 3);
    check_equal(what, fake_store_transactions(), 0);
    (void)store_take_target();
    fake_store_set("memory/target", "8000");
    (void)fake_store_turn();
    check_equal(what, evtchn_dispatch(), 1);
    xenstore_poll();
    check_equal(what, store_take_target(), 2000);
}
