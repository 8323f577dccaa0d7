/* SPDX-License-Identifier: MIT */
#include "xen/host.h"

#include "lib/errno.h"
#include "lib/panic.h"

#include "arch/x86/cpu.h"
#include "arch/x86/hypercall.h"

#include <xen/arch-x86/cpuid.h>
#include <xen/event_channel.h>
#include <xen/memory.h>
#include <xen/vcpu.h>
#include <xen/version.h>
#include <xen/xsm/flask_op.h>

/* A CPUID leaf of the processor (Intel SDM vol. 2, CPUID). */
#define CPUID_ADDRESS_WIDTHS 0x80000008

/* Xen's CPUID leaves start here or a multiple of 0x100 above (<xen/arch-x86/cpuid.h>). */
#define XEN_LEAVES_START 0x40000000
#define XEN_LEAVES_END   0x40010000
#define XEN_LEAF_PV      5

/* The width of machine addresses by Xen's leaf for PV guests; 0 if this Xen has no such leaf. */
static unsigned int xen_address_bits(void)
{
    for (uint32_t base = XEN_LEAVES_START; base < XEN_LEAVES_END; base += 0x100) {
        struct cpuid r = cpuid_xen(base);

        if (r.ebx != XEN_CPUID_SIGNATURE_EBX || r.ecx != XEN_CPUID_SIGNATURE_ECX ||
            r.edx != XEN_CPUID_SIGNATURE_EDX)
            continue;
        if (r.eax < base + XEN_LEAF_PV)
            return 0;
        return cpuid_xen(base + XEN_LEAF_PV).ebx & XEN_CPUID_MACHINE_ADDRESS_WIDTH_MASK;
    }
    return 0;
}

/* Keeps the promise of the MAXPHYS_SIZE note: machine addresses have at most PADDR_BITS bits. */
static void check_widths(const struct host *h)
{
    if (h->cpu_bits > PADDR_BITS || h->xen_bits > PADDR_BITS)
        panic("machine addresses have %u bits by CPUID 0x80000008 and %u by Xen's CPUID "
              "0x40000x05, expected at most %d",
              h->cpu_bits, h->xen_bits, PADDR_BITS);
    if (h->max_mfn >> MFN_BITS)
        panic("XENMEM_machphys_mapping: max_mfn is 0x%lx, expected at most %d bits", h->max_mfn,
              MFN_BITS);
}

/*
 * The result is the end of RAM, one more than the number that <xen/memory.h> speaks of (max_page in
 * Xen common/memory.c). Unlike max_mfn of the M2P, a domU gets the same answer as a dom0.
 */
static uint64_t read_ram_end(const struct host *h)
{
    long end = HYPERVISOR_memory_op(XENMEM_maximum_ram_page, NULL);

    return end > 0 ? (uint64_t)end : h->max_mfn + 1;
}

/* FLASK answers each domain. A Xen without FLASK returns -ENOSYS. */
static bool flask_enforces(void)
{
    struct xen_flask_op op = {
        .cmd = FLASK_GETENFORCE,
        .interface_version = XEN_FLASK_INTERFACE_VERSION,
    };

    return HYPERVISOR_xsm_op(&op) > 0;
}

void host_read(struct host *h)
{
    long version = HYPERVISOR_xen_version(XENVER_version, NULL);
    struct xen_machphys_mapping m;
    long rc;

    h->major = (unsigned int)(version >> 16);
    h->minor = version & 0xffff;
    if (HYPERVISOR_xen_version(XENVER_extraversion, h->extra))
        h->extra[0] = '\0';

    for (h->nr_vcpus = 0; HYPERVISOR_vcpu_op(VCPUOP_is_up, h->nr_vcpus, NULL) >= 0;)
        h->nr_vcpus++;

    rc = HYPERVISOR_memory_op(XENMEM_machphys_mapping, &m);
    if (rc)
        panic("XENMEM_machphys_mapping: result is %ld (%s), expected 0", rc, errno_name((int)rc));
    h->max_mfn = m.max_mfn;
    h->ram_end = read_ram_end(h);
    h->cpu_bits = cpuid(CPUID_ADDRESS_WIDTHS).eax & 0xff;
    h->xen_bits = xen_address_bits();
    check_widths(h);
    h->has_flask = flask_enforces();
    h->m2p = (struct m2p){.table = (const uint64_t *)m.v_start, .nr = m.max_mfn + 1};
}

static uint64_t reservation(unsigned int cmd, const char *name)
{
    domid_t self = DOMID_SELF;
    long pages = HYPERVISOR_memory_op(cmd, &self);

    if (pages < 0)
        panic("%s: result is %ld (%s), expected a number of pages", name, pages,
              errno_name((int)pages));
    return (uint64_t)pages;
}

