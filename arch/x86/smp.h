/* SPDX-License-Identifier: MIT */
/*
 * A second vCPU, for self-tests. The kernel itself uses vCPU 0 only.
 *
 *   VCPUOP_initialise      VCPUOP_up              VCPUOP_down (on itself)        VCPUOP_up
 *   allowed once      ->   runs from its entry -> down, inside the hypercall -> returns from it
 *
 * VCPUOP_initialise (<xen/vcpu.h>) sets the registers and page tables of a vCPU, and succeeds only
 * once. A vCPU that is down keeps both, so its page-table root stays in use until the domain ends.
 */
#ifndef ARCH_X86_SMP_H
#define ARCH_X86_SMP_H

#include "arch/x86/page.h"

#include <xen/xen.h>

/*
 * Fills @context, for VCPUOP_initialise (struct vcpu_guest_context of <xen/arch-x86/xen.h>). The
 * vCPU calls @run(@arg), which must not return, with upcalls masked, on the stack that ends at
 * @stack_end (16-byte aligned), with the level 4 table @root and the trap table of this kernel.
 */
void vcpu_context(struct vcpu_guest_context *context, void (*run)(void *arg), void *arg,
                  void *stack_end, mfn_t root);

#endif
