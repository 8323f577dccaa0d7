/* SPDX-License-Identifier: MIT */
/*
 * CONSOLEIO_write and CONSOLEIO_read of <xen/xen.h>: Xen's console, for a dom0.
 *
 * Xen copies a text in pieces (of 127 bytes: guest_console_write() of Xen
 * xen/drivers/char/console.c). Without this test a byte could be lost between two pieces. The guest
 * cannot read back what it wrote, so tests/scenarios/abi.t compares the line of this test in the
 * log of the host.
 */
#include "lib/errno.h"
#include "lib/format.h"

#include "arch/x86/hypercall.h"

#include "tests/guest/abi_room.h"

#define NR_NUMBERS 146 /* so that the line has several pieces, and is no multiple of one */
#define LINE_BYTES (14 + 4 * NR_NUMBERS + 1)

static const unsigned int lengths[] = {0, 1, 126, 127, 128, 129, 254, 255, 256};

/* "# abi_console:" and the numbers 000, 001, ..., so that each lost or repeated byte is visible. */
static void fill(char *line)
{
    size_t len = format(line, LINE_BYTES, "# abi_console:");

    for (unsigned int i = 0; i < NR_NUMBERS; i++)
        len += format(line + len, LINE_BYTES - len, " %03u", i);
    line[len] = '\n';
}

static long write(unsigned int len_bytes, char *text)
{
    return HYPERVISOR_console_io(CONSOLEIO_write, len_bytes, text);
}

/* The line is written once by one call, and once by calls of all lengths. */
static void write_lines(struct test *t, char *line)
{
    char *at = line;

    fill(line);
    CHECK_RC(write(LINE_BYTES, line), 0, "CONSOLEIO_write of %u bytes", LINE_BYTES);
    for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
        unsigned int len = (unsigned int)min_u64(lengths[i], (uint64_t)(line + LINE_BYTES - at));

        CHECK_RC(write(len, at), 0, "CONSOLEIO_write of %u bytes", len);
        at += len;
    }
}

TEST_RULE(abi_console,
          "CONSOLEIO_write takes a text of any length, and CONSOLEIO_read with a size of 0 "
          "returns 0")
{
    static char line[LINE_BYTES];

    if (!boot_info_is_initdomain(&t->d->boot)) {
        test_skip(t, "Xen's console is for dom0; a domU has a ring, which Xen does not read");
        return;
    }
    write_lines(t, line);
    CHECK_RC(HYPERVISOR_console_io(CONSOLEIO_read, 0, line), 0, "CONSOLEIO_read of 0 bytes");
    CHECK_RC(write(8, (char *)HYPERVISOR_VIRT_START), -EFAULT,
             "CONSOLEIO_write of 8 bytes at Xen's address 0x%lx", HYPERVISOR_VIRT_START);
}
