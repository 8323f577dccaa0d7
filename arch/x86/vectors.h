/* SPDX-License-Identifier: MIT */
/*
 * Numbers for the two entries of Xen's that are no vector of the CPU's, beside the 32 that are; and
 * one that no guest may raise. For C and the assembler.
 */
#ifndef ARCH_X86_VECTORS_H
#define ARCH_X86_VECTORS_H

#define VECTOR_EVENT    0xe0 /* an event is pending, and upcalls are not masked     */
#define VECTOR_FAILSAFE 0xfa /* an IRET that Xen could not carry out: always fatal  */
#define PROBE_INTERRUPT 0x40 /* what probe_interrupt (probe.h) asks for             */

#endif
