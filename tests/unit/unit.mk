# Unit tests: each tests/unit/test_NAME.c is one cmocka program for the build machine, under the
# address and undefined-behaviour sanitizers. For each:
#   test_NAME_SOURCES := files of the project that it tests (beside itself)
#   test_NAME_CFLAGS  := instead of -iquote hypervisor/hosted (the core's port on the build machine)
#   test_NAME_LIBS    := libraries beside cmocka
# The project's headers are found by -iquote: core/sched.h must not hide the C library's <sched.h>.
# tests/unit/test_*.py run under pytest. `make test-unit` runs everything and counts;
# `make test-unit-NAME` runs one program and shows its output.

BUILD ?= build
UNIT := $(BUILD)/unit
UNIT_CC ?= gcc
UNIT_PYTHON ?= /usr/bin/python3
UNIT_SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=undefined
UNIT_CFLAGS := -std=gnu17 -Og -g -Wall -Wextra -Werror -DDEBUG $(UNIT_SANITIZE) \
               -Iinclude -iquote hypervisor/core
UNIT_HOSTED := -iquote hypervisor/hosted

test_lock_SOURCES := hypervisor/core/lock.c hypervisor/hosted/port.c hypervisor/core/memory.c hypervisor/core/extents.c \
                     hypervisor/hosted/log.c
test_lock_LIBS := -lpthread
test_memory_SOURCES := hypervisor/core/extents.c hypervisor/core/lock.c hypervisor/hosted/log.c
test_pqueue_SOURCES := hypervisor/core/pqueue.c
$(UNIT)/test_pqueue.d/hypervisor/core/pqueue.o: UNIT_EXTRA := -fsanitize-coverage=trace-pc
test_error_SOURCES := hypervisor/core/error.c
test_loader_SOURCES := hypervisor/core/loader.c hypervisor/core/kernel.c
test_bootargs_SOURCES := hypervisor/core/bootargs.c


UNIT_RISCV := -iquote hypervisor/riscv -iquote hypervisor/riscv/machine -iquote hypervisor/drivers

# libfdt is compiled into each test that uses it, as for the hypervisor, for the sanitizers to see what it does:
#   test_NAME_SOURCES := ... $(UNIT_FDT)   test_NAME_CFLAGS := ... $(UNIT_FDT_CFLAGS)
UNIT_FDT_FOLDER := $(BUILD)/third_party/dtc/libfdt
UNIT_FDT_CFLAGS := -isystem $(UNIT_FDT_FOLDER)
UNIT_FDT := $(patsubst %,$(UNIT_FDT_FOLDER)/%.c,fdt fdt_ro fdt_addresses fdt_check fdt_strerror fdt_sw fdt_wip fdt_rw)
$(UNIT_FDT): $(BUILD)/third_party/dtc/.stamp ;
UNIT_DMFS := $(addprefix hypervisor/core/,dmfs.c dmfs_capsules.c tree.c)
test_dmfs_SOURCES := $(UNIT_DMFS) $(UNIT_FDT)
test_dmfs_CFLAGS := $(UNIT_HOSTED) $(UNIT_FDT_CFLAGS)
test_dmfs_LIBS := -lz -Wl,--wrap=crc32

# Device trees of machines: of QEMU's, and of those in data/*.dts.
UNIT_DATA := $(UNIT)/data
UNIT_QEMU_TREE = @mkdir -p $(@D) && qemu-system-riscv64 -display none -machine $(1),dumpdtb=$@ $(2) 2>$@.log || \
	{ cat $@.log; false; }
UNIT_TREES := $(patsubst %,$(UNIT_DATA)/%.dtb,virt small sifive_u spike aclint aia aplic aia_aclint board)
$(UNIT_DATA)/virt.dtb: ; $(call UNIT_QEMU_TREE,virt,-smp 8)
$(UNIT_DATA)/small.dtb: ; $(call UNIT_QEMU_TREE,virt,-smp 1)
$(UNIT_DATA)/sifive_u.dtb: ; $(call UNIT_QEMU_TREE,sifive_u,-smp 5)
$(UNIT_DATA)/spike.dtb: ; $(call UNIT_QEMU_TREE,spike,-smp 2)
$(UNIT_DATA)/aclint.dtb: ; $(call UNIT_QEMU_TREE,virt$(comma)aclint=on,-smp 2)
$(UNIT_DATA)/aia.dtb: ; $(call UNIT_QEMU_TREE,virt$(comma)aia=aplic-imsic,-smp 2)
$(UNIT_DATA)/aplic.dtb: ; $(call UNIT_QEMU_TREE,virt$(comma)aia=aplic,-smp 2)
$(UNIT_DATA)/aia_aclint.dtb: ; $(call UNIT_QEMU_TREE,virt$(comma)aclint=on$(comma)aia=aplic-imsic,-smp 2)
$(UNIT_DATA)/%.dtb: tests/unit/data/%.dts
	@mkdir -p $(@D) && dtc -q -I dts -O dtb -o $@ $<
