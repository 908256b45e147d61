# System tests: real QEMU, real guests, the serial port. docs/testing.md says how to add one.
#
#   make test-system [PYTEST='-k NAME -x']   all of them, or some
#   make test-long                           ten thousand lives of a capsule, a thousand of a service
#   make test-payload-native                 payloads on bare firmware instead of in capsules, to compare

include tests/payload/payload.mk

PYTEST ?=
TEST_JOBS ?= 2

.PHONY: test-system test-payload-native
test-system: $(BUILD)/diosix.elf $(BUILD)/diosix.bin $(PAYLOADS) $(GUEST_FILES) $(SERVICE_FILES) $(QEMU10) \
		$(GUEST_FIRMWARE_FILES) $(GUEST_DEBIAN)/initrd.gz
	BUILD=$(BUILD) QEMU=$(QEMU) $(PYTHON) -m pytest -p no:cacheprovider -n $(TEST_JOBS) --dist loadgroup \
		-q --tb=short -rfE --durations=5 tests/system $(PYTEST)

.PHONY: test-long
test-long:
	TEST_CYCLES=10000 $(MAKE) test-system PYTEST='-k test_cycles'

# Those that hold on any RISC-V machine with an SBI.
PAYLOADS_NATIVE := sbi timer suspend uart plic traps isolation memory_zero fp spin canary
test-payload-native: $(PAYLOADS_NATIVE:%=$(PAYLOAD)/%.bin) $(QEMU10)
	QEMUS='$(QEMU) $(QEMU10)' tests/payload/run-native $(filter %.bin,$^)
