/* SPDX-License-Identifier: MIT */
/*
 * Memory maps and lists of <xen/memory.h>, read into buffers of every size from 0 on.
 *
 * A kernel asks for a map with a buffer that may be too small. Without these tests Xen could write
 * past the buffer, leave out an entry, or count one that it did not write: the kernel would take
 * device memory for RAM, or lose RAM.
 */
#include "lib/errno.h"
#include "lib/string.h"

#include "arch/x86/hypercall.h"

#include "tests/guest/abi_room.h"

#include <xen/memory.h>
#include <xen/physdev.h>

/* Entries of a buffer: more than the map of any host has that the tests boot. */
#define MAX_ENTRIES     192
#define ROOM_PAGES      16
#define UNWRITTEN       0x5a

#define XEN_MAX_ENTRIES 1024u /* of a domain's own map: E820MAX of Xen's asm/e820.h */
#define NR_SET          5u

struct map_room {
    struct room room;
    struct e820_entry *full, *part, *own; /* MAX_ENTRIES each                    */
    unsigned int nr;                      /* entries of the map, which is in @full */
    uint64_t nr_pages;                    /* of each buffer */
};

static long read_map(unsigned int cmd, struct e820_entry *entries, unsigned int *nr)
{
    struct xen_memory_map map = {.nr_entries = *nr};
    long rc;

    set_xen_guest_handle(map.buffer, (void *)entries);
    rc = HYPERVISOR_memory_op(cmd, &map);
    *nr = map.nr_entries;
    return rc;
}

static void make_unwritten(const struct map_room *m)
{
    memset(m->part, UNWRITTEN, m->nr_pages * PAGE_SIZE);
}

/* No byte from entry @nr on may be written. */
static void check_rest(const struct map_room *m, unsigned int nr, unsigned int size,
                       const char *name)
{
    const uint8_t *bytes = (const uint8_t *)m->part;
    uint64_t len = m->nr_pages * PAGE_SIZE, i = nr * sizeof(*m->part);
    struct test *t = m->room.t;

    while (i < len && bytes[i] == UNWRITTEN)
        i++;
    CHECK(i == len,
          "%s with a buffer of %u entries wrote byte %lu, expected nothing from byte %lu on", name,
          size, i, nr * sizeof(*m->part));
}

static void check_entries(const struct map_room *m, unsigned int nr, const char *name)
{
    for (unsigned int i = 0; i < nr; i++)
        check_e820_entry(m->room.t, name, i, &m->part[i], &m->full[i]);
}

/* False: the test is skipped or in error. */
static bool map_room_open(struct map_room *m, struct test *t)
{
    if (!room_open(&m->room, t, ROOM_PAGES))
        return false;
    m->nr_pages = DIV_ROUND_UP(MAX_ENTRIES * sizeof(*m->full), PAGE_SIZE);
    m->full = room_alloc(&m->room, m->nr_pages);
    m->part = room_alloc(&m->room, m->nr_pages);
    m->own = room_alloc(&m->room, m->nr_pages);
    m->nr = MAX_ENTRIES;
    return true;
}

static void map_room_close(struct map_room *m)
{
    room_free(&m->room, m->own, m->nr_pages);
    room_free(&m->room, m->part, m->nr_pages);
    room_free(&m->room, m->full, m->nr_pages);
    room_close(&m->room);
}

/* A buffer of @size entries. Xen asks for one entry more than it writes. */
static void try_machine(const struct map_room *m, unsigned int size)
{
    static const char name[] = "XENMEM_machine_memory_map";
    struct test *t = m->room.t;
    unsigned int nr = size;
    long rc;

    make_unwritten(m);
    rc = read_map(XENMEM_machine_memory_map, m->part, &nr);
    if (size < m->nr || (size == m->nr && rc)) {
        CHECK_RC(rc, -EINVAL, "%s with a buffer of %u entries for a map of %u", name, size, m->nr);
        check_rest(m, size, size, name);
        return;
    }
    CHECK_RC(rc, 0, "%s with a buffer of %u entries for a map of %u", name, size, m->nr);
    CHECK_EQ(nr, m->nr, "%s with a buffer of %u entries: nr_entries", name, size);
    check_entries(m, m->nr, name);
    check_rest(m, m->nr, size, name);
}

