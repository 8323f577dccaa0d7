/* SPDX-License-Identifier: MIT */
/* What Xen says of itself and of this domain's memory: questions, asked by hypercall. */
#ifndef XEN_HOST_H
#define XEN_HOST_H

#include "mm/e820.h"
#include "mm/heap.h"

#include <xen/xen.h>

struct host {
    unsigned int major, minor; /* Xen's version */
    char extra[16];            /* "", ".7-pre" and the like */
    unsigned int nr_vcpus;     /* that the domain has; only the first is ever up */
    unsigned int cpu_bits;     /* width of machine addresses by CPUID      */
    unsigned int xen_bits;     /* and the widest that Xen uses; 0: unknown */
    uint64_t max_mfn;          /* the last frame that the M2P can be asked about */
    struct m2p m2p;
};

/*
 * Asks for Xen's version, the domain's vCPUs, how wide machine addresses are, and where the M2P
 * is. Panics if they could be wider than the MAXPHYS_SIZE note promises to handle.
 */
void host_read(struct host *h);

/*
 * Pages this domain has now, and may have at most: a dom0 without "max:" is told the largest
 * unsigned int, which is no limit at all. Panics on an error.
 */
uint64_t host_current_pages(void);
uint64_t host_maximum_pages(void);

/*
 * This domain's number, as others and Xen's tables name it; no hypercall tells it outright, so a
 * port is opened for a moment. DOMID_INVALID: Xen has no port for us.
 */
domid_t host_domid(void);

/* The machine's map, which only an initial domain may see, or the domain's own. */
enum map_source { MAP_MACHINE, MAP_OWN };

/* A memory map on the heap. */
struct memory_map {
    struct e820_entry *entries;
    size_t nr, len_bytes; /* entries; bytes of heap they lie in */
};

/*
 * Reads a memory map of any number of entries. A domain that has none of its own gets one range
 * of RAM of @nr_pages. -ENOMEM, or Xen's negative errno.
 */
int host_memory_map(struct memory_map *map, struct heap *heap, enum map_source source,
                    uint64_t nr_pages) __must_check;

/* Sets this domain's own memory map; Xen looks at nothing but the number of entries, 1024 at most.
 */
int host_set_memory_map(const struct memory_map *map) __must_check;

/*
 * Asks for a frame for each of the @nr PFNs at @pfns, which are replaced by the MFNs. Returns how
 * many were given, from the first on, perhaps none; Xen has entered them in the M2P.
 */
uint64_t host_populate(uint64_t *pfns, uint64_t nr);

/*
 * Gives the @nr frames at @mfns back to Xen; nothing may map them. Returns how many Xen took, from
 * the first on, perhaps none.
 */
uint64_t host_release(uint64_t *mfns, uint64_t nr);

#endif
