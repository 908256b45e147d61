# The benchmark: instructions per operation, in capsules and on bare firmware (docs/performance.md).
#
#   make bench                       measure, print a table, fail if a budget is exceeded
#   make bench-linux                 what Linux takes to its login prompt; not a part of make bench
#   make bench BENCH_ARGS=--update   make what is measured the budget, where it misses its goal
#
# The hypervisor is a release build in a folder of its own. It is always asked for: the other make
# knows what it is made of.

BENCH_BUILD := $(BUILD)/release
BENCH_ARGS ?=
RUNS ?= 2

$(PAYLOAD)/bench.elf: $(PAYLOAD)/tests/bench/entry.S.o $(PAYLOAD)/tests/bench/bench.c.o $(PAYLOAD_LIB) \
		tests/payload/lib/payload.ld
	$(call brief,LD,$@)ld.lld -pie -e bench_start --strip-all $(PAYLOAD_LDFLAGS) $(filter %.o,$^) -o $@
$(PAYLOAD)/bench.bin: $(PAYLOAD)/bench.elf
	$(call brief,OBJCOPY,$@)$(RISCV_OBJCOPY) -O binary $< $@

.PHONY: bench bench-hypervisor bench-linux
bench-hypervisor:
	@$(MAKE) BUILD=$(BENCH_BUILD) CACHE=$(CACHE) QUALITY=release SERVICES=no GUESTS=no SETUP=no \
		$(BENCH_BUILD)/diosix.elf

bench: bench-hypervisor $(PAYLOAD)/bench.elf $(PAYLOAD)/bench.bin $(QEMU10)
	BUILD=$(BUILD) $(PYTHON) tests/bench/bench.py --qemu $(QEMU10) --hypervisor $(BENCH_BUILD)/diosix.elf $(BENCH_ARGS)

bench-linux: bench-hypervisor $(QEMU10) $(GUEST_FILES)
	BUILD=$(BUILD) $(PYTHON) tests/bench/linux.py --qemu $(QEMU10) --hypervisor $(BENCH_BUILD)/diosix.elf --runs $(RUNS)
