/* SPDX-License-Identifier: MIT */
#include "arch/x86/smp.h"

#include "lib/string.h"

#include "arch/x86/traps.h"

/* Bit 1 of RFLAGS is always set (Intel SDM vol. 1, 3.4.3). */
#define FLAGS_ALWAYS 2

extern const char vcpu_entry[], event_entry[], failsafe_entry[];

void vcpu_context(struct vcpu_guest_context *c, void (*run)(void *arg), void *arg, void *stack_end,
                  mfn_t root)
{
    memset(c, 0, sizeof(*c));
    c->flags = VGCF_in_kernel;
    c->user_regs.rip = (uintptr_t)vcpu_entry;
    c->user_regs.rsp = (uintptr_t)stack_end;
    c->user_regs.rdi = (uintptr_t)arg;
    c->user_regs.rax = (uintptr_t)run;
    c->user_regs.rflags = FLAGS_ALWAYS;
    c->user_regs.cs = FLAT_KERNEL_CS;
    c->user_regs.ss = FLAT_KERNEL_SS;
    c->kernel_sp = (uintptr_t)stack_end;
    c->kernel_ss = FLAT_KERNEL_SS;
    c->ctrlreg[3] = mfn_to_maddr(root);
    for (unsigned int v = 0; v < NR_VECTORS; v++)
        c->trap_ctxt[v] = (struct trap_info){
            .vector = (uint8_t)v, .cs = FLAT_KERNEL_CS, .address = trap_entry(v)};
    c->event_callback_eip = (uintptr_t)event_entry;
    c->failsafe_callback_eip = (uintptr_t)failsafe_entry;
}
