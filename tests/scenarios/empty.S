/* SPDX-License-Identifier: MIT */
/*
 * The smallest PV guest: its first instructions shut it down. cost.t subtracts its boot, which is the
 * cost of Xen, from a boot of the kernel.
 */
#define __ASSEMBLY__
#include <xen/elfnote.h>
#include <xen/xen.h>

/* From <xen/sched.h>, which an assembler file cannot include */
#define SCHEDOP_shutdown 2
#define SHUTDOWN_reboot  1

.macro note type, value:vararg
    .pushsection .note.Xen, "a", @note
    .balign 4
    .long   2f - 1f, 4f - 3f, \type
1:  .asciz  "Xen"
2:  .balign 4
3:  \value
4:  .balign 4
    .popsection
.endm

note XEN_ELFNOTE_XEN_VERSION,  .asciz "xen-3.0"
note XEN_ELFNOTE_GUEST_OS,     .asciz "empty"
note XEN_ELFNOTE_LOADER,       .asciz "generic"
note XEN_ELFNOTE_VIRT_BASE,    .quad 0xffffffff80000000
note XEN_ELFNOTE_PADDR_OFFSET, .quad 0xffffffff80000000

    .text
    .globl _start
_start:
    mov     $__HYPERVISOR_sched_op, %eax
    mov     $SCHEDOP_shutdown, %edi
    lea     reason(%rip), %rsi
    syscall
    ud2

    .section .rodata
reason:
    .long   SHUTDOWN_reboot

.section .note.GNU-stack, "", @progbits
