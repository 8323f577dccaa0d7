/* SPDX-License-Identifier: MIT */
#include "lib/printk.h"

#include "arch/x86/cpu.h"
#include "arch/x86/pte.h"

#include "xen/shutdown.h"
#include "xen/watchdog.h"

#include "kernel/boot/stages.h"
#include "kernel/live.h"
#include "kernel/report.h"
#include "kernel/selftest/inject.h"
#include "kernel/selftest/pattern_pages.h"
#include "kernel/selftest/test.h"

#include <xen/sched.h>

extern uintptr_t __stack_chk_guard;

static struct domain domain;

/*
 * The stack protector's canary must not be a constant of the image. Its low byte is 0, which a
 * string that overflows a buffer cannot reproduce.
 */
static void __attribute__((no_stack_protector)) set_canary(void)
{
    __stack_chk_guard = (tsc() * 0x9e3779b97f4a7c15) << 8;
}

/* Does the domain run on after its tests, until a command or its toolstack ends it? */
static bool lives_on(const struct domain *d)
{
    return d->options.done == DONE_WAIT || d->options.shell != SHELL_NONE;
}

static void __noreturn finish(struct domain *d)
{
    static const unsigned int reasons[] = {
        [DONE_REBOOT] = SHUTDOWN_reboot,
        [DONE_POWEROFF] = SHUTDOWN_poweroff,
        [DONE_CRASH] = SHUTDOWN_crash,
    };
    enum done done = d->options.done;

    if (lives_on(d))
        done = live(d);
    if (done == DONE_DEFAULT) /* on SHUTDOWN_reboot, xl would create a domU again */
        done = boot_info_is_initdomain(&d->boot) ? DONE_REBOOT : DONE_POWEROFF;
    domain_shutdown(reasons[done]);
}

static void run_tests(struct domain *d)
{
    enum test_result result = tests_run(d), bench = bench_run(d);

    if (bench > result)
        result = bench;
    report_boot(d);
    pattern_pages_report(d);
    print("Test result: %s\n", test_result_name(result));
}

/* Called by arch/x86/entry.S on the stack in the image, with the address of start_info (RSI). */
void __attribute__((no_stack_protector)) __noreturn
kernel_main(const struct start_info *start_info);

void __attribute__((no_stack_protector)) __noreturn kernel_main(const struct start_info *start_info)
{
    ticks_at_entry = tsc();
    set_canary();
    pte_start();
    print("Xenolith " VERSION ": a Xen PV guest about memory\n");

    domain.start_info = start_info;
    stages_start(&domain);
    if (lives_on(&domain))
        watchdog_stop(); /* a tool may pause this domain for any time: xen/watchdog.h */
    inject_late(&domain);
    if (domain.options.shell == SHELL_NONE)
        run_tests(&domain);
    finish(&domain);
}
