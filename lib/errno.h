/* SPDX-License-Identifier: MIT */
/*
 * Error numbers. A function that can fail returns 0 or one of these numbers, negated. The numbers
 * are those of Xen's public errno.h (<xen/errno.h>), so the result of a hypercall can be returned
 * unchanged.
 */
#ifndef LIB_ERRNO_H
#define LIB_ERRNO_H

enum {
    EPERM = 1,       /* Xen refused: this domain lacks the right          */
    ENOENT = 2,      /* the object that was named does not exist           */
    ESRCH = 3,       /* the domain that was named does not exist           */
    EIO = 5,         /* the peer broke the protocol                        */
    E2BIG = 7,       /* the request is larger than the peer accepts        */
    EAGAIN = 11,     /* another domain changed the object: try again       */
    ENOMEM = 12,     /* no free frame, or no free slot in a table          */
    EACCES = 13,     /* denied: a xenstore node; by XSM/FLASK, a hypercall */
    EFAULT = 14,     /* the address cannot be read, written or executed    */
    EBUSY = 16,      /* the frame has another use                          */
    EEXIST = 17,     /* something else is mapped at the address            */
    ENODEV = 19,     /* no peer is connected                               */
    EINVAL = 22,     /* an argument, or a field that was handed in, is bad */
    ENOSPC = 28,     /* no virtual address, PFN or grant entry is left     */
    ERANGE = 34,     /* outside the P2M list, or outside the range         */
    ENOSYS = 38,     /* this Xen, or this kind of domain, lacks the call   */
    EOPNOTSUPP = 95, /* as ENOSYS; the PV shim returns this number         */
    ETIMEDOUT = 110, /* the peer did not answer in time                    */
};

/*
 * The name of @rc: "ENOMEM" for -ENOMEM, "success" for 0, "not an errno" for a positive number,
 * "unknown errno" for any other negative number.
 */
const char *errno_name(int rc);

#endif
