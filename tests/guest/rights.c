/* SPDX-License-Identifier: MIT */
/*
 * Access rights of the kernel's memory: .text, .rodata, data, stack, heap, and guard pages.
 *
 * Without these tests a stray store could change code, data could be executed, and a stack overflow
 * or a NULL pointer could go unnoticed. These tests make the CPU do the accesses; accounting.c
 * checks the rights in the page tables.
 */
#include "lib/errno.h"

#include "arch/x86/probe.h"

#include "kernel/selftest/test.h"

extern uintptr_t __stack_chk_guard;

static const uint64_t constant = 1;
static uint64_t ret_in_data = 0xc3c3c3c3c3c3c3c3;

TEST(text_readonly, "each write to the kernel's .text and .rodata faults")
{
    uint64_t before = *(const uint64_t *)image_start;

    CHECK_RC(probe_write(image_start, before), -EFAULT, "write to .text at %p",
             (void *)image_start);
    CHECK_RC(probe_write((void *)(uintptr_t)&constant, 1), -EFAULT, "write to .rodata at %p",
             (const void *)&constant);
    CHECK_RC(probe_write(&ret_in_data, ret_in_data), 0, "write to .data at %p",
             (void *)&ret_in_data);
}

/* Calls @code only if its PTE forbids execution: what is there is not code. */
static void check_no_exec(struct test *t, const char *what, const void *code)
{
    uint64_t result, pte = pt_walk(&t->d->pt, (uintptr_t)code).pte;

    if (pte & PTE_NX)
        CHECK_RC(probe_exec(code, &result), -EFAULT, "call into %s at %p", what, code);
    else
        test_fail(t, "PTE of %s at %p is 0x%lx, expected bit 63 (NX) set", what, code, pte);
}

TEST(data_no_exec, "each call into data, stack, heap and the P2M list faults (NX)")
{
    uint64_t on_stack = ret_in_data;
    uint64_t *on_heap;

    if (!pte_has_nx()) {
        test_skip(t, "this CPU has no NX bit");
        return;
    }
    check_no_exec(t, ".data", &ret_in_data);
    check_no_exec(t, ".rodata", &constant);
    check_no_exec(t, "the stack", &on_stack);
    check_no_exec(t, "the P2M list", t->d->p2m.list);
    on_heap = heap_alloc(&t->d->heap, PAGE_SIZE);
    if (!on_heap) {
        test_error(t, "heap_alloc is NULL, expected a page");
        return;
    }
    *on_heap = ret_in_data;
    check_no_exec(t, "the heap", on_heap);
    heap_free(&t->d->heap, on_heap, PAGE_SIZE);
}

TEST(guards, "each access to a guard page faults: page 0, below the stack, behind a heap page")
{
    uint64_t *page = heap_alloc(&t->d->heap, PAGE_SIZE), value = 1;
    void *next = heap_alloc(&t->d->heap, PAGE_SIZE); /* mapped, so that the guard lies between */

    CHECK_RC(probe_read(NULL, &value), -EFAULT, "read at address 0");
    CHECK_RC(probe_read(stack_guard, &value), -EFAULT, "read of the stack's guard page at %p",
             (void *)stack_guard);
    CHECK_RC(probe_write(stack_guard + PAGE_SIZE - 8, 0), -EFAULT,
             "write to the stack's guard page at %p", (void *)(stack_guard + PAGE_SIZE - 8));
    if (page && next) {
        CHECK_RC(probe_read(page, &value), 0, "read of a new heap page at %p", (void *)page);
        CHECK_EQ(value, 0, "word 0 of a new heap page at %p", (void *)page);
        CHECK_RC(probe_read(page + PAGE_SIZE / 8, &value), -EFAULT,
                 "read of the guard page at %p, behind a heap page",
                 (void *)(page + PAGE_SIZE / 8));
    } else {
        test_error(t, "heap_alloc is %p and %p, expected two pages", (void *)page, next);
    }
    heap_free(&t->d->heap, page, PAGE_SIZE);
    heap_free(&t->d->heap, next, PAGE_SIZE);
}

TEST(canary, "the stack canary __stack_chk_guard is not 0, but its low byte is 0")
{
    CHECK(__stack_chk_guard != 0, "__stack_chk_guard is 0, expected not 0");
    CHECK_EQ(__stack_chk_guard & 0xff, 0, "low byte of __stack_chk_guard (0 ends a string)");
}
