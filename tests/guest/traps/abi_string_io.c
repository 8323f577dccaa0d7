/* SPDX-License-Identifier: MIT */
/*
 * INS and OUTS with a repeat prefix, PCI configuration, and I/O breakpoints, which Xen emulates.
 *
 * Without these tests Xen could lose count in a string instruction that a page fault interrupts, so
 * that a driver of the guest reads a word twice, or none. Port 0xcf8 is Xen's own copy of
 * CONFIG_ADDRESS, one for each domain, so that no device is involved.
 */
#include "lib/errno.h"
#include "lib/number.h"
#include "lib/string.h"

#include "tests/guest/abi_room.h"
#include "tests/guest/traps/snippet.h"

#include <xen/physdev.h>

#define PORT_PIC   0x20 /* and 0x21: the first interrupt controller */
#define PORT_CF8   0xcf8
#define PORT_CFC   0xcfc
#define VALUE      0x80123400
#define NR         4          /* words in a string instruction */
#define DR7_IO_CF8 0x000e0001 /* breakpoint 0: I/O of 4 bytes */

static void out(uint32_t value)
{
    snippet_in.gpr[RDX] = PORT_CF8;
    snippet_in.gpr[RAX] = value;
    snippet_run(s_outl);
}

static uint64_t in(void)
{
    return snippet_get(s_inl);
}

/* Runs @code on NR words at @va. The number of words that were moved must be @moved. */
static void check_string(struct test *t, const char *what, const char *code, const uint32_t *va,
                         uint64_t flags, unsigned int moved)
{
    unsigned int pointer = code == s_rep_insl ? RDI : RSI;
    uint64_t bytes = sizeof(*va) * moved;

    snippet_fill(flags);
    snippet_in.gpr[RDX] = PORT_CF8;
    snippet_in.gpr[RCX] = NR;
    snippet_in.gpr[pointer] = (uintptr_t)va;
    snippet_run(code);
    if (moved == NR)
        check_no_trap(t, what);
    check_out(t, what, 1 << RCX | 1u << pointer);
    CHECK_EQ(snippet_out.gpr[RCX], NR - moved, "%s: RCX", what);
    CHECK_EQ(snippet_out.gpr[pointer], (uintptr_t)va + (flags & FLAG_DF ? -bytes : bytes), "%s: %s",
             what, pointer == RDI ? "RDI" : "RSI");
}

static void check_stop(struct test *t, const char *what, const char *code, const void *cr2,
                       uint64_t error)
{
    check_trap_is(t, what, TRAP_PAGE_FAULT, error, (uintptr_t)code);
    CHECK_EQ(snippet_trap.cr2, (uintptr_t)cr2, "%s: CR2", what);
}

static void check_words(struct test *t, const char *what, const uint32_t *words, uint32_t expected)
{
    for (unsigned int i = 0; i < NR; i++)
        CHECK_EQ(words[i], expected, "%s: word %u", what, i);
}

/* @page is mapped, and the pages on either side are not. */
static void check_strings(struct test *t, uint32_t *page)
{
    uint32_t *end = page + PAGE_SIZE / sizeof(*page);

    out(VALUE);
    check_string(t, "rep ins of 4 words", s_rep_insl, page, FLAG_CF | FLAG_OF, NR);
    check_words(t, "after rep ins", page, VALUE);
    CHECK_EQ(page[NR], 0, "after rep ins: the word behind");
    check_string(t, "rep ins of 4 words with DF", s_rep_insl, page + 15, FLAG_DF, NR);
    check_words(t, "after rep ins with DF", page + 12, VALUE);
    CHECK_EQ(page[11], 0, "after rep ins with DF: the word in front");
    check_string(t, "rep ins of 4 words, 2 in an unmapped page", s_rep_insl, end - 2, 0, 2);
    check_stop(t, "rep ins to an unmapped page", s_rep_insl, end, PF_WRITE);
    CHECK_EQ(end[-1], VALUE, "after rep ins to an unmapped page: the last word in front");

    for (unsigned int i = 0; i < NR; i++)
        page[i] = VALUE + 4 * (i + 1);
    check_string(t, "rep outs of 4 words", s_rep_outsl, page, FLAG_SF, NR);
    CHECK_EQ(in(), VALUE + 4 * NR, "port 0xcf8 after rep outs of 4 words");
    check_string(t, "rep outs of 4 words with DF, 3 in an unmapped page", s_rep_outsl, page,
                 FLAG_DF, 1);
    check_stop(t, "rep outs from an unmapped page", s_rep_outsl, page - 1, 0);
    CHECK_EQ(in(), VALUE + 4, "port 0xcf8 after rep outs of 1 word");
    out(0);
}

