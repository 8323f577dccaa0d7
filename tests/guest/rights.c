/* SPDX-License-Identifier: MIT */
/*
 * Without these a stray store could change code, stray data be run, and a stack overflow or a NULL
 * pointer go unnoticed. The CPU is asked; for the tables' own word see accounting.c.
 */
#include "lib/errno.h"

#include "arch/x86/probe.h"

#include "kernel/test.h"

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

TEST(data_no_exec, "data, stack, heap and the list cannot be run")
{
    uint64_t on_stack = ret_in_data, result;
    uint64_t *on_heap = heap_alloc(&t->d->heap, PAGE_SIZE);

    CHECK(probe_exec(&ret_in_data, &result) == -EFAULT, "data can be run");
    CHECK(probe_exec(&constant, &result) == -EFAULT, "constants can be run");
    CHECK(probe_exec(&on_stack, &result) == -EFAULT, "the stack can be run");
    CHECK(probe_exec(t->d->p2m.list, &result) == -EFAULT, "the list can be run");
    if (!on_heap) {
        test_error(t, "no page for the heap");
        return;
    }
    *on_heap = ret_in_data;
    CHECK(probe_exec(on_heap, &result) == -EFAULT, "the heap can be run");
    heap_free(&t->d->heap, on_heap, PAGE_SIZE);
}

TEST(guards, "page 0, the page below the stack and the one past a heap block fault")
{
    uint64_t *page = heap_alloc(&t->d->heap, PAGE_SIZE), value;

    CHECK(probe_read(NULL, &value) == -EFAULT, "page 0 can be read");
    CHECK(probe_read(stack_guard, &value) == -EFAULT, "the stack's guard page can be read");
    CHECK(probe_write(stack_guard + PAGE_SIZE - 8, 0) == -EFAULT, "the guard can be written");
    CHECK(page && probe_read(page, &value) == 0 && value == 0,
          "a heap page is not there, or not 0");
    CHECK(page && probe_read(page + PAGE_SIZE / 8, &value) == -EFAULT, "a heap page has no guard");
    heap_free(&t->d->heap, page, PAGE_SIZE);
}
