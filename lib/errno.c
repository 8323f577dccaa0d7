/* SPDX-License-Identifier: MIT */
#include "lib/errno.h"

#include "lib/types.h"

#define NAME(e) \
    {           \
        e, #e   \
    }

const char *errno_name(int rc)
{
    static const struct {
        int number;
        char name[sizeof("EOPNOTSUPP")];
    } names[] = {
        {0, "success"},
        NAME(EPERM),  NAME(ENOENT),     NAME(ESRCH),     NAME(EIO),
        NAME(E2BIG),    NAME(EAGAIN), NAME(ENOMEM),     NAME(EACCES),    NAME(EFAULT),
        NAME(EBUSY),    NAME(EEXIST), NAME(ENODEV),     NAME(EINVAL),    NAME(ENOSPC),
        NAME(ERANGE),   NAME(ENOSYS), NAME(EOPNOTSUPP), NAME(ETIMEDOUT),
    };

    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (rc == -names[i].number)
            return names[i].name;
    return rc > 0 ? "not an errno" : "unknown errno";
}
