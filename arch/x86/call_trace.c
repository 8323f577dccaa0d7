/* SPDX-License-Identifier: MIT */
#include "arch/x86/call_trace.h"

#include "lib/printk.h"

void call_trace_print(const struct call_trace_bounds *b, uintptr_t sp)
{
    unsigned int nr = 0;

    if (sp < b->stack_start || sp >= b->stack_end) {
        print(" the stack pointer %016lx is not in the kernel stack [%016lx, %016lx): no call "
              "trace\n",
              sp, b->stack_start, b->stack_end);
        return;
    }
    for (sp = ROUND_UP(sp, sizeof(uintptr_t)); sp < b->stack_end; sp += sizeof(uintptr_t)) {
        uintptr_t word = *(const volatile uintptr_t *)sp;

        if (word < b->text_start || word >= b->text_end)
            continue;
        if (nr++ == CALL_TRACE_MAX) {
            print(" and more: only the first %u return addresses are printed\n", CALL_TRACE_MAX);
            return;
        }
        print(" [<%016lx>] S\n", word);
    }
}
