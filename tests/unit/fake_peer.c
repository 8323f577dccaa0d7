/* SPDX-License-Identifier: MIT */
/* The peer domain: the pages that it grants and maps, and Xen's records of both (maptrack). */
#include "tests/unit/fake_peer.h"

#include "tests/unit/harness.h"

#include <string.h>

#define MAX_REFS     4096
#define MAX_HANDLES  4096
#define MAX_MAPPINGS 256
#define FIRST_REF    8

static struct {
    bool is_dead;
    uint32_t nr_refs;
    struct {
        uint64_t mfn;
        domid_t to;
        bool valid, readonly;
        unsigned int nr_mapped;
    } grants[MAX_REFS];
} peer;

/* Xen's maptrack: the peer's grants that the guest has mapped. */
static struct {
    uint32_t ref; /* 0: the handle is free */
    uint64_t va, pte;
} handles[MAX_HANDLES];

/* The guest's grants that the peer has mapped. */
static struct mapping {
    bool is_used, readonly;
    uint32_t ref;
    domid_t as;
    uint64_t mfn;
} mappings[MAX_MAPPINGS];

uint32_t fake_peer_grant(domid_t to, bool readonly)
{
    uint32_t ref = peer.nr_refs ? peer.nr_refs : FIRST_REF;

    if (ref == MAX_REFS)
        fail_msg("the peer has no free reference: limit is %u", MAX_REFS);
    peer.nr_refs = ref + 1;
    peer.grants[ref].mfn = fake_take_frame(FAKE_PEERS);
    peer.grants[ref].to = to;
    peer.grants[ref].readonly = readonly;
    peer.grants[ref].valid = true;
    /* garbage that could be an entry of this domain, but is not */
    fake_set_m2p(peer.grants[ref].mfn, ref);
    return ref;
}

uint64_t fake_peer_mfn(uint32_t ref)
{
    return peer.grants[ref].mfn;
}

bool fake_peer_end(uint32_t ref)
{
    if (peer.grants[ref].nr_mapped)
        return false;
    peer.grants[ref].valid = false;
    return true;
}

void fake_peer_die(void)
{
    peer.is_dead = true;
}

unsigned int fake_grants_handles(void)
{
    unsigned int n = 0;

    for (unsigned int i = 0; i < MAX_HANDLES; i++)
        n += handles[i].ref != 0;
    return n;
}

/* The first free handle; max_maptrack if Xen has no free maptrack entry. */
static uint32_t free_handle(uint32_t max)
{
    uint32_t i = 0;

    while (i < max && handles[i].ref)
        i++;
    return i;
}

/* The level 1 entry of @va; NULL if @va has no level 1 table. */
static uint64_t *entry_of(uint64_t va)
{
    uint64_t mfn = fake.root;

    for (unsigned int level = PT_LEVELS; level > 1; level--) {
        uint64_t pte = fake_ram(mfn)[pte_index(va, level)];

        if (!pte_present(pte) || pte_is_leaf(pte, level))
            return NULL;
        mfn = pte_mfn(pte).v;
    }
    return fake_ram(mfn) + pte_index(va, 1);
}

static int16_t verdict(void)
{
    unsigned int op = fake_grants.nr_ops++;

    return fake_grants.verdict ? fake_grants.verdict(op) : GNTST_okay;
}

static int16_t map_one(struct gnttab_map_grant_ref *op)
{
    uint32_t max = fake_grants.max_maptrack ? fake_grants.max_maptrack : MAX_HANDLES;
    bool readonly = op->flags & GNTMAP_readonly;
    uint32_t handle = free_handle(max);
    int16_t status = verdict();
    struct fake_frame *f;
    uint64_t *entry;

    if ((op->flags & ~GNTMAP_readonly) != GNTMAP_host_map || op->host_addr % PAGE_SIZE)
        fail_msg("GNTTABOP_map_grant_ref: unexpected flags %#x or host_addr %#lx", op->flags,
                 op->host_addr);
    if (status)
        return status;
    if (op->dom != FAKE_PEER || peer.is_dead)
        return GNTST_bad_domain;
    if (handle == max)
        return GNTST_no_space;
    if (op->ref >= peer.nr_refs)
        return GNTST_bad_gntref;
    if (!peer.grants[op->ref].valid || peer.grants[op->ref].to != FAKE_DOMID ||
        (!readonly && peer.grants[op->ref].readonly))
        return GNTST_general_error;
    entry = entry_of(op->host_addr);
    if (!entry)
        return GNTST_general_error;
    if (*entry)
        fail_msg("GNTTABOP_map_grant_ref over the present PTE %#lx of VA %#lx", *entry,
                 op->host_addr);

    f = fake_frame(peer.grants[op->ref].mfn);
    check_equal("writing the PTE of the peer's page",
                readonly ? 0 : fake_get_type(fake_peer_mfn(op->ref), FAKE_WRITABLE), 0);
    f->refs++;
    peer.grants[op->ref].nr_mapped++;
    *entry = pte_make(to_mfn(fake_peer_mfn(op->ref)), readonly ? PTE_RO : PTE_RW) | FAKE_PTE_GRANT;
    handles[handle].ref = op->ref;
    handles[handle].va = op->host_addr;
    handles[handle].pte = *entry;
    op->handle = handle;
    return GNTST_okay;
}

void fake_grants_map(struct gnttab_map_grant_ref *ops, unsigned int nr)
{
    for (unsigned int i = 0; i < nr; i++)
        ops[i].status = map_one(&ops[i]);
}

static int16_t unmap_one(const struct gnttab_unmap_grant_ref *op)
{
    int16_t status = verdict();
    uint64_t *entry;

    if (op->dev_bus_addr || !op->host_addr)
        fail_msg("GNTTABOP_unmap_grant_ref: host_addr %#lx, dev_bus_addr %#lx, expected 0",
                 op->host_addr, op->dev_bus_addr);
    if (status)
        return status;
    if (op->handle >= MAX_HANDLES || !handles[op->handle].ref)
        return GNTST_bad_handle;
    entry = entry_of(op->host_addr);
    if (op->host_addr != handles[op->handle].va || !entry || *entry != handles[op->handle].pte)
        return GNTST_general_error;
    fake_frame(pte_mfn(*entry).v)->refs--;
    if (*entry & PTE_W)
        fake_put_type(pte_mfn(*entry).v);
    *entry = 0;
    peer.grants[handles[op->handle].ref].nr_mapped--;
    handles[op->handle].ref = 0;
    return GNTST_okay;
}

void fake_grants_unmap(struct gnttab_unmap_grant_ref *ops, unsigned int nr)
{
    for (unsigned int i = 0; i < nr; i++)
        ops[i].status = unmap_one(&ops[i]);
    fake_tlb_flush();
}

unsigned int fake_peer_mappings(void)
{
    unsigned int n = 0;

    for (unsigned int i = 0; i < MAX_MAPPINGS; i++)
        n += mappings[i].is_used;
    return n;
}

/* A mapping of the guest's @ref, writable if requested; NULL if there is none. */
static struct mapping *find_mapping(uint32_t ref, bool writable)
{
    for (unsigned int i = 0; i < MAX_MAPPINGS; i++)
        if (mappings[i].is_used && mappings[i].ref == ref && !(writable && mappings[i].readonly))
            return &mappings[i];
    return NULL;
}

uint64_t fake_peer_sees(uint32_t ref)
{
    return find_mapping(ref, false)->mfn;
}

/* Sets GTF_reading and GTF_writing in the guest's entry, or refuses as the entry demands. */
static int16_t begin_use(domid_t as, uint32_t ref, bool readonly)
{
    struct fake_entry e = fake_grants_entry(ref);

    if ((e.flags & GTF_type_mask) != GTF_permit_access || e.domid != as)
        return GNTST_general_error;
    if (!readonly && (e.flags & GTF_readonly))
        return GNTST_general_error;
    *fake_grants_status(ref) |= (uint16_t)(GTF_reading | (readonly ? 0 : GTF_writing));
    return GNTST_okay;
}

/* Is the entry still in use, without this mapping? */
static void end_use(uint32_t ref)
{
    if (!find_mapping(ref, true))
        *fake_grants_status(ref) &= (uint16_t)~GTF_writing;
    if (!find_mapping(ref, false))
        *fake_grants_status(ref) &= (uint16_t)~GTF_reading;
}

int16_t fake_peer_map(domid_t as, uint32_t ref, bool readonly)
{
    struct mapping *pinned = find_mapping(ref, false), *m = mappings;
    int16_t status = GNTST_okay;
    struct fake_frame *f;
    uint64_t mfn;

    if (!fake_grants_status(ref))
        return GNTST_bad_gntref;
    if (pinned && pinned->as != as)
        return GNTST_general_error;
    mfn = pinned ? pinned->mfn : fake_grants_entry(ref).frame;
    /* a page that is already mapped may be mapped again, without a check of the entry */
    if (!pinned || (!readonly && !find_mapping(ref, true)))
        status = begin_use(as, ref, readonly);
    if (status)
        return status;
    f = fake_frame(mfn);
    if (!f || f->foreign || (!readonly && fake_get_type(mfn, FAKE_WRITABLE))) {
        end_use(ref);
        return GNTST_general_error;
    }
    while (m->is_used)
        if (++m == mappings + MAX_MAPPINGS)
            fail_msg("the peer has no free mapping: limit is %u", MAX_MAPPINGS);
    *m = (struct mapping){.is_used = true, .readonly = readonly, .ref = ref, .as = as, .mfn = mfn};
    f->refs++;
    return GNTST_okay;
}

/* Drops the use of the frame. The flags in the guest's table are cleared separately. */
static void drop_mapping(struct mapping *m)
{
    m->is_used = false;
    fake_frame(m->mfn)->refs--;
    if (!m->readonly)
        fake_put_type(m->mfn);
}

void fake_peer_unmap(uint32_t ref)
{
    struct mapping *m = find_mapping(ref, true);

    m = m ? m : find_mapping(ref, false);
    if (!m)
        fail_msg("the peer unmaps reference %u, which it has not mapped", ref);
    drop_mapping(m);
    end_use(ref);
}

void fake_peer_unmap_all(void)
{
    for (unsigned int i = 0; i < MAX_MAPPINGS; i++)
        if (mappings[i].is_used)
            fake_peer_unmap(mappings[i].ref);
}

/* One side of a copy: returns the memory, or sets a status. */
static int16_t copy_end(const struct gnttab_copy_ptr *p, bool by_ref, bool write, uint8_t **at)
{
    struct fake_frame *f;
    uint64_t mfn = p->u.gmfn;

    if (by_ref && (p->domid != FAKE_PEER || peer.is_dead))
        return GNTST_bad_domain;
    if (by_ref && p->u.ref >= peer.nr_refs)
        return GNTST_bad_gntref;
    if (by_ref && (!peer.grants[p->u.ref].valid || peer.grants[p->u.ref].to != FAKE_DOMID ||
                   (write && peer.grants[p->u.ref].readonly)))
        return GNTST_general_error;
    if (!by_ref && p->domid != DOMID_SELF)
        return GNTST_permission_denied;
    if (by_ref)
        mfn = fake_peer_mfn(p->u.ref);
    f = fake_frame(mfn);
    if (!f || (!by_ref && f->foreign))
        return GNTST_bad_page;
    *at = (uint8_t *)fake_ram(mfn) + p->offset;
    return GNTST_okay;
}

static int16_t copy_one(const struct gnttab_copy *op)
{
    int16_t status = verdict();
    uint8_t *from, *to;

    if (!status && (op->source.offset + op->len > (int)PAGE_SIZE ||
                    op->dest.offset + op->len > (int)PAGE_SIZE))
        status = GNTST_bad_copy_arg;
    if (!status)
        status = copy_end(&op->source, op->flags & GNTCOPY_source_gref, false, &from);
    if (!status)
        status = copy_end(&op->dest, op->flags & GNTCOPY_dest_gref, true, &to);
    if (!status)
        memcpy(to, from, op->len);
    return status;
}

void fake_grants_copy(struct gnttab_copy *ops, unsigned int nr)
{
    for (unsigned int i = 0; i < nr; i++)
        ops[i].status = copy_one(&ops[i]);
}

void fake_peer_forget(void)
{
    memset(&peer, 0, sizeof(peer));
    memset(handles, 0, sizeof(handles));
    memset(mappings, 0, sizeof(mappings));
}

/* A new domain: frames have moved, and all mappings of the old domain are gone. */
void fake_peer_new_domain(uint64_t (*moved)(uint64_t mfn))
{
    if (fake_grants_handles())
        fail_msg("new domain: %u grant mappings were left during the suspend, expected 0",
                 fake_grants_handles());
    for (unsigned int i = 0; i < MAX_MAPPINGS; i++)
        if (mappings[i].is_used)
            drop_mapping(&mappings[i]);
    for (uint32_t ref = 0; ref < peer.nr_refs; ref++)
        peer.grants[ref].mfn = moved(peer.grants[ref].mfn);
}
