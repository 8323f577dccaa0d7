/* SPDX-License-Identifier: MIT */
/*
 * Snippets (snippet.h). User mode runs them too: user_room.c maps these pages at a second address.
 * So the code is relative to RIP, and a snippet that ends by itself in user mode faults at its
 * alias of snippet_end, where the page tables of user mode map no snippet_out.
 */
#define __ASSEMBLY__
#include "tests/guest/traps/snippet.h"

#include <xen/xen.h>

    .section .text.snippets, "ax", @progbits

.macro load index, reg
    mov     snippet_in + \index * 8(%rip), %\reg
.endm

.macro store index, reg
    mov     %\reg, snippet_out + \index * 8(%rip)
.endm

.macro all op
    \op R15, r15
    \op R14, r14
    \op R13, r13
    \op R12, r12
    \op RBP, rbp
    \op RBX, rbx
    \op R11, r11
    \op R10, r10
    \op R9, r9
    \op R8, r8
    \op RAX, rax
    \op RCX, rcx
    \op RDX, rdx
    \op RSI, rsi
    \op RDI, rdi
.endm

    .globl snippet_start, snippet_enter, snippet_end, snippet_stop
snippet_start:
snippet_enter:                          /* RDI: the address of the snippet */
    push    %rbx
    push    %rbp
    push    %r12
    push    %r13
    push    %r14
    push    %r15
    mov     %rsp, snippet_stack(%rip)
    mov     %rdi, snippet_code(%rip)
    pushq   snippet_in + REGS_RFLAGS * 8(%rip)
    popfq
    all     load
    jmp     *snippet_code(%rip)

snippet_end:
    all     store
    store   REGS_RSP, rsp
    mov     snippet_stack(%rip), %rsp
    pushfq
    popq    snippet_out + REGS_RFLAGS * 8(%rip)
    pushq   $FLAGS_ALWAYS
    popfq
    mov     %cs, %eax
    store   REGS_CS, rax
    mov     %ss, %eax
    store   REGS_SS, rax
    pop     %r15
    pop     %r14
    pop     %r13
    pop     %r12
    pop     %rbp
    pop     %rbx
    ret

.macro snippet name, code:vararg
    .globl s_\name
s_\name:
    \code
    jmp     snippet_end
.endm

snippet end,        nop
snippet int3,       int3
snippet ud2,        ud2
snippet div,        divl snippet_zero(%rip)
snippet read,       mov (%rdi), %dil
snippet write,      mov %dil, (%rdi)
snippet jump,       jmp *%rdi
snippet hypercall,  syscall
snippet fnop,       fnop
snippet int7,       int $7
snippet int14,      int $14
snippet int20,      int $0x20
snippet int40,      int $0x40
snippet int80,      int $0x80
snippet intff,      int $0xff
snippet mov_ds,     mov %edi, %ds
snippet mov_es,     mov %edi, %es
snippet mov_fs,     mov %edi, %fs
snippet mov_gs,     mov %edi, %gs
snippet mov_ss,     mov %edi, %ss
snippet read_fs,    mov %fs:0, %rax
snippet read_gs,    mov %gs:0, %rax
snippet rdmsr,      rdmsr
snippet wrmsr,      wrmsr
snippet rdfsbase,   rdfsbase %rax
snippet rdgsbase,   rdgsbase %rax
snippet wrfsbase,   wrfsbase %rax
snippet get_cr0,    mov %cr0, %rax
snippet set_cr0,    mov %rax, %cr0
snippet get_cr2,    mov %cr2, %rax
snippet set_cr2,    mov %rax, %cr2
snippet get_cr3,    mov %cr3, %rax
snippet set_cr3,    mov %rax, %cr3
snippet get_cr4,    mov %cr4, %rax
snippet set_cr4,    mov %rax, %cr4
snippet get_cr8,    mov %cr8, %rax
snippet set_cr8,    mov %rax, %cr8
snippet clts,       clts
snippet lmsw,       lmsw %ax
snippet get_dr0,    mov %db0, %rax
snippet get_dr4,    .byte 0x0f, 0x21, 0xe0
snippet get_dr5,    .byte 0x0f, 0x21, 0xe8
snippet get_dr6,    mov %db6, %rax
snippet get_dr7,    mov %db7, %rax
snippet set_dr0,    mov %rax, %db0
snippet set_dr4,    .byte 0x0f, 0x23, 0xe0
snippet set_dr5,    .byte 0x0f, 0x23, 0xe8
snippet set_dr6,    mov %rax, %db6
snippet set_dr7,    mov %rax, %db7
snippet hlt,        hlt
snippet cli,        cli
snippet sti,        sti
snippet invd,       invd
snippet wbinvd,     wbinvd
snippet lgdt,       lgdt (%rdi)
snippet lidt,       lidt (%rdi)
snippet lldt,       lldt %ax
snippet ltr,        ltr %ax
snippet invlpg,     invlpg (%rdi)
snippet rdpmc,      rdpmc
snippet sysret,     sysretq
snippet sysexit,    sysexitl
snippet inb,        inb %dx, %al
snippet inw,        inw %dx, %ax
snippet inl,        inl %dx, %eax
snippet outl,       outl %eax, %dx
snippet xgetbv,     xgetbv
snippet xsetbv,     xsetbv
snippet rdtsc,      rdtsc
snippet sysenter,   sysenter
snippet rep_insl,   rep insl
snippet rep_outsl,  rep outsl
snippet set_xmm0,   movq %rax, %xmm0
snippet get_xmm0,   movq %xmm0, %rax

