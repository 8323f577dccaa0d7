/* SPDX-License-Identifier: MIT */
/*
 * Short pieces of machine code, run with known registers: for the self-tests of traps.
 *
 *      snippet_in -> registers -> the snippet -> snippet_end -> snippet_out
 *                                     |               ^
 *                                     v trap          | iret
 *                                 snippet_trap -------+
 *
 * A snippet ends by itself, or at its first trap or upcall: the trap handler notes the frame, and
 * continues at snippet_end with the registers of the frame. So snippet_trap shows what Xen put on
 * the stack, and snippet_out shows what Xen restored. The snippets are in snippet.S.
 */
#ifndef TESTS_GUEST_TRAPS_SNIPPET_H
#define TESTS_GUEST_TRAPS_SNIPPET_H

/* General registers, in the order of struct trap_frame (arch/x86/traps.h). */
#define R15     0
#define R14     1
#define R13     2
#define R12     3
#define RBP     4
#define RBX     5
#define R11     6
#define R10     7
#define R9      8
#define R8      9
#define RAX     10
#define RCX     11
#define RDX     12
#define RSI     13
#define RDI     14
#define NR_GPRS 15

/* The fields of struct snippet_regs behind the general registers, in words. */
#define REGS_RFLAGS 15
#define REGS_RSP    16
#define REGS_CS     17
#define REGS_SS     18

/* RFLAGS (Intel SDM vol. 1, 3.4.3). */
#define FLAG_CF      0x1
#define FLAG_PF      0x4
#define FLAG_AF      0x10
#define FLAG_ZF      0x40
#define FLAG_SF      0x80
#define FLAG_TF      0x100
#define FLAG_IF      0x200
#define FLAG_DF      0x400
#define FLAG_OF      0x800
#define FLAG_IOPL    0x3000
#define FLAG_NT      0x4000
#define FLAG_RF      0x10000
#define FLAG_VM      0x20000
#define FLAG_AC      0x40000
#define FLAG_ID      0x200000
#define FLAGS_ALWAYS 0x2
/* The flags that any code may set and clear. */
#define FLAGS_OWN                                                                              \
    (FLAG_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF | FLAG_DF | FLAG_OF | FLAG_NT | FLAG_AC | \
     FLAG_ID)

/* Bits of a page fault's error code (Intel SDM vol. 3, 4.7). */
#define PF_PRESENT 1
#define PF_WRITE   2
#define PF_USER    4
#define PF_FETCH   16

/* Bits of an error code with a selector (Intel SDM vol. 3, 6.13). */
#define EC_IDT 2
#define EC_LDT 4

/* The bits of DR6 that always read as 1 (Intel SDM vol. 3, 17.2.3). */
#define DR6_FIXED 0xffff0ff0
#define DR6_BS    0x4000

#define CR4_DE    0x8
#define VECTOR_DB 1
#define VECTOR_UD 6

/*
 * In Xen's mappings of the GDT and the LDT of vCPU 0 (GDT_LDT_VIRT_START of Xen's
 * arch/x86/include/asm/config.h), behind the descriptors: Xen maps a page of zeros for each page
 * that the GDT does not have, and nothing for the LDT before a selector of the LDT is loaded.
 */
#define GDT_AREA 0xffff820000005128
#define LDT_AREA 0xffff820000011128

#ifndef __ASSEMBLY__

#include "arch/x86/traps.h"

#include "kernel/selftest/test.h"

#include <xen/xen.h>

struct snippet_regs {
    uint64_t gpr[NR_GPRS], rflags, rsp, cs, ss;
};

/* The trap or upcall that ended the snippet. */
struct snippet_trap {
    unsigned int nr; /* 0 or 1 */
    struct trap_frame frame;
    uint64_t cr2;
    uint8_t mask;        /* evtchn_upcall_mask in the handler       */
    uint64_t rflags;     /* in the handler, but for arithmetic flags */
    uintptr_t frame_end; /* the address behind the frame             */
};

extern struct snippet_regs snippet_in, snippet_out;
extern struct snippet_trap snippet_trap;
extern struct iret_context snippet_iret, snippet_iret_again;
/* The end of a stack for traps, 16-byte aligned: behind an iret, and from user mode. */
extern uint8_t *const snippet_trap_stack;

/* snippet.S. No snippet uses the stack, unless its comment says so. */
extern const char snippet_start[], snippet_end[], snippet_stop[];
extern const char s_end[], s_int3[], s_ud2[], s_div[], s_read[], s_write[], s_jump[], s_loop[],
    s_loop_jump[], s_write_wait[];
