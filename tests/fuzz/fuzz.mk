# The fuzz guest, and a hypervisor that it is let loose on: one whose undefined behaviour, failed
# assertions and wrong orders of locks stop the machine (docs/testing.md).
#
#   make fuzz [SEED=1] [TIME=60] [MACHINE=gstage] [ROUNDS=1]
#
# runs on every machine in turns, or one, for so many seconds each.
#
# Like the benchmark's, that hypervisor has a folder of its own, and the other make knows what it is
# made of.

FUZZ_BUILD := $(BUILD)/sanitized
FUZZ_GUESTS := $(PAYLOAD)/fuzz.elf $(PAYLOAD)/keeper.elf
SEED ?=
TIME ?= 60
MACHINE ?=
ROUNDS ?= 1

fuzz_objects := $(patsubst %,$(PAYLOAD)/%.o,$(filter-out tests/fuzz/keeper.c,$(wildcard tests/fuzz/*.[cS]))) $(PAYLOAD_LIB)

$(PAYLOAD)/fuzz.elf: $(fuzz_objects) tests/payload/lib/payload.ld
	$(call brief,LD,$@)ld.lld -pie $(PAYLOAD_LDFLAGS) $(filter %.o,$^) -o $@
$(PAYLOAD)/keeper.elf: $(PAYLOAD)/tests/fuzz/keeper.c.o $(PAYLOAD_LIB) tests/payload/lib/payload.ld
	$(call brief,LD,$@)ld.lld -pie $(PAYLOAD_LDFLAGS) $(filter %.o,$^) -o $@

.PHONY: fuzz fuzz-hypervisor
fuzz-hypervisor:
	@$(MAKE) BUILD=$(FUZZ_BUILD) CACHE=$(CACHE) QUALITY=debug SANITIZE=yes SERVICES=no GUESTS=no SETUP=no \
		$(FUZZ_BUILD)/diosix.elf

# CI runs a little of it.
test-system: fuzz-hypervisor $(FUZZ_GUESTS)

fuzz: fuzz-hypervisor $(FUZZ_GUESTS) $(PAYLOAD)/canary.elf $(SERVICE_FILES) $(QEMU10)
	BUILD=$(BUILD) QEMU=$(QEMU) $(PYTHON) tests/fuzz/fuzz.py $(if $(SEED),--seed $(SEED)) --time $(TIME) --rounds $(ROUNDS) \
		$(MACHINE)
