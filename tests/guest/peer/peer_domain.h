/* SPDX-License-Identifier: MIT */
/*
 * A second domain for self-tests: the peer. A dom0 creates it by HYPERVISOR_domctl, without a
 * toolstack. The peer is a PV domain that never runs: it stays paused, and its only vCPU stays
 * down. It owns frames, a grant table and event channels, so a test can provoke what Xen promises
 * about two domains in any boot of a dom0.
 *
 * <xen/domctl.h> is for Xen's tools, and is bound to one release. The structures here are those
 * parts that have the same layout in Xen 4.13 to 4.22.
 */
#ifndef TESTS_GUEST_PEER_PEER_DOMAIN_H
#define TESTS_GUEST_PEER_PEER_DOMAIN_H

#include "tests/guest/abi_room.h"

struct grant_entry_v1;

/*
 * Limits of each peer: frames, the last port number, grant table frames (512 entries;
 * peer_open_granting allows another limit). Xen allocates the records of ports in pages, and needs
 * at least two pages for these ports.
 */
#define PEER_MAX_FRAMES   16
#define PEER_LAST_PORT    191
#define PEER_GRANT_FRAMES 1

#define PEER_HANDLE       "Xenolith peer"

/* The PFN that Xen is given for the first frame of a peer; the next frames have the next PFNs. */
#define PEER_PFN 0x5a00

/* The PFN that a test gives to a further frame of the peer. */
#define PEER_EXTRA_PFN (PEER_PFN + PEER_MAX_FRAMES)

/* What a test writes to word 0 of a frame of the peer: "peer" in ASCII. */
#define PEER_WORD 0x70656572

/* XEN_DOMCTL_* of <xen/domctl.h>. */
enum peer_cmd {
    PEER_CREATE = 1,
    PEER_DESTROY = 2,
    PEER_PAUSE = 3,
    PEER_UNPAUSE = 4,
    PEER_GET_INFO = 5,
    PEER_MAX_MEM = 11,
    PEER_SET_CONTEXT = 12,
    PEER_GET_CONTEXT = 13,
    PEER_MAX_VCPUS = 15,
    PEER_RESUME = 27,
    PEER_PAGE_TYPES = 61, /* XEN_DOMCTL_getpageframeinfo3 */
};

/* The beginning of struct xen_domctl_createdomain. What follows is 0 for a PV domain. */
struct peer_create {
    uint32_t ssidref;
    uint8_t handle[16];
    uint32_t flags, iommu_opts, max_vcpus, max_evtchn_port;
    int32_t max_grant_frames, max_maptrack_frames;
    uint32_t grant_opts; /* from version 0x14 (Xen 4.16) on; before it, must be 0 */
};

/* XEN_DOMINF_* */
#define PEER_DYING    ((uint32_t)1 << 0)
#define PEER_HVM      ((uint32_t)1 << 1)
#define PEER_SHUTDOWN ((uint32_t)1 << 2)
#define PEER_PAUSED   ((uint32_t)1 << 3)

/* The beginning of struct xen_domctl_getdomaininfo. */
struct peer_info {
    domid_t domain;
    uint32_t flags;
    uint64_t tot_pages, max_pages, outstanding_pages, shr_pages, paged_pages, shared_info_frame;
    uint64_t cpu_time;
    uint32_t nr_online_vcpus, max_vcpu_id, ssidref;
    uint8_t handle[16];
};

/* struct xen_domctl */
struct peer_domctl {
    uint32_t cmd, interface_version;
    domid_t domain;
    union {
        struct peer_create create;
        struct peer_info info;
        uint64_t max_memkb;
        uint32_t max_vcpus;
        struct {
            uint32_t vcpu;
            void *context; /* struct vcpu_guest_context */
        } context;
        struct {
            uint64_t nr, *array;
        } types;
        uint8_t bytes[128];
        uint64_t align;
    } u;
};

struct peer {
    struct test *t;
    struct room room;              /* frames of this domain for the test                         */
    struct spot window;            /* for peer_word: a frame of the peer is mapped at its address */
    domid_t id, self;              /* the IDs of the peer and of this domain                     */
    uint32_t version;              /* XEN_DOMCTL_INTERFACE_VERSION of this Xen                   */
    unsigned int max_grant_frames; /* the limit of the peer's grant table                        */
    unsigned int nr;               /* frames                                                     */
    mfn_t mfn[PEER_MAX_FRAMES];
};

/*
 * Opens a room of @room_pages frames, and creates a peer of @nr zeroed frames. Returns false if
 * this domain may not create a domain or Xen has no memory for it (the test is skipped), or if
 * something failed (the test has failed or is in error).
 */
