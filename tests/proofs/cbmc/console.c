/* SPDX-License-Identifier: MIT */
/*
 * The console against a reader that writes anything into the page at any moment: each read of the
 * page gives any value. No access is out of bounds, and the kernel's indices advance by what was
 * moved. PROOF is the check_ function that main calls.
 */
#include "proof.h"

#include "xen/console.c"

#define NR 8 /* characters in one call */

/* The ring, and the rest of its page. */
static struct {
    struct xencons_interface ring;
    uint8_t rest[PAGE_SIZE - sizeof(struct xencons_interface)];
} page;
static char text[NR];

void *memcpy(void *to, const void *from, size_t len)
{
    for (size_t i = 0; i < len; i++)
        ((char *)to)[i] = ((const char *)from)[i];
    return to;
}

long HYPERVISOR_event_channel_op(unsigned int cmd, void *arg)
{
    (void)cmd;
    (void)arg;
    return nondet_int();
}

/* One wait for the reader: more of them have no bound here. */
long HYPERVISOR_sched_op(unsigned int cmd, void *arg)
{
    static unsigned int nr_waits_here;

    (void)cmd;
    (void)arg;
    ASSUME(++nr_waits_here <= 1);
    return nondet_int();
}

long HYPERVISOR_console_io(unsigned int cmd, unsigned int len, char *buf)
{
    for (unsigned int i = 0; i < len; i++)
        buf[i] = cmd == CONSOLEIO_read ? nondet_char() : buf[i];
    return nondet_int();
}

int foreign_page_map(void *to, mfn_t mfn)
{
    (void)to;
    (void)mfn;
    return nondet_int();
}

void watchdog_kick(void)
{
}

uint64_t clock_ns(void)
{
    return nondet_u64();
}

void print(const char *fmt, ...)
{
    (void)fmt;
}

static void any_state(void)
{
    prod = nondet_u32();
    cons_in = nondet_u32();
    nr_lost = nondet_u64();
    reader.read_to = nondet_u32();
    reader.since = nondet_u32();
    reader.waited = nondet_u64();
    reader.is_too_slow = nondet_bool();
    early_len = nondet_u64();
    has_input = nondet_bool();
    is_dom0 = nondet_bool();
    ASSUME(early_len <= sizeof(early));
}

void check_read(void)
{
    size_t n = nondet_u64(), got;
    uint32_t was = cons_in;

    ASSUME(n <= NR);
    ring = nondet_bool() ? &page.ring : NULL;
    got = console_read(text, n);
    PROVE(got <= n && (has_input || !got));
    PROVE(cons_in == was + (ring ? (uint32_t)got : 0));
}

/* The free room is never more than the ring, and the reader's index only advances, up to prod. */
void check_room(void)
{
    uint32_t was, room;

    ring = &page.ring;
    was = reader.read_to;
    ASSUME(prod - was <= sizeof(page.ring.out));
    room = look_for_room();
    PROVE(room <= sizeof(page.ring.out));
    PROVE(reader.read_to - was <= prod - was);
    PROVE(prod - reader.read_to <= sizeof(page.ring.out));
}

/* A byte is put, or counted as lost; after one put the kernel is at most a ring ahead. */
void check_put(void)
{
    uint32_t was = prod;
    uint64_t lost = nr_lost;

    ring = &page.ring;
    ASSUME(prod - reader.read_to <= sizeof(page.ring.out));
    ring_put('x');
    PROVE(prod - was + (nr_lost - lost) == 1 && prod - was <= 1);
    PROVE(prod - reader.read_to <= sizeof(page.ring.out));
}

/* Before the ring is there: what does not fit the buffer is counted as lost. */
void check_early(void)
{
    size_t n = nondet_u64(), was = early_len;
    uint64_t lost = nr_lost;

    ASSUME(n <= NR);
    ring = NULL;
    remember(text, n);
    PROVE(early_len <= sizeof(early) && early_len - was + (nr_lost - lost) == n);
}

int main(void)
{
    any_state();
    PROOF();
    REACHED();
    return 0;
}