TEST_RULE(abi_string_io, "INS and OUTS with REP move each word once, up to the first page fault")
{
    struct room r;
    uint32_t *page;

    if (!room_open(&r, t, 16))
        return;
    page = room_alloc(&r, 1);
    snippets_begin(t);
    snippet_fill(0);
    CHECK_RC(set_iopl(1), 0, "PHYSDEVOP_set_iopl(1)");
    check_strings(t, page);
    CHECK_RC(set_iopl(0), 0, "PHYSDEVOP_set_iopl(0)");
    snippets_end();
    room_free(&r, page, 1);
    room_close(&r);
}

/* Reads @bytes at port @port. The upper part of RAX must be unchanged, except by a 32-bit IN. */
static uint32_t in_part(struct test *t, const char *code, unsigned int bytes, uint64_t port)
{
    uint64_t mask = ((uint64_t)1 << bytes * 8) - 1;

    snippet_fill(FLAGS_OWN);
    snippet_in.gpr[RDX] = port;
    snippet_run(code);
    check_no_trap(t, "in from CONFIG_DATA");
    check_out(t, "in from CONFIG_DATA", 1 << RAX);
    CHECK_EQ(snippet_out.gpr[RAX] & ~mask, bytes == 4 ? 0 : snippet_in.gpr[RAX] & ~mask,
             "upper bits of RAX after in of %u bytes from port 0x%lx", bytes, port);
    return (uint32_t)(snippet_out.gpr[RAX] & mask);
}

static void check_config(struct test *t, bool visible)
{
    uint32_t id, part;

    out(0x80000000); /* bus 0, device 0, function 0, register 0: vendor and device */
    id = in_part(t, s_inl, 4, PORT_CFC);
    if (!visible)
        CHECK_EQ(id, 0xffffffff, "PCI vendor and device of 00:00.0, in a domain without devices");
    for (unsigned int i = 0; i < 4; i++) {
        part = in_part(t, s_inb, 1, PORT_CFC + i);
        CHECK_EQ(part, id >> i * 8 & 0xff, "port 0x%x, a byte of 0x%x", PORT_CFC + i, id);
    }
    for (unsigned int i = 0; i < 4; i += 2) {
        part = in_part(t, s_inw, 2, PORT_CFC + i);
        CHECK_EQ(part, id >> i * 8 & 0xffff, "port 0x%x, 2 bytes of 0x%x", PORT_CFC + i, id);
    }
    out(0);
}

TEST_RULE(abi_pci_config, "parts of PCI CONFIG_DATA have the bytes of the whole; a domU reads ones")
{
    snippets_begin(t);
    snippet_fill(0);
    CHECK_RC(set_iopl(1), 0, "PHYSDEVOP_set_iopl(1)");
    check_config(t, boot_info_is_initdomain(&t->d->boot));
    CHECK_RC(set_iopl(0), 0, "PHYSDEVOP_set_iopl(0)");
    snippets_end();
}

