/* SPDX-License-Identifier: MIT */
#include "tests/unit/watch.h"

#include "arch/x86/page.h"

#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>

#define TRAP_FLAG 0x100

static struct watch *current;
static struct sigaction previous_fault, previous_trap;

static void on_fault(int signal, siginfo_t *info, void *context)
{
    uint64_t offset = (uintptr_t)info->si_addr - (uintptr_t)current->page;

    if (offset >= PAGE_SIZE) {
        previous_fault.sa_sigaction(signal, info, context);
        return;
    }
    if (current->nr < WATCH_MAX)
        current->stores[current->nr].offset = offset;
    mprotect(current->page, PAGE_SIZE, PROT_READ | PROT_WRITE);
    ((ucontext_t *)context)->uc_mcontext.gregs[REG_EFL] |= TRAP_FLAG;
}

static void on_trap(int signal, siginfo_t *info, void *context)
{
    (void)signal;
    (void)info;
    if (current->nr < WATCH_MAX)
        current->stores[current->nr].value =
            ((const uint64_t *)current->page)[current->stores[current->nr].offset / 8];
    current->nr++;
    mprotect(current->page, PAGE_SIZE, PROT_READ);
    ((ucontext_t *)context)->uc_mcontext.gregs[REG_EFL] &= ~TRAP_FLAG;
}

void watch_begin(struct watch *w, void *page)
{
    struct sigaction fault = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    struct sigaction trap = {.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO};

    *w = (struct watch){.page = page};
    current = w;
    mprotect(page, PAGE_SIZE, PROT_READ);
    sigaction(SIGSEGV, &fault, &previous_fault);
    sigaction(SIGTRAP, &trap, &previous_trap);
}

void watch_end(void)
{
    sigaction(SIGSEGV, &previous_fault, NULL);
    sigaction(SIGTRAP, &previous_trap, NULL);
    mprotect(current->page, PAGE_SIZE, PROT_READ | PROT_WRITE);
    current = NULL;
}
