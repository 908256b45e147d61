# Fuzzing on the build machine, of what parses data from outside: each tests/fuzz/host/fuzz_NAME.c
# is one libFuzzer program, under the address and undefined-behaviour sanitizers. For each:
#   fuzz_NAME_SOURCES := what it tests     fuzz_NAME_CFLAGS := instead of the hosted port's
#   fuzz_NAME_LIBS    := libraries         fuzz_NAME_RUNS   := how many runs `make test` gives it
#   fuzz_NAME_MAX     := bytes of an input, if not 4096
# NAME.dict are words that its inputs have, corpus/NAME inputs to begin with: seeds, what reached new
# code, and each input that once found a defect.
#
#   make fuzz-host [TIME=60] [TARGET='platform image']   seconds for each; new inputs are kept
#   make test-fuzz-host                                  a fixed number of runs, the same each time
#   make fuzz-host-coverage [TARGET=image]               what is reached by what is kept
#   make fuzz-host-keep [TARGET=image]                   what reached new code goes to the tree

FUZZ_HOST := $(BUILD)/fuzz/host
FUZZ_HOST_CC ?= clang
FUZZ_HOST_SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=undefined
FUZZ_HOST_CFLAGS := -std=gnu17 -O2 -g -fno-pie -fno-omit-frame-pointer -Wall -Wextra -Werror -DDEBUG \
	$(FUZZ_HOST_SANITIZE) -fsanitize=fuzzer-no-link -Iinclude -iquote hypervisor/core
FUZZ_HOST_OF_ALL := tests/fuzz/host/fuzz.c
FUZZ_HOST_TREE := tests/fuzz/host/tree.c $(UNIT_FDT)
FUZZ_HOST_PLAN := hypervisor/core/loader.c hypervisor/core/kernel.c tests/fuzz/host/plan.c

fuzz_platform_SOURCES := $(filter-out hypervisor/hosted/log.c,$(test_platform_SOURCES)) $(FUZZ_HOST_TREE)
fuzz_platform_CFLAGS := $(UNIT_RISCV) $(UNIT_FDT_CFLAGS)
fuzz_platform_RUNS := 600

fuzz_image_SOURCES := $(UNIT_DMFS) $(FUZZ_HOST_PLAN) $(FUZZ_HOST_TREE)
fuzz_image_CFLAGS := $(UNIT_HOSTED) $(UNIT_FDT_CFLAGS)
fuzz_image_LIBS := -lz
fuzz_image_RUNS := 1500

fuzz_kernel_SOURCES := $(FUZZ_HOST_PLAN)
fuzz_kernel_RUNS := 200000

fuzz_isa_SOURCES := hypervisor/riscv/isa.c hypervisor/riscv/isa_read.c
fuzz_isa_CFLAGS := $(UNIT_RISCV)
fuzz_isa_RUNS := 8000

fuzz_bootargs_SOURCES := hypervisor/core/bootargs.c
fuzz_bootargs_RUNS := 50000

fuzz_decode_SOURCES := hypervisor/riscv/decode.c
fuzz_decode_CFLAGS := $(UNIT_RISCV)
fuzz_decode_RUNS := 50000

fuzz_sbi_SOURCES := $(MACHINE_SOURCES)
fuzz_sbi_CFLAGS := $(MACHINE_CFLAGS) -iquote tests/unit
fuzz_sbi_LIBS := -lcmocka
fuzz_sbi_RUNS := 20000

fuzz_machine_SOURCES := $(MACHINE_SOURCES)
fuzz_machine_CFLAGS := $(MACHINE_CFLAGS) -iquote tests/unit
fuzz_machine_LIBS := -lcmocka
fuzz_machine_RUNS := 30000

fuzz_service_SOURCES := $(test_service_SOURCES) $(patsubst %,hypervisor/core/%.c,console log ring)
fuzz_service_CFLAGS := $(UNIT_HOSTED) -iquote tests/unit
fuzz_service_RUNS := 30000

fuzz_console_SOURCES := $(test_console_service_SOURCES)
fuzz_console_CFLAGS := -iquote services/runtime
fuzz_console_RUNS := 40000

FUZZ_HOST_TARGETS := $(patsubst tests/fuzz/host/fuzz_%.c,%,$(wildcard tests/fuzz/host/fuzz_*.c))

# $(1) target: its objects are its own, because flags differ. The variables of what is tested go
# into sections of their own.
define fuzz_host_target
fuzz_$(1)_OBJECTS := $$(patsubst %.c,$(FUZZ_HOST)/$(1).d/%.o,\
	$$(sort $$(fuzz_$(1)_SOURCES)) $(FUZZ_HOST_OF_ALL) tests/fuzz/host/fuzz_$(1).c)
$$(fuzz_$(1)_OBJECTS): $(FUZZ_HOST)/$(1).d/%.o: %.c
	@mkdir -p $$(@D)
	@$(FUZZ_HOST_CC) $(FUZZ_HOST_CFLAGS) $$(or $$(fuzz_$(1)_CFLAGS),$(UNIT_HOSTED)) $$(FUZZ_HOST_EXTRA) \
		-MMD -MP -c $$< -o $$@
$$(filter $(FUZZ_HOST)/$(1).d/hypervisor/% $(FUZZ_HOST)/$(1).d/services/%,$$(fuzz_$(1)_OBJECTS)): \
	FUZZ_HOST_EXTRA := -include tests/fuzz/host/variables.h
$$(filter $(FUZZ_HOST)/$(1).d/$(UNIT_FDT_FOLDER)/%,$$(fuzz_$(1)_OBJECTS)): \
	FUZZ_HOST_EXTRA = -w $$(call fdt_assume,$$(basename $$(notdir $$<)))
$(FUZZ_HOST)/fuzz_$(1): $$(fuzz_$(1)_OBJECTS)
	$$(call brief,LINK,$$@)$(FUZZ_HOST_CC) $(FUZZ_HOST_SANITIZE) -fsanitize=fuzzer -no-pie $$^ \
		$$(fuzz_$(1)_LIBS) -o $$@
-include $$(fuzz_$(1)_OBJECTS:.o=.d)
endef
$(foreach target,$(FUZZ_HOST_TARGETS),$(eval $(call fuzz_host_target,$(target))))

TIME ?= 60
TARGET ?= $(FUZZ_HOST_TARGETS)
# NAME:RUNS:MAX for each
fuzz_host_words = $(foreach name,$(1),$(name):$(fuzz_$(name)_RUNS):$(or $(fuzz_$(name)_MAX),4096))

.PHONY: fuzz-host test-fuzz-host fuzz-host-keep fuzz-host-coverage
fuzz-host: $(TARGET:%=$(FUZZ_HOST)/fuzz_%)
	@tests/fuzz/host/run fuzz $(FUZZ_HOST) $(TIME) $(call fuzz_host_words,$(TARGET))

test-fuzz-host: $(FUZZ_HOST_TARGETS:%=$(FUZZ_HOST)/fuzz_%)
	@tests/fuzz/host/run test $(FUZZ_HOST) $(TEST_JOBS) $(call fuzz_host_words,$(FUZZ_HOST_TARGETS))

fuzz-host-keep fuzz-host-coverage: fuzz-host-%: $(TARGET:%=$(FUZZ_HOST)/fuzz_%)
	@tests/fuzz/host/run $* $(FUZZ_HOST) - $(call fuzz_host_words,$(TARGET))
