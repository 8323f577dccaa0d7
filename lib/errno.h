/* SPDX-License-Identifier: MIT */
/*
 * Failures are negative values of these, everywhere. The numbers are those of Xen's public
 * errno.h, so that what a hypercall returns can be passed on unchanged.
 */
#ifndef LIB_ERRNO_H
#define LIB_ERRNO_H

enum {
    EPERM = 1,       /* Xen refused: not this domain's right        */
    ENOENT = 2,      /* what was asked for is not there             */
    EIO = 5,         /* the other end broke the protocol, or is mute */
    E2BIG = 7,       /* more than the other end takes               */
    EAGAIN = 11,     /* somebody else was faster: try again         */
    ENOMEM = 12,     /* no frame, or no room in a table             */
    EACCES = 13,     /* not this domain's to read or write          */
    EFAULT = 14,     /* the address cannot be read, written, run    */
    EBUSY = 16,      /* Xen: the frame has another use              */
    EEXIST = 17,     /* something else is mapped there              */
    ENODEV = 19,     /* nobody is at the other end                  */
    EINVAL = 22,     /* an argument, or something handed in, is bad */
    ENOSPC = 28,     /* no address space, PFN or grant left         */
    ERANGE = 34,     /* outside the list, or outside the range      */
    ENOSYS = 38,     /* this Xen, or this kind of domain, has none  */
    EOPNOTSUPP = 95, /* nor can it be had here: the PV shim         */
};

/* "ENOMEM, out of frames or of room" for -ENOMEM, and so on. */
const char *errno_name(int rc);

#endif
