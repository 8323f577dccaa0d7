/* SPDX-License-Identifier: MIT */
#include "tests/fuzz/fuzz.h"

#include "lib/panic.h"
#include "lib/printk.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char said[1024];
static size_t said_len;
static jmp_buf *panic_exit;

uint64_t take(struct input *in, unsigned int nr_bytes)
{
    uint64_t v = 0;

    for (unsigned int i = 0; i < nr_bytes && in->left; i++, in->left--)
        v |= (uint64_t)*in->at++ << 8 * i;
    return v;
}

void finding(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: expected: %s\n", file, line, what);
    abort();
}

/* The output of printk, except for the target console, which has the kernel's. The last text is
 * kept. */
__attribute__((weak)) void platform_write(const char *text, size_t len_bytes)
{
    if (len_bytes >= sizeof(said) - said_len)
        said_len = 0;
    CHECK(len_bytes < sizeof(said), "printk writes texts shorter than 1024 bytes");
    memcpy(said + said_len, text, len_bytes);
    said_len += len_bytes;
    said[said_len] = '\0';
}

void platform_call_trace(const void *frame)
{
    (void)frame;
}

void platform_crash(void)
{
    CHECK(panic_exit, "no panic outside of panic_of()");
    longjmp(*panic_exit, 1);
}

const char *panic_of(void (*call)(void *arg), void *arg)
{
    jmp_buf here;
    const char *volatile why = NULL;

    said_len = 0;
    said[0] = '\0';
    panic_exit = &here;
    if (!setjmp(here)) {
        call(arg);
    } else {
        why = strstr(said, "Bail out! ");
        CHECK(why, "a panic prints a line \"Bail out!\"");
    }
    panic_exit = NULL;
    return why;
}