extern const char s_hypercall[], s_iret[], s_iret_again[], s_multicall[], s_fnop[], s_nops[],
    s_pushf[];
extern const char s_int7[], s_int14[], s_int20[], s_int40[], s_int80[], s_intff[];
extern const char s_mov_ds[], s_mov_es[], s_mov_fs[], s_mov_gs[], s_mov_ss[];
extern const char s_read_fs[], s_read_gs[], s_rdmsr[], s_wrmsr[];
extern const char s_rdfsbase[], s_rdgsbase[], s_wrfsbase[];
extern const char s_get_cr0[], s_set_cr0[], s_get_cr2[], s_set_cr2[], s_get_cr3[], s_set_cr3[];
extern const char s_get_cr4[], s_set_cr4[], s_get_cr8[], s_set_cr8[], s_clts[], s_lmsw[];
extern const char s_get_dr0[], s_get_dr4[], s_get_dr5[], s_get_dr6[], s_get_dr7[];
extern const char s_set_dr0[], s_set_dr4[], s_set_dr5[], s_set_dr6[], s_set_dr7[];
extern const char s_hlt[], s_cli[], s_sti[], s_invd[], s_wbinvd[], s_lgdt[], s_lidt[], s_lldt[];
extern const char s_ltr[], s_invlpg[], s_rdpmc[], s_sysret[], s_sysexit[], s_inb[];
extern const char s_inw[], s_inl[], s_outl[], s_xgetbv[], s_xsetbv[], s_rdtsc[], s_outsb32[],
    s_syscall32[];
extern const char s_sysenter[], s_rep_insl[], s_rep_outsl[], s_set_xmm0[], s_get_xmm0[];
extern const char s_cpuid[], s_cpuid_wrong[], s_x87[], s_x87_wait[], s_x87_reset[];

/* Installs the trap handler of this file, and removes it. */
void snippets_begin(struct test *t);
void snippets_end(void);

/* Fills snippet_in with values that all differ from each other; @rflags are among FLAGS_OWN. */
void snippet_fill(uint64_t rflags);

/*
 * Runs @code with the registers of snippet_in and with upcalls masked. Returns the number of traps,
 * 0 or 1. The snippet s_iret leaves by HYPERVISOR_iret with the context snippet_iret. An event that
 * arrives while that context has upcalls unmasked ends the run, and the snippet runs again.
 * snippet_run_upcall takes the event for the result.
 */
unsigned int snippet_run(const char *code);
unsigned int snippet_run_upcall(void);

/* The value of RAX behind @code. */
uint64_t snippet_get(const char *code);
/* As snippet_run, with @value in RAX. */
unsigned int snippet_set(const char *code, uint64_t value);
uint64_t snippet_rdmsr(unsigned int msr);
unsigned int snippet_wrmsr(unsigned int msr, uint64_t value);

/* Sets snippet_iret to continue in kernel mode at @code with the registers of snippet_in. */
void snippet_to_kernel(const char *code, uint64_t rflags);

/* Runs @code in kernel mode, behind an iret, with upcalls unmasked. */
unsigned int snippet_run_unmasked(const char *code);

/*
 * Compares the registers in the frame of the trap, if there was one, with snippet_in, except those
 * of the bit mask @except (1 << R15 ...).
 */
void check_trap_gprs(struct test *t, const char *what, unsigned int except);
/* Compares the flags FLAGS_OWN with those of snippet_in. */
void check_flags(struct test *t, const char *what, uint64_t rflags);
/* The same for snippet_out: registers, flags, CS, SS. */
void check_out(struct test *t, const char *what, unsigned int except);

/* The snippet did @what and ended by a trap with these properties. */
void check_trap_is(struct test *t, const char *what, unsigned int vector, uint64_t error,
                   uintptr_t rip);
/* The same for a snippet that ran @where: " in user mode", or "" in kernel mode. */
void check_trap_at(struct test *t, const char *what, const char *where, unsigned int vector,
                   uint64_t error, uintptr_t rip);
/* The snippet ended by itself, without a trap. */
void check_no_trap(struct test *t, const char *what);

/*
 * The hypercalls CALLBACKOP_register, PHYSDEVOP_set_iopl, set_debugreg, get_debugreg (which returns
 * the value, or a negative errno) and set_segment_base.
 */
long register_callback(unsigned int type, unsigned int flags, uint64_t address);
long set_iopl(uint32_t level);
long set_dr(unsigned int i, uint64_t value);
uint64_t get_dr(unsigned int i);
long set_base(unsigned int which, uint64_t base);

#endif
#endif
