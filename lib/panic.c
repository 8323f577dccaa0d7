/* SPDX-License-Identifier: MIT */
#include "lib/panic.h"

#include "lib/format.h"
#include "lib/printk.h"

/* Laid by the compiler in front of every return address, and checked before every return. */
extern uintptr_t __stack_chk_guard;
extern void __stack_chk_fail(void) __noreturn;

uintptr_t __stack_chk_guard;

void panic(const char *fmt, ...)
{
    char why[400];
    va_list args;

    va_start(args, fmt);
    format_v(why, sizeof(why), fmt, args);
    va_end(args);
    platform_call_trace(__builtin_frame_address(0));
    print("Bail out! %s\n", why);
    print("Test result: CRASH\n");
    platform_crash();
}

void __stack_chk_fail(void)
{
    panic("stack smashed: the canary was overwritten in the function that contains %p",
          __builtin_return_address(0));
}
