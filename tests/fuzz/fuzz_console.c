/* SPDX-License-Identifier: MIT */
/*
 * xen/console.c: the reader at the other end of the console ring may write anything into the
 * indices of the ring at any time, or may never read. The kernel accesses no byte outside of the
 * ring, and does not wait for ever. An honest reader, which keeps to the protocol, receives every
 * byte that the kernel wrote.
 *
 *      input   [first index of the ring: 4][is there a clock: 1][bytes in the ring / 8: 1]
 *              [action of the kernel]...
 *              At each hypercall the reader takes a byte of the same input for its action.
 */
#include "tests/fuzz/fuzz.h"

#include "lib/printk.h"
#include "lib/string.h"

#include "arch/x86/hypercall.h"

#include "xen/clock.h"
#include "xen/console.h"

#include <xen/io/console.h>

#define MAX_TEXT (1 << 14)

/* ASan poisons the memory after it. connection: of Xen 4.21, see xen/console.c. */
static struct {
    struct xencons_interface page;
    uint8_t connection;
} whole;
#define ring whole.page
static struct input *in;
static bool is_honest; /* the reader has kept to the protocol so far */

static char expected[MAX_TEXT],
    got[MAX_TEXT]; /* bytes written by the kernel, received by the reader */
static size_t nr_expected, nr_got;
static uint32_t next_out;   /* the reader's own index, because the ring's may be overwritten */
static uint32_t read_up_to; /* the kernel's index into the typed bytes */
static uint8_t next_typed, next_read;

long HYPERVISOR_update_va_mapping(uintptr_t va, uint64_t pte, unsigned long flags)
{
    (void)flags;
    CHECK(va == (uintptr_t)&ring && pte,
          "update_va_mapping maps the console ring at its own address");
    return 0;
}

long HYPERVISOR_console_io(unsigned int cmd, unsigned int len_bytes, char *text)
{
    (void)cmd, (void)len_bytes, (void)text;
    CHECK(false, "no HYPERVISOR_console_io while there is a console ring");
    return 0;
}

static bool reads(uint32_t nr)
{
    for (uint32_t i = 0; i < nr && next_out != ring.out_prod; i++, next_out++) {
        CHECK(!is_honest || nr_got < nr_expected,
              "the ring has no byte that the kernel did not write");
        got[nr_got++ % MAX_TEXT] = ring.out[MASK_XENCONS_IDX(next_out, ring.out)];
    }
    ring.out_cons = next_out;
    return true;
}

/* An index for an attack: any value, or one within 8 of @edge, where indices become invalid. */
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

/* The action of the reader at a hypercall. Once the input has ended, the reader does nothing. */
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
    case 4: /* the reader does nothing, and hypercalls take more time */
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

/* Reads all, at the end of an input, so that no state is left for the next input. */
static bool reads_all(void)
{
    return reads(sizeof(ring.out));
}

static void expect(char c)
{
    CHECK(nr_expected < MAX_TEXT, "the kernel writes at most MAX_TEXT bytes for one input");
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
          "console_read returns the typed bytes that fit, or 0 bytes for invalid indices");
    read_up_to += (uint32_t)n;
    for (size_t i = n; i < sizeof(text); i++)
        CHECK(text[i] == 0x5a, "console_read writes nothing after the bytes that it returns");
    for (size_t i = 0; is_honest && i < n; i++)
        CHECK((uint8_t)text[i] == next_read++, "console_read returns the typed bytes in order");
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
    nr_expected = take(&all, 1) * 8; /* bytes that a boot loader left in the ring, all 0 */
    ring.out_cons = next_out = index - (uint32_t)nr_expected;
    memset(expected, 0, nr_expected);
    nr_got = 0;
    next_typed = next_read = 0;
    is_honest = true;
    fake_start(turn);
    fake.call_ns = 100 * NS_PER_MS;
    clock_start(has_clock == 0xff ? NULL : &fake.shared->vcpu_info[0].time);
    CHECK(console_start(&si, &ring) == 0, "console_start returns 0 for a new ring");

    for (uint64_t since = fake_now(), mark = 0; !is_empty(&all);) {
        act();
        /*
         * The kernel may give up a reader that takes longer than 10 s for 1 KiB. Its KiB may
         * overlap with two of those counted here.
         */
        is_honest &= fake_now() - since < CONSOLE_PATIENCE * NS_PER_S / 2;
        if (nr_got - mark >= sizeof(ring.out) / 2 || next_out == ring.out_prod) {
            mark = nr_got;
            since = fake_now();
        }
    }
    /* at the end the reader is honest again, so that no state is left for the next input */
    fake_start(reads_all);
    clock_start(&fake.shared->vcpu_info[0].time);
    console_set_port(FAKE_PORT);
    if (is_honest) {
        console_drain();
        CHECK(nr_got == nr_expected && !memcmp(got, expected, nr_got),
              "an honest reader receives all bytes that the kernel wrote");
    }
    is_honest = false;
    ring.out_cons = ring.out_prod = next_out = index;
    CHECK(console_start(&si, &ring) == 0, "console_start returns 0 for a ring used before");
    nr_got = 0;
    console_drain();
    return 0;
}
