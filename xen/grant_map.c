/* SPDX-License-Identifier: MIT */
#include "xen/grant_map.h"

#include "lib/errno.h"

#include "arch/x86/hypercall.h"

struct grant_map_counts grant_map_counts;

_Static_assert(sizeof(struct gnttab_map_grant_ref) <= FOREIGN_REQUEST_BYTES,
               "a map request does not fit the request buffer of a range");
_Static_assert(sizeof(struct gnttab_unmap_grant_ref) <= FOREIGN_REQUEST_BYTES,
               "an unmap request does not fit the request buffer of a range");

/* Checks that the pages [first, first + nr) are in the range and not mapped. */
static int check_free(const struct foreign_range *r, uint64_t first, uint64_t nr)
{
    if (first > r->nr || nr > r->nr - first)
        return -ERANGE;
    for (uint64_t i = 0; i < nr; i++)
        if (foreign_is_mapped(r, first + i))
            return -EEXIST;
    return 0;
}

static int map_batch(struct foreign_range *r, uint64_t first, const uint32_t *refs, int16_t *status,
                     uint64_t nr, bool readonly)
{
    struct gnttab_map_grant_ref *ops = r->requests;
    int rc, failed = 0;

    for (uint64_t i = 0; i < nr; i++)
        ops[i] = (struct gnttab_map_grant_ref){
            .host_addr = foreign_va(r, first + i),
            .flags = GNTMAP_host_map | (readonly ? GNTMAP_readonly : 0),
            .ref = refs[i],
            .dom = r->domain,
            .status = GNTST_general_error, /* stays if Xen does not process the request */
        };
    rc = (int)HYPERVISOR_grant_table_op(GNTTABOP_map_grant_ref, ops, (unsigned int)nr);
    grant_map_counts.nr_hypercalls++;
    for (uint64_t i = 0; i < nr; i++) {
        status[i] = ops[i].status;
        if (status[i] != GNTST_okay) {
            failed = -EIO;
            continue;
        }
        r->page[first + i].grant.ref = refs[i];
        r->page[first + i].grant.handle = ops[i].handle;
        r->nr_mapped++;
        grant_map_counts.nr_mapped++;
    }
    return rc ? rc : failed;
}

int grant_map(struct foreign_range *r, uint64_t first, const uint32_t *refs, int16_t *status,
              uint64_t nr, bool readonly)
{
    int rc = check_free(r, first, nr);

    for (uint64_t i = 0; i < nr; i++)
        status[i] = GNTST_general_error;
    if (rc)
        return rc;
    for (uint64_t done = 0, n; done < nr; done += n) {
        int now;

        n = min_u64(nr - done, r->nr_requests);
        now = map_batch(r, first + done, refs + done, status + done, n, readonly);
        rc = rc ? rc : now;
        if (now && now != -EIO)
            break; /* The hypercall failed: the next one would, too. */
    }
    return rc;
}

/* Carries out the @n queued unmap requests, for the mapped pages from @from on. */
static int unmap_batch(struct foreign_range *r, uint64_t from, uint64_t n)
{
    const struct gnttab_unmap_grant_ref *ops = r->requests;
    int rc = (int)HYPERVISOR_grant_table_op(GNTTABOP_unmap_grant_ref, r->requests, (unsigned int)n);

    grant_map_counts.nr_hypercalls++;
    for (uint64_t k = 0, i = from; k < n; i++) {
        if (!foreign_is_mapped(r, i))
            continue;
        if (ops[k++].status != GNTST_okay) {
            rc = rc ? rc : -EIO;
            continue;
        }
        r->page[i].frame = FOREIGN_NOTHING;
        r->nr_mapped--;
        grant_map_counts.nr_unmapped++;
    }
    return rc;
}

int grant_unmap(struct foreign_range *r, uint64_t first, uint64_t nr)
{
    struct gnttab_unmap_grant_ref *ops = r->requests;
    uint64_t i = first, end = first + nr;
    int rc = 0;

    if (first > r->nr || nr > r->nr - first)
        return -ERANGE;
    while (i < end) {
        uint64_t from = i, n = 0;
        int now;

        for (; i < end && n < r->nr_requests; i++)
            if (foreign_is_mapped(r, i))
                ops[n++] = (struct gnttab_unmap_grant_ref){
                    .host_addr = foreign_va(r, i),
                    .handle = r->page[i].grant.handle,
                    .status = GNTST_general_error,
                };
        now = n ? unmap_batch(r, from, n) : 0;
        rc = rc ? rc : now;
    }
    return rc;
}

const char *grant_status_name(int16_t status)
{
    static const char *const names[] = {
        "GNTST_okay",         "GNTST_general_error",   "GNTST_bad_domain",
        "GNTST_bad_gntref",   "GNTST_bad_handle",      "GNTST_bad_virt_addr",
        "GNTST_bad_dev_addr", "GNTST_no_device_space", "GNTST_permission_denied",
        "GNTST_bad_page",     "GNTST_bad_copy_arg",    "GNTST_address_too_big",
        "GNTST_eagain",       "GNTST_no_space",
    };

    return status <= 0 && (size_t)-status < ARRAY_SIZE(names) ? names[-status]
                                                              : "unknown grant status";
}
