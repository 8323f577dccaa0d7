/* SPDX-License-Identifier: MIT */
/*
 * xen/start_info.c: whatever a builder writes ends in a refusal that names the field, or in a
 * boot_info each field of which is what xen/start_info.h promises; and whatever the tools write
 * after a suspend, in an error or in rings that are where they were.
 *
 *      input   the fields of struct start_info that are numbers, in the order of spoil(); what is
 *              added to magic; the numbers that the tools write; the command line
 *              An empty input is what a good builder writes.
 *
 * The page tables map three pieces of address space, and are read through the fixmap.
 */
#include "tests/fuzz/fuzz.h"

#include "lib/errno.h"

#include "arch/x86/hypercall.h"
#include "arch/x86/probe.h"

#include "xen/start_info.h"

#include <string.h>

#define NR_PAGES    0x1000
#define NR_MFNS     0x1000
#define LIST_BYTES  (9 * PAGE_SIZE)        /* at LIST_BASE, by 4 KiB pages */
#define IMAGE_BYTES ((uint64_t)16 << 20)   /* at VIRT_BASE, by 2 MiB pages */
#define HUGE_VA     ((uint64_t)0x10000000) /* 1 GiB around it, by one page */

enum table { ROOT, LIST_L3, LIST_L2, LIST_L1, IMAGE_L3, IMAGE_L2, HUGE_L3, NR_TABLES };

static uint64_t tables[NR_TABLES][PTES_PER_TABLE]; /* the MFN is the index */
static uint8_t fixmap_pages[NR_FIXMAP_SLOTS * PAGE_SIZE] __attribute__((aligned(4096)));
static struct fixmap fixmap;
static struct pagetable pt = {.fixmap = &fixmap};
static uint64_t list[NR_PAGES], m2p_table[NR_MFNS];
static struct start_info si;
static struct boot_info info;

long HYPERVISOR_update_va_mapping(uintptr_t va, uint64_t pte, unsigned long flags)
{
    uint64_t mfn = pte_mfn(pte).v;

    (void)flags;
    if (!pte_present(pte))
        return 0;
    CHECK(mfn < NR_TABLES, "a table that is one");
    memcpy((void *)va, tables[mfn], PAGE_SIZE);
    return 0;
}

/* What mm/pagetable.c needs to change tables: reading start_info changes none. */

long HYPERVISOR_mmu_update(const struct mmu_update *req, unsigned int nr, unsigned int *done,
                           domid_t domain)
{
    (void)req, (void)nr, (void)done, (void)domain;
    finding(__FILE__, __LINE__, "no change of the page tables");
}

long HYPERVISOR_mmuext_op(const struct mmuext_op *op, unsigned int nr, unsigned int *done,
                          domid_t domain)
{
    (void)op, (void)nr, (void)done, (void)domain;
    finding(__FILE__, __LINE__, "no change of the page tables");
}

int frame_pool_alloc(struct frame_pool *f, mfn_t *mfn)
{
    (void)f, (void)mfn;
    finding(__FILE__, __LINE__, "no new table");
}

int frame_pool_free(struct frame_pool *f, mfn_t mfn)
{
    (void)f, (void)mfn;
    finding(__FILE__, __LINE__, "no new table");
}

/* The M2P has no holes here. */
int probe_read(const void *address, uint64_t *value)
{
    *value = *(const uint64_t *)address;
    return 0;
}

static void hook(enum table table, uint64_t va, unsigned int level, uint64_t mfn, uint64_t flags)
{
    tables[table][pte_index(va, level)] = pte_make(to_mfn(mfn), flags);
}

