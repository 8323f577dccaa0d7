/* SPDX-License-Identifier: MIT */
#include "tests/unit/harness.h"

#include "lib/panic.h"
#include "lib/printk.h"

#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

static char text[1 << 16];
static size_t text_len;
static jmp_buf *panic_exit;

#define MAX_CPU_SECONDS  60
#define MAX_WALL_SECONDS (10 * MAX_CPU_SECONDS)

/*
 * An endless loop must fail too. The limit counts CPU time, since a busy machine can make a program
 * of 6 s take more than a minute: SIGPROF ends the program. SIGALRM ends one that only sleeps.
 */
static void __attribute__((constructor)) start_timers(void)
{
    const struct itimerval limit = {.it_value = {.tv_sec = MAX_CPU_SECONDS}};

    setitimer(ITIMER_PROF, &limit, NULL);
    alarm(MAX_WALL_SECONDS);
}

const char *output(void)
{
    return text;
}

void output_clear(void)
{
    text_len = 0;
    text[0] = '\0';
}

/* The lower half of printk. When the buffer is full, later output is dropped. */
void platform_write(const char *s, size_t len_bytes)
{
    size_t len = min_u64(len_bytes, sizeof(text) - 1 - text_len);

    memcpy(text + text_len, s, len);
    text_len += len;
    text[text_len] = '\0';
}

/* The lower half of panic. The stack of this program is not the kernel's stack. */
void platform_call_trace(const void *frame)
{
    (void)frame;
}

void platform_crash(void)
{
    if (panic_exit)
        longjmp(*panic_exit, 1);
    fail_msg("unexpected panic: %s", strstr(text, "Bail out!"));
    __builtin_unreachable();
}

const char *panic_of(void (*call)(void *arg), void *arg)
{
    jmp_buf here;
    const char *volatile said = NULL;

    output_clear();
    panic_exit = &here;
    if (!setjmp(here))
        call(arg);
    else
        said = strstr(text, "Bail out!");
    panic_exit = NULL;
    return said;
}

/* The generator xorshift64*: Vigna, "An experimental exploration of Marsaglia's xorshift
 * generators, scrambled", 2016. */
uint64_t rng_next(struct rng *r)
{
    r->state ^= r->state >> 12;
    r->state ^= r->state << 25;
    r->state ^= r->state >> 27;
    return r->state * 0x2545f4914f6cdd1d;
}

uint64_t rng_below(struct rng *r, uint64_t below)
{
    return (rng_next(r) >> 16) % below;
}

void check_equal_at(const char *what, const char *expression, uint64_t got, uint64_t expected,
                    const char *file, int line)
{
    if (got == expected)
        return;
    print_error("%s: %s is %#lx, expected %#lx\n", what, expression, got, expected);
    _fail(file, line);
}

void check_says_at(const char *what, const char *in, const char *part, const char *file, int line)
{
    if (in && strstr(in, part))
        return;
    print_error("%s: text is \"%s\", expected to contain \"%s\"\n", what, in ? in : "", part);
    _fail(file, line);
}
