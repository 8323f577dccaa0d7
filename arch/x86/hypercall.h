/* SPDX-License-Identifier: MIT */
/*
 * Hypercalls as ordinary functions: arch/x86/hypercall.S in the kernel, a fake Xen in host tests.
 *
 * Each returns what Xen returned: a count or 0, or a negative errno of <xen/errno.h>, of which
 * lib/errno.h is a part. Structures are described, and their ownership stated, in the headers
 * named; all are only mapped for the call. Pointers are virtual addresses of this guest.
 */
#ifndef ARCH_X86_HYPERCALL_H
#define ARCH_X86_HYPERCALL_H

#include "lib/types.h"

#include <xen/xen.h>

/* <xen/arch-x86/xen.h>: the virtual IDT; @traps ends with an entry whose address is 0. */
long HYPERVISOR_set_trap_table(const struct trap_info *traps) __must_check;
/* <xen/arch-x86/xen-x86_64.h>: entry points for events, failed IRETs and SYSCALL. */
long HYPERVISOR_set_callbacks(uintptr_t event, uintptr_t failsafe, uintptr_t syscall) __must_check;
/*
 * <xen/xen.h>: @nr updates of page tables or of the M2P, in order; stops at the first that fails.
 * @done, if not NULL, gets how many were carried out.
 */
long HYPERVISOR_mmu_update(const struct mmu_update *req, unsigned int nr, unsigned int *done,
                           domid_t domain) __must_check;
/* <xen/xen.h>: pinning, switching and flushing; counts as mmu_update does. */
long HYPERVISOR_mmuext_op(const struct mmuext_op *op, unsigned int nr, unsigned int *done,
                          domid_t domain) __must_check;
/* <xen/xen.h>: the level 1 entry of @va becomes @pte; @flags are UVMF_*. */
long HYPERVISOR_update_va_mapping(uintptr_t va, uint64_t pte, unsigned long flags) __must_check;
/* <xen/memory.h>, <xen/version.h>, <xen/sched.h>, <xen/event_channel.h>: by command. */
long HYPERVISOR_memory_op(unsigned int cmd, void *arg) __must_check;
long HYPERVISOR_xen_version(unsigned int cmd, void *arg) __must_check;
long HYPERVISOR_sched_op(unsigned int cmd, void *arg);
/* SCHEDOP_shutdown for SHUTDOWN_suspend has a third argument: the MFN of start_info. */
long HYPERVISOR_suspend(unsigned int cmd, void *arg, uint64_t start_info_mfn) __must_check;
/* <xen/vcpu.h>. */
long HYPERVISOR_vcpu_op(unsigned int cmd, unsigned int vcpu, void *arg) __must_check;
long HYPERVISOR_event_channel_op(unsigned int cmd, void *arg) __must_check;
/* <xen/grant_table.h>: @nr operations of a kind, in order; each has a status of its own. */
long HYPERVISOR_grant_table_op(unsigned int cmd, void *ops, unsigned int nr) __must_check;
/* <xen/xen.h>, CONSOLEIO_*: dom0's console, and a debug Xen's for every domain. */
long HYPERVISOR_console_io(unsigned int cmd, unsigned int len_bytes, char *text) __must_check;

/*
 * Any hypercall by its number, with four arguments as they go into registers: for self-tests, which
 * ask Xen for what no kernel would.
 */
long HYPERVISOR_any(uint64_t number, uint64_t arg1, uint64_t arg2, uint64_t arg3,
                    uint64_t arg4) __must_check;

#endif
