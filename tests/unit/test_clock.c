/* SPDX-License-Identifier: MIT */
/*
 * xen/clock.c. Without this test a TSC that is behind the time stamp of Xen's record, as on a host
 * whose processors differ a little, could become an alarm in the far future: the kernel would hang.
 */
#include "xen/clock.h"

#include "arch/x86/cpu.h"

#include "tests/unit/harness.h"

#include <xen/xen.h>

static struct vcpu_time_info record = {
    .system_time = 1000, .tsc_to_system_mul = 1u << 31, .tsc_shift = 1};

static void test_clock_behind(void **state)
{
    (void)state;
    clock_start(&record);
    record.tsc_timestamp = tsc() + ((uint64_t)1 << 50);
    check_equal("clock_ns with a TSC behind the record", clock_ns(), 1000);
    clock_start(NULL);
}

/* Xen emulates the TSC of a domU, which begins at 0 with the domain, and stamps an older record
 * below 0. */
static void test_clock_stamp_below_0(void **state)
{
    uint64_t ns;

    (void)state;
    clock_start(&record);
    record.tsc_timestamp = 0 - ((uint64_t)1 << 40);
    ns = clock_ns();
    check_true("clock_ns with a stamp of -2^40 counts these ticks", ns > (uint64_t)1 << 40);
    clock_start(NULL);
}

static void test_clock_runs(void **state)
{
    uint64_t before, ns;

    (void)state;
    clock_start(&record);
    before = record.tsc_timestamp = tsc();
    ns = clock_ns();
    check_true("clock_ns, at one tick a nanosecond, is at most the ticks since the record",
               ns >= 1000 && ns - 1000 <= tsc() - before);
    clock_start(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clock_behind),
        cmocka_unit_test(test_clock_stamp_below_0),
        cmocka_unit_test(test_clock_runs),
    };

    return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
