# What a person types. `make help` lists it; README.md explains it.
#
# This file has the options and the targets of that list, and no rule that builds anything. Each
# part of the tree brings its own rules, and everything that they make lands in $(BUILD):
#
#   tools/setup/       set-up: packages of this machine, fetched sources, compilers
#   guests/            GUEST_FILES           guests for the default manifest
#   services/          SERVICE_FILES         services
#   tools/mkdmfs.mk    $(BUILD)/image.dmfs   guests and services as the manifest says
#   hypervisor/        $(BUILD)/diosix.elf   the hypervisor with that image inside; diosix.bin
#   tests/             test-unit, test-fuzz-host, test-system
#   tools/check.mk     check

define HELP
Diosix, a bare-metal hypervisor for 64-bit RISC-V

  make run          build everything and start it on QEMU (Control-a x leaves QEMU)
  make image        build $(BUILD)/diosix.elf and $(BUILD)/diosix.bin, no more (also: make)
  make test         run every test; make test-unit, test-fuzz-host and
                    test-system run a part, test-long one part for longer
  make fuzz         let guests do anything to the hypervisor: [SEED=1] [TIME=60] [MACHINE=…]
  make fuzz-host    fuzz what parses data from outside: [TIME=60] seconds for each [TARGET=…]
  make bench        count instructions per operation; fails when one is over its budget
  make bench-linux  the same for a Linux guest, up to its login prompt: [RUNS=2]
  make check        formatting and static analysis; make format lays the code out
  make setup        install and fetch what the build needs, no more; the others do it too
                    (make setup-test: what the tests need)
  make guest-small  build a small Linux guest from source, for harts without floating point
                    (make guest-firmware: U-Boot and EDK2, from Debian)
  make clean        delete what was built; downloads are kept
  make distclean    delete the downloads, too

Options, with their present values:

  CPUS=$(CPUS)                   harts of the machine
  MEM=$(MEM)                 its RAM
  ISOLATION=$(ISOLATION)           auto: what the harts can do; pmp: no second stage of translation
  QEMU_CPU=$(QEMU_CPU)                CPU model, such as rv64,h=off, sifive-u54 or max
                           (empty: QEMU's default)
  QEMU=$(QEMU)
  BOOTARGS=$(BOOTARGS)                more words for the hypervisor, as docs/running.md has them
  QUALITY=$(QUALITY)            debug: assertions; release: speed
  SANITIZE=$(SANITIZE)              yes: undefined behaviour in the hypervisor stops the machine
  LOAD_ADDRESS=$(LOAD_ADDRESS)  where the hypervisor is linked; HARTS_MAX=$(HARTS_MAX): the most harts;
                           HART_STACK_SIZE=$(HART_STACK_SIZE): the stack of each
  MANIFEST=$(MANIFEST)   what goes into the image
  SERVICES=$(SERVICES)             no: leave the manifest's services out
  GUESTS=$(GUESTS)               no: leave its guests out
  TOOLCHAIN=$(TOOLCHAIN)            gcc or clang
  OFFLINE=$(OFFLINE)               yes: never download; name what is missing
  SETUP=$(SETUP)                no: don't look for Debian packages on this machine
  MIRROR=$(MIRROR)                  Debian mirror (empty: the one in apt's sources)
  CACHE=$(CACHE)        where downloads are kept
  V=$(V)                       1: show whole commands
endef

BUILD := build

CPUS ?= 2
MEM ?= 512M
ISOLATION ?= auto
QEMU_CPU ?=
QEMU ?= qemu-system-riscv64
BOOTARGS ?=
QUALITY ?= debug
SANITIZE ?= no
MANIFEST ?= manifest.toml
SERVICES ?= yes
GUESTS ?= yes
TOOLCHAIN ?= gcc
OFFLINE ?= no
SETUP ?= yes
MIRROR ?=
CACHE ?= $(BUILD)/cache
V ?=
PYTHON ?= /usr/bin/python3

# $(call one-of,NAME,VALUES): the option NAME has one of these two values.
one-of = $(if $(filter-out 1,$(words $($1)))$(filter-out $2,$($1)),\
	$(error $1=$($1) is not known; use $1=$(firstword $2) or $1=$(lastword $2)))
# $(call number,NAME,LEAST,MOST,STEP): the option NAME is a number from LEAST to MOST, a multiple of STEP.
number = $(if $(shell n=$$(printf %d '$($1)' 2>&1) && echo $$((n >= $2 && n <= $3 && n % $4 == 0)) | grep 1),,\
	$(error $1=$($1) is not possible; use a number from $2 to $3$(if $(filter-out 1,$4),$(,) a multiple of $4)))
, := ,
$(call one-of,QUALITY,debug release)
$(call one-of,SANITIZE,yes no)
$(call one-of,ISOLATION,auto pmp)
$(call one-of,SERVICES,yes no)
$(call one-of,GUESTS,yes no)
$(call one-of,TOOLCHAIN,gcc clang)
$(call one-of,OFFLINE,yes no)
$(call one-of,SETUP,yes no)
$(call number,CPUS,1,512,1)

only_talk := $(findstring n,$(firstword -$(MAKEFLAGS))) # make -n
MAKEFLAGS += --no-builtin-rules --no-print-directory
.SUFFIXES:
.SECONDARY:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := image

# $(call brief,CC,$@) at the start of a recipe line prints `CC file`, or with V=1 the whole command.
brief = $(if $(filter 1,$(V)),,@printf '  %-7s %s\n' '$1' '$2'; )

# A rule whose output depends on options has one of these files as a prerequisite: they change when
# the options do.
#   $(BUILD)/config/compile   how C is compiled
#   $(BUILD)/config/image     what goes into the image
$(BUILD)/config/compile: config = $(QUALITY) $(TOOLCHAIN) $(SANITIZE) $(LOAD_ADDRESS) $(HARTS_MAX) $(HART_STACK_SIZE)
$(BUILD)/config/image: config = $(MANIFEST) $(SERVICES) $(GUESTS)
$(BUILD)/config/compile $(BUILD)/config/image: FORCE
	@mkdir -p $(@D); echo '$(config)' | cmp -s - $@ || echo '$(config)' >$@
FORCE:

.PHONY: help image all run test clean distclean FORCE

help:
	$(info $(HELP))@:

include tools/setup/toolchain.mk
include guests/guests.mk
include tools/setup/setup.mk
include services/services.mk
include tools/mkdmfs.mk
include hypervisor/hypervisor.mk
include tests/tests.mk
include tools/check.mk

image all: $(BUILD)/diosix.elf $(BUILD)/diosix.bin

bootargs := $(strip $(if $(filter pmp,$(ISOLATION)),isolation=pmp) $(BOOTARGS))
QEMU_COMMAND = $(QEMU) -bios none -machine virt -nographic -smp $(CPUS) -m $(MEM) \
	$(if $(QEMU_CPU),-cpu $(QEMU_CPU)) -kernel $(BUILD)/diosix.elf \
	$(if $(bootargs),-append '$(bootargs)')

run: $(BUILD)/diosix.elf
	@echo 'Control-a x leaves QEMU; Control-a h lists its other keys.'
	$(if $(filter 1,$(V)),,@)exec $(strip $(QEMU_COMMAND))

test: test-unit test-fuzz-host test-system

clean:
	@rm -rf $(filter-out $(CACHE),$(wildcard $(BUILD)/*))

distclean:
	@rm -rf $(BUILD)
