/* SPDX-License-Identifier: MIT */
/*
 * Reading firmware tables through identity PFNs.
 *
 * Without this test an identity range could be right in the range table and still be useless: a
 * dom0 needs identity PFNs to read firmware memory. The test finds ACPI's root pointer (RSDP) and
 * root table (RSDT) as on bare metal, by physical address through the P2M. The checksums of both
 * must be 0 (ACPI 6.5, sections 5.2.5 and 5.2.6).
 */
#include "lib/string.h"

#include "kernel/selftest/test.h"

#define BIOS_START    0xe0000
#define BIOS_END      0x100000
#define RSDP_LEN      20
#define HEADER_LEN    36
#define MAX_TABLE_LEN 4096

/* Copies @len bytes at the pseudo-physical address @addr. False: a page could not be mapped. */
static bool read_physical(struct domain *d, uint64_t addr, void *to, size_t len)
{
    for (uint8_t *out = to; len;) {
        mfn_t mfn = p2m_get(&d->p2m, to_pfn(addr / PAGE_SIZE));
        size_t part = min_u64(len, PAGE_SIZE - addr % PAGE_SIZE);
        const uint8_t *page = fixmap_map(&d->fixmap, FIXMAP_SCRATCH, mfn, PTE_RO);

        if (!page)
            break;
        memcpy(out, page + addr % PAGE_SIZE, part);
        out += part, addr += part, len -= part;
    }
    fixmap_unmap(&d->fixmap, FIXMAP_SCRATCH);
    return len == 0;
}

static uint8_t checksum(const uint8_t *bytes, size_t len)
{
    uint8_t sum = 0;

    while (len--)
        sum += *bytes++;
    return sum;
}

static bool find_rsdp(struct test *t, uint8_t rsdp[RSDP_LEN])
{
    static uint8_t page[PAGE_SIZE];

    for (uint64_t at = BIOS_START; at + RSDP_LEN <= BIOS_END; at += 16) {
        if (at % PAGE_SIZE == 0 && !read_physical(t->d, at, page, PAGE_SIZE)) {
            test_fail(t, "fixmap_map of PFN 0x%lx (RSDP search) is NULL, expected a mapping",
                      at / PAGE_SIZE);
            return false;
        }
        if (!memcmp(page + at % PAGE_SIZE, "RSD PTR ", 8))
            return read_physical(t->d, at, rsdp, RSDP_LEN);
    }
    return false;
}

TEST(acpi, "ACPI's root table (RSDT), read through identity PFNs, has a valid checksum")
{
    static uint8_t rsdp[RSDP_LEN], table[MAX_TABLE_LEN];
    enum range_kind kind;
    uint32_t addr, len;

    if (!boot_info_is_initdomain(&t->d->boot)) {
        test_skip(t, "only a dom0 may map the firmware tables of the host");
        return;
    }
    if (!find_rsdp(t, rsdp)) {
        test_skip(t, "no RSDP in [0xe0000, 0x100000): this host has no BIOS");
        return;
    }
    memcpy(&addr, rsdp + 16, sizeof(addr));
    kind = ranges_find(&t->d->p2m.ranges, addr / PAGE_SIZE).kind;
    CHECK_EQ(checksum(rsdp, RSDP_LEN), 0, "checksum of the RSDP");
    CHECK(kind == RANGE_IDENTITY, "PFN 0x%lx of the RSDT at 0x%x is %s, expected %s",
          addr / PAGE_SIZE, addr, range_kind_name(kind), range_kind_name(RANGE_IDENTITY));
    if (!read_physical(t->d, addr, table, HEADER_LEN)) {
        test_fail(t, "fixmap_map of the %u bytes of the RSDT at 0x%x is NULL, expected a mapping",
                  HEADER_LEN, addr);
        return;
    }
    memcpy(&len, table + 4, sizeof(len));
    CHECK(!memcmp(table, "RSDT", 4), "signature of the RSDT at 0x%x is \"%.4s\", expected \"RSDT\"",
          addr, (const char *)table);
    if (len < HEADER_LEN || len > MAX_TABLE_LEN) {
        test_fail(t, "length of the RSDT at 0x%x is %u bytes, expected in [%d, %d]", addr, len,
                  HEADER_LEN, MAX_TABLE_LEN);
        return;
    }
    CHECK(read_physical(t->d, addr, table, len),
          "fixmap_map of the %u bytes of the RSDT at 0x%x is NULL, expected a mapping", len, addr);
    CHECK_EQ(checksum(table, len), 0, "checksum of the %u bytes of the RSDT at 0x%x", len, addr);
}
