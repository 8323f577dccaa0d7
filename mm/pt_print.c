/* SPDX-License-Identifier: MIT */
#include "mm/pt_print.h"

#include "lib/printk.h"

#include <xen/xen.h>

/* Bits 0 to 8 (Intel SDM vol. 3, 4.5). Bits 9 to 11 are available to software; Xen uses some. */
static const char *const flag_names[] = {"P", "W", "U", "PWT", "PCD", "A", "D", "PSE", "G"};

static void print_flags(uint64_t pte, unsigned int level)
{
    for (unsigned int bit = 0; bit < ARRAY_SIZE(flag_names); bit++)
        if (pte >> bit & 1)
            print(" %s", bit == 7 && level == 1 ? "PAT" : flag_names[bit]);
    if (pte & PTE_NX)
        print(" NX");
}

void pt_print_walk(struct pagetable *pt, uint64_t va)
{
    mfn_t table = pt->root;

    if (va >= HYPERVISOR_VIRT_START && va < HYPERVISOR_VIRT_END) {
        print("virtual address 0x%lx is in Xen's area: this domain cannot read Xen's page tables\n",
              va);
        return;
    }
    for (unsigned int level = PT_LEVELS; level; level--) {
        uint64_t pte = pt_read(pt, table, level, pte_index(va, level));

        print("0x%lx: level %u entry %3u, in table MFN 0x%lx, is %016lx", va, level,
              pte_index(va, level), table.v, pte);
        if (!pte_present(pte)) {
            print(": not present\n");
            return;
        }
        print(": MFN 0x%lx", pte_mfn(pte).v);
        print_flags(pte, level);
        print("\n");
        if (pte_is_leaf(pte, level))
            return;
        table = pte_mfn(pte);
    }
}
