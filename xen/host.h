/* SPDX-License-Identifier: MIT */
/*
 * Information from Xen about the host and this domain, and Xen's operations on this domain's memory
 * (<xen/version.h>, <xen/memory.h>, <xen/vcpu.h>).
 */
#ifndef XEN_HOST_H
#define XEN_HOST_H

#include "mm/e820.h"
#include "mm/heap.h"

#include <xen/xen.h>

struct host {
    unsigned int major, minor; /* Xen's version */
    char extra[16];            /* "", ".7-pre" and the like */
    unsigned int nr_vcpus;     /* of this domain; the kernel uses vCPU 0 only        */
    unsigned int cpu_bits;     /* width of machine addresses by CPUID                */
    unsigned int xen_bits;     /* the width that Xen uses; 0: unknown                */
    uint64_t max_mfn; /* the highest MFN that has an M2P entry; in a domU, that may have one */
    uint64_t ram_end; /* the host's RAM has MFNs below this one             */
    struct m2p m2p;   /* Xen's M2P, mapped read-only in Xen's area          */
    bool has_flask;   /* XSM/FLASK enforces a policy, by which Xen may deny hypercalls */
};

/*
 * Fills @h. Panics if machine addresses may be wider than PADDR_BITS, which the MAXPHYS_SIZE note
 * promises to handle, or if Xen names no M2P.
 */
void host_read(struct host *h);

/*
 * The pages that this domain has (XENMEM_current_reservation), and its limit
 * (XENMEM_maximum_reservation). For a dom0 without "max:" in dom0_mem= Xen returns the largest
 * unsigned int: no limit. Both panic if Xen returns an error.
 */
uint64_t host_current_pages(void);
uint64_t host_maximum_pages(void);

/*
 * The number of this domain. No hypercall returns it, so the function allocates an unbound event
 * channel, reads its status, and closes it. DOMID_INVALID if Xen refuses the event channel.
 */
domid_t host_domid(void);

/* The machine's E820 map, which Xen shows to an initial domain only, or the domain's own. */
enum map_source { MAP_MACHINE, MAP_OWN };

/* An E820 map on the heap, which the caller frees by heap_free(heap, entries, len_bytes). */
struct memory_map {
    struct e820_entry *entries;
    size_t nr, len_bytes; /* number of entries; size of the heap block */
};

/*
 * Reads a memory map of any length (XENMEM_memory_map, XENMEM_machine_memory_map). For a domain
 * that has no map of its own the result is one RAM entry of @nr_pages. Returns 0, -ENOMEM or Xen's
 * negative errno; after an error @map owns no memory.
 */
int host_memory_map(struct memory_map *map, struct heap *heap, enum map_source source,
                    uint64_t nr_pages) __must_check;

/*
 * Sets this domain's own memory map (XENMEM_set_memory_map). Xen accepts any contents and at most
 * 1024 entries. Returns 0 or Xen's negative errno.
 */
int host_set_memory_map(const struct memory_map *map) __must_check;

/*
 * Requests a frame for each of the @nr PFNs at @pfns (XENMEM_populate_physmap), and replaces the
 * PFNs by the MFNs. Returns the number of frames, for the first PFNs, perhaps 0. Xen has written
 * their M2P entries. The contents of the frames are undefined.
 */
uint64_t host_populate(uint64_t *pfns, uint64_t nr);

/*
 * Gives the @nr frames at @mfns, which must not be mapped, to Xen (XENMEM_decrease_reservation).
 * Returns the number of frames that Xen took, from the first on, perhaps 0.
 */
uint64_t host_release(uint64_t *mfns, uint64_t nr);

#endif
