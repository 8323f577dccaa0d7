/* SPDX-License-Identifier: MIT */
/*
 * What a harness says to CBMC. The functions nondet_* have no body, so CBMC takes every value as
 * their result. CBMC itself also checks bounds, pointers, shifts and overflows of signed numbers.
 */
#ifndef PROOFS_PROOF_H
#define PROOFS_PROOF_H

#include "lib/types.h"

uint64_t nondet_u64(void);
uint32_t nondet_u32(void);
uint16_t nondet_u16(void);
int nondet_int(void);
bool nondet_bool(void);
char nondet_char(void);

/* Only the cases in which @x holds count. */
#define ASSUME(x) __CPROVER_assume(x)
/* @x holds in all of them. */
#define PROVE(x) __CPROVER_assert(x, #x)
/* Some case gets here: scripts/prove fails if not. Each harness has one at its end. */
#define REACHED() __CPROVER_assert(false, "REACHED")

#endif
