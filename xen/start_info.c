/* SPDX-License-Identifier: MIT */
#include "xen/start_info.h"

#include "lib/errno.h"
#include "lib/panic.h"
#include "lib/printk.h"
#include "lib/string.h"

/*
 * The kernel's copy of start_info, alone in its page: Xen's tools get the MFN of this page at a
 * suspend, and write to it.
 */
static union {
    struct start_info si;
    uint8_t page[PAGE_SIZE];
} copy __attribute__((aligned(4096)));

#define MAX_PAGES ((uint64_t)1 << MFN_BITS)

static void check_magic(const struct start_info *si)
{
    size_t len = strnlen(si->magic, sizeof(si->magic));

    if (len == sizeof(si->magic) || strncmp(si->magic, "xen-", 4))
        panic("start_info.magic is \"%.*s\", expected \"xen-...\"", (int)len, si->magic);
}

static void check_mapped(struct pagetable *pt, const char *field, uint64_t va)
{
    if (!va_canonical(va))
        panic("start_info.%s reaches 0x%lx, expected a canonical address", field, va);
    if (mfn_eq(pt_mfn(pt, va), INVALID_MFN))
        panic("start_info.%s reaches 0x%lx, which is not mapped, expected a mapped address", field,
              va);
}

/* Checks that the pages of [va, va + len_bytes) end below 2^64 and are mapped at both ends. */
static void check_area(struct pagetable *pt, const char *field, uint64_t va, uint64_t len_bytes)
{
    if (va % PAGE_SIZE)
        panic("start_info.%s is 0x%lx, expected a multiple of 4096", field, va);
    if (va + ROUND_UP(len_bytes, PAGE_SIZE) <= va)
        panic("start_info.%s is 0x%lx with 0x%lx bytes, which wrap, expected an end below 2^64",
              field, va, len_bytes);
    check_mapped(pt, field, va);
    check_mapped(pt, field, va + len_bytes - 1);
}

static void check_list(const struct start_info *si, struct pagetable *pt)
{
    uint64_t leaves = DIV_ROUND_UP(si->nr_pages, P2M_PER_PAGE);

    if (si->nr_pages == 0 || si->nr_pages > MAX_PAGES)
        panic("start_info.nr_pages is 0x%lx, expected 1 to 0x%lx", si->nr_pages, MAX_PAGES);
    check_area(pt, "mfn_list", si->mfn_list, si->nr_pages * sizeof(uint64_t));

    if (si->nr_p2m_frames && si->nr_p2m_frames < leaves)
        panic("start_info.nr_p2m_frames is 0x%lx, expected 0x%lx or more for 0x%lx pages",
              si->nr_p2m_frames, leaves, si->nr_pages);
    if (si->first_p2m_pfn > si->nr_pages || si->nr_p2m_frames > si->nr_pages - si->first_p2m_pfn)
        panic("start_info.first_p2m_pfn is 0x%lx and nr_p2m_frames is 0x%lx, expected a sum of at "
              "most nr_pages, 0x%lx",
              si->first_p2m_pfn, si->nr_p2m_frames, si->nr_pages);
    if (si->mfn_list == LIST_BASE && !si->nr_p2m_frames)
        panic("start_info.nr_p2m_frames is 0, expected more than 0 for mfn_list 0x%lx (INIT_P2M)",
              si->mfn_list);
}

static void check_ramdisk(const struct start_info *si, struct pagetable *pt)
{
    uint64_t pages = si->mod_len / PAGE_SIZE + (si->mod_len % PAGE_SIZE != 0);

    if (si->mod_len == 0)
        return;
    if (pages > si->nr_pages)
        panic("start_info.mod_len is 0x%lx bytes, expected at most nr_pages * 4096, 0x%lx bytes",
              si->mod_len, si->nr_pages * PAGE_SIZE);
    if (!(si->flags & SIF_MOD_START_PFN) && !si->mod_start)
        panic("start_info.mod_start is 0x0 and mod_len is 0x%lx bytes, expected an address in the "
              "kernel mapping",
              si->mod_len);
    if (!(si->flags & SIF_MOD_START_PFN))
        check_area(pt, "mod_start", si->mod_start, si->mod_len);
    else if (si->mod_start > si->nr_pages - pages)
        panic("start_info.mod_start is PFN 0x%lx for 0x%lx pages, expected an end of at most "
              "nr_pages, 0x%lx",
              si->mod_start, pages, si->nr_pages);
}