TEST_RULE(abi_machine_map,
          "dom0: XENMEM_machine_memory_map fits its buffer, and counts each entry that it writes")
{
    unsigned int count = 0;
    struct map_room m;
    long rc;

    if (!boot_info_is_initdomain(&t->d->boot)) {
        rc = read_map(XENMEM_machine_memory_map, NULL, &count);
        CHECK_RC(rc, rc == -EACCES && t->d->host.has_flask ? -EACCES : -EPERM,
                 "XENMEM_machine_memory_map in a domU");
        return;
    }
    if (!map_room_open(&m, t))
        return;
    CHECK_RC(read_map(XENMEM_machine_memory_map, NULL, &count), 0,
             "XENMEM_machine_memory_map without a buffer");
    if (count + 2 > MAX_ENTRIES)
        test_skip(t, "XENMEM_machine_memory_map has %u entries, the buffer of the test has %u",
                  count, MAX_ENTRIES);
    else {
        CHECK_RC(read_map(XENMEM_machine_memory_map, m.full, &m.nr), 0,
                 "XENMEM_machine_memory_map with a buffer of %u entries", MAX_ENTRIES);
        CHECK_EQ(m.nr, count,
                 "entries of XENMEM_machine_memory_map, compared with a call without a "
                 "buffer,");
        for (unsigned int size = 0; size <= m.nr + 2; size++)
            try_machine(&m, size);
    }
    map_room_close(&m);
}

static long set_map(domid_t domain, const struct e820_entry *entries, unsigned int nr)
{
    struct xen_foreign_memory_map arg = {.domid = domain, .map.nr_entries = nr};

    set_xen_guest_handle(arg.map.buffer, (void *)entries);
    return HYPERVISOR_memory_op(XENMEM_set_memory_map, &arg);
}

static void try_own(const struct map_room *m, unsigned int size)
{
    static const char name[] = "XENMEM_memory_map";
    unsigned int nr = size, expected = size < m->nr ? size : m->nr;
    struct test *t = m->room.t;

    make_unwritten(m);
    CHECK_RC(read_map(XENMEM_memory_map, m->part, &nr), 0, "%s with a buffer of %u entries", name,
             size);
    CHECK_EQ(nr, expected, "%s with a buffer of %u entries: nr_entries", name, size);
    check_entries(m, expected, name);
    check_rest(m, expected, size, name);
}

/* Maps that Xen must refuse. The map that was set before stays. */
static void try_bad_maps(const struct map_room *m)
{
    struct test *t = m->room.t;

    CHECK_RC(set_map(DOMID_SELF, m->full, XEN_MAX_ENTRIES + 1), -EINVAL,
             "XENMEM_set_memory_map of %u entries", XEN_MAX_ENTRIES + 1);
    CHECK_RC(set_map(DOMID_SELF, (struct e820_entry *)HYPERVISOR_VIRT_START, 1), -EFAULT,
             "XENMEM_set_memory_map, buffer at Xen's address 0x%lx", HYPERVISOR_VIRT_START);
    CHECK_RC(set_map(NO_DOMAIN, m->full, 1), -ESRCH,
             "XENMEM_set_memory_map for domain 0x%x, which does not exist", NO_DOMAIN);
    try_own(m, m->nr + 1);
}

