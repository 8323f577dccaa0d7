/* SPDX-License-Identifier: MIT */
/*
 * Sweeps over a long array. Without this test a sweep could skip elements, or report a sample as a
 * complete sweep. A sweep is complete where there is time, else a sample by a rule that this test
 * checks.
 */
#include "kernel/selftest/sweep.h"

#include "lib/string.h"

#include "xen/clock.h"
#include "xen/watchdog.h"

#include "tests/unit/harness.h"

#define TIB ((uint64_t)1 << 28) /* in PFNs */

/* A clock that stands still, or where one tick of the TSC is a second, or hours. */
static struct vcpu_time_info record;
static unsigned int nr_kicks;

void watchdog_kick(void)
{
    nr_kicks++;
}

static void set_ns_per_tick(uint64_t ns)
{
    record = (struct vcpu_time_info){.tsc_timestamp = 0, .system_time = 1000};
    record.tsc_to_system_mul = ns ? UINT32_MAX : 0;
    while (ns > (uint64_t)1 << record.tsc_shift)
        record.tsc_shift++;
    clock_start(&record);
    output_clear();
    nr_kicks = 0;
}

static struct range r[] = {
    {0,       0x9f,        RANGE_RAM     },
    {0x9f,    0x100,       RANGE_IDENTITY},
    {0x100,   5 * TIB,     RANGE_RAM     },
    {5 * TIB, 6 * TIB,     RANGE_IDENTITY},
    {6 * TIB, 6 * TIB + 7, RANGE_RAM     },
};
static struct ranges map = {.r = r, .nr = ARRAY_SIZE(r), .cap = ARRAY_SIZE(r)};

static void test_all_of_it(void **state)
{
    struct sweep s;
    uint64_t n = 0, i;

    (void)state;
    set_ns_per_tick(0);
    sweep_start(&s, &map, 3000000, 0, "# x", "PFNs");
    for (i = sweep_next(&s, 0); i < 3000000; i = sweep_next(&s, i + 1))
        check_equal("next index of a complete sweep", i, n++);
    check_equal("indices of a complete sweep", n, 3000000);
    check_equal("index after a complete sweep", i, 3000000);
    check_true("a fast sweep is not sampled", !s.sampled);
    check_equal("output of a fast sweep", strlen(output()), 0);
    check_equal("first index of an empty sweep",
                (sweep_start(&s, &map, 0, 0, "# x", "PFNs"), sweep_next(&s, 0)), 0);
}

/* Does a sweep that takes samples visit @pfn, or the page of the list that contains @pfn? */
static bool samples(uint64_t nr, unsigned int shift, uint64_t pfn)
{
    struct sweep s;
    uint64_t i = pfn >> shift;

    sweep_start(&s, &map, nr, shift, "# x", "PFNs");
    sweep_sample(&s, 0);
    return sweep_next(&s, i) == i;
}

static void test_boundaries(void **state)
{
    static const uint64_t edges[] = {1 * TIB, 3 * TIB + LIST_TABLE_PFNS,
                                     5 * TIB, 5 * TIB + 7 * LIST_TABLE_PFNS,
                                     6 * TIB, 6 * TIB + 7};
    const uint64_t nr = 7 * TIB;

    (void)state;
    set_ns_per_tick(0);
    for (unsigned int shift = 0; shift <= P2M_PAGE_SHIFT; shift += P2M_PAGE_SHIFT) {
        check_true("the first PFN is sampled", samples(nr >> shift, shift, 0));
        check_true("the last PFN is sampled", samples(nr >> shift, shift, nr - 1));
        check_true("the last PFN of an odd number is sampled",
                   samples((nr >> shift) - 5, shift, nr - ((uint64_t)5 << shift) - 1));
        for (size_t i = 0; i < ARRAY_SIZE(edges); i++) {
            check_true("the PFN below an edge is sampled",
                       samples(nr >> shift, shift, edges[i] - 1));
            check_true("the PFN at an edge is sampled", samples(nr >> shift, shift, edges[i]));
        }
        check_true("PFN 0x9e, before a hole, is sampled", samples(nr >> shift, shift, 0x9e));
        check_true("PFN 0x9f, first of a hole, is sampled", samples(nr >> shift, shift, 0x9f));
        check_true("PFN 0xff, last of a hole, is sampled", samples(nr >> shift, shift, 0xff));
        check_true("PFN 0x100, after a hole, is sampled", samples(nr >> shift, shift, 0x100));
    }
    check_true("adjacent PFNs are not both sampled",
               !samples(nr, 0, 0x5000) || !samples(nr, 0, 0x5001));
    check_says("message on sampling", output(),
               "# x: all 1879048192 PFNs would take more than 20 s");
}

