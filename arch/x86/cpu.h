/* SPDX-License-Identifier: MIT */
/* The few instructions that C has no word for. */
#ifndef ARCH_X86_CPU_H
#define ARCH_X86_CPU_H

#include "lib/types.h"

#include "arch/x86/page.h"

#include <xen/xen.h>

/* Keeps the compiler from moving memory accesses across; x86 keeps the order of stores itself. */
static inline void barrier(void)
{
    __asm__ volatile("" ::: "memory");
}

/* Orders stores for whoever reads them from another CPU: on x86 the compiler is all there is. */
static inline void store_barrier(void)
{
    barrier();
}

/* Ticks of the TSC. In a dom0 it is the CPU's own; in a domU Xen may emulate it, slowly. */
static inline uint64_t tsc(void)
{
    uint32_t lo, hi;

    __asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
    return (uint64_t)hi << 32 | lo;
}

struct cpuid {
    uint32_t eax, ebx, ecx, edx;
};

static inline struct cpuid cpuid(uint32_t leaf)
{
    struct cpuid r;

    __asm__ volatile("cpuid"
                     : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
                     : "a"(leaf), "c"(0));
    return r;
}

/*
 * CPUID as Xen answers it. The plain instruction may reach the CPU itself, past Xen; the prefix
 * makes it trap (<xen/arch-x86/xen.h>, XEN_CPUID).
 */
static inline struct cpuid cpuid_xen(uint32_t leaf)
{
    struct cpuid r;

    __asm__ volatile(XEN_CPUID
                     : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
                     : "a"(leaf), "c"(0));
    return r;
}

/* The frame of the level 4 table in use. The CPU traps, and Xen answers with the MFN. */
static inline mfn_t cr3_mfn(void)
{
    uint64_t cr3;

    __asm__ volatile("mov %%cr3, %0" : "=r"(cr3));
    return maddr_to_mfn(cr3);
}

/* The address that the last page fault was about. In a PV guest Xen keeps it in vcpu_info. */
static inline uint64_t cr2(void)
{
    uint64_t v;

    __asm__ volatile("mov %%cr2, %0" : "=r"(v));
    return v;
}

#endif