/* The MFN of a ring is valid, or 0 if there is no xenstore. */
static void check_ring(const char *field, uint64_t mfn)
{
    if (!mfn_valid(to_mfn(mfn)))
        panic("start_info.%s is 0x%lx, expected an MFN of at most %d bits", field, mfn, MFN_BITS);
}

static void read_rings(struct boot_info *info)
{
    info->console = to_mfn(copy.si.console.domU.mfn);
    info->console_port = copy.si.console.domU.evtchn;
    info->store = to_mfn(copy.si.store_mfn);
    info->store_port = copy.si.store_evtchn;
}

void start_info_read(struct boot_info *info, const struct start_info *from, struct pagetable *pt)
{
    const struct start_info *si = &copy.si;

    memcpy(&copy.si, from, sizeof(copy.si));
    copy.si.cmd_line[MAX_GUEST_CMDLINE - 1] = '\0';

    check_magic(si);
    check_list(si, pt);
    check_ramdisk(si, pt);
    if (si->shared_info % PAGE_SIZE || !mfn_valid(maddr_to_mfn(si->shared_info)))
        panic("start_info.shared_info is 0x%lx, expected a machine address of a page below 2^52",
              si->shared_info);

    if (!(si->flags & SIF_INITDOMAIN)) {
        check_ring("console.domU.mfn", si->console.domU.mfn);
        check_ring("store_mfn", si->store_mfn);
    }

    *info = (struct boot_info){
        .flags = si->flags,
        .nr_pages = si->nr_pages,
        .shared_info = si->shared_info,
        .list_va = si->mfn_list,
        .list_pfn = si->first_p2m_pfn,
        .nr_list_pfns = si->nr_p2m_frames,
        .console = INVALID_MFN,
        .store = INVALID_MFN,
        .cmdline = (const char *)si->cmd_line,
    };
    if (!(si->flags & SIF_INITDOMAIN)) {
        read_rings(info);
    }
    if (si->mod_len == 0)
        return;
    info->ramdisk_bytes = si->mod_len;
    info->ramdisk_va = si->flags & SIF_MOD_START_PFN ? 0 : si->mod_start;
    info->ramdisk_pfn = si->flags & SIF_MOD_START_PFN ? si->mod_start : boot_pfn(si->mod_start);
}

const struct start_info *start_info_copy(void)
{
    return copy.si.magic[0] ? &copy.si : NULL;
}

/* The PFNs of the rings at the last suspend. */
static pfn_t console_pfn, store_pfn;

int start_info_suspend(const struct boot_info *info, const struct m2p *m2p, const void **page)
{
    console_pfn = m2p_get(m2p, info->console);
    store_pfn = m2p_get(m2p, info->store);
    if (console_pfn.v == INVALID_ENTRY || store_pfn.v == INVALID_ENTRY)
        return -EINVAL;
    copy.si.console.domU.mfn = console_pfn.v;
    copy.si.store_mfn = store_pfn.v;
    *page = &copy;
    return 0;
}

static int check_same_ring(const char *field, const struct p2m *p2m, pfn_t pfn, mfn_t mfn)
{
    if (mfn_eq(p2m_get_ram(p2m, pfn), mfn))
        return 0;
    printk(LOG_ERROR,
           "start_info.%s is 0x%lx after the suspend, expected 0x%lx, the MFN of the ring's PFN "
           "0x%lx\n",
           field, mfn.v, p2m_get_ram(p2m, pfn).v, pfn.v);
    return -EINVAL;
}

int start_info_resume(struct boot_info *info, const struct p2m *p2m, bool new_domain)
{
    int rc;

    if (!new_domain) {
        copy.si.console.domU.mfn = info->console.v;
        copy.si.store_mfn = info->store.v;
        return 0;
    }
    read_rings(info);
    rc = check_same_ring("console.domU.mfn", p2m, console_pfn, info->console);
    if (!rc)
        rc = check_same_ring("store_mfn", p2m, store_pfn, info->store);
    if (!rc && (copy.si.shared_info % PAGE_SIZE || !mfn_valid(maddr_to_mfn(copy.si.shared_info)))) {
        printk(LOG_ERROR,
               "start_info.shared_info is 0x%lx after the suspend, expected a page-aligned "
               "machine address below 2^52\n",
               copy.si.shared_info);
        rc = -EINVAL;
    }
    if (!rc)
        info->shared_info = copy.si.shared_info;
    return rc;
}
