/* SPDX-License-Identifier: MIT */
/*
 * Without this an identity range could be right in the tables and useless: what a dom0 wants of
 * it is to read what the firmware left there. ACPI's root pointer and root table are found as on
 * bare metal, by PFN, and their checksums must come out as 0 (ACPI 6.5, 5.2.5 and 5.2.6).
 */
#include "lib/string.h"

#include "kernel/selftest/test.h"

#define BIOS_START    0xe0000
#define BIOS_END      0x100000
#define RSDP_LEN      20
#define HEADER_LEN    36
#define MAX_TABLE_LEN 4096

/* Copies @len bytes at the pseudo-physical address @addr through the P2M. False: not to be had. */
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
    for (uint64_t at = BIOS_START; at + RSDP_LEN <= BIOS_END; at += 16) {
        if (!read_physical(t->d, at, rsdp, RSDP_LEN)) {
            test_fail(t, "0x%lx, where a BIOS is, cannot be read through the P2M", at);
            return false;
        }
        if (!memcmp(rsdp, "RSD PTR ", 8))
            return true;
    }
    return false;
}

TEST(acpi, "ACPI's root table, read through identity PFNs, has a right checksum")
{
    static uint8_t rsdp[RSDP_LEN], table[MAX_TABLE_LEN];
    uint32_t addr, len;

    if (!boot_info_is_initdomain(&t->d->boot)) {
        test_skip(t, "only a dom0 sees the machine's tables");
        return;
    }
    if (!find_rsdp(t, rsdp)) {
        test_skip(t, "no RSDP below 1 MiB: this machine has no BIOS");
        return;
    }
    memcpy(&addr, rsdp + 16, sizeof(addr));
    CHECK(checksum(rsdp, RSDP_LEN) == 0, "the RSDP's bytes sum to %u, expected 0",
          checksum(rsdp, RSDP_LEN));
    CHECK(ranges_find(&t->d->p2m.ranges, addr / PAGE_SIZE).kind == RANGE_IDENTITY,
          "the root table at 0x%x does not lie in an identity range", addr);
    if (!read_physical(t->d, addr, table, HEADER_LEN)) {
        test_fail(t, "the root table at 0x%x cannot be mapped", addr);
        return;
    }
    memcpy(&len, table + 4, sizeof(len));
    CHECK(!memcmp(table, "RSDT", 4), "the root table begins \"%.4s\", expected \"RSDT\"",
          (const char *)table);
    CHECK(len >= HEADER_LEN && len <= MAX_TABLE_LEN && read_physical(t->d, addr, table, len) &&
              checksum(table, len) == 0,
          "the root table's %u bytes do not sum to 0", len);
}
