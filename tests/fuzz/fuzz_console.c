/* SPDX-License-Identifier: MIT */
/*
 * xen/console.c: the other end of the ring may write anything into its indices, at any time, or
 * nothing at all; the kernel says what it has to say, and no word is written or read outside of the
 * ring, and none is waited for without end. If the other end is an honest one, all arrives.
 *
 *      input   [index at the start: 4][is there a clock: 1][how full it is: 1][what the kernel
 * does]... At each hypercall the other end takes a byte of the same input for what it does.
 */
#include "tests/fuzz/fuzz.h"

#include "lib/printk.h"
#include "lib/string.h"

#include "arch/x86/hypercall.h"

#include "xen/clock.h"
#include "xen/console.h"

#include <xen/io/console.h>

#define MAX_TEXT (1 << 14)

static struct xencons_interface ring; /* behind it the memory is poisoned */
static struct input *in;
static bool is_honest; /* so far */

static char expected[MAX_TEXT], got[MAX_TEXT]; /* to the reader */
static size_t nr_expected, nr_got;
static uint32_t next_out;   /* the honest reader's, beside the ring's that may be spoilt */
static uint32_t read_up_to; /* the kernel's index of what was typed */
static uint8_t next_typed, next_read;

long HYPERVISOR_update_va_mapping(uintptr_t va, uint64_t pte, unsigned long flags)
{
    (void)flags;
    CHECK(va == (uintptr_t)&ring && pte, "the ring's frame at its page");
    return 0;
}

long HYPERVISOR_console_io(unsigned int cmd, unsigned int len_bytes, char *text)
{
    (void)cmd, (void)len_bytes, (void)text;
    CHECK(false, "no emergency console once there is a ring");
    return 0;
}

static bool reads(uint32_t nr)
{
    for (uint32_t i = 0; i < nr && next_out != ring.out_prod; i++, next_out++) {
        CHECK(!is_honest || nr_got < nr_expected, "no more than was said");
        got[nr_got++ % MAX_TEXT] = ring.out[MASK_XENCONS_IDX(next_out, ring.out)];
    }
    ring.out_cons = next_out;
    return true;
}

/* An index that makes no sense, or only just: within 8 of where sense ends. */
static uint32_t near(uint64_t edge, bool anywhere)
{
    return (uint32_t)(anywhere ? take(in, 4) : edge + take(in, 1) % 16 - 8);
}

static bool types(uint32_t nr)
{
    while (nr-- && ring.in_prod - ring.in_cons < sizeof(ring.in))
        ring.in[MASK_XENCONS_IDX(ring.in_prod++, ring.in)] = (char)next_typed++;
    return true;
}

/* What it does at a hypercall; with nothing left of the input it is dead. */
static bool turn(void)
{
    uint64_t move;

    if (!is_empty(in))
        fake.nr_hypercalls = 0;
    move = take(in, 1);
    switch (move & 7) {
    case 1:
        return reads((uint32_t)move);
    case 2:
        return reads(sizeof(ring.out));
    case 3:
        return types((uint32_t)move);
    case 4: /* time passes, and it does nothing */
        fake.call_ns = (1 + (move >> 3)) * 100 * NS_PER_MS;
        return false;
    case 5:
        ring.out_cons = near(ring.out_prod - (move & 16 ? sizeof(ring.out) : 0), move & 8);
        break;
    case 6:
        ring.in_prod = near(read_up_to + (move & 16 ? sizeof(ring.in) : 0), move & 8);
        break;
    case 7:
        ring.out_prod = (uint32_t)take(in, 4);
        ring.in_cons = (uint32_t)take(in, 4);
        break;
    default:
        return false;
    }
    is_honest = false;
    return true;
}

/* One who has died honestly comes back when all is over, so that each input begins alike. */
static bool reads_all(void)
{
    return reads(sizeof(ring.out));
}

static void expect(char c)
{
    CHECK(nr_expected < MAX_TEXT, "a short input");
    expected[nr_expected++] = c;
}

static void say(uint64_t nr, char first)
{
    char text[64];

    for (uint64_t i = 0; i < nr; i++) {
        text[i] = (first + i) % 61 ? (char)('!' + (first + i) % 61) : '\n';
        if (text[i] == '\n')
            expect('\r');
        expect(text[i]);
    }
    platform_write(text, nr);
}

static void listen(size_t size)
{
    char text[300];
    uint32_t there = ring.in_prod - read_up_to;
    size_t n;

    memset(text, 0x5a, sizeof(text));
    n = console_read(text, size);
    CHECK(n == (there > sizeof(ring.in) ? 0 : min_u64(there, size)),
          "all that there is and that there is room for; nothing of what makes no sense");
    read_up_to += (uint32_t)n;
    for (size_t i = n; i < sizeof(text); i++)
        CHECK(text[i] == 0x5a, "nothing behind what was read");
    for (size_t i = 0; is_honest && i < n; i++)
        CHECK((uint8_t)text[i] == next_read++, "what was typed, in order");
}

static void act(void)
{
    uint64_t what = take(in, 1);

    if (nr_expected > MAX_TEXT - 1024)
        return;
    switch (what & 3) {
    case 0:
        listen(what);
        break;
    case 3:
        if (what & 4)
            console_drain();
        else
            console_set_port(FAKE_PORT);
        break;
    default:
        say(what >> 2, (char)(what >> 2 & 31));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct start_info si = {
        .console.domU = {.mfn = 1, .evtchn = FAKE_PORT}
    };
    struct input all = {data, size};
    uint32_t index = (uint32_t)take(&all, 4);
    uint64_t has_clock = take(&all, 1);

    in = &all;
    memset(&ring, 0, sizeof(ring));
    ring.out_prod = ring.in_prod = ring.in_cons = read_up_to = index;
    nr_expected = take(&all, 1) * 8; /* GRUB's words, all 0 */
    ring.out_cons = next_out = index - (uint32_t)nr_expected;
    memset(expected, 0, nr_expected);
    nr_got = 0;
    next_typed = next_read = 0;
    is_honest = true;
    fake_start(turn);
    fake.call_ns = 100 * NS_PER_MS;
    clock_start(has_clock == 0xff ? NULL : &fake.shared->vcpu_info[0].time);
    CHECK(console_start(&si, &ring) == 0, "a console");

    while (!is_empty(&all)) {
        uint64_t began = fake_now();

        act();
        /* one who takes no longer is never given up */
        is_honest &= fake_now() - began < 5 * NS_PER_S;
    }
    /* the end: an honest reader again, so that nothing of this is left for the next input */
    fake_start(reads_all);
    clock_start(&fake.shared->vcpu_info[0].time);
    console_set_port(FAKE_PORT);
    if (is_honest) {
        console_drain();
        CHECK(nr_got == nr_expected && !memcmp(got, expected, nr_got), "all that was said");
    }
    is_honest = false;
    ring.out_cons = ring.out_prod = next_out = index;
    CHECK(console_start(&si, &ring) == 0, "a console");
    nr_got = 0;
    console_drain();
    return 0;
}
