/* SPDX-License-Identifier: MIT */
/*
 * The call trace of a panic. Without this test the trace could read past the end of the stack and
 * fault in the middle of the report, or print a whole stack of text addresses to a slow console.
 * The "stack" of each case is an array of exactly that size, so that AddressSanitizer detects a
 * read outside it.
 */
#include "arch/x86/call_trace.h"

#include "tests/unit/harness.h"

#include <stdlib.h>

#define TEXT_START 0xffffffff80100000
#define TEXT_END   0xffffffff80120000

static struct call_trace_bounds bounds(const uintptr_t *stack, size_t nr_words)
{
    return (struct call_trace_bounds){TEXT_START, TEXT_END, (uintptr_t)stack,
                                      (uintptr_t)(stack + nr_words)};
}

static void words_of_the_text_are_printed(void **state)
{
    uintptr_t stack[] = {TEXT_START - 1, TEXT_START, 0, TEXT_END - 1, TEXT_END, TEXT_START + 0x234};
    struct call_trace_bounds b = bounds(stack, ARRAY_SIZE(stack));

    (void)state;
    output_clear();
    call_trace_print(&b, (uintptr_t)stack);
    assert_string_equal(output(), " [<ffffffff80100000>] S\n"
                                  " [<ffffffff8011ffff>] S\n"
                                  " [<ffffffff80100234>] S\n");

    output_clear();
    call_trace_print(&b, (uintptr_t)&stack[5] - 3); /* an unaligned stack pointer */
    assert_string_equal(output(), " [<ffffffff80100234>] S\n");
}

static void nothing_beside_the_stack_is_read(void **state)
{
    size_t nr = 4;
    uintptr_t *stack = calloc(nr, sizeof(*stack));
    struct call_trace_bounds b = bounds(stack, nr);
    const uintptr_t outside[] = {
        b.stack_start - 8, b.stack_start - 1, b.stack_end, b.stack_end + 8, 0, UINTPTR_MAX};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(outside); i++) {
        output_clear();
        call_trace_print(&b, outside[i]);
        check_says("stack pointer outside of the stack", output(), "is not in the kernel stack [");
    }
    for (uintptr_t sp = b.stack_start; sp < b.stack_end; sp++) {
        output_clear();
        call_trace_print(&b, sp);
        assert_string_equal(output(), "");
    }
    free(stack);
}

/* The number of lines in the output. */
static unsigned int nr_lines(void)
{
    unsigned int nr = 0;

    for (const char *s = output(); *s; s++)
        nr += *s == '\n';
    return nr;
}

static void the_number_of_lines_is_bounded(void **state)
{
    uintptr_t stack[CALL_TRACE_MAX + 2];
    struct call_trace_bounds b;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(stack); i++)
        stack[i] = TEXT_START + i;
    b = bounds(stack, CALL_TRACE_MAX);
    output_clear();
    call_trace_print(&b, (uintptr_t)stack);
    check_equal("lines for a stack of CALL_TRACE_MAX text addresses", nr_lines(), CALL_TRACE_MAX);

    b = bounds(stack, ARRAY_SIZE(stack));
    output_clear();
    call_trace_print(&b, (uintptr_t)stack);
    check_equal("lines for a stack of CALL_TRACE_MAX + 2 text addresses", nr_lines(),
                CALL_TRACE_MAX + 1);
    check_says("trace of a stack of CALL_TRACE_MAX + 2 text addresses", output(),
               "S\n and more: only the first 20 return addresses are printed\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_of_the_text_are_printed),
        cmocka_unit_test(nothing_beside_the_stack_is_read),
        cmocka_unit_test(the_number_of_lines_is_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