static void start_once(void)
{
    if (fixmap.pages)
        return;
    fixmap_init(&fixmap, fixmap_pages);
    hook(ROOT, LIST_BASE, 4, LIST_L3, PTE_TABLE);
    hook(LIST_L3, LIST_BASE, 3, LIST_L2, PTE_TABLE);
    hook(LIST_L2, LIST_BASE, 2, LIST_L1, PTE_TABLE);
    for (uint64_t i = 0; i < LIST_BYTES; i += PAGE_SIZE)
        hook(LIST_L1, LIST_BASE + i, 1, 0x100 + i / PAGE_SIZE, PTE_RW);
    hook(ROOT, VIRT_BASE, 4, IMAGE_L3, PTE_TABLE);
    hook(IMAGE_L3, VIRT_BASE, 3, IMAGE_L2, PTE_TABLE);
    for (uint64_t i = 0; i < IMAGE_BYTES; i += level_bytes(2))
        hook(IMAGE_L2, VIRT_BASE + i, 2, 0x200 + i / PAGE_SIZE, PTE_RW | PTE_PSE);
    hook(ROOT, HUGE_VA, 4, HUGE_L3, PTE_TABLE);
    hook(HUGE_L3, HUGE_VA, 3, 0x40000, PTE_RW | PTE_PSE);
    for (uint64_t i = 0; i < NR_MFNS; i++)
        m2p_table[i] = list[i] = i ^ 0x800;
}

/* What the tables say, without them. */
static bool is_mapped(uint64_t va)
{
    return va - LIST_BASE < LIST_BYTES || va - VIRT_BASE < IMAGE_BYTES ||
           va < (uint64_t)1 << 30; /* HUGE_VA's */
}

/*
 * A number that a good builder would write as @good, spoilt: how, then 16 signed bits. They are
 * shifted by the low six bits of how, and added to @good, or to 0; bit 7 takes 1 away.
 */
static uint64_t spoilt(struct input *in, uint64_t good)
{
    uint64_t how = take(in, 1), v = (uint64_t)(int16_t)take(in, 2) << (how & 63);

    return (how & 64 ? 0 : good) + v - (how >> 7);
}

static void spoil(struct input *in)
{
    uint64_t flags = take(in, 4);

    si = (struct start_info){
        .magic = "xen-3.0-x86_64",
        .flags = (uint32_t)flags,
        .mod_len = spoilt(in, 0),
        .mod_start = spoilt(in, flags & SIF_MOD_START_PFN ? NR_PAGES - 8 : VIRT_BASE + (8 << 20)),
        .nr_pages = spoilt(in, NR_PAGES),
        .mfn_list = spoilt(in, LIST_BASE),
        .first_p2m_pfn = spoilt(in, 0x400),
        .nr_p2m_frames = spoilt(in, 11),
        .shared_info = spoilt(in, 0x5000),
        .store_mfn = spoilt(in, 0x801),
        .console.domU = {.mfn = spoilt(in, 0x802), .evtchn = (uint32_t)take(in, 4)},
        .store_evtchn = (uint32_t)take(in, 4),
    };
    for (size_t i = 0; i < sizeof(si.magic) && !is_empty(in); i++)
        si.magic[i] = (char)(si.magic[i] + (char)take(in, 1));
}

static void read_info(void *unused)
{
    (void)unused;
    start_info_read(&info, &si, &pt);
}

static void check_area(uint64_t va, uint64_t len_bytes)
{
    CHECK(va % PAGE_SIZE == 0 && va + len_bytes - 1 >= va, "whole pages that do not wrap");
    CHECK(is_mapped(va) && is_mapped(va + len_bytes - 1), "both ends mapped");
}

static void check_ramdisk(void)
{
    uint64_t pages = boot_info_ramdisk_pages(&info);
    bool by_pfn = si.flags & SIF_MOD_START_PFN;

    CHECK(info.ramdisk_bytes == si.mod_len, "the ramdisk's bytes");
    if (!info.ramdisk_bytes) {
        CHECK(!info.ramdisk_va && !info.ramdisk_pfn, "nothing of a ramdisk that is not there");
        return;
    }
    CHECK(info.ramdisk_va == (by_pfn ? 0 : si.mod_start), "the ramdisk's address");
    CHECK(pages <= info.nr_pages, "no more pages than the domain has");
    if (by_pfn) {
        CHECK(info.ramdisk_pfn <= info.nr_pages - pages, "PFNs within the domain's");
        return;
    }
    check_area(info.ramdisk_va, info.ramdisk_bytes);
    CHECK(info.ramdisk_pfn == boot_pfn(info.ramdisk_va), "the PFN by the builder's numbering");
}