/* CPUID behind the prefix by which Xen emulates it, and behind a wrong prefix. */
    .globl s_cpuid, s_cpuid_wrong
s_cpuid:
    ud2
    .ascii  "xen"
    cpuid
    jmp     snippet_end
s_cpuid_wrong:
    ud2
    .ascii  "xem"
    cpuid
    jmp     snippet_end

/* 1 / 0 in the x87 unit, with no exception masked. FWAIT raises #MF. */
    .globl s_x87, s_x87_wait, s_x87_reset
s_x87:
    fninit
    fldcw   snippet_zero(%rip)
    fld1
    fdivs   snippet_zero(%rip)
s_x87_wait:
    fwait
    jmp     snippet_end
s_x87_reset:
    fninit
    jmp     snippet_end

/*
 * Changes no register but RCX, the number of rounds, and no flag. The nop ends an interrupt shadow
 * that began before the loop: in QEMU 7.2 a LOOP that jumps to itself keeps such a shadow, and then
 * no interrupt ends the loop.
 */
    .globl s_loop, s_loop_jump
s_loop:
    nop
s_loop_jump:
    loop    s_loop
    jmp     snippet_end

/* Writes one byte, as s_write does, and waits for an event. */
    .globl s_write_wait
s_write_wait:
    mov     %dil, (%rdi)
0:  nop
    jmp     0b

/* Five instructions that change nothing, of which Xen emulates the third. */
    .globl s_nops
s_nops:
    nop
    nop
    mov     %cr3, %rax
    nop
    jmp     snippet_end

/* RAX: RFLAGS as PUSHF stores them. Uses the stack. */
    .globl s_pushf
s_pushf:
    pushfq
    pop     %rax
    jmp     snippet_end

.macro iret name
    .globl s_\name
s_\name:
    lea     snippet_\name(%rip), %rsp
    mov     $__HYPERVISOR_iret, %eax
    syscall
    ud2
.endm

iret    iret
iret    iret_again              /* for a second iret behind the first */

/* Any hypercall, with the context of an iret on the stack. */
    .globl s_multicall
s_multicall:
    lea     snippet_iret(%rip), %rsp
    syscall
    jmp     snippet_end

/* For a 32-bit code segment: the byte at DS:ESI goes to port DX. */
    .code32
    .globl s_outsb32
s_outsb32:
    outsb
    ud2
    .globl s_syscall32
s_syscall32:
    syscall
    ud2
    .code64
    .balign 4
snippet_zero:
    .long   0
snippet_stop:

.section .note.GNU-stack, "", @progbits
