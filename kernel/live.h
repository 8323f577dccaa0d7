/* SPDX-License-Identifier: MIT */
/* The life of a guest that was told to wait (done=wait): to sleep, and to do what it is asked. */
#ifndef KERNEL_LIVE_H
#define KERNEL_LIVE_H

#include "kernel/domain.h"

/* Lives until somebody wants the domain to end: the way in which they do. */
enum done live(struct domain *d);

#endif
