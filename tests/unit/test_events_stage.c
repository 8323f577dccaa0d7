/* SPDX-License-Identifier: MIT */
/*
 * The events stage: the timer, console input, and a resume in the old domain and as in a new one.
 * Without this test a domain could keep the event channels of its old domain after a restore, or a
 * dom0 whose VIRQ_CONSOLE another domain has bound could end its boot.
 */
#include "kernel/boot/events.h"
#include "kernel/boot/store.h"

#include "xen/console.h"
#include "xen/evtchn.h"

#include "tests/unit/fake_events.h"
#include "tests/unit/fake_store.h"
#include "tests/unit/harness.h"
#include "tests/unit/live_guest.h"

#include <string.h>
#include <xen/io/console.h>

static void test_events(void **state)
{
    evtchn_port_t console;

    (void)state;
    live_start();
    console = live.boot.console_port;
    fake_events_raise(console);
    check_equal("events dispatched after a console event", evtchn_dispatch(), 1);
    fake_events_raise_virq(VIRQ_TIMER);
    check_equal("events dispatched after VIRQ_TIMER", evtchn_dispatch(), 1);
    check_equal("events_after_resume in the same domain", events_after_resume(&live, false), 0);
    check_equal("listeners after a resume in the same domain", evtchn_count(), 3);

    check_true("the domain is not taken for the old one", !events_are_of_old_domain());
    evtchn_start(live.shared); /* suspend returned 0, but the domain is the old one */
    check_equal("events_after_resume as in a new domain", events_after_resume(&live, true), 0);
    check_true("the domain is the old one", events_are_of_old_domain());
    check_equal("listeners after a resume as in a new domain", evtchn_count(), 2);
    fake_store.nr_requests = 0;
    check_equal("store_after_resume as in a new domain", store_after_resume(&live, true), 0);
    check_equal("listeners after the store's resume", evtchn_count(), 3);
    check_equal("requests after a resume of the old domain", fake_store.nr_requests, 0);
    check_true("all nodes are read again", store_has_news());
    fake_events_raise_virq(VIRQ_TIMER);
    check_equal("events dispatched after VIRQ_TIMER, after the resume", evtchn_dispatch(), 1);

    fake_events_start(live_shared());
    evtchn_start(live.shared);
    live.boot.flags = SIF_INITDOMAIN;
    check_equal("events_stage of a dom0", events_stage(&live), 0);
    fake_events_raise_virq(VIRQ_CONSOLE);
    check_equal("events dispatched after VIRQ_CONSOLE", evtchn_dispatch(), 1);
}

/* The events stage in a domain with these flags and this console port, with new event channels. */
static void start_events(uint32_t flags, evtchn_port_t port, unsigned int virq_of_other)
{
    fake_events_start(live_shared());
    evtchn_start(live.shared);
    fake_events.virq_of_other = virq_of_other;
    live.boot.flags = flags;
    live.boot.console_port = port;
    output_clear();
    check_equal("events_stage", events_stage(&live), 0);
}

/* Without an event channel for console input the boot goes on, and no input is read. */
static void test_no_console_input(void **state)
{
    struct xencons_interface *ring;
    char typed[8];

    (void)state;
    live_start();
    ring = (struct xencons_interface *)fake_ram(live.boot.console.v);
    memcpy(ring->in, "help", 4);
    ring->in_prod = ring->in_cons + 4;

    start_events(SIF_INITDOMAIN, 0, VIRQ_CONSOLE);
    check_says("message of a dom0 without VIRQ_CONSOLE", output(),
               "this domain has no console input: EVTCHNOP_bind_virq of VIRQ_CONSOLE: result is "
               "-16 (EBUSY");
    check_equal("listeners of a dom0 without VIRQ_CONSOLE: the timer", evtchn_count(), 1);
    check_equal("console_read in a dom0 without input", console_read(typed, sizeof(typed)), 0);

    start_events(0, 0, 0);
    check_says("message of a domU without a console port", output(),
               "this domain has no console input: the handler of port 0x0 "
               "(start_info.console.domU.evtchn) cannot be set: result is -22 (EINVAL");
    check_equal("console_read in a domU without input", console_read(typed, sizeof(typed)), 0);

    start_events(SIF_INITDOMAIN, 0, 0);
    check_equal("length of the message of a dom0 with input", strlen(output()), 0);
    check_equal("console_read in a dom0 with input", console_read(typed, sizeof(typed)), 4);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_events, live_teardown),
        cmocka_unit_test_teardown(test_no_console_input, live_teardown),
    };

    return cmocka_run_group_tests_name("events stage", tests, NULL, NULL);
}
