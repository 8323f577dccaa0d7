# SPDX-License-Identifier: MIT
#
# Fuzzing: clang compiles the kernel's parsers for this machine with libFuzzer, ASan and UBSan, and
# libFuzzer feeds inputs to them that reach new code. The Makefile includes this file after unit.mk,
# because it uses UNIT_FLAGS. lib/string.c is left out for the reason that unit.mk gives.
#
#   FUZZ_SECONDS=60    time for each target; FUZZ_RUNS=N instead: exactly N runs of each target
#   FUZZ="e820 ..."    only these targets
#   FUZZ_JOBS=1        number of targets that run at the same time
#
# The first inputs are those of tests/fuzz/corpus. New inputs go to build/fuzz. make fuzz-corpus
# writes to tests/fuzz/corpus the smallest set of both that reaches the same code.

FUZZ_CC      ?= clang
FUZZ         ?= e820 start_info cmdline xenstore console
FUZZ_SECONDS ?= 60
FUZZ_JOBS    ?= 1
FUZZ_FLAGS    = $(filter-out -O1,$(UNIT_FLAGS)) -O2

FUZZ_SRCS_e820       := mm/e820.c mm/range.c
FUZZ_SRCS_start_info := xen/start_info.c mm/pagetable.c mm/fixmap.c \
                        mm/m2p.c mm/p2m.c mm/range.c
FUZZ_SRCS_cmdline    := kernel/cmdline.c lib/number.c
FUZZ_SRCS_xenstore   := $(addprefix xen/xenstore,.c _request.c _ring.c _wire.c) \
                        xen/evtchn.c xen/clock.c xen/watchdog.c \
                        lib/number.c tests/fuzz/fake.c
FUZZ_SRCS_console    := xen/console.c xen/clock.c xen/watchdog.c tests/fuzz/fake.c
FUZZ_COMMON          := arch/x86/pte.c lib/errno.c lib/format.c lib/panic.c lib/printk.c tests/fuzz/fuzz.c

FUZZ_BINS := $(FUZZ:%=$(B)/fuzz/fuzz_%)

fuzz: deps-fuzz
	@$(MAKE) --no-print-directory fuzz-build
	@tests/fuzz/run.sh -j '$(FUZZ_JOBS)' -s '$(FUZZ_SECONDS)' -n '$(FUZZ_RUNS)' $(B)/fuzz $(FUZZ)

fuzz-build: $(FUZZ_BINS)

fuzz-corpus: $(FUZZ_BINS)
	@tests/fuzz/run.sh --merge $(B)/fuzz $(FUZZ)

define FUZZ_RULE
$(B)/fuzz/fuzz_$1: $$(addprefix $(B)/fuzz/,$$(addsuffix .o,tests/fuzz/fuzz_$1.c $$(FUZZ_SRCS_$1) \
          $$(FUZZ_COMMON)))
	@echo '  FUZZLD  $$@'
	@$$(FUZZ_CC) $$(FUZZ_FLAGS) -fsanitize=fuzzer -o $$@ $$^
endef
$(foreach target,$(FUZZ),$(eval $(call FUZZ_RULE,$(target))))

# Only the kernel's code counts for coverage. The targets themselves run without UBSan, for speed.
$(B)/fuzz/tests/fuzz/%.c.o: FUZZ_COVER = -fno-sanitize=undefined
FUZZ_COVER = -fsanitize=fuzzer-no-link

$(B)/fuzz/%.c.o: %.c Makefile tests/fuzz/fuzz.mk
	@mkdir -p $(@D)
	@echo '  FUZZCC  $<'
	@$(FUZZ_CC) $(FUZZ_FLAGS) $(FUZZ_COVER) -MMD -MP -c -o $@ $<

.SECONDARY: $(foreach target,$(FUZZ),$(addprefix $(B)/fuzz/,$(addsuffix .o,\
          tests/fuzz/fuzz_$(target).c $(FUZZ_SRCS_$(target)) $(FUZZ_COMMON))))

-include $(wildcard $(B)/fuzz/*/*.d $(B)/fuzz/*/*/*.d)