bool peer_open(struct peer *p, struct test *t, unsigned int nr, uint64_t room_pages) __must_check;

/*
 * The same for a peer whose grant table may have @max_grant_frames frames. Skipped, too, if the
 * host allows fewer (Xen's option gnttab_max_frames=).
 */
bool peer_open_granting(struct peer *p, struct test *t, unsigned int nr, uint64_t room_pages,
                        unsigned int max_grant_frames) __must_check;

/*
 * Destroys the peer unless the test did, and closes the room. The test fails if the peer is not
 * gone then: something holds a reference to one of its frames.
 */
void peer_close(struct peer *p);

/* HYPERVISOR_domctl of the command @cmd for domain @id. peer_domctl: for the peer. */
long peer_domctl_of(const struct peer *p, domid_t id, enum peer_cmd cmd, struct peer_domctl *op);
long peer_domctl(const struct peer *p, enum peer_cmd cmd, struct peer_domctl *op);

/* XEN_DOMCTL_getdomaininfo. False if the peer does not exist. */
bool peer_read_info(const struct peer *p, struct peer_info *info) __must_check;
/* The same of a peer that must exist: if not, the test fails, and all fields are 0. */
struct peer_info peer_info_of(const struct peer *p, const char *when);

/* XEN_DOMCTL_max_mem, in pages. */
void peer_set_max_pages(const struct peer *p, uint64_t nr_pages);

/* Expects that the peer exists, has @nr_pages pages, and is dying or not; @when says after what. */
void peer_check_pages(const struct peer *p, uint64_t nr_pages, bool dying, const char *when);

/* XEN_DOMCTL_destroydomain, which must succeed. */
void peer_destroy(const struct peer *p);

/* Expects that no domain has the ID of the peer any more. */
void peer_check_gone(const struct peer *p, const char *when);

/* Maps @mfn, a frame of domain @owner, at @s by HYPERVISOR_update_va_mapping_otherdomain. */
int peer_show(struct spot s, mfn_t mfn, uint64_t flags, domid_t owner) __must_check;

/* Maps a frame of the peer at @s; on failure the test fails. */
void peer_map(const struct peer *p, struct spot s, mfn_t mfn, uint64_t flags);
/* Removes the mapping at @s. */
void peer_unmap(const struct peer *p, struct spot s);

/* Expects @expected in word 0 of the frame that is mapped at @s. @when names the step. */
void peer_check_word(const struct peer *p, struct spot s, uint64_t expected, const char *when);

/* Reads and writes word @w of frame @mfn of the peer. A page table cannot be written. */
uint64_t peer_word(const struct peer *p, mfn_t mfn, unsigned int w);
void peer_set_word(const struct peer *p, mfn_t mfn, unsigned int w, uint64_t value);

/* One operation of HYPERVISOR_mmuext_op on @mfn with @owner as foreign domain. */
long peer_mmuext(unsigned int cmd, mfn_t mfn, domid_t owner) __must_check;

/*
 * One MMU_NORMAL_PT_UPDATE of the entry @i of @table to @pte. The last argument of mmu_update holds
 * two domains: @fd owns the frame that the entry maps. If @pfd is not DOMID_SELF, it owns the
 * table.
 */
long peer_mmu_update(mfn_t table, unsigned int i, uint64_t pte, domid_t fd,
                     domid_t pfd) __must_check;

/* One XENMEM operation of the peer (or @id) with struct xen_memory_reservation on a list. */
long peer_reservation(unsigned int cmd, domid_t id, uint64_t *list, uint64_t nr,
                      unsigned int order) __must_check;

/*
 * Sets up the grant table of the peer, which has version 1 and PEER_GRANT_FRAMES frame, and maps it
 * writable at @s. Returns the entries. NULL: the test has failed.
 */
volatile struct grant_entry_v1 *peer_map_grant_table(const struct peer *p, struct spot s);

/*
 * Writes an entry of the mapped grant table of a peer: the flags last. The entry grants @mfn, a
 * frame of the peer, to @domain.
 */
void peer_grant(volatile struct grant_entry_v1 *entry, domid_t domain, mfn_t mfn, uint16_t flags);

/*
 * False: the test is skipped, because an entry of the peer's grant table cannot hold the MFN of a
 * frame of the peer.
 */
bool peer_can_grant(const struct peer *p) __must_check;

/* Bytes that are free in Xen (XEN_SYSCTL_availheap). UINT64_MAX: Xen does not tell. */
uint64_t peer_xen_free_bytes(void);

#endif
