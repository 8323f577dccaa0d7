/* SPDX-License-Identifier: MIT */
/*
 * What the exhaustive proofs share. Such a program calls the kernel's functions with every input up
 * to a small size, and compares each result with the contract in the header. The first claim that
 * is false ends the program with exit code 1 and the input.
 */
#ifndef PROOFS_EXHAUSTIVE_H
#define PROOFS_EXHAUSTIVE_H

#include "lib/types.h"

#include <stdio.h>
#include <stdlib.h>

/* Each program has one: prints the input whose result is being checked. */
static void print_input(void);

static uint64_t nr_cases;

#define CLAIM(x)                                                                            \
    do {                                                                                    \
        if (!(x)) {                                                                         \
            printf("%s:%d: the claim does not hold: %s\n  input:", __FILE__, __LINE__, #x); \
            print_input();                                                                  \
            printf("\n");                                                                   \
            exit(1);                                                                        \
        }                                                                                   \
    } while (0)

/* The last line of each program, and its exit code: no program succeeds without a case. */
static inline int end_of_proof(void)
{
    printf("%lu cases\n", nr_cases);
    return nr_cases ? 0 : 1;
}

#endif
