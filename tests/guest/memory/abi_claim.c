/* SPDX-License-Identifier: MIT */
/*
 * XENMEM_claim_pages (<xen/memory.h>): memory that is set aside for a domain that is being built.
 *
 * A toolstack claims memory before it builds a domain. Without these tests a claim that stays for
 * ever, or that any domain may make, could leave the host without memory for anybody else.
 */
#include "lib/errno.h"

#include "arch/x86/hypercall.h"

#include "tests/guest/abi_room.h"

#include <xen/memory.h>

/* The header shows the command to toolstacks only (__XEN_TOOLS__). */
#define XENMEM_claim_pages 24

#define FEW_PAGES          8

static long claim(domid_t domain, uint64_t nr)
{
    struct xen_memory_reservation arg = {.nr_extents = nr, .domid = domain};

    return HYPERVISOR_memory_op(XENMEM_claim_pages, &arg);
}

/* Arguments that the header says must be zero, and domains that have no number of their own. */
static void try_bad(struct test *t, domid_t self)
{
    static const char *const what[] = {"a list of extents", "order 1", "XENMEMF_address_bits(32)"};
    uint64_t list = 0, nr = host_current_pages() + FEW_PAGES;
    struct xen_memory_reservation args[ARRAY_SIZE(what)];

    for (size_t i = 0; i < ARRAY_SIZE(args); i++)
        args[i] = (struct xen_memory_reservation){.nr_extents = nr, .domid = self};
    set_xen_guest_handle(args[0].extent_start, &list);
    args[1].extent_order = 1;
    args[2].mem_flags = XENMEMF_address_bits(32);
    for (size_t i = 0; i < ARRAY_SIZE(args); i++)
        CHECK_RC(HYPERVISOR_memory_op(XENMEM_claim_pages, &args[i]), -EINVAL,
                 "XENMEM_claim_pages of 0x%lx pages with %s", nr, what[i]);
    CHECK_RC(claim(NO_DOMAIN, nr), -EINVAL,
             "XENMEM_claim_pages for domain 0x%x, which does not exist", NO_DOMAIN);
    CHECK_RC(claim(DOMID_SELF, nr), -EINVAL, "XENMEM_claim_pages for DOMID_SELF");
}

/* A claim is a total: it must be more than the domain has, and not more than it may have. */
static void try_claims(struct test *t, domid_t self)
{
    uint64_t pages = host_current_pages(), max = host_maximum_pages();

    CHECK_RC(claim(self, pages), -EINVAL,
             "XENMEM_claim_pages of 0x%lx pages, which this domain has", pages);
    CHECK_RC(claim(self, max + 1), -EINVAL,
             "XENMEM_claim_pages of 0x%lx pages, one more than the maximum", max + 1);
    if (pages + FEW_PAGES > max)
        return;
    for (unsigned int times = 0; times < 2; times++) {
        CHECK_RC(claim(self, pages + FEW_PAGES), 0,
                 "XENMEM_claim_pages of 0x%lx pages, %d more than this domain has, claim %u",
                 pages + FEW_PAGES, FEW_PAGES, times);
        CHECK_RC(claim(self, pages + FEW_PAGES), -EINVAL,
                 "XENMEM_claim_pages of 0x%lx pages, while this domain has such a claim",
                 pages + FEW_PAGES);
        CHECK_RC(claim(self, 0), 0, "XENMEM_claim_pages of 0 pages, which ends the claim");
    }
    if (pages + t->d->host.ram_end <= max)
        CHECK_RC(claim(self, pages + t->d->host.ram_end), -ENOMEM,
                 "XENMEM_claim_pages of 0x%lx pages, more than the host has",
                 pages + t->d->host.ram_end);
    CHECK_EQ(host_current_pages(), pages, "after claims: XENMEM_current_reservation");
}

TEST_RULE(abi_claim,
          "XENMEM_claim_pages accepts one claim of a dom0, within its maximum, and none of a domU")
{
    domid_t self = host_domid();
    long rc;

    if (self == DOMID_INVALID) {
        test_skip(t, "no event channel port is free that tells the number of this domain");
        return;
    }
    try_bad(t, self);
    if (boot_info_is_initdomain(&t->d->boot)) {
        try_claims(t, self);
        return;
    }
    rc = claim(self, host_current_pages() + FEW_PAGES);
    CHECK_RC(rc, rc == -EACCES && t->d->host.has_flask ? -EACCES : -EPERM,
             "XENMEM_claim_pages in a domain that is no dom0");
}
