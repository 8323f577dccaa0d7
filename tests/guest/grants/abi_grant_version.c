/* SPDX-License-Identifier: MIT */
/*
 * GNTTABOP_set_version, GNTTABOP_get_version and GNTTABOP_get_status_frames of
 * <xen/grant_table.h>: what a change of the grant table's version clears, keeps and refuses.
 *
 * Without these tests Xen could leave grants of the old layout in force, lose the grants of console
 * and xenstore, or keep status frames that the guest can still map (XSA-255: "grant table v2 -> v1
 * transition may crash Xen"; XSA-379: "grant table v2 status pages may remain accessible after
 * de-allocation").
 */
#include "lib/errno.h"
#include "lib/string.h"

#include "arch/x86/hypercall.h"

#include "tests/guest/grants/grant_steps.h"

#define REF        GRANT_FIRST
#define RESERVED   (GNTTAB_NR_RESERVED_ENTRIES - 1) /* a reserved entry that no toolstack fills */
#define ROOM_PAGES 32
#define HOST       GNTMAP_host_map
#define RO         GNTMAP_readonly

static long set_version(uint32_t *version)
{
    struct gnttab_set_version set = {.version = *version};
    long rc = HYPERVISOR_grant_table_op(GNTTABOP_set_version, &set, 1);

    *version = set.version;
    return rc;
}

static void check_get_version(struct grant_room *g, domid_t domain)
{
    struct test *t = g->fr.room.t;
    struct gnttab_get_version get = {.dom = domain, .version = 77};

    CHECK_RC(HYPERVISOR_grant_table_op(GNTTABOP_get_version, &get, 1), 0,
             "GNTTABOP_get_version of domain 0x%x", domain);
    CHECK_EQ(get.version, g->version, "version of the grant table, by GNTTABOP_get_version");
}

/* Requests that change nothing. */
static void check_bad_version(struct grant_room *g)
{
    static const uint32_t bad[] = {0, 3, UINT32_MAX, 1U << 31 | 1, 1U << 16 | 2};
    struct test *t = g->fr.room.t;
    struct gnttab_get_version get = {.dom = NO_DOMAIN};
    struct spot frame = room_spot(&g->fr.room);
    uint32_t version;

    grant_give(g, REF, frame.mfn, false);
    for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
        version = bad[i];
        CHECK_RC(set_version(&version), -EINVAL, "GNTTABOP_set_version to 0x%x", bad[i]);
        CHECK_EQ(version, g->version, "version that the refused GNTTABOP_set_version returned");
    }
    version = g->version;
    CHECK_RC(set_version(&version), 0, "GNTTABOP_set_version to the version of the table");
    CHECK_EQ(grant_flags(g, REF), GTF_permit_access,
             "flags of a grant after GNTTABOP_set_version to the version of the table");
    CHECK_RC(HYPERVISOR_grant_table_op(GNTTABOP_set_version, (void *)HYPERVISOR_VIRT_START, 1),
             -EFAULT, "GNTTABOP_set_version, argument at an address of Xen");
    CHECK_RC(HYPERVISOR_grant_table_op(GNTTABOP_get_version, &get, 1), -ESRCH,
             "GNTTABOP_get_version of domain 0x%x, which does not exist", NO_DOMAIN);
    check_get_version(g, DOMID_SELF);
    check_get_version(g, g->fr.self);
    grant_drop(g, frame);
}

TEST_RULE(abi_grant_bad_version, "GNTTABOP_set_version refuses versions other than 1 and 2")
{
    grant_room_each(t, ROOM_PAGES, check_bad_version);
}

/*
 * Entry @ref, which is not reserved, is mapped: no change, and nothing is cleared. If Xen changes
 * the version all the same, the test changes it back, for the sake of the kernel.
 */
static void check_busy_entry(struct grant_room *g, uint32_t ref)
{
    struct test *t = g->fr.room.t;
    struct granted a = granted_open(g, ref, HOST);
    uint32_t version = 3 - g->version;
    long rc;

    if (grant_must_map(g, &a.m, "a valid grant")) {
        rc = set_version(&version);
        CHECK_RC(rc, -EBUSY, "GNTTABOP_set_version to %u, grant reference %u mapped",
                 3 - g->version, ref);
        CHECK_EQ(version, g->version, "version that the refused GNTTABOP_set_version returned");
        version = g->version;
        if (!rc)
            CHECK_RC(set_version(&version), 0, "GNTTABOP_set_version back to %u", g->version);
        grant_check_marks(g, ref, GRANT_WRITE, "GNTTABOP_set_version refused");
        CHECK_EQ(grant_flags(g, ref) & ~GRANT_WRITE, GTF_permit_access,
                 "flags of mapped grant %u after the refused GNTTABOP_set_version", ref);
        grant_must_unmap(g, &a.m, "after the refused GNTTABOP_set_version");
    }
    grant_write(g, ref, 0, 0, to_mfn(0));
    granted_close(&a);
}

/* In version 2 Xen would refuse the change also because the room has a status frame mapped. */
static void check_busy(struct grant_room *g)
{
    const struct grants *k = &g->fr.room.t->d->grants;
    uint32_t nr_frames;

    if (!g->can_version_2)
        test_skip(g->fr.room.t, "Xen does not allow this domain version 2 of the grant table");
    if (!g->can_version_2 || !g->first)
        return;
    check_busy_entry(g, REF);
    nr_frames = grant_query_size(g->fr.room.t, DOMID_SELF, GNTST_okay).nr_frames;
    if (g->more && g->version == 1 && nr_frames == k->nr_frames) /* the kernel has mapped it all */
        check_busy_entry(g, grant_end_of_table(g) - 1);
}

TEST_RULE(abi_grant_version_busy, "GNTTABOP_set_version returns -EBUSY while any grant is mapped")
{
    grant_room_each(t, ROOM_PAGES, check_busy);
}

/* All entries from the first unreserved one on are empty. */
static void check_cleared(struct grant_room *g)
{
    struct test *t = g->fr.room.t;
    const struct grants *k = &t->d->grants;
    const uint64_t *table = (const uint64_t *)(uintptr_t)foreign_va(k->table, 0);
    uint64_t nr = k->nr_frames * PAGE_SIZE / sizeof(*table);

    for (uint64_t i = GNTTAB_NR_RESERVED_ENTRIES * g->version; i < nr; i++)
        if (table[i]) {
            CHECK_EQ(table[i], 0, "word %lu of the grant table after a change to version %u", i,
                     g->version);
            return;
        }
}

/* Writes to the status words, which must be 0 in the next status frame that Xen allocates. */
static void fill_status(struct grant_room *g)
{
    for (uint32_t ref = REF; g->version == 2 && ref < GRANT_END; ref++)
        grant_write_marks(g, ref, GRANT_WRITE);
}

/* The reserved entry and others are valid grants when the version changes. */
static void check_change(struct grant_room *g, unsigned int to)
{
    struct test *t = g->fr.room.t;
    struct spot frame = room_spot(&g->fr.room);

    for (uint32_t ref = RESERVED; ref < GRANT_END; ref++)
        grant_write(g, ref, GTF_permit_access | GTF_readonly, NO_DOMAIN, frame.mfn);
    if (grant_room_use(g, to)) {
        check_cleared(g);
        check_get_version(g, DOMID_SELF);
        CHECK_EQ(grant_flags(g, RESERVED), GTF_permit_access | GTF_readonly,
                 "flags of reserved grant entry %d after a change to version %u", RESERVED, to);
        CHECK_EQ(grant_grantee(g, RESERVED), NO_DOMAIN,
                 "domain of reserved grant entry %d after a change to version %u", RESERVED, to);
        CHECK_EQ(grant_frame(g, RESERVED).v, frame.mfn.v,
                 "frame of reserved grant entry %d after a change to version %u", RESERVED, to);
        grant_check_marks(g, RESERVED, 0, "version changed");
        for (uint32_t ref = REF; ref < GRANT_END; ref++)
            grant_check_marks(g, ref, 0, "version changed");
        fill_status(g);
    }
    grant_write(g, RESERVED, 0, 0, to_mfn(0));
    grant_drop(g, frame);
}

/* Opens a room for a test that fills a reserved entry and needs both versions. */
static bool both_open(struct grant_room *g, struct test *t)
{
    if (!grant_room_open(g, t, ROOM_PAGES))
        return false;
    if (!g->can_version_2) {
        test_skip(t, "Xen does not allow this domain version 2 of the grant table");
    } else if (grant_flags(g, RESERVED)) {
        test_skip(t, "reserved grant entry %d is in use", RESERVED);
    } else if (grant_room_use(g, 1)) {
        g->first = true;
        g->more = !grant_xen_is_debug(g);
        return true;
    } else {
        test_skip(t, "an entry of version 1 cannot hold all MFNs of this host");
    }
    grant_room_close(g);
    return false;
}

/* Calls @check when the table has version @version and Xen allows both versions. */
static void both_versions(struct test *t, unsigned int version, void (*check)(struct grant_room *g))
{
    static struct grant_room g;

    if (!both_open(&g, t))
        return;
    if (grant_room_use(&g, version))
        check(&g);
    grant_room_close(&g);
}

static void check_changes(struct grant_room *g)
{
    for (unsigned int i = 0; i < 2; i++) {
        check_change(g, 2);
        check_change(g, 1);
    }
}

TEST_RULE(abi_grant_version,
          "a change of the grant table's version clears all entries but the eight reserved ones")
{
    both_versions(t, 1, check_changes);
}

/* The reserved entry is mapped with @flags in version @from, and unmapped in the other version. */
static void check_reserved_mapped(struct grant_room *g, unsigned int from, uint32_t flags)
{
    struct test *t = g->fr.room.t;
    struct granted a;

    if (!grant_room_use(g, from))
        return;
    a = granted_open(g, RESERVED, flags);
    if (grant_must_map(g, &a.m, "a reserved entry")) {
        CHECK(grant_room_use(g, 3 - from),
              "GNTTABOP_set_version to %u while only reserved entry %d is mapped: the version is "
              "%u, expected %u",
              3 - from, RESERVED, g->version, 3 - from);
        grant_check_marks(g, RESERVED, flags & RO ? GRANT_READ : GRANT_WRITE,
                          "version changed while the grant is mapped");
        CHECK_EQ(grant_flags(g, RESERVED) & ~GRANT_WRITE, GTF_permit_access,
                 "flags (without the use marks) of a mapped, reserved grant after a change to "
                 "version %u",
                 g->version);
        grant_must_unmap(g, &a.m, "a mapping that is older than the version");
        grant_check_marks(g, RESERVED, 0, "unmapped after the version changed");
    }
    CHECK_EQ(grant_flags(g, RESERVED), GTF_permit_access,
             "flags of reserved grant entry %d after a change of the version and the unmap",
             RESERVED);
    grant_write(g, RESERVED, 0, 0, to_mfn(0));
    granted_close(&a);
}

static void check_reserved(struct grant_room *g)
{
    for (unsigned int from = 1; from <= 2; from++) {
        check_reserved_mapped(g, from, HOST);
        check_reserved_mapped(g, from, HOST | RO);
    }
}

TEST_RULE(abi_grant_version_reserved,
          "a change of the version keeps the use marks of a reserved grant that is mapped")
{
    both_versions(t, 1, check_reserved);
}

/* Entries that version 1 cannot hold: a frame past 2^32, and a transitive grant. */
static void check_wide(struct grant_room *g)
{
    struct test *t = g->fr.room.t;

    for (unsigned int i = 0; i < (g->more ? 2U : 1U); i++) {
        uint32_t version = 1;

        grant_write(g, RESERVED, i ? GTF_transitive : GTF_permit_access, g->fr.self,
                    to_mfn((uint64_t)1 << 32));
        CHECK_RC(set_version(&version), -ERANGE,
                 "GNTTABOP_set_version to 1, reserved entry %d with flags 0x%x and MFN 2^32",
                 RESERVED, i ? GTF_transitive : GTF_permit_access);
        CHECK_EQ(version, 2, "version that the refused GNTTABOP_set_version returned");
        CHECK_EQ(grant_flags(g, RESERVED), i ? GTF_transitive : GTF_permit_access,
                 "flags of a reserved entry after the refused GNTTABOP_set_version");
    }
    grant_write(g, RESERVED, 0, 0, to_mfn(0));
}

TEST_RULE(abi_grant_version_wide,
          "GNTTABOP_set_version to 1 refuses a reserved entry that version 1 cannot hold")
{
    both_versions(t, 2, check_wide);
}

static int16_t get_status_frames(struct test *t, uint32_t nr, uint64_t *mfns)
{
    struct gnttab_get_status_frames get = {.dom = DOMID_SELF, .nr_frames = nr, .status = NO_STATUS};

    set_xen_guest_handle(get.frame_list, mfns);
    CHECK_RC(HYPERVISOR_grant_table_op(GNTTABOP_get_status_frames, &get, 1), 0,
             "GNTTABOP_get_status_frames of %u frames", nr);
    return get.status;
}

/* One status frame more than the grant table of this size has. */
static void check_too_many(struct test *t)
{
    uint32_t nr_frames = grant_query_size(t, DOMID_SELF, GNTST_okay).nr_frames;
    uint64_t mfns[16];
    uint32_t nr;

    nr = (uint32_t)DIV_ROUND_UP(nr_frames * (PAGE_SIZE / sizeof(grant_entry_v2_t)),
                                PAGE_SIZE / sizeof(grant_status_t));
    if (nr < ARRAY_SIZE(mfns))
        CHECK_GNTST(get_status_frames(t, nr + 1, mfns), GNTST_general_error,
                    "GNTTABOP_get_status_frames of %u frames, of a table that has %u", nr + 1, nr);
}

/*
 * In version 2, with the status frame mapped by this domain: -EBUSY, and all is as it was. Then
 * without mappings: no status frame is left, and the old one is not this domain's.
 */
static void check_status_frames(struct grant_room *g)
{
    struct test *t = g->fr.room.t;
    uint64_t mfn = 0, again = 0;
    uint32_t version = 1;

    CHECK_GNTST(get_status_frames(t, 1, &mfn), GNTST_okay,
                "GNTTABOP_get_status_frames, version 2 of the table");
    if (g->more)
        check_too_many(t);
    CHECK_RC(set_version(&version), -EBUSY,
             "GNTTABOP_set_version to 1, a status frame mapped (XSA-255)");
    CHECK_EQ(version, 2, "version that the refused GNTTABOP_set_version returned");
    CHECK_GNTST(get_status_frames(t, 1, &again), GNTST_okay,
                "GNTTABOP_get_status_frames after a refused GNTTABOP_set_version");
    CHECK_EQ(again, mfn, "MFN of status frame 0 after a refused GNTTABOP_set_version");
    if (!grant_room_use(g, 1))
        return;
    CHECK_GNTST(get_status_frames(t, 1, &again), GNTST_general_error,
                "GNTTABOP_get_status_frames, version 1 of the table (XSA-255)");
    CHECK_GNTST(get_status_frames(t, 0, &again), GNTST_okay,
                "GNTTABOP_get_status_frames of 0 frames, version 1 of the table");
    if (g->more) {
        check_frame_refused(t, spot_show(g->status, to_mfn(mfn), PTE_RO),
                            "update_va_mapping of a status frame after the change to version 1 "
                            "(XSA-255, XSA-379)",
                            to_mfn(mfn));
        CHECK_RC(spot_show(g->status, INVALID_MFN, 0), 0, "update_va_mapping of 0x%lx to 0",
                 g->status.va);
    }
}

TEST_RULE(abi_grant_status_frames,
          "Xen frees the status frames with the change to version 1, if none is mapped (XSA-255)")
{
    both_versions(t, 2, check_status_frames);
}
