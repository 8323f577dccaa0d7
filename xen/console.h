/* SPDX-License-Identifier: MIT */
/*
 * Where the kernel's words go.
 *
 * A dom0 writes by hypercall, which needs nothing to be set up, so the first line can be the first
 * thing that the kernel does. A domU is refused there, and writes into a ring in a page that it
 * shares with xenconsoled; what it said before the ring was found is kept, and written first.
 * Provides platform_write (lib/printk.h).
 */
#ifndef XEN_CONSOLE_H
#define XEN_CONSOLE_H

#include "arch/x86/page.h"

#include <xen/xen.h>

/*
 * Finds the ring, if this is a domU, from the builder's page @si: the only fields of it that are
 * read before start_info_read() has checked them, since its complaints need somewhere to go. Maps
 * it at @page, a virtual page of the image whose own frame is the caller's from then on; in a dom0
 * nothing is mapped there then. Returns 0, or Xen's negative errno if it will not map the frame.
 */
int console_start(const struct start_info *si, void *page) __must_check;

/*
 * What has been typed: up to @size_bytes, without waiting; how many there were. Nothing is lost
 * that fits the ring, or Xen's buffer.
 */
size_t console_read(char *text, size_t size_bytes);

/* In a new domain the ring is the same page, and its port another. */
void console_set_port(uint32_t port);

/* Waits until the other end has read everything, or seems not to read at all. */
void console_drain(void);

#endif
