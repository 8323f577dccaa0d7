# SPDX-License-Identifier: MIT
#
# Xenolith: `make run` boots it under Xen, `make check` tests it, `make help` lists the rest.

B       := build
BOOT    ?= --host-mem 1G --mem 512M
ARGS    ?=
PROVE   ?= prove

# CC=clang builds as well; CROSS_COMPILE=x86_64-linux-gnu- on a machine of another kind.
ifeq ($(origin CC),default)
CC      := $(CROSS_COMPILE)gcc
endif
STRIP   := $(CROSS_COMPILE)strip
# asked once, and only by a target that compiles; VERSION=... says it for a tree without git
VERSION  = $(eval VERSION := $(or $(shell scripts/version),$(error no version, as said above)))$(VERSION)
XEN_HEADERS = $(eval XEN_HEADERS := $(or $(shell scripts/xen headers),$(error no headers of Xen, as \
          said above)))$(XEN_HEADERS)

LAYERS := lib arch/x86 mm xen kernel kernel/boot kernel/shell kernel/selftest tests/guest
SRCS   := $(sort $(wildcard $(addsuffix /*.c,$(LAYERS)) $(addsuffix /*.S,$(LAYERS))))
OBJS   := $(addprefix $(B)/,$(addsuffix .o,$(SRCS)))

# What every file is compiled with. -iquote: our headers are named from the top ("mm/p2m.h"),
# Xen's with angle brackets (<xen/xen.h>), and xen/ of ours is never mistaken for theirs.
COMMON := -std=gnu11 -Wall -Wextra -Werror -Wstrict-prototypes -Wmissing-prototypes -Wvla \
          -Wundef -Wshadow -Wframe-larger-than=2048 -iquote .
XEN_ABI := -D__XEN_INTERFACE_VERSION__=0x00040d00 # this interface or an older one: Xen 4.13 on
# No floating point, no red zone (Xen pushes traps on our stack), no assumption of a libc, and no
# path or date in the image: the same source gives the same bytes.
FREESTANDING := -m64 -O2 -g -ffreestanding -fno-pic -mcmodel=kernel -mno-red-zone \
          -mgeneral-regs-only -fno-asynchronous-unwind-tables -fno-strict-aliasing -fno-common \
          -fstack-protector-strong -mstack-protector-guard=global -ffile-prefix-map=$(CURDIR)=. \
          -fcf-protection=none
CFLAGS_KERNEL = $(COMMON) $(FREESTANDING) -isystem $(XEN_HEADERS) $(XEN_ABI) \
          -ffile-prefix-map=$(XEN_HEADERS)=xen-headers
LDFLAGS_KERNEL := -nostdlib -static -Wl,--build-id=none -Wl,-z,noexecstack \
          -Wl,-z,max-page-size=4096 -Wl,--fatal-warnings

.DEFAULT_GOAL := all

## all              build/xenolith, and the same without INIT_P2M: build/xenolith-legacy
all: $(B)/xenolith $(B)/xenolith-legacy

## run              boot the kernel as dom0 under Xen in QEMU, and show its console
##                  (BOOT='--mem 1G ...' are arguments of scripts/boot, ARGS='...' of the kernel)
run: deps-run
	@$(MAKE) --no-print-directory all
	scripts/boot $(BOOT) $(B)/xenolith -- $(ARGS)

## shell            boot it into its shell, on this terminal (SHELL_ARGS: scripts/shell --help)
shell: deps-run
	@$(MAKE) --no-print-directory all
	@scripts/shell $(SHELL_ARGS)

## gdb              boot it likewise, and stop in kernel_main in gdb (scripts/gdb --help)
gdb:
	@scripts/deps run gdb
	@$(MAKE) --no-print-directory all
	@scripts/gdb $(BOOT) $(B)/xenolith -- $(ARGS)

## picture          boot it likewise, and draw its memory: build/memory.svg, and as text
picture: deps-run
	@$(MAKE) --no-print-directory all
	scripts/boot --quiet --log $(B)/memory.log $(BOOT) $(B)/xenolith -- $(ARGS)
	scripts/memory-map -o $(B)/memory.svg $(B)/memory.log
	@scripts/memory-map --text $(B)/memory.log 2>/dev/null
	@echo 'the picture is $(B)/memory.svg'

## check            all tests that take less than ten minutes: unit tests, lint, scenarios
check: deps-check
	@$(MAKE) --no-print-directory unit lint scripts-check scenarios

## check-full       and the long forms: other Xens, a debug Xen, hosts beyond 1 TiB, long lives
check-full: check
	scripts/matrix -j2 --tag full
	scripts/matrix --tag heavy
	scripts/mutants -j2

$(B)/xenolith: $(B)/elfnotes.S.o
$(B)/xenolith-legacy: $(B)/elfnotes-legacy.S.o
$(B)/xenolith-legacy: NOTES = --legacy
$(B)/xenolith $(B)/xenolith-legacy: $(OBJS) $(B)/linker.lds scripts/check-notes
	@echo '  LD      $@'
	@$(CC) -m64 $(LDFLAGS_KERNEL) -T $(B)/linker.lds -o $@.tmp $(filter %.o,$^)
	@scripts/check-notes $(NOTES) $@.tmp
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

# The version is in two files, which are compiled again when it is another one.
WITH_VERSION := $(B)/kernel/main.c.o $(B)/elfnotes.S.o $(B)/elfnotes-legacy.S.o
$(WITH_VERSION): CFLAGS_KERNEL += -DVERSION='"$(VERSION)"'
$(WITH_VERSION): $(B)/version
$(B)/version: always
	@mkdir -p $(@D)
	@echo '$(VERSION)' | cmp -s - $@ || echo '$(VERSION)' >$@

# Self-tests are a third of the image, and none is in a hurry but the one that takes the time.
$(filter-out %/bench_grant.c.o,$(filter $(B)/tests/guest/%,$(OBJS))): CFLAGS_KERNEL += -Oz

-include $(OBJS:.o=.d) $(B)/elfnotes.S.d $(B)/elfnotes-legacy.S.d

## lint             format, shellcheck, cppcheck, layers, a build by clang, the same bytes twice
lint: deps-check
	@$(MAKE) --no-print-directory all
	scripts/lint

# The longest first; most of the time they wait.
LONG_TESTS   := $(addprefix tests/scripts/,ssh.t domus.t boot.t xen.t dom0.t)
SCRIPT_TESTS := $(LONG_TESTS) $(filter-out $(LONG_TESTS),$(sort $(wildcard tests/scripts/*.t)))

## scripts-check    tests of the scripts, with no Xen
scripts-check: deps-check
	@$(MAKE) --no-print-directory all
	$(PROVE) -j4 $(SCRIPT_TESTS)

## scenarios        the kernel under real Xen: the rows of tests/matrix that make check runs
scenarios: deps-check
	@$(MAKE) --no-print-directory all
	scripts/matrix -j2 --tag check

## unit             unit tests of lib and mm on this machine, on a fake Xen (cmocka, ASan, UBSan)
## coverage         how much of lib, mm and xen they run: 90 % of the lines or more
include tests/unit/unit.mk

## fuzz             libFuzzer on what reads others' data: FUZZ_SECONDS=60 a target, or FUZZ_RUNS=N
## fuzz-corpus      merge what that has found into tests/fuzz/corpus
include tests/fuzz/fuzz.mk

## mutants          small mistakes in mm/, tests/mutants, each of which a test must notice
mutants: deps-check
	scripts/mutants -j2

## check-commits    build each commit that origin/main has not, and run its unit tests (RANGE=main~3..)
check-commits: deps-check
	scripts/check-commits $(RANGE)

## bench            what boot costs on hosts of 2 to 700 GiB, in instructions, against its bounds
## bench-lookup     what a P2M lookup costs on this machine, against a bare array and a tree
## bench-grant      what mapping a granted page costs, in the window and over RAM of our own
## plot             draw bench/results.tsv: docs/pictures/bench.svg
include bench/bench.mk

## xtf              the self-tests as a tree for the runner of Xen Test Framework, in build/xtf
xtf: all
	@echo '  XTF     $(B)/xtf'
	@rm -rf $(B)/xtf
	@NM=$(CROSS_COMPILE)nm scripts/xtf $(B)/xtf $(B)/xenolith

## dist             the images by version, with their checksums, in build/dist
dist: all
	@mkdir -p $(B)/dist
	@for image in xenolith xenolith-legacy; do \
	    $(STRIP) -o $(B)/dist/$$image-$(VERSION) $(B)/$$image; done
	@cd $(B)/dist && sha256sum xenolith-$(VERSION) xenolith-legacy-$(VERSION) | tee SHA256SUMS

## help             this list
help:
	@echo 'make targets:'
	@sed -n 's/^## /  /p' Makefile

## clean            remove build/; what was fetched stays in the cache
clean:
	rm -rf $(B)

deps-%:
	@scripts/deps $*

.PHONY: all run shell gdb picture check check-full unit unit-build coverage fuzz fuzz-build fuzz-corpus mutants check-commits \
        lint scripts-check scenarios dist xtf help clean always
.DELETE_ON_ERROR:
