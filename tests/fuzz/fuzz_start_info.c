/* SPDX-License-Identifier: MIT */
/*
 * xen/start_info.c: for any start_info that a domain builder writes, the kernel panics and names
 * the field, or fills a boot_info whose fields keep what xen/start_info.h promises. For anything
 * that the toolstack writes after a suspend, start_info_resume returns an error, or leaves the
 * rings in their frames.
 *
 *      input   the numbers of struct start_info, in the order of spoil(); bytes to add to magic;
 *              the numbers that the toolstack writes; the command line
 *              With an empty input, start_info is what a correct builder writes.
 *
 * The page tables map three areas of the address space, and are read through fixmap slots, as in
 * the kernel.
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
#define HUGE_VA     ((uint64_t)0x10000000) /* the 1 GiB around it, by one 1 GiB page */

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
    CHECK(mfn < NR_TABLES, "a fixmap slot maps only page tables");
    memcpy((void *)va, tables[mfn], PAGE_SIZE);
    return 0;
}

/* mm/pagetable.c needs these to change page tables, which reading start_info never does. */

long HYPERVISOR_mmu_update(const struct mmu_update *req, unsigned int nr, unsigned int *done,
                           domid_t domain)
{
    (void)req, (void)nr, (void)done, (void)domain;
    finding(__FILE__, __LINE__, "no HYPERVISOR_mmu_update while start_info is read");
}

long HYPERVISOR_mmuext_op(const struct mmuext_op *op, unsigned int nr, unsigned int *done,
                          domid_t domain)
{
    (void)op, (void)nr, (void)done, (void)domain;
    finding(__FILE__, __LINE__, "no HYPERVISOR_mmuext_op while start_info is read");
}

int frame_pool_alloc(struct frame_pool *f, mfn_t *mfn)
{
    (void)f, (void)mfn;
    finding(__FILE__, __LINE__, "no frame_pool_alloc while start_info is read");
}

int frame_pool_free(struct frame_pool *f, mfn_t mfn)
{
    (void)f, (void)mfn;
    finding(__FILE__, __LINE__, "no frame_pool_free while start_info is read");
}

/* All of this M2P can be read. */
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

/* Do the page tables map @va? Computed without the page tables. */
static bool is_mapped(uint64_t va)
{
    return va - LIST_BASE < LIST_BYTES || va - VIRT_BASE < IMAGE_BYTES ||
           va < (uint64_t)1 << 30; /* the 1 GiB page around HUGE_VA */
}

/*
 * A corrupted form of @good, the number of a correct builder, from 3 bytes of the input: how, then
 * 16 signed bits. The signed number is shifted left by the low six bits of how, and added to @good,
 * or to 0 if bit 6 of how is set; bit 7 of how subtracts 1.
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
    CHECK(va % PAGE_SIZE == 0 && va + len_bytes - 1 >= va,
          "an area starts at a page boundary and does not wrap");
    CHECK(is_mapped(va) && is_mapped(va + len_bytes - 1),
          "the page tables map the first and the last byte of an area");
}

static void check_ramdisk(void)
{
    uint64_t pages = boot_info_ramdisk_pages(&info);
    bool by_pfn = si.flags & SIF_MOD_START_PFN;

    CHECK(info.ramdisk_bytes == si.mod_len, "ramdisk_bytes is mod_len");
    if (!info.ramdisk_bytes) {
        CHECK(!info.ramdisk_va && !info.ramdisk_pfn,
              "ramdisk_va and ramdisk_pfn are 0 without a ramdisk");
        return;
    }
    CHECK(info.ramdisk_va == (by_pfn ? 0 : si.mod_start),
          "ramdisk_va is mod_start, or 0 with SIF_MOD_START_PFN");
    CHECK(pages <= info.nr_pages, "the ramdisk has at most nr_pages pages");
    if (by_pfn) {
        CHECK(info.ramdisk_pfn <= info.nr_pages - pages,
              "the PFNs of the ramdisk are below nr_pages");
        return;
    }
    check_area(info.ramdisk_va, info.ramdisk_bytes);
    CHECK(info.ramdisk_pfn == boot_pfn(info.ramdisk_va),
          "ramdisk_pfn is the builder's PFN of ramdisk_va");
}

static void check_info(void)
{
    bool dom0 = si.flags & SIF_INITDOMAIN;

    CHECK(info.flags == si.flags && boot_info_is_initdomain(&info) == dom0,
          "flags are those of start_info, and SIF_INITDOMAIN means dom0");
    CHECK(!strncmp(si.magic, "xen-", 4) && memchr(si.magic, 0, sizeof(si.magic)),
          "a start_info that is taken has magic \"xen-...\"");
    CHECK(info.nr_pages == si.nr_pages && info.nr_pages - 1 < (uint64_t)1 << MFN_BITS,
          "nr_pages is that of start_info, from 1 to 2^40");
    CHECK(info.list_va == si.mfn_list, "list_va is mfn_list");
    check_area(info.list_va, info.nr_pages * 8);
    CHECK(info.nr_list_pfns || info.list_va != LIST_BASE,
          "nr_list_pfns is not 0 for a P2M list at LIST_BASE");
    CHECK(!info.nr_list_pfns || info.nr_list_pfns >= DIV_ROUND_UP(info.nr_pages, 512),
          "nr_list_pfns, if not 0, covers the P2M list");
    CHECK(info.nr_list_pfns <= info.nr_pages && info.list_pfn <= info.nr_pages - info.nr_list_pfns,
          "the PFNs of the P2M list are below nr_pages");
    CHECK(info.shared_info % PAGE_SIZE == 0 && info.shared_info >> PADDR_BITS == 0,
          "shared_info is a page-aligned machine address");
    CHECK(dom0 ? mfn_eq(info.console, INVALID_MFN) && mfn_eq(info.store, INVALID_MFN)
               : mfn_valid(info.console) && mfn_valid(info.store),
          "console and store are valid MFNs in a domU, INVALID_MFN in dom0");
    CHECK(strnlen(info.cmdline, MAX_GUEST_CMDLINE) < MAX_GUEST_CMDLINE, "cmdline ends with a 0");
    check_ramdisk();
}

/* The toolstack reads the PFNs of the rings, and writes any numbers. */
static void suspend(struct input *in)
{
    const struct m2p m2p = {.table = m2p_table, .nr = NR_MFNS};
    const struct p2m p2m = {.list = list, .nr = NR_PAGES};
    struct boot_info before = info;
    uint64_t how = take(in, 1);
    const void *page;
    struct start_info *copy;
    int rc = start_info_suspend(&info, &m2p, &page);

    CHECK(!rc == (info.console.v < NR_MFNS && info.store.v < NR_MFNS),
          "start_info_suspend returns 0 only with M2P entries for both rings");
    if (rc)
        return;
    copy = (struct start_info *)(uintptr_t)page;
    CHECK(copy->console.domU.mfn == (info.console.v ^ 0x800) &&
              copy->store_mfn == (info.store.v ^ 0x800),
          "after start_info_suspend: start_info has the PFNs of both rings");
    copy->console.domU.mfn = spoilt(in, info.console.v);
    copy->store_mfn = spoilt(in, info.store.v);
    copy->shared_info = spoilt(in, copy->shared_info);
    copy->store_evtchn = (uint32_t)take(in, 4);
    rc = start_info_resume(&info, &p2m, how & 1);
    CHECK(rc == 0 || (how & 1 && rc == -EINVAL),
          "start_info_resume returns 0, or -EINVAL in a new domain");
    if (rc)
        return;
    CHECK(mfn_eq(info.console, before.console) && mfn_eq(info.store, before.store),
          "after start_info_resume: both rings have the MFNs from before");
    CHECK(info.shared_info % PAGE_SIZE == 0 && info.shared_info >> PADDR_BITS == 0,
          "after start_info_resume: shared_info is a page-aligned machine address");
    CHECK(!(how & 1) || info.store_port == copy->store_evtchn,
          "after start_info_resume in a new domain: store_port is store_evtchn");
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
        CHECK(!strncmp(panic, "Bail out! start_info.", 21), "a panic names a field of start_info");
        CHECK(strstr(panic, "\nTest result: CRASH\n"), "a panic prints \"Test result: CRASH\"");
        return 0;
    }
    check_info();
    if (!(info.flags & SIF_INITDOMAIN))
        suspend(&tools);
    return 0;
}