/* The ports of the interrupt controller are Xen's own: not even dom0 has them. */
TEST_RULE(abi_port_denied, "in from a port that the domain may not access returns all bits set")
{
    static const struct {
        const char *what, *code;
        uint64_t mask;
    } sizes[] = {
        {"in of 1 byte from port 0x20",  s_inb, 0xff  },
        {"in of 2 bytes from port 0x20", s_inw, 0xffff},
    };

    snippets_begin(t);
    CHECK_RC(set_iopl(1), 0, "PHYSDEVOP_set_iopl(1)");
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        snippet_fill(FLAGS_OWN);
        snippet_in.gpr[RDX] = PORT_PIC;
        snippet_in.gpr[RAX] = 0;
        snippet_run(sizes[i].code);
        check_no_trap(t, sizes[i].what);
        check_out(t, sizes[i].what, 1 << RAX);
        CHECK_EQ(snippet_out.gpr[RAX], sizes[i].mask, "%s: RAX, which was 0", sizes[i].what);
    }
    CHECK_RC(set_iopl(0), 0, "PHYSDEVOP_set_iopl(0)");
    snippets_end();
}

static void set_cr4(struct test *t, uint64_t cr4)
{
    CHECK_EQ(snippet_set(s_set_cr4, cr4), 0, "mov of 0x%lx to CR4: number of exceptions", cr4);
}

static void check_io_breakpoint(struct test *t, uint64_t port, uint64_t dr7, bool fires)
{
    CHECK_RC(set_dr(6, 0), 0, "set_debugreg of DR6, 0");
    CHECK_RC(set_dr(0, port), 0, "set_debugreg of DR0, port 0x%lx", port);
    CHECK_RC(set_dr(7, dr7), 0, "set_debugreg of DR7, 0x%lx", dr7);
    snippet_in.gpr[RDX] = PORT_CF8;
    snippet_run(s_inl);
    CHECK_EQ(snippet_trap.nr, fires,
             "in from port 0xcf8 with DR0 0x%lx, DR7 0x%lx: number of traps", port, dr7);
    if (snippet_trap.nr)
        check_trap_is(t, "in from port 0xcf8, I/O breakpoint there", 1, 0, (uintptr_t)s_inl + 1);
    CHECK_EQ(get_dr(6), DR6_FIXED | fires, "in from port 0xcf8 with DR0 0x%lx, DR7 0x%lx: DR6",
             port, dr7);
}

/*
 * The CPU ignores the low bits of the address in DR0 that are below the length (Intel SDM vol. 3,
 * 17.2.5). Xen does the same since its commit 08aacc392d86, which is in 4.17.5, 4.18.3, 4.19.1 and
 * 4.20.
 */
static bool ignores_low_bits(const struct host *h)
{
    static const uint8_t since[] = {[17] = 5, [18] = 3, [19] = 1};
    uint64_t release = 0;

    if (h->major > 4 || h->minor >= ARRAY_SIZE(since))
        return true;
    if (h->extra[0] == '.') /* .7-pre: one digit suffices for these releases */
        (void)!number_parse_decimal(h->extra + 1, 1, 9, &release);
    return since[h->minor] && release >= since[h->minor];
}

TEST_RULE(abi_io_breakpoint, "an I/O breakpoint raises #DB behind an emulated IN from its ports")
{
    uint64_t cr4;

    snippets_begin(t);
    snippet_fill(0);
    CHECK_RC(set_iopl(1), 0, "PHYSDEVOP_set_iopl(1)");
    cr4 = snippet_get(s_get_cr4);
    set_cr4(t, cr4 | CR4_DE);
    check_io_breakpoint(t, PORT_CF8, DR7_IO_CF8, true);
    check_io_breakpoint(t, PORT_CF8 + 4, DR7_IO_CF8, false);
    check_io_breakpoint(t, PORT_CF8 - 4, DR7_IO_CF8, false);
    check_io_breakpoint(t, PORT_CF8, 0, false);
    if (ignores_low_bits(&t->d->host)) {
        check_io_breakpoint(t, PORT_CF8 - 2, DR7_IO_CF8, false);
        check_io_breakpoint(t, PORT_CF8 + 3, DR7_IO_CF8, true);
    }
    CHECK_RC(set_dr(0, 0), 0, "set_debugreg of DR0, 0");
    CHECK_RC(set_dr(6, 0), 0, "set_debugreg of DR6, 0");
    set_cr4(t, cr4);
    CHECK_RC(set_iopl(0), 0, "PHYSDEVOP_set_iopl(0)");
    snippets_end();
}
