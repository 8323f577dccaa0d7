/* SPDX-License-Identifier: MIT */
/* Growing this domain by frames that Xen has free. */
#ifndef XEN_BALLOON_H
#define XEN_BALLOON_H

#include "mm/frames.h"

/*
 * Asks Xen for frames for the RAM PFNs that have none, from the lowest up, until the domain has
 * @target pages, the list's room is used up, or Xen gives no more; all are added to @pool. In
 * *@nr_grown, by how many. The list's mapping does not change. -ENOMEM if the pool's array is full.
 */
int balloon_grow(struct p2m *p2m, struct frames *pool, uint64_t target,
                 uint64_t *nr_grown) __must_check;

#endif
