/* SPDX-License-Identifier: MIT */
/*
 * start_info_read for a page of arbitrary bytes: whatever the builder passes, every field of
 * boot_info that has bounds is within them, or the kernel panics. Ports and flags have none.
 */
#include "proof.h"

#include "xen/start_info.c"

static struct start_info theirs;

/* memcpy and strncmp are CBMC's own: those of lib/string.c are partly assembly. */
size_t strnlen(const char *s, size_t max)
{
    size_t n = 0;

    while (n < max && s[n])
        n++;
    return n;
}

/* The end of a run: what a kernel that has refused the page would do is of no interest. */
void panic(const char *fmt, ...)
{
    (void)fmt;
    ASSUME(false);
    for (;;)
        ;
}

void printk(enum loglevel level, const char *fmt, ...)
{
    (void)level;
    (void)fmt;
}

mfn_t pt_mfn(struct pagetable *pt, uint64_t va)
{
    (void)pt;
    PROVE(va_canonical(va));
    return to_mfn(nondet_u64());
}

pfn_t m2p_get(const struct m2p *m, mfn_t mfn)
{
    (void)m;
    (void)mfn;
    return to_pfn(nondet_u64());
}

static void check_list_fields(const struct boot_info *b)
{
    uint64_t len_bytes = b->nr_pages * sizeof(uint64_t);

    PROVE(b->nr_pages >= 1 && b->nr_pages <= (uint64_t)1 << MFN_BITS);
    PROVE(b->list_va % PAGE_SIZE == 0 && va_canonical(b->list_va));
    PROVE(va_canonical(b->list_va + len_bytes - 1));
    PROVE(b->list_va + len_bytes > b->list_va);
    PROVE(b->list_va + ROUND_UP(len_bytes, PAGE_SIZE) > b->list_va);
    PROVE(b->list_pfn <= b->nr_pages && b->nr_list_pfns <= b->nr_pages - b->list_pfn);
}

static void check_ramdisk_fields(const struct boot_info *b)
{
    uint64_t pages = b->ramdisk_bytes / PAGE_SIZE + (b->ramdisk_bytes % PAGE_SIZE != 0);

    if (!b->ramdisk_bytes)
        return;
    PROVE(pages <= b->nr_pages && boot_info_ramdisk_pages(b) == pages);
    if (b->ramdisk_va) {
        PROVE(b->ramdisk_va % PAGE_SIZE == 0 && va_canonical(b->ramdisk_va));
        PROVE(b->ramdisk_va + pages * PAGE_SIZE > b->ramdisk_va);
    } else {
        PROVE(b->flags & SIF_MOD_START_PFN);
        PROVE(b->ramdisk_pfn <= b->nr_pages - pages);
    }
}

int main(void)
{
    struct boot_info info;
    struct start_info any;
    struct pagetable pt;

    theirs = any;
    start_info_read(&info, &theirs, &pt);
    check_list_fields(&info);
    check_ramdisk_fields(&info);
    PROVE(info.shared_info % PAGE_SIZE == 0 && mfn_valid(maddr_to_mfn(info.shared_info)));
    if (info.flags & SIF_INITDOMAIN)
        PROVE(mfn_eq(info.console, INVALID_MFN) && mfn_eq(info.store, INVALID_MFN));
    else
        PROVE(mfn_valid(info.console) && mfn_valid(info.store));
    PROVE(info.cmdline == (const char *)copy.si.cmd_line);
    PROVE(copy.si.cmd_line[MAX_GUEST_CMDLINE - 1] == 0);
    REACHED();
    return 0;
}
