# SPDX-License-Identifier: MIT
#
# Xenolith: `make run` boots the kernel under Xen, `make check` tests it, `make help` lists all targets.

B       := build
BOOT    ?= --host-mem 1G --mem 512M
ARGS    ?=
PROVE   ?= prove
ON_XEN   = $(if $(XEN_DIST),--xen-dist '$(XEN_DIST:~/%=$(HOME)/%)')

# CC=clang is supported. CROSS_COMPILE=x86_64-linux-gnu- builds on another architecture than x86_64.
ifeq ($(origin CC),default)
CC      := $(CROSS_COMPILE)gcc
endif
STRIP   := $(CROSS_COMPILE)strip
# Evaluated once, and only by targets that compile. VERSION=... sets the version of a tree without git.
VERSION  = $(eval VERSION := $(or $(shell scripts/check/version),$(error scripts/check/version failed; its message is above)))$(VERSION)
XEN_HEADERS = $(eval XEN_HEADERS := $(or $(shell scripts/fetch/xen headers),$(error scripts/fetch/xen \
          could not fetch the headers of Xen; its message is above)))$(XEN_HEADERS)

LAYERS := lib arch/x86 mm xen kernel kernel/boot kernel/shell kernel/selftest tests/guest $(patsubst %/,%,$(wildcard tests/guest/*/))
SRCS   := $(sort $(wildcard $(addsuffix /*.c,$(LAYERS)) $(addsuffix /*.S,$(LAYERS))))
OBJS   := $(addprefix $(B)/,$(addsuffix .o,$(SRCS)))

# Flags of every file. -iquote: the headers of this tree are included by their path ("mm/p2m.h") and
# Xen's with angle brackets (<xen/xen.h>), so that the folder xen/ of this tree never stands for Xen's.
COMMON := -std=gnu11 -Wall -Wextra -Werror -Wstrict-prototypes -Wmissing-prototypes -Wvla \
          -Wundef -Wshadow -Wframe-larger-than=2048 -iquote .
XEN_ABI := -D__XEN_INTERFACE_VERSION__=0x00040d00 # the kernel needs Xen 4.13 or newer
# No floating point, no red zone (Xen pushes trap frames on the kernel's stack), and no C library. The
# image has no path and no date, so that the same source gives the same bytes.
FREESTANDING := -m64 -O2 -g -ffreestanding -fno-pic -mcmodel=kernel -mno-red-zone \
          -mgeneral-regs-only -fno-asynchronous-unwind-tables -fno-strict-aliasing -fno-common \
          -fstack-protector-strong -mstack-protector-guard=global -ffile-prefix-map=$(CURDIR)=. \
          -fcf-protection=none
CFLAGS_KERNEL = $(COMMON) $(FREESTANDING) -isystem $(XEN_HEADERS) $(XEN_ABI) \
          -ffile-prefix-map=$(XEN_HEADERS)=xen-headers $(PADDR_BITS:%=-DPADDR_BITS=%)
LDFLAGS_KERNEL := -nostdlib -static -Wl,--build-id=none -Wl,-z,noexecstack \
          -Wl,-z,max-page-size=4096 -Wl,--fatal-warnings

.DEFAULT_GOAL := all

## all              build the kernel, build/xenolith, and build/xenolith-legacy without the note INIT_P2M
all: $(B)/xenolith $(B)/xenolith-legacy

## run              boot the kernel as dom0 under Xen in QEMU, and show its console
##                  (BOOT='--mem 1G ...': options of scripts/boot, ARGS='...': arguments of the kernel)
run: deps-run
	@$(MAKE) --no-print-directory all
	scripts/boot $(BOOT) $(B)/xenolith -- $(ARGS)

## shell            boot the kernel with its shell on this terminal (SHELL_ARGS: scripts/shell --help)
shell: deps-run
	@$(MAKE) --no-print-directory all
	@scripts/shell $(SHELL_ARGS)

## gdb              boot the kernel as make run does, and stop in kernel_main in gdb (scripts/gdb --help)
gdb:
	@scripts/fetch/deps run gdb
	@$(MAKE) --no-print-directory all
	@scripts/gdb $(BOOT) $(B)/xenolith -- $(ARGS)

## picture          boot the kernel as make run does, and draw its memory: build/memory.svg and text
picture: deps-run
	@$(MAKE) --no-print-directory all
	scripts/boot --quiet --log $(B)/memory.log $(BOOT) $(B)/xenolith -- $(ARGS)
	scripts/memory-map -o $(B)/memory.svg $(B)/memory.log
	@scripts/memory-map --text $(B)/memory.log 2>/dev/null
	@echo 'picture: $(B)/memory.svg was drawn'

## check            run unit tests, lint, tests of scripts and scenarios, in less than eight minutes
##                  (XEN_DIST=~/xen/dist/install: scenarios on this Xen, with its own toolstack)
check: deps-check
	@$(MAKE) --no-print-directory all
	@$(MAKE) --no-print-directory -j3 --output-sync=target unit exhaustive lint debug-xen scripts-check
	@$(MAKE) --no-print-directory scenarios
	@[ ! -s $(B)/skipped ] || sed 's/^/skipped: /' $(B)/skipped

# The debug Xen, which takes three minutes to build, is built while tests without Xen and lint run.
debug-xen: deps-check
	@scripts/fetch/xen hypervisor 4.17-debug >/dev/null

## check-full       run check, long scenarios (other Xens, hosts beyond 1 TiB), mutation tests, and a fifth
##                  of the faults in Xen, another fifth each day
check-full: check
	scripts/matrix -j2 --tag full $(ON_XEN) --logs $(B)/scenarios
	XENOLITH_EDGES=0 scripts/matrix --tag heavy $(ON_XEN) --logs $(B)/scenarios
	scripts/mutants -j2
	scripts/xen-faults -j2 --fifth day/5

$(B)/xenolith: $(B)/elfnotes.S.o
$(B)/xenolith-legacy: $(B)/elfnotes-legacy.S.o
$(B)/xenolith-legacy: NOTES = --legacy
$(B)/xenolith $(B)/xenolith-legacy: $(OBJS) $(B)/linker.lds scripts/check/notes
	@echo '  LD      $@'
	@$(CC) -m64 $(LDFLAGS_KERNEL) -T $(B)/linker.lds -o $@.tmp $(filter %.o,$^)
	@scripts/check/notes $(NOTES) $(PADDR_BITS:%=--maxphys %) $@.tmp
	@mv $@.tmp $@

$(B)/elfnotes-legacy.S.o: elfnotes.S Makefile
	@mkdir -p $(@D)
	@echo '  CC      $< (legacy)'
	@$(CC) $(CFLAGS_KERNEL) -DLEGACY -MMD -MP -c -o $@ $<

$(B)/%.c.o: %.c Makefile
	@mkdir -p $(@D)
	@echo '  CC      $<'
	@$(CC) $(CFLAGS_KERNEL) -MMD -MP -c -o $@ $<

$(B)/%.S.o: %.S Makefile
	@mkdir -p $(@D)
	@echo '  CC      $<'
	@$(CC) $(CFLAGS_KERNEL) -MMD -MP -c -o $@ $<

$(B)/linker.lds: linker.ld arch/x86/layout.h
	@mkdir -p $(@D)
	@$(CC) -E -P -x c -iquote . -o $@ $<

# Two sources contain the version; they are compiled again when the version has changed.
WITH_VERSION := $(B)/kernel/main.c.o $(B)/elfnotes.S.o $(B)/elfnotes-legacy.S.o
$(WITH_VERSION): CFLAGS_KERNEL += -DVERSION='"$(VERSION)"'
$(WITH_VERSION): $(B)/version
$(B)/version: always
	@mkdir -p $(@D)
	@echo '$(VERSION)' | cmp -s - $@ || echo '$(VERSION)' >$@

# More than half of the image is no part of the boot path: small is better than fast there, except in
# a benchmark. Self-tests have the stack protector in its plain form, for functions with arrays.
SELF_TESTS := $(filter $(B)/kernel/selftest/% $(B)/tests/guest/%,$(OBJS))
SMALL := $(SELF_TESTS) $(filter $(B)/kernel/shell/% $(B)/kernel/report.% $(B)/kernel/cmdline.%,$(OBJS))
$(filter-out %/bench_grant.c.o,$(SMALL)): CFLAGS_KERNEL += -Oz
$(filter-out %/bench_grant.c.o,$(SELF_TESTS)): CFLAGS_KERNEL += -fstack-protector

-include $(OBJS:.o=.d) $(B)/elfnotes.S.d $(B)/elfnotes-legacy.S.d

## lint             check layout, shell, C, layers, a build by clang, and a reproducible build
lint: deps-check
	@$(MAKE) --no-print-directory all
	+scripts/check/lint

# The longest tests run first. They wait most of the time, so four run at the same time.
LONG_TESTS   := $(addprefix tests/scripts/,ssh.t domus.t boot.t xen.t dom0.t)
SCRIPT_TESTS := $(LONG_TESTS) $(filter-out $(LONG_TESTS),$(sort $(wildcard tests/scripts/*.t)))

## scripts-check    test the scripts, without Xen
scripts-check: deps-check
	@$(MAKE) --no-print-directory all
	$(PROVE) -j4 $(SCRIPT_TESTS)

## scenarios        boot the kernel under real Xen: the rows of tests/matrix with the tag check
scenarios: deps-check
	@$(MAKE) --no-print-directory all
	XENOLITH_EDGES=1 scripts/matrix -j2 --tag check $(ON_XEN) --logs $(B)/scenarios

## unit             run unit tests on this machine, on a fake Xen (cmocka, ASan, UBSan)
## coverage         check that unit tests run 90 % of the lines of lib, mm and xen, and list the others
include tests/unit/unit.mk

## prove            check all proofs of tests/proofs, and that each of them fails on its mutants (docs/proofs.md)
prove: deps-prove
	@scripts/prove -j2 || [ $$? = 3 ]
	@scripts/mutants -j2 --by proof

## exhaustive       check the proofs that need only gcc: all inputs up to a small size
exhaustive: deps-check
	@scripts/prove -j2 --tool exhaustive

## fuzz             fuzz the parsers with libFuzzer: FUZZ_SECONDS=60 for each target, or FUZZ_RUNS=N
## fuzz-corpus      merge the inputs that make fuzz has found into tests/fuzz/corpus
include tests/fuzz/fuzz.mk

## mutants          check that a test notices each small mistake of tests/mutants
mutants: deps-check
	scripts/mutants -j2

## xen-faults       check that a self-test notices each fault of tests/xen-faults in a Xen that has it
##                  (FAULTS='--only NAME ...': options of scripts/xen-faults)
xen-faults: deps-check
	@$(MAKE) --no-print-directory all
	scripts/xen-faults -j2 $(FAULTS)

## check-commits    build and unit-test each commit that is not in origin/main (RANGE=main~3..)
check-commits: deps-check
	scripts/check/commits $(RANGE)

## bench            count the instructions of a boot on hosts of 2 to 700 GiB, and check the bounds
## bench-lookup     time a P2M look-up on this machine, compared with an array and a tree
## bench-grant      count the instructions to map a granted page, in the foreign window and over RAM
## bench-suspend    count the instructions of a suspend and a resume, for guests of 64 MiB to 64 GiB
## plot             draw bench/results.tsv as docs/pictures/bench.svg
include bench/bench.mk

## xtf              make build/xtf, the self-tests for the runner of Xen Test Framework
xtf: all
	@echo '  XTF     $(B)/xtf'
	@rm -rf $(B)/xtf
	@NM=$(CROSS_COMPILE)nm scripts/xtf $(B)/xtf $(B)/xenolith

## dist             copy the images, with their version and checksums, to build/dist
dist: all
	@mkdir -p $(B)/dist
	@for image in xenolith xenolith-legacy; do \
	    $(STRIP) -o $(B)/dist/$$image-$(VERSION) $(B)/$$image; done
	@cd $(B)/dist && sha256sum xenolith-$(VERSION) xenolith-legacy-$(VERSION) | tee SHA256SUMS

## help             print this list
help:
	@echo 'make targets:'
	@sed -n 's/^## /  /p' Makefile

## clean            remove build/; the cache of scripts/fetch/xen stays
clean:
	rm -rf $(B)

deps-%:
	@scripts/fetch/deps $*

.PHONY: all run shell gdb picture check check-full unit unit-build coverage prove exhaustive fuzz fuzz-build fuzz-corpus mutants xen-faults check-commits \
        lint scripts-check scenarios debug-xen dist xtf help clean always
.DELETE_ON_ERROR:
