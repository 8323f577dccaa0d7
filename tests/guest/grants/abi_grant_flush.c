/* SPDX-License-Identifier: MIT */
/*
 * GNTTABOP_cache_flush (<xen/grant_table.h>).
 *
 * Without these tests Xen could flush memory beside the page that it is asked for. Or Xen could
 * look for the grant of a device's frame, which belongs to DOMID_IO, in a table that does not
 * exist, at address 0 (XSA-232: "Missing check for grant table"). Then any domain could crash the
 * host.
 */
#include "lib/errno.h"

#include "arch/x86/hypercall.h"

#include "tests/guest/grants/grant_steps.h"
#include "tests/guest/mmu/table_room.h"

#define ROOM_PAGES 40

static const struct {
    const char *what;
    uint16_t offset, length;
    uint32_t op;
    int expected; /* 1: -EINVAL or -EOPNOTSUPP */
} flushes[] = {
    {"whole page",                      0,    4096, GNTTAB_CACHE_CLEAN,                            0      },
    {"last byte, clean and invalidate", 4095, 1,    GNTTAB_CACHE_CLEAN | GNTTAB_CACHE_INVAL,       0      },
    {"length 0",                        8,    0,    GNTTAB_CACHE_CLEAN,                            0      },
    {"no operation",                    8,    8,    0,                                             0      },
    {"offset 4096",                     4096, 0,    GNTTAB_CACHE_CLEAN,                            -EINVAL},
    {"length 4097",                     0,    4097, GNTTAB_CACHE_CLEAN,                            -EINVAL},
    {"one byte past the page",          1,    4096, GNTTAB_CACHE_CLEAN,                            -EINVAL},
    {"unknown operation 4",             0,    8,    4,                                             -EINVAL},
    {"by reference",                    0,    8,    GNTTAB_CACHE_CLEAN | GNTTAB_CACHE_SOURCE_GREF, 1      },
};

static long flush(uint64_t maddr, uint16_t offset, uint16_t length, uint32_t op)
{
    struct gnttab_cache_flush f = {
        .a.dev_bus_addr = maddr, .offset = offset, .length = length, .op = op};

    return HYPERVISOR_grant_table_op(GNTTABOP_cache_flush, &f, 1);
}

static void check_flush(struct grant_room *g)
{
    struct test *t = g->fr.room.t;
    struct spot s = room_spot(&g->fr.room);
    uint64_t past = mfn_to_maddr(to_mfn(t->d->host.max_mfn + 1));

    for (unsigned int i = 0; i < ARRAY_SIZE(flushes); i++) {
        long rc = flush(mfn_to_maddr(s.mfn), flushes[i].offset, flushes[i].length, flushes[i].op);

        if (flushes[i].expected == 1)
            CHECK(rc == -EINVAL || rc == -EOPNOTSUPP,
                  "GNTTABOP_cache_flush, %s: result is %ld, expected -22 (EINVAL) or -95 "
                  "(EOPNOTSUPP)",
                  flushes[i].what, rc);
        else
            CHECK_RC(rc, flushes[i].expected, "GNTTABOP_cache_flush, %s", flushes[i].what);
    }
    CHECK_RC(flush(past, 0, 8, GNTTAB_CACHE_CLEAN), -EINVAL,
             "GNTTABOP_cache_flush of machine address 0x%lx, past the last MFN of the host", past);
    grant_drop(g, s);
}

TEST_RULE(abi_grant_cache_flush, "GNTTABOP_cache_flush refuses a range that leaves the page")
{
    grant_room_each(t, ROOM_PAGES, check_flush);
}

/*
 * Address 0 maps a page of zeros during the hypercall. On a CPU without SMAP a broken Xen then
 * finds an empty grant table there, and returns another error. On a CPU with SMAP a broken Xen
 * crashes.
 */
TEST_RULE(abi_grant_flush_io, "GNTTABOP_cache_flush refuses a frame of a device (XSA-232)")
{
    struct tree tr;

    if (!has_grant_table(t) || shim_is_between(t) || !tree_open(&tr, t))
        return;
    tr.slot = 0;
    tr.va = 0;
    tree_link(&tr, PT_LEVELS - 1);
    if (tree_hook(&tr)) {
        CHECK_RC(flush(mfn_to_maddr(to_mfn(VGA_TEXT)), 0, 8, GNTTAB_CACHE_CLEAN), -EPERM,
                 "GNTTABOP_cache_flush of MFN 0x%x, which belongs to DOMID_IO", VGA_TEXT);
        tree_unhook(&tr);
    }
    tree_close(&tr);
}