/* One sample in each millionth part, at a fixed place that is spread over the part. */
static void test_random_million(void **state)
{
    const uint64_t nr = 7 * TIB, len = nr / SWEEP_SAMPLES;
    uint64_t n[2] = {0}, sum[2] = {0}, at_half = 0;

    (void)state;
    set_ns_per_tick(0);
    for (unsigned int twice = 0; twice < 2; twice++) {
        struct sweep s;
        uint64_t last_part = UINT64_MAX;

        sweep_start(&s, &map, nr, 0, "# x", "PFNs");
        sweep_sample(&s, 0);
        for (uint64_t i = sweep_next(&s, 0); i < nr; i = sweep_next(&s, i + 1)) {
            if (last_part != UINT64_MAX && i / len > last_part + 1)
                fail_msg("no sample between parts 0x%lx and 0x%lx", last_part, i / len);
            last_part = i / len;
            n[twice]++;
            sum[twice] += i * n[twice];
            at_half += i % len < len / 2;
        }
        check_equal("last part with a sample", last_part, SWEEP_SAMPLES - 1);
    }
    check_equal("number of samples of a second sweep", n[1], n[0]);
    check_equal("hash of the samples of a second sweep", sum[1], sum[0]);
    check_true("number of samples: about SWEEP_SAMPLES",
               n[0] >= SWEEP_SAMPLES && n[0] < SWEEP_SAMPLES + 4 * nr / LIST_TABLE_PFNS);
    check_true("about half of the samples are in the first half of their part",
               at_half > n[0] * 9 / 10 && at_half < n[0] * 11 / 10);
}

static void test_too_slow(void **state)
{
    struct sweep s;
    uint64_t nr = 1 << 24, n = 0;

    (void)state;
    set_ns_per_tick(NS_PER_S);
    sweep_start(&s, &map, nr, 0, "# x", "PFNs");
    for (uint64_t i = sweep_next(&s, 0); i < nr; i = sweep_next(&s, i + 1))
        n++;
    check_true("a slow sweep takes samples", s.sampled && n < nr / 2 && n > SWEEP_SAMPLES / 2);
    check_says(
        "message of a slow sweep", output(),
        "# x: all 16777216 PFNs would take more than 20 s: only samples are checked from index ");
    check_true("a slow sweep kicks the watchdog", nr_kicks > 2);

    set_ns_per_tick(NS_PER_S);
    sweep_start(&s, &map, nr, 0, "# x", "PFNs");
    s.full = true;
    n = 0;
    for (uint64_t i = sweep_next(&s, 0); i < nr; i = sweep_next(&s, i + 1))
        check_equal("next index of a full sweep", i, n++);
    check_equal("indices of a full sweep on a slow clock", n, nr);
    check_says("progress message of a full sweep", output(),
               "# x: progress: 1048576 of 16777216 PFNs\n");
}

/* clock_ns() without a record, without a rate, and with shifts in both directions. */
static void test_clock(void **state)
{
    (void)state;
    clock_start(NULL);
    check_equal("clock_ns without a record", clock_ns(), 0);
    record = (struct vcpu_time_info){.system_time = 77};
    clock_start(&record);
    check_equal("clock_ns with a rate of 0", clock_ns(), 77);
    record.tsc_to_system_mul = UINT32_MAX;
    record.tsc_shift = 1;
    uint64_t a = clock_ns();
    record.tsc_shift = -1;
    uint64_t b = clock_ns();
    check_true("clock_ns with tsc_shift 1 is four times that with -1", a / b == 3 || a / b == 4);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_of_it),      cmocka_unit_test(test_boundaries),
        cmocka_unit_test(test_random_million), cmocka_unit_test(test_too_slow),
        cmocka_unit_test(test_clock),
    };

    return cmocka_run_group_tests_name("sweep", tests, NULL, NULL);
}