/* Sets a map of a few entries, which differ in each byte, and then the map that there was. */
static void try_set(struct map_room *m, unsigned int nr_own)
{
    struct test *t = m->room.t;
    long rc;

    memcpy(m->own, m->full, nr_own * sizeof(*m->own));
    m->nr = NR_SET;
    for (unsigned int i = 0; i < NR_SET; i++)
        m->full[i] = (struct e820_entry){
            .addr = 0x0102030405060000 + ((uint64_t)i << 56),
            .len_bytes = 0x1112131415161700 + i,
            .type = 0x21222300 + i,
        };
    rc = set_map(DOMID_SELF, m->full, NR_SET);
    if (rc == -EACCES) {
        test_skip(t, "XSM/FLASK denies XENMEM_set_memory_map (EACCES)");
        return;
    }
    CHECK_RC(rc, 0, "XENMEM_set_memory_map of %u entries", NR_SET);
    for (unsigned int size = 0; !rc && size <= NR_SET + 2; size++)
        try_own(m, size);
    try_bad_maps(m);
    CHECK_RC(set_map(DOMID_SELF, m->own, nr_own), 0,
             "XENMEM_set_memory_map of the former map, %u entries", nr_own);
}

TEST_RULE(abi_own_map,
          "XENMEM_memory_map stores as many entries of the map that was set as fit the buffer")
{
    struct map_room m;
    long rc;

    if (!map_room_open(&m, t))
        return;
    rc = read_map(XENMEM_memory_map, m.full, &m.nr);
    if (rc == -ENOSYS)
        m.nr = 0; /* this domain has no map of its own */
    if (m.nr == MAX_ENTRIES)
        test_skip(t, "XENMEM_memory_map has %u entries or more, as many as the buffer of the test",
                  m.nr);
    else {
        CHECK_RC(rc, m.nr ? 0 : -ENOSYS, "XENMEM_memory_map with a buffer of %u entries",
                 MAX_ENTRIES);
        try_set(&m, m.nr);
    }
    map_room_close(&m);
}

/* Where PCs have their I/O APICs. */
#define IO_APICS     0xfec00000u
#define IO_APICS_END 0xfed00000u

static bool is_io_apic(uint64_t addr)
{
    struct physdev_apic apic = {.apic_physbase = addr};

    return !HYPERVISOR_any(__HYPERVISOR_physdev_op, PHYSDEVOP_apic_read, (uintptr_t)&apic, 0, 0);
}

static bool is_reserved(const struct map_room *m, uint64_t addr)
{
    for (unsigned int i = 0; i < m->nr; i++)
        if (m->full[i].type != E820_RAM && addr >= m->full[i].addr &&
            addr - m->full[i].addr < m->full[i].len_bytes)
            return true;
    return false;
}

/* Xen keeps the I/O APICs for itself: a dom0 may read their pages, but must put nothing there. */
TEST_RULE(abi_machine_map_io_apic,
          "dom0: XENMEM_machine_memory_map shows the page of each I/O APIC as reserved")
{
    unsigned int nr_apics = 0;
    struct map_room m;
    long rc;

    if (!boot_info_is_initdomain(&t->d->boot)) {
        test_skip(t, "a domU cannot ask Xen for an I/O APIC");
        return;
    }
    if (!map_room_open(&m, t))
        return;
    rc = read_map(XENMEM_machine_memory_map, m.full, &m.nr);
    if (rc == -EINVAL) {
        test_skip(t, "XENMEM_machine_memory_map has more entries than the buffer of the test, %u",
                  MAX_ENTRIES);
        map_room_close(&m);
        return;
    }
    CHECK_RC(rc, 0, "XENMEM_machine_memory_map with a buffer of %u entries", MAX_ENTRIES);
    for (uint64_t addr = IO_APICS; addr < IO_APICS_END; addr += PAGE_SIZE)
        if (is_io_apic(addr)) {
            nr_apics++;
            CHECK(is_reserved(&m, addr),
                  "XENMEM_machine_memory_map: no entry of its %u is a reserved range with the I/O "
                  "APIC at 0x%lx, expected one",
                  m.nr, addr);
        }
    if (!nr_apics)
        test_skip(t, "Xen has no I/O APIC from 0x%x to 0x%x", IO_APICS, IO_APICS_END);
    map_room_close(&m);
}
