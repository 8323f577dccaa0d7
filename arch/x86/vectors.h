/* SPDX-License-Identifier: MIT */
/*
 * Vector numbers of this kernel, beside the 32 exceptions of the CPU: for the two callbacks of Xen
 * (HYPERVISOR_set_callbacks), and for a software interrupt that Xen must refuse. For C and the
 * assembler.
 */
#ifndef ARCH_X86_VECTORS_H
#define ARCH_X86_VECTORS_H

#define VECTOR_EVENT    0xe0 /* event callback: an event is pending, not masked    */
#define VECTOR_FAILSAFE 0xfa /* failsafe callback: an IRET failed; always fatal    */
#define PROBE_INTERRUPT 0x40 /* the vector that probe_interrupt (probe.h) raises   */

#endif