comma := ,

test_seed_SOURCES := hypervisor/riscv/seed.c
test_seed_CFLAGS := $(UNIT_RISCV)
test_isa_SOURCES := hypervisor/riscv/isa.c hypervisor/riscv/isa_read.c
test_isa_CFLAGS := $(UNIT_RISCV)
test_platform_SOURCES := hypervisor/riscv/platform.c hypervisor/riscv/platform_tree.c hypervisor/riscv/seed.c hypervisor/riscv/isa.c hypervisor/riscv/isa_read.c hypervisor/riscv/serial.c \
	$(wildcard hypervisor/drivers/*.c) hypervisor/core/memory.c hypervisor/core/extents.c hypervisor/core/lock.c \
	hypervisor/core/error.c hypervisor/core/tree.c hypervisor/hosted/log.c $(UNIT_FDT)
test_platform_CFLAGS := $(UNIT_RISCV) $(UNIT_FDT_CFLAGS) -DUNIT_DATA='"$(UNIT_DATA)"'
$(UNIT)/test_platform: | $(UNIT_TREES)
test_tree_SOURCES := hypervisor/core/tree.c $(UNIT_FDT)
test_tree_CFLAGS := $(UNIT_HOSTED) $(UNIT_FDT_CFLAGS) -DUNIT_DATA='"$(UNIT_DATA)"'
$(UNIT)/test_tree: | $(UNIT_TREES)

test_serial_SOURCES := hypervisor/riscv/serial.c hypervisor/core/lock.c hypervisor/hosted/log.c
test_serial_CFLAGS := $(UNIT_RISCV) $(UNIT_FDT_CFLAGS)
test_ring_SOURCES := hypervisor/core/ring.c
test_log_SOURCES := hypervisor/core/log.c hypervisor/core/ring.c hypervisor/core/lock.c \
                    hypervisor/core/memory.c hypervisor/core/extents.c hypervisor/hosted/port.c
test_console_SOURCES := hypervisor/core/console.c hypervisor/core/ring.c hypervisor/core/lock.c \
                        hypervisor/core/memory.c hypervisor/core/extents.c hypervisor/hosted/port.c hypervisor/hosted/log.c
test_service_SOURCES := hypervisor/core/service.c hypervisor/core/service_reports.c hypervisor/core/trace.c hypervisor/core/lock.c hypervisor/core/memory.c hypervisor/core/extents.c \
                        hypervisor/hosted/port.c
test_service_LIBS := -lpthread
test_console_service_SOURCES := $(filter-out %/main.c,$(wildcard services/console/*.c))
test_console_service_CFLAGS := -iquote services/runtime

# The guest's machine, on its own headers and with fakes of everything outside it.
MACHINE_SOURCES := hypervisor/core/trace.c hypervisor/riscv/seed.c hypervisor/riscv/decode.c $(wildcard hypervisor/riscv/machine/*.c) hypervisor/riscv/isa.c hypervisor/riscv/isa_read.c tests/unit/machine_fakes.c $(UNIT_FDT)
MACHINE_CFLAGS := $(UNIT_RISCV) $(UNIT_FDT_CFLAGS)
test_machine_SOURCES := $(MACHINE_SOURCES)
test_machine_CFLAGS := $(MACHINE_CFLAGS)
test_machine_uart_SOURCES := $(MACHINE_SOURCES)
test_machine_uart_CFLAGS := $(MACHINE_CFLAGS)
test_machine_plic_SOURCES := $(MACHINE_SOURCES)
test_machine_plic_CFLAGS := $(MACHINE_CFLAGS)
test_machine_flash_SOURCES := $(MACHINE_SOURCES)
test_machine_flash_CFLAGS := $(MACHINE_CFLAGS)
test_sbi_SOURCES := $(MACHINE_SOURCES)
test_sbi_CFLAGS := $(MACHINE_CFLAGS)
test_gstage_SOURCES := hypervisor/riscv/gstage.c hypervisor/core/capsule_memory.c
test_gstage_CFLAGS := $(UNIT_RISCV)
test_decode_SOURCES := hypervisor/riscv/decode.c
test_decode_CFLAGS := -iquote hypervisor/riscv

# The whole life of capsules on simulated harts.
UNIT_LIFE := $(patsubst %,hypervisor/core/%.c,sched wake trace cap placement placement_admit capsule capsule_memory loader kernel memory extents lock pqueue error console service service_reports ring log) \
	hypervisor/hosted/port.c tests/unit/simulation.c
test_sched_SOURCES := $(UNIT_LIFE)
test_sched_LIBS := -lpthread
test_sched_cost_SOURCES := $(UNIT_LIFE)
test_sched_cost_LIBS := -lpthread
$(patsubst %,$(UNIT)/test_sched_cost.d/hypervisor/core/%.o,sched wake pqueue): UNIT_EXTRA := -fsanitize-coverage=trace-pc
test_placement_SOURCES := $(UNIT_LIFE)
test_placement_LIBS := -lpthread
test_cap_SOURCES := $(UNIT_LIFE)
test_cap_LIBS := -lpthread
test_capsule_SOURCES := $(UNIT_LIFE)
test_capsule_LIBS := -lpthread
test_capsule_memory_SOURCES := hypervisor/core/capsule_memory.c hypervisor/core/error.c hypervisor/core/memory.c hypervisor/core/extents.c \
                               hypervisor/core/lock.c hypervisor/hosted/port.c hypervisor/hosted/log.c
test_ownership_SOURCES := $(UNIT_LIFE) hypervisor/core/ownership.c
test_ownership_LIBS := -lpthread
test_faults_SOURCES := $(UNIT_LIFE) $(UNIT_DMFS)
test_faults_CFLAGS := $(UNIT_HOSTED) -DUNIT_DATA='"$(UNIT_DATA)"'
test_faults_LIBS := -lpthread -lfdt -lz
$(UNIT)/test_faults: | $(UNIT_DATA)/faults.dmfs
$(UNIT_DATA)/%.dmfs: tests/unit/data/%.toml $(MKDMFS)
	@mkdir -p $(@D) && $(UNIT_PYTHON) tools/mkdmfs $< -o $@

UNIT_TESTS := $(patsubst tests/unit/%.c,%,$(wildcard tests/unit/test_*.c))
UNIT_PYTESTS := $(wildcard tests/unit/test_*.py)

# $(1) test: its objects are its own, because flags differ from test to test.
define unit_test
$(1)_OBJECTS := $$(patsubst %.c,$(UNIT)/$(1).d/%.o,$$($(1)_SOURCES) tests/unit/$(1).c)
$$($(1)_OBJECTS): $(UNIT)/$(1).d/%.o: %.c
	@mkdir -p $$(@D)
	@$(UNIT_CC) $(UNIT_CFLAGS) $$(if $$($(1)_CFLAGS),$$($(1)_CFLAGS),$(UNIT_HOSTED)) $$(UNIT_EXTRA) -MMD -MP -c $$< -o $$@
$(UNIT)/$(1): $$($(1)_OBJECTS)
	@echo "  LINK $$@"
	@$(UNIT_CC) $(UNIT_SANITIZE) $$^ -lcmocka $$($(1)_LIBS) -o $$@
$$(filter $(UNIT)/$(1).d/$(UNIT_FDT_FOLDER)/%,$$($(1)_OBJECTS)): UNIT_EXTRA = -w $$(call fdt_assume,$$(basename $$(notdir $$<)))
-include $$($(1)_OBJECTS:.o=.d)
.PHONY: test-unit-$(1:test_%=%)
test-unit-$(1:test_%=%): $(UNIT)/$(1)
	$(UNIT)/$(1)
endef
$(foreach test,$(UNIT_TESTS),$(eval $(call unit_test,$(test))))

# All of the core compiled for the build machine: the proof that it needs nothing of RISC-V.
HOSTED_OBJECTS := $(patsubst %.c,$(BUILD)/hosted/%.o,$(wildcard hypervisor/core/*.c))
$(HOSTED_OBJECTS): $(BUILD)/hosted/%.o: %.c
	@mkdir -p $(@D)
	@$(UNIT_CC) -std=gnu17 -O2 -g -Wall -Wextra -Werror -Iinclude -iquote hypervisor/core $(UNIT_HOSTED) \
	    -MMD -MP -c $< -o $@
$(BUILD)/hosted/libcore.a: $(HOSTED_OBJECTS)
	@echo "  AR   $@"
	@rm -f $@ && $(AR) rcs $@ $^
-include $(HOSTED_OBJECTS:.o=.d)

.PHONY: test-unit
test-unit: $(BUILD)/hosted/libcore.a $(UNIT_TESTS:%=$(UNIT)/%)
	@BUILD=$(BUILD) tests/unit/run.sh "$(UNIT_PYTHON)" "$(UNIT_PYTESTS)" \
	    $(UNIT_TESTS:%=$(UNIT)/%)
