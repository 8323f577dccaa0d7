/* SPDX-License-Identifier: MIT */
/*
 * The call trace that a panic and a fatal trap print, in the form of Xen's own:
 *
 *     Call trace:
 *      [<ffffffff80101234>] R        the instruction that trapped (RIP)
 *      [<ffffffff80105678>] S        a word of the stack that is an address in the text section
 *
 * The kernel is compiled without frame pointers, so the trace is a guess: most S lines are return
 * addresses of calls under way, and some are left over from calls that have returned. The image has
 * no symbols to be printed; scripts/boot adds function, file and line, and so does addr2line.
 */
#ifndef ARCH_X86_CALL_TRACE_H
#define ARCH_X86_CALL_TRACE_H

#include "lib/types.h"

/* Lines of one trace, the R line not counted. */
#define CALL_TRACE_MAX 20

/* Addresses of the text section and of the stack, both half-open. */
struct call_trace_bounds {
    uintptr_t text_start, text_end;
    uintptr_t stack_start, stack_end;
};

/*
 * Prints an S line for each word of the stack from @sp up to the end of the stack that is an
 * address in the text section, at most CALL_TRACE_MAX of them. Reads nothing outside of the stack
 * in @b: for an @sp outside of it, says so, and prints no S line.
 */
void call_trace_print(const struct call_trace_bounds *b, uintptr_t sp);

#endif
