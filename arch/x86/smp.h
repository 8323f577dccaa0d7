/* SPDX-License-Identifier: MIT */
/*
 * A second vCPU: for self-tests, since the kernel itself runs on the first one alone.
 *
 *      VCPUOP_initialise   VCPUOP_up          VCPUOP_down, by itself    VCPUOP_up
 *      once in its life -> at entry, running -> down, in the hypercall -> and goes on behind it
 *
 * Xen takes registers and tables for a vCPU once (<xen/vcpu.h>); what is down keeps them, and its
 * page-table root, for good.
 */
#ifndef ARCH_X86_SMP_H
#define ARCH_X86_SMP_H

#include "arch/x86/page.h"

#include <xen/xen.h>

/*
 * Fills @context so that a vCPU calls @run(@arg), which must not return, with upcalls masked, on
 * the stack that ends at @stack_end (16 bytes aligned), with the level 4 table @root, and with this
 * kernel's own traps.
 */
void vcpu_context(struct vcpu_guest_context *context, void (*run)(void *arg), void *arg,
                  void *stack_end, mfn_t root);

#endif
