# System tests: real QEMU, real guests, the serial port. docs/testing.md says how to add one.
#
#   make test-system [PYTEST='-k NAME -x']   all of them, or some
#   make test-payload-native                 payloads on bare firmware instead of in capsules, to compare

include tests/payload/payload.mk

PYTEST ?=
TEST_JOBS ?= 2

.PHONY: test-system test-payload-native
test-system: $(BUILD)/diosix.elf $(BUILD)/diosix.bin $(PAYLOADS) $(GUEST_FILES) $(SERVICE_FILES) $(QEMU10) \
		$(GUEST_FIRMWARE_FILES) $(GUEST_DEBIAN)/initrd.gz
	BUILD=$(BUILD) QEMU=$(QEMU) $(PYTHON) -m pytest -p no:cacheprovider -n $(TEST_JOBS) --dist loadgroup \
		-q --tb=short -rfE --durations=5 tests/system $(PYTEST)

# Those that hold on any RISC-V machine with an SBI.
PAYLOADS_NATIVE := sbi timer suspend uart plic traps isolation memory_zero fp spin canary
test-payload-native: $(PAYLOADS_NATIVE:%=$(PAYLOAD)/%.bin) $(QEMU10)
	QEMUS='$(QEMU) $(QEMU10)' tests/payload/run-native $(filter %.bin,$^)
