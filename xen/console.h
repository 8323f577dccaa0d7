/* SPDX-License-Identifier: MIT */
/*
 * The console.
 *
 *   dom0   CONSOLEIO_write and CONSOLEIO_read (<xen/xen.h>): Xen's console; needs no setup
 *   domU   a ring in a page shared with xenconsoled (<xen/io/console.h>); Xen refuses the calls
 *          above. Text printed before console_start is kept, up to 1 KiB, and written first.
 *
 * Defines platform_write (lib/printk.h).
 */
#ifndef XEN_CONSOLE_H
#define XEN_CONSOLE_H

#include "arch/x86/page.h"

#include <xen/xen.h>

/*
 * Seconds that the kernel waits in all, at a full ring, until the reader has read 1 KiB. With a
 * slower reader output is dropped where the ring has no room, without further waiting, until the
 * reader has read 1 KiB more. The number of dropped bytes is printed when there is room again.
 * While no reader is connected (XENCONSOLE_DISCONNECTED), it is CONSOLE_LONE_PATIENCE.
 */
#define CONSOLE_PATIENCE      10
#define CONSOLE_LONE_PATIENCE 1

/*
 * Starts the console. Reads the ring's MFN and port from the builder's start_info @si, before
 * start_info_read() validates it, because the messages of that function need a console. In a domU
 * maps the ring at @page; in a dom0 unmaps @page. @page is a FOREIGN_PAGE (foreign_page.h) of the
 * image; the frame that was mapped there is the caller's. Returns 0; -EINVAL if the MFN is wider
 * than 40 bits; or Xen's negative errno.
 */
int console_start(const struct start_info *si, void *page) __must_check;

/*
 * Reads typed characters into @text, up to @size_bytes, without waiting. Returns their number.
 * Input is lost only if the ring, or Xen's buffer for a dom0, is full.
 */
size_t console_read(char *text, size_t size_bytes);

/*
 * False: console_read returns 0 from now on, because no event tells of input. In a dom0 the input
 * may belong to another domain then, and CONSOLEIO_read would take it away from there.
 */
void console_set_input(bool yes);

/* Sets the port of the ring: after a restore the ring is the same page and the port is new. */
void console_set_port(uint32_t port);

/* Waits until the reader has read the whole ring, or is too slow (CONSOLE_PATIENCE). */
void console_drain(void);

#endif
