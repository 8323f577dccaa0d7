/* SPDX-License-Identifier: MIT */
/*
 * A leaf of the P2M list with four entries instead of 512, so that lists of several leaves, and
 * every place of an edge in a leaf, are few. A program that includes this file includes the
 * sources, too, because the number is a macro of mm/p2m.h.
 */
#ifndef PROOFS_LEAF_OF_4_H
#define PROOFS_LEAF_OF_4_H

#include "mm/p2m.h"

#undef P2M_PER_PAGE
#define P2M_PER_PAGE 4

#endif
