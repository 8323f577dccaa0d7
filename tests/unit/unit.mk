# SPDX-License-Identifier: MIT
#
# Unit tests: the kernel's sources are compiled for this machine with AddressSanitizer and UBSan, and
# linked with a fake Xen. lib/string.c is left out: the C library has functions of the same names, and
# the sanitizers check their arguments. The Makefile includes this file, which uses COMMON, XEN_HEADERS
# and XEN_ABI. The bound for stack frames is larger than the kernel's, because the sanitizers make
# frames larger.

UNIT_CC    ?= gcc
UNIT_FLAGS  = $(COMMON) -Wframe-larger-than=65536 -D_GNU_SOURCE -O1 -g \
          -fno-omit-frame-pointer -fno-strict-aliasing \
          -fsanitize=address,undefined -fno-sanitize-recover=all -isystem $(XEN_HEADERS) $(XEN_ABI) \
          $(UNIT_MORE)

UNIT_TESTS := $(sort $(wildcard tests/unit/test_*.c))
UNIT_SRCS  := $(filter-out lib/string.c $(UNIT_TESTS),$(sort $(wildcard lib/*.c mm/*.c \
          tests/unit/*.c))) arch/x86/call_trace.c arch/x86/pte.c $(addprefix xen/,balloon.c clock.c console.c \
          evtchn.c grant_map.c grants.c host.c start_info.c watchdog.c xenstore.c xenstore_request.c \
          xenstore_ring.c xenstore_wire.c) $(addprefix kernel/, \
          cmdline.c progress.c report.c suspend.c boot/balloon.c boot/builder.c boot/events.c boot/foreign.c \
          boot/memory.c boot/new_map.c boot/setup.c boot/stages.c boot/store.c boot/surplus.c boot/walk.c \
          selftest/sweep.c shell/shell.c)
UNIT_BINS  := $(UNIT_TESTS:tests/unit/%.c=$(B)/unit/%)
UNIT_OBJS  := $(addprefix $(B)/unit/,$(UNIT_SRCS:.c=.o))

unit-build: $(UNIT_BINS)

unit: deps-check
	@$(MAKE) --no-print-directory unit-build
	@CMOCKA_MESSAGE_OUTPUT=TAP UBSAN_OPTIONS=print_stacktrace=1 \
	    $(PROVE) -j2 --exec '' $(UNIT_BINS)

coverage:
	@$(MAKE) --no-print-directory B=$(B)/coverage UNIT_MORE=--coverage unit
	@scripts/check/coverage $(B)/coverage/unit

$(UNIT_BINS): $(B)/unit/%: $(B)/unit/tests/unit/%.o $(B)/unit/unit.a
	@echo '  UNITLD  $@'
	@$(UNIT_CC) $(UNIT_FLAGS) -o $@ $^ -lcmocka

$(B)/unit/unit.a: $(UNIT_OBJS)
	@rm -f $@
	@ar rcs $@ $^

# The harness has its own platform_write, which keeps the output. The console's is tested as console_write.
$(B)/unit/xen/console.o: UNIT_FLAGS += -Dplatform_write=console_write

# foreign_init is replaced, because a program can map only some addresses for the foreign window.
$(B)/unit/kernel/boot/foreign.o: UNIT_FLAGS += -Dforeign_init=fake_foreign_init

$(B)/unit/%.o: %.c
	@mkdir -p $(@D)
	@echo '  UNITCC  $<'
	@$(UNIT_CC) $(UNIT_FLAGS) -MMD -MP -c -o $@ $<

.SECONDARY: $(UNIT_TESTS:%.c=$(B)/unit/%.o)

-include $(UNIT_OBJS:.o=.d) $(UNIT_TESTS:%.c=$(B)/unit/%.d)
