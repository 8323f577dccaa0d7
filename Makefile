# SPDX-License-Identifier: MIT
#
# Xenolith: `make run` boots it under Xen, `make check` tests it, `make help` lists the rest.

VERSION := 0.1.0
B       := build
BOOT    ?= --host-mem 1G --mem 512M
ARGS    ?=
PROVE   ?= prove

# CC=clang builds as well; CROSS_COMPILE=x86_64-linux-gnu- on a machine of another kind.
ifeq ($(origin CC),default)
CC      := $(CROSS_COMPILE)gcc
endif
STRIP   := $(CROSS_COMPILE)strip
# asked once, and only by a target that compiles
XEN_HEADERS = $(eval XEN_HEADERS := $(shell scripts/xen headers))$(XEN_HEADERS)

LAYERS := lib arch/x86 mm xen kernel tests/guest
SRCS   := $(sort $(wildcard $(addsuffix /*.c,$(LAYERS)) $(addsuffix /*.S,$(LAYERS))))
OBJS   := $(addprefix $(B)/,$(addsuffix .o,$(SRCS)))

# What every file is compiled with. -iquote: our headers are named from the top ("mm/p2m.h"),
# Xen's with angle brackets (<xen/xen.h>), and xen/ of ours is never mistaken for theirs.
COMMON := -std=gnu11 -Wall -Wextra -Werror -Wstrict-prototypes -Wmissing-prototypes -Wvla \
          -Wundef -Wshadow -Wframe-larger-than=2048 -iquote . -DVERSION='"$(VERSION)"'
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

-include $(OBJS:.o=.d) $(B)/elfnotes.S.d $(B)/elfnotes-legacy.S.d

## lint             format, shellcheck, cppcheck, layers, a build by clang, the same bytes twice
lint: all
	scripts/lint

## scripts-check    tests of the scripts, with no Xen
scripts-check: all
	$(PROVE) -j2 tests/scripts

## scenarios        the kernel under real Xen: the rows of tests/matrix that make check runs
scenarios: all
	scripts/matrix -j2 --tag check

## unit             unit tests of lib and mm on this machine, on a fake Xen (cmocka, ASan, UBSan)
## coverage         how much of lib, mm and xen they run: 90 % of the lines or more
include tests/unit/unit.mk

## bench            what boot costs on hosts of 2 to 700 GiB, in instructions, against its bounds
## bench-lookup     what a P2M lookup costs on this machine, against a bare array and a tree
## plot             draw bench/results.tsv: docs/pictures/bench.svg
include bench/bench.mk

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

.PHONY: all run picture check check-full unit coverage lint scripts-check scenarios dist help clean
.DELETE_ON_ERROR:
