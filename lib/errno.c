/* SPDX-License-Identifier: MIT */
#include "lib/errno.h"

#include "lib/types.h"

const char *errno_name(int rc)
{
    static const struct {
        int number;
        const char *name;
    } names[] = {
        {EPERM,      "EPERM, Xen refused"               },
        {ENOENT,     "ENOENT, not there"                },
        {EIO,        "EIO, the other end is broken"     },
        {E2BIG,      "E2BIG, too much for the other end"},
        {EAGAIN,     "EAGAIN, somebody was faster"      },
        {EACCES,     "EACCES, not ours"                 },
        {ENODEV,     "ENODEV, nobody is there"          },
        {ENOMEM,     "ENOMEM, out of frames or of room" },
        {EFAULT,     "EFAULT, no such address"          },
        {EBUSY,      "EBUSY, in another use"            },
        {EEXIST,     "EEXIST, there already"            },
        {EINVAL,     "EINVAL, not what it must be"      },
        {ENOSPC,     "ENOSPC, no more of them"          },
        {ERANGE,     "ERANGE, out of range"             },
        {ENOSYS,     "ENOSYS, not to be had here"       },
        {EOPNOTSUPP, "EOPNOTSUPP, not to be had here"   },
    };

    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (rc == -names[i].number)
            return names[i].name;
    return "no error of ours";
}
