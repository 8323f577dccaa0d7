/* SPDX-License-Identifier: MIT */
/*
 * Without these a stray store could change code, stray data be run, and a stack overflow or a NULL
 * pointer go unnoticed. The CPU is asked; for the tables' own word see accounting.c.
 */
#include "lib/errno.h"

#include "arch/x86/probe.h"

#include "kernel/selftest/test.h"

extern uintptr_t __stack_chk_guard;

static const uint64_t constant = 1;
static uint64_t ret_in_data = 0xc3c3c3c3c3c3c3c3;

TEST(text_readonly, "text and constants cannot be written")
{
    uint64_t before = *(const uint64_t *)image_start;

    CHECK(probe_write(image_start, before) == -EFAULT, "text at %p can be written",
          (void *)image_start);
    CHECK(probe_write((void *)(uintptr_t)&constant, 1) == -EFAULT, "a constant can be written");
    CHECK(probe_write(&ret_in_data, ret_in_data) == 0, "data cannot be written");
}

/* By its entry first: a page that could be run might do anything. */
static void check_no_exec(struct test *t, const char *what, const void *code)
{
    uint64_t result, pte = pt_walk(&t->d->pt, (uintptr_t)code).pte;

    CHECK(pte & PTE_NX, "%s at %p is executable by its entry %016lx", what, code, pte);
    CHECK(!(pte & PTE_NX) || probe_exec(code, &result) == -EFAULT, "%s can be run", what);
}

TEST(data_no_exec, "data, stack, heap and the list cannot be run")
{
    uint64_t on_stack = ret_in_data;
    uint64_t *on_heap = heap_alloc(&t->d->heap, PAGE_SIZE);

    check_no_exec(t, "data", &ret_in_data);
    check_no_exec(t, "a constant", &constant);
    check_no_exec(t, "the stack", &on_stack);
    check_no_exec(t, "the list", t->d->p2m.list);
    if (!on_heap) {
        test_error(t, "no page for the heap");
        return;
    }
    *on_heap = ret_in_data;
    check_no_exec(t, "the heap", on_heap);
    heap_free(&t->d->heap, on_heap, PAGE_SIZE);
}

TEST(guards, "page 0, the page below the stack and the one past a heap block fault")
{
    uint64_t *page = heap_alloc(&t->d->heap, PAGE_SIZE), value;
    void *next = heap_alloc(&t->d->heap, PAGE_SIZE); /* else nothing would be there anyway */

    if (!page || !next)
        test_error(t, "no pages for the heap");
    CHECK(probe_read(NULL, &value) == -EFAULT, "page 0 can be read");
    CHECK(probe_read(stack_guard, &value) == -EFAULT, "the stack's guard page can be read");
    CHECK(probe_write(stack_guard + PAGE_SIZE - 8, 0) == -EFAULT, "the guard can be written");
    CHECK(page && probe_read(page, &value) == 0 && value == 0,
          "a heap page is not there, or not 0");
    CHECK(page && probe_read(page + PAGE_SIZE / 8, &value) == -EFAULT, "a heap page has no guard");
    heap_free(&t->d->heap, page, PAGE_SIZE);
    heap_free(&t->d->heap, next, PAGE_SIZE);
}

TEST(canary, "the stack protector's canary is set, and its low byte ends a string")
{
    CHECK(__stack_chk_guard != 0, "the canary is 0, as in the image");
    CHECK((__stack_chk_guard & 0xff) == 0, "the canary is 0x%lx", __stack_chk_guard);
}
