/* SPDX-License-Identifier: MIT */
#include "arch/x86/pte.h"

#include "arch/x86/cpu.h"

#define CPUID_EXT_FEATURES 0x80000001
#define CPUID_NX           (1u << 20)

uint64_t pte_supported = ~(uint64_t)0;

void pte_start(void)
{
    if (!(cpuid(CPUID_EXT_FEATURES).edx & CPUID_NX))
        pte_supported &= ~PTE_NX;
}
