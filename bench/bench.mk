# SPDX-License-Identifier: MIT
#
# Costs. `make bench` boots the kernel under real Xen and counts instructions; `make bench-lookup`
# times the hot path on this machine, from the kernel's own source; `make bench-grant` counts what a
# granted page costs, mapped and unmapped. Each compares with its bounds and fails past them;
# BENCH='--twice 1G 16G' are arguments of bench/run, or of bench/grant. `make plot` draws what
# bench/results.tsv holds. Included by the Makefile, whose COMMON, XEN_HEADERS and XEN_ABI are used.

BENCH       ?=
BENCH_CC    ?= gcc
# What the kernel is compiled with, as far as it changes what a lookup costs
BENCH_FLAGS  = $(COMMON) -D_GNU_SOURCE -O2 -g -fno-strict-aliasing -fcf-protection=none \
          -isystem $(XEN_HEADERS) $(XEN_ABI)
LOOKUP_OBJS := $(addprefix $(B)/bench/,bench/lookup.o mm/p2m.o mm/range.o)

bench: deps-run
	@$(MAKE) --no-print-directory $(B)/xenolith
	bench/run --kernel $(B)/xenolith $(BENCH)

bench-lookup: $(B)/bench/lookup
	$< bench/lookup.tsv

## bench-grant      what a granted page costs, mapped and unmapped, against a ballooned one
bench-grant: deps-run
	@$(MAKE) --no-print-directory $(B)/xenolith
	bench/grant --kernel $(B)/xenolith $(BENCH)

plot:
	@scripts/deps plot
	gnuplot -c bench/plot.gp bench/results.tsv docs/pictures/bench.svg

$(B)/bench/lookup: $(LOOKUP_OBJS)
	@echo '  BENCHLD $@'
	@$(BENCH_CC) $(BENCH_FLAGS) -o $@ $^

$(B)/bench/%.o: %.c bench/bench.mk
	@mkdir -p $(@D)
	@echo '  BENCHCC $<'
	@$(BENCH_CC) $(BENCH_FLAGS) -MMD -MP -c -o $@ $<

-include $(LOOKUP_OBJS:.o=.d)

.PHONY: bench bench-lookup bench-grant plot
