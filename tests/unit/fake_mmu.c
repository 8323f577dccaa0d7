/* SPDX-License-Identifier: MIT */
/*
 * Frame types by Xen's rule: a frame is a page table of one level, or mapped writable, or neither;
 * never two of these. A frame becomes a page table when an entry of a table above it, a pin or CR3
 * names it for the first time: then each of its entries is validated and counted, recursively.
 *
 *      unused --get L1..L4: validate--> table (count n) --put the last: drop its entries--> unused
 *      unused --get WRITABLE----------> writable (count n) --put the last--> unused
 *
 * The errors are those observed with Xen 4.14 to 4.20: -EINVAL for a page table that is mapped
 * writable, -EBUSY for a writable mapping of a page table.
 */
#include "tests/unit/fake_grants.h"
#include "tests/unit/harness.h"

#include <xen/errno.h>

static bool names_superpage(uint64_t pte, unsigned int level)
{
    return level > 1 && (pte & PTE_PSE);
}

/* May an entry that is written on behalf of @domain name this frame? */
static bool is_of(uint64_t mfn, const struct fake_frame *f, domid_t domain)
{
    if (domain == DOMID_SELF)
        return !f->foreign || f->owner == FAKE_XENS || mfn == fake.shared;
    if (domain == DOMID_IO)
        return f->foreign && f->owner == FAKE_DEVICES;
    return f->foreign && f->owner == (domain == DOMID_XEN ? FAKE_XENS : FAKE_PEERS);
}

/* Gets the use of a frame by one entry. @level is the level of the table that holds the entry. */
static int get_entry(uint64_t pte, unsigned int level, domid_t domain)
{
    uint64_t mfn = pte_mfn(pte).v;
    struct fake_frame *f = fake_frame(mfn);
    int rc = 0;

    if (!pte_present(pte)) {
        if (pte)
            fail_msg("non-present entry %#lx at level %u has an address: XSA-273", pte, level);
        return 0;
    }
    if (!f || (level > 1 && f->foreign) || pte & FAKE_PTE_GRANT || (fake.no_nx && pte & PTE_NX))
        return -XEN_EINVAL;
    if (level == 1 && !is_of(mfn, f, domain))
        return -XEN_EINVAL;
    if (names_superpage(pte, level)) {
        if (!fake.superpages)
            return -XEN_EINVAL;
        for (uint64_t i = 0; i < level_bytes(level) / PAGE_SIZE; i++) {
            if (fake_get_type(mfn + i, FAKE_WRITABLE))
                fail_msg("the builder mapped MFN %#lx twice", mfn + i);
            fake_frame(mfn + i)->refs++;
        }
        return 0;
    }
    if (level > 1)
        rc = fake_get_type(mfn, (enum fake_type)(level - 1));
    else if (pte & PTE_W)
        rc = fake_get_type(mfn, FAKE_WRITABLE);
    f->refs += rc == 0;
    return rc;
}

static void put_entry(uint64_t pte, unsigned int level)
{
    uint64_t nr = names_superpage(pte, level) ? level_bytes(level) / PAGE_SIZE : 1;

    if (!pte_present(pte))
        return;
    if (pte & FAKE_PTE_GRANT)
        fail_msg("Attempt to implicitly unmap a granted PTE %#lx", pte);
    for (uint64_t i = 0; i < nr; i++) {
        fake_frame(pte_mfn(pte).v + i)->refs--;
        if (level > 1 || (pte & PTE_W))
            fake_put_type(pte_mfn(pte).v + i);
    }
}

/* Validates and counts all entries of a page table; on an error, none. */
static int validate(uint64_t mfn, unsigned int level)
{
    const uint64_t *table = fake_ram(mfn);

    for (unsigned int i = 0; i < PTES_PER_TABLE; i++) {
        int rc = get_entry(table[i], level, DOMID_SELF);

        if (rc) {
            while (i--)
                put_entry(table[i], level);
            return rc;
        }
    }
    return 0;
}

int fake_get_type(uint64_t mfn, enum fake_type type)
{
    struct fake_frame *f = fake_frame(mfn);
    int rc = 0;

    if (!f || (f->foreign && type != FAKE_WRITABLE))
        return -XEN_EINVAL;
    if (f->type_count && f->type != type)
        return type == FAKE_WRITABLE ? -XEN_EBUSY : -XEN_EINVAL;
    f->type = type;
    if (f->type_count++ == 0 && type != FAKE_WRITABLE)
        rc = validate(mfn, type);
    if (rc)
        f->type_count = 0;
    return rc;
}

void fake_put_type(uint64_t mfn)
{
    struct fake_frame *f = fake_frame(mfn);

    if (!f || !f->type_count)
        fail_msg("MFN %#lx: a type use is dropped, but its type count is 0", mfn);
    if (f->type_count == 1 && f->type != FAKE_WRITABLE)
        for (unsigned int i = 0; i < PTES_PER_TABLE; i++)
            put_entry(fake_ram(mfn)[i], f->type);
    f->type_count--;
}

int fake_write_entry(uint64_t table, unsigned int index, uint64_t pte, domid_t domain)
{
    struct fake_frame *f = fake_frame(table);
    uint64_t *entry = fake_ram(table) + index, old = *entry;
    int rc;

    /* skip Xen's own slots of the level 4 table */
    if (f->type == FAKE_L4 && index >= 256 && index < 272)
        return -XEN_EINVAL;
    rc = get_entry(pte, f->type, domain);
    if (rc)
        return rc;
    *entry = pte;
    put_entry(old, f->type);
    return 0;
}

/* The hash FNV-1a (Fowler, Noll, Vo), by words. */
static uint64_t mix(uint64_t hash, uint64_t value)
{
    return (hash ^ value) * 0x100000001b3;
}

static uint64_t hash_table(uint64_t hash, uint64_t mfn, unsigned int level, uint64_t va,
                           uint64_t skip_from, uint64_t skip_bytes)
{
    for (unsigned int i = 0; i < PTES_PER_TABLE; i++, va += level_bytes(level)) {
        uint64_t pte = fake_ram(mfn)[i];

        if (!pte_present(pte) || (level == 1 && va - skip_from < skip_bytes))
            continue;
        hash = mix(mix(hash, va), pte);
        if (!pte_is_leaf(pte, level))
            hash = hash_table(hash, pte_mfn(pte).v, level - 1, va, skip_from, skip_bytes);
    }
    return hash;
}

uint64_t fake_mappings_hash(uint64_t from, uint64_t len_bytes)
{
    return hash_table(0xcbf29ce484222325, fake.root, PT_LEVELS, 0, from, len_bytes);
}