static void check_info(void)
{
    bool dom0 = si.flags & SIF_INITDOMAIN;

    CHECK(info.flags == si.flags && boot_info_is_initdomain(&info) == dom0, "the flags");
    CHECK(!strncmp(si.magic, "xen-", 4) && memchr(si.magic, 0, sizeof(si.magic)), "the magic");
    CHECK(info.nr_pages == si.nr_pages && info.nr_pages - 1 < (uint64_t)1 << MFN_BITS,
          "1 to 2^40 pages");
    CHECK(info.list_va == si.mfn_list, "the list's address");
    check_area(info.list_va, info.nr_pages * 8);
    CHECK(info.nr_list_pfns || info.list_va != LIST_BASE, "PFNs for a list at our slot");
    CHECK(!info.nr_list_pfns || info.nr_list_pfns >= DIV_ROUND_UP(info.nr_pages, 512),
          "PFNs for all of the list");
    CHECK(info.nr_list_pfns <= info.nr_pages && info.list_pfn <= info.nr_pages - info.nr_list_pfns,
          "the list's PFNs within the domain's");
    CHECK(info.shared_info % PAGE_SIZE == 0 && info.shared_info >> PADDR_BITS == 0,
          "a page for shared_info");
    CHECK(dom0 ? mfn_eq(info.console, INVALID_MFN) && mfn_eq(info.store, INVALID_MFN)
               : mfn_valid(info.console) && mfn_valid(info.store),
          "rings in a domU alone");
    CHECK(strnlen(info.cmdline, MAX_GUEST_CMDLINE) < MAX_GUEST_CMDLINE, "an end of the line");
    check_ramdisk();
}

/* The tools see the rings' PFNs, and write what they like. */
static void suspend(struct input *in)
{
    const struct m2p m2p = {.table = m2p_table, .nr = NR_MFNS};
    const struct p2m p2m = {.list = list, .nr = NR_PAGES};
    struct boot_info before = info;
    uint64_t how = take(in, 1);
    const void *page;
    struct start_info *copy;
    int rc = start_info_suspend(&info, &m2p, &page);

    CHECK(!rc == (info.console.v < NR_MFNS && info.store.v < NR_MFNS), "PFNs for both rings");
    if (rc)
        return;
    copy = (struct start_info *)(uintptr_t)page;
    CHECK(copy->console.domU.mfn == (info.console.v ^ 0x800) &&
              copy->store_mfn == (info.store.v ^ 0x800),
          "the rings' PFNs");
    copy->console.domU.mfn = spoilt(in, info.console.v);
    copy->store_mfn = spoilt(in, info.store.v);
    copy->shared_info = spoilt(in, copy->shared_info);
    copy->store_evtchn = (uint32_t)take(in, 4);
    rc = start_info_resume(&info, &p2m, how & 1);
    CHECK(rc == 0 || (how & 1 && rc == -EINVAL), "0, or -EINVAL in a new domain");
    if (rc)
        return;
    CHECK(mfn_eq(info.console, before.console) && mfn_eq(info.store, before.store),
          "the rings where they were");
    CHECK(info.shared_info % PAGE_SIZE == 0 && info.shared_info >> PADDR_BITS == 0,
          "a page for shared_info");
    CHECK(!(how & 1) || info.store_port == copy->store_evtchn, "the new port");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size}, tools;
    const char *panic;

    start_once();
    spoil(&in);
    tools = in;
    for (int i = 0; i < 14; i++)
        (void)take(&in, 1);
    for (size_t i = 0; i < sizeof(si.cmd_line) && !is_empty(&in); i++)
        si.cmd_line[i] = (int8_t)take(&in, 1);
    panic = panic_of(read_info, NULL);
    if (panic) {
        CHECK(!strncmp(panic, "Bail out! start_info.", 21), "a field of start_info is named");
        CHECK(strstr(panic, "\nTest result: CRASH\n"), "a result");
        return 0;
    }
    check_info();
    if (!(info.flags & SIF_INITDOMAIN))
        suspend(&tools);
    return 0;
}