uint64_t host_current_pages(void)
{
    return reservation(XENMEM_current_reservation, "XENMEM_current_reservation");
}

uint64_t host_maximum_pages(void)
{
    return reservation(XENMEM_maximum_reservation, "XENMEM_maximum_reservation");
}

/* The status of an unbound port names the domain that may bind: a number, never DOMID_SELF. */
domid_t host_domid(void)
{
    struct evtchn_alloc_unbound alloc = {.dom = DOMID_SELF, .remote_dom = DOMID_SELF};
    struct evtchn_status status = {.dom = DOMID_SELF};
    struct evtchn_close close;
    long rc = HYPERVISOR_event_channel_op(EVTCHNOP_alloc_unbound, &alloc);

    if (rc)
        return DOMID_INVALID;
    status.port = alloc.port;
    close.port = alloc.port;
    rc = HYPERVISOR_event_channel_op(EVTCHNOP_status, &status);

    long closed = HYPERVISOR_event_channel_op(EVTCHNOP_close, &close);

    if (closed)
        panic("EVTCHNOP_close of event channel port %u, just allocated: result is %ld (%s), "
              "expected 0",
              alloc.port, closed, errno_name((int)closed));
    return rc || status.status != EVTCHNSTAT_unbound ? DOMID_INVALID : status.u.unbound.dom;
}

/*
 * The map may be longer than the number that Xen names for it: a dom0's map gets entries for MMIO
 * that the dom0 must not use.
 */
#define SLACK_ENTRIES 32
#define MAX_TRIES     8

static int read_map(struct memory_map *map, struct heap *heap, unsigned int cmd, size_t room)
{
    struct xen_memory_map arg = {.nr_entries = (unsigned int)room};
    long rc;

    map->len_bytes = room * sizeof(*map->entries);
    map->entries = heap_alloc(heap, map->len_bytes);
    if (!map->entries)
        return -ENOMEM;
    set_xen_guest_handle(arg.buffer, map->entries);
    rc = HYPERVISOR_memory_op(cmd, &arg);
    map->nr = arg.nr_entries;
    /* Xen truncates a domU's map without an error, so a full buffer counts as too small. */
    if (!rc && map->nr < room)
        return 0;
    heap_free(heap, map->entries, map->len_bytes);
    return rc ? (int)rc : -EINVAL;
}

static int one_range(struct memory_map *map, struct heap *heap, uint64_t nr_pages)
{
    map->nr = 1;
    map->len_bytes = sizeof(*map->entries);
    map->entries = heap_alloc(heap, map->len_bytes);
    if (!map->entries)
        return -ENOMEM;
    *map->entries = (struct e820_entry){.len_bytes = nr_pages * PAGE_SIZE, .type = E820_RAM};
    return 0;
}

int host_memory_map(struct memory_map *map, struct heap *heap, enum map_source source,
                    uint64_t nr_pages)
{
    unsigned int cmd = source == MAP_MACHINE ? XENMEM_machine_memory_map : XENMEM_memory_map;
    struct xen_memory_map count = {0};
    long rc = HYPERVISOR_memory_op(cmd, &count);
    size_t room = count.nr_entries + SLACK_ENTRIES;

    if (rc == -ENOSYS && source == MAP_OWN)
        return one_range(map, heap, nr_pages);
    for (unsigned int i = 0; i < MAX_TRIES; i++, room *= 2) {
        rc = read_map(map, heap, cmd, room);
        if (rc != -EINVAL)
            break;
    }
    return (int)rc;
}

int host_set_memory_map(const struct memory_map *map)
{
    struct xen_foreign_memory_map arg = {
        .domid = DOMID_SELF,
        .map.nr_entries = (unsigned int)map->nr,
    };

    set_xen_guest_handle(arg.map.buffer, map->entries);
    return (int)HYPERVISOR_memory_op(XENMEM_set_memory_map, &arg);
}

/* Populates or releases the @nr extents; returns the number that Xen did. */
static uint64_t reservation_op(unsigned int cmd, uint64_t *extents, uint64_t nr)
{
    struct xen_memory_reservation arg = {.nr_extents = nr, .domid = DOMID_SELF};
    long rc;

    set_xen_guest_handle(arg.extent_start, extents);
    rc = HYPERVISOR_memory_op(cmd, &arg);
    return rc < 0 ? 0 : min_u64((uint64_t)rc, nr);
}

uint64_t host_populate(uint64_t *pfns, uint64_t nr)
{
    return reservation_op(XENMEM_populate_physmap, pfns, nr);
}

uint64_t host_release(uint64_t *mfns, uint64_t nr)
{
    return reservation_op(XENMEM_decrease_reservation, mfns, nr);
}
