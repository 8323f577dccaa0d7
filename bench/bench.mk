# SPDX-License-Identifier: MIT
#
# Benchmarks. `make bench` boots the kernel under real Xen and counts instructions. `make bench-lookup`
# times p2m_get on this machine, compiled from the kernel's source. `make bench-grant` counts the
# instructions to map and unmap a granted page, and `make bench-suspend` those of a suspend and a
# resume. Each compares the results with bounds, and fails if one is exceeded. BENCH='--twice 1G 16G':
# arguments of bench/run, bench/grant or bench/suspend. `make plot` draws bench/results.tsv. The Makefile
# includes this file, which uses COMMON, XEN_HEADERS and XEN_ABI.

BENCH       ?=
BENCH_CC    ?= gcc
# The flags of the kernel that change the cost of a look-up
BENCH_FLAGS  = $(COMMON) -D_GNU_SOURCE -O2 -g -fno-strict-aliasing -fcf-protection=none \
          -isystem $(XEN_HEADERS) $(XEN_ABI)
LOOKUP_OBJS := $(addprefix $(B)/bench/,bench/lookup.o mm/p2m.o mm/range.o)

bench: deps-run
	@$(MAKE) --no-print-directory $(B)/xenolith
	bench/run --kernel $(B)/xenolith $(BENCH)

bench-lookup: $(B)/bench/lookup
	$< bench/lookup.tsv

bench-grant: deps-run
	@$(MAKE) --no-print-directory $(B)/xenolith
	bench/grant --kernel $(B)/xenolith $(BENCH)

bench-suspend: deps-run
	@$(MAKE) --no-print-directory $(B)/xenolith
	bench/suspend --kernel $(B)/xenolith $(BENCH)

plot:
	@scripts/fetch/deps plot
	gnuplot -c bench/plot.gp bench/results.tsv docs/pictures/bench.svg

$(B)/bench/lookup: $(LOOKUP_OBJS)
	@echo '  BENCHLD $@'
	@$(BENCH_CC) $(BENCH_FLAGS) -o $@ $^

$(B)/bench/%.o: %.c bench/bench.mk
	@mkdir -p $(@D)
	@echo '  BENCHCC $<'
	@$(BENCH_CC) $(BENCH_FLAGS) -MMD -MP -c -o $@ $<

-include $(LOOKUP_OBJS:.o=.d)

.PHONY: bench bench-lookup bench-grant bench-suspend plot
