/* SPDX-License-Identifier: MIT */
#include "tests/guest/mmu/entry_ways.h"

#include "arch/x86/hypercall.h"
#include "arch/x86/probe.h"

const char *const way_names[NR_WAYS] = {
    [WAY_NORMAL] = "MMU_NORMAL_PT_UPDATE",
    [WAY_PRESERVE] = "MMU_PT_UPDATE_PRESERVE_AD",
    [WAY_NO_TRANSLATE] = "MMU_PT_UPDATE_NO_TRANSLATE",
    [WAY_VA] = "update_va_mapping",
    [WAY_STORE] = "a store that Xen emulates",
};

static const unsigned int commands[NR_COMMANDS] = {
    [WAY_NORMAL] = MMU_NORMAL_PT_UPDATE,
    [WAY_PRESERVE] = MMU_PT_UPDATE_PRESERVE_AD,
    [WAY_NO_TRANSLATE] = MMU_PT_UPDATE_NO_TRANSLATE,
};

bool way_exists(const struct test *t, unsigned int level, enum way way)
{
    if (way == WAY_STORE) /* a domU would have to ask for this */
        return level == 1 && boot_info_is_initdomain(&t->d->boot);
    return level == 1 || way != WAY_VA;
}

int way_update(mfn_t table, unsigned int index, enum way way, uint64_t entry)
{
    return table_update(table, index, entry, commands[way]);
}

int way_write(struct tree *tr, unsigned int level, enum way way, uint64_t entry)
{
    struct spot table = tr->table[level];

    if (way == WAY_VA)
        return (int)HYPERVISOR_update_va_mapping(tr->va, entry, UVMF_INVLPG);
    if (way == WAY_STORE)
        return probe_write((void *)table.va, entry);
    return way_update(table.mfn, 0, way, entry);
}

void way_check(struct test *t, struct tree *tr, unsigned int level, enum way way, uint64_t entry)
{
    uint64_t before = table_entry(tr->table[level], 0);

    CHECK_RC(way_write(tr, level, way, entry), 0, "%s of an L%u entry from 0x%lx to 0x%lx",
             way_names[way], level, before, entry);
}

uint64_t entry_adjusted(unsigned int level, uint64_t entry)
{
    if (!pte_present(entry))
        return entry;
    if (level == 1)
        entry |= entry & PTE_U && !(entry & GUEST_KERNEL) ? PTE_G : GUEST_KERNEL;
    return entry | PTE_U | (level == PT_LEVELS ? PTE_A : 0);
}
