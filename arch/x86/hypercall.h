/* SPDX-License-Identifier: MIT */
/*
 * Hypercalls as C functions. arch/x86/hypercall.S defines them in the kernel, tests/unit/fake_*.c
 * in unit tests.
 *
 * Each returns Xen's result: 0 or a count, or a negative errno of <xen/errno.h> (lib/errno.h has
 * the common ones). The Xen header named at each function describes the structures. Xen reads and
 * writes them during the call only; they stay the caller's. Pointers are virtual addresses.
 */
#ifndef ARCH_X86_HYPERCALL_H
#define ARCH_X86_HYPERCALL_H

#include "lib/types.h"

#include <xen/xen.h>

/* <xen/arch-x86/xen.h>: sets the virtual IDT. @traps ends with an entry whose address is 0. */
long HYPERVISOR_set_trap_table(const struct trap_info *traps) __must_check;
/* <xen/arch-x86_64.h>: sets the entry points for events, failed IRETs and SYSCALL. */
long HYPERVISOR_set_callbacks(uintptr_t event, uintptr_t failsafe, uintptr_t syscall) __must_check;
/*
 * <xen/xen.h>: carries out @nr updates of page tables or of the M2P, in order, and stops at the
 * first one that fails. *@done, if @done is not NULL, is the number of updates carried out. @domain
 * owns the frames that the new entries map.
 */
long HYPERVISOR_mmu_update(const struct mmu_update *req, unsigned int nr, unsigned int *done,
                           domid_t domain) __must_check;
/* <xen/xen.h>: pins and switches page tables, flushes TLBs. @done is as for mmu_update. */
long HYPERVISOR_mmuext_op(const struct mmuext_op *op, unsigned int nr, unsigned int *done,
                          domid_t domain) __must_check;
/* <xen/xen.h>: sets the level 1 entry that maps @va to @pte. @flags are UVMF_* (TLB flushes). */
long HYPERVISOR_update_va_mapping(uintptr_t va, uint64_t pte, unsigned long flags) __must_check;
/* <xen/memory.h>, <xen/version.h>, <xen/sched.h>: @arg is the structure that @cmd names there. */
long HYPERVISOR_memory_op(unsigned int cmd, void *arg) __must_check;
long HYPERVISOR_xen_version(unsigned int cmd, void *arg) __must_check;
long HYPERVISOR_sched_op(unsigned int cmd, void *arg);
/* sched_op with a third argument: SCHEDOP_shutdown with SHUTDOWN_suspend takes start_info's MFN. */
long HYPERVISOR_suspend(unsigned int cmd, void *arg, uint64_t start_info_mfn) __must_check;
/* <xen/vcpu.h>, <xen/event_channel.h>: @arg is the structure that @cmd names there. */
long HYPERVISOR_vcpu_op(unsigned int cmd, unsigned int vcpu, void *arg) __must_check;
long HYPERVISOR_event_channel_op(unsigned int cmd, void *arg) __must_check;
/*
 * <xen/grant_table.h>: carries out @nr operations of the kind @cmd, in order. Each operation has
 * its own GNTST_* status.
 */
long HYPERVISOR_grant_table_op(unsigned int cmd, void *ops, unsigned int nr) __must_check;
/* <xen/xen.h>, CONSOLEIO_*: Xen's console. Xen refuses a domU, unless Xen is a debug build. */
long HYPERVISOR_console_io(unsigned int cmd, unsigned int len_bytes, char *text) __must_check;
/* <xen/xsm/flask_op.h>: XSM/FLASK. @op is struct xen_flask_op. */
long HYPERVISOR_xsm_op(void *op) __must_check;

/*
 * Any hypercall, by its number, with four raw arguments: for self-tests of calls and arguments that
 * Xen must refuse.
 */
long HYPERVISOR_any(uint64_t number, uint64_t arg1, uint64_t arg2, uint64_t arg3,
                    uint64_t arg4) __must_check;

#endif
