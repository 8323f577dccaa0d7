/* SPDX-License-Identifier: MIT */
/* A Xen without grant tables. */
#include "arch/x86/hypercall.h"

#include "lib/errno.h"

#include "tests/unit/fake_xen.h"

long HYPERVISOR_grant_table_op(unsigned int cmd, void *ops, unsigned int nr)
{
    (void)cmd;
    (void)ops;
    (void)nr;
    return -ENOSYS;
}
