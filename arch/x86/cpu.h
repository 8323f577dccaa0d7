/* SPDX-License-Identifier: MIT */
/* Instructions that C cannot express (Intel SDM vol. 2). */
#ifndef ARCH_X86_CPU_H
#define ARCH_X86_CPU_H

#include "lib/types.h"

#include "arch/x86/page.h"

#include <xen/xen.h>

/* The compiler moves no memory access across this. The CPU may still delay a store past a load. */
static inline void barrier(void)
{
    __asm__ volatile("" ::: "memory");
}

/*
 * Orders the stores before it before the stores after it, as another CPU sees them. x86 keeps the
 * order of stores (Intel SDM vol. 3, "Memory Ordering"), so only the compiler must be stopped.
 */
static inline void store_barrier(void)
{
    barrier();
}

/*
 * The number of words from @words on, at most @nr, before the first that is not @value (REPE SCAS).
 * The words are read even if the compiler knows no store to them.
 */
static inline uint64_t count_equal(const uint64_t *words, uint64_t nr, uint64_t value)
{
    const uint64_t *at = words;
    bool differs = false;

    if (nr)
        __asm__ volatile("repe scasq"
                         : "+D"(at), "+c"(nr), "=@ccne"(differs)
                         : "a"(value)
                         : "memory");
    return (uint64_t)(at - words) - differs;
}

/* The time stamp counter. Xen may emulate RDTSC for a domU, which makes it slow. */
static inline uint64_t tsc(void)
{
    uint32_t lo, hi;

    __asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
    return (uint64_t)hi << 32 | lo;
}

/* The same after all earlier loads: a processor may execute RDTSC early (Intel SDM vol. 2). */
static inline uint64_t tsc_ordered(void)
{
    __asm__ volatile("lfence" ::: "memory");
    return tsc();
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
 * CPUID as Xen answers it. Without CPUID faulting the plain instruction returns the CPU's own
 * values to a PV guest; the prefix makes the instruction trap to Xen (XEN_CPUID of
 * <xen/arch-x86/xen.h>).
 */
static inline struct cpuid cpuid_xen(uint32_t leaf)
{
    struct cpuid r;

    __asm__ volatile(XEN_CPUID
                     : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
                     : "a"(leaf), "c"(0));
    return r;
}

/* The MFN of the level 4 table in use. The instruction traps, and Xen emulates it. */
static inline mfn_t cr3_mfn(void)
{
    uint64_t cr3;

    __asm__ volatile("mov %%cr3, %0" : "=r"(cr3));
    return maddr_to_mfn(cr3);
}

/* The address of the last page fault. The instruction traps, and Xen emulates it. */
static inline uint64_t cr2(void)
{
    uint64_t v;

    __asm__ volatile("mov %%cr2, %0" : "=r"(v));
    return v;
}

#endif
