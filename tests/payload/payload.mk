# Payloads: small supervisor-mode guests, one C file each, linked with tests/payload/lib.
#
#   $(BUILD)/payload/NAME.elf         position-independent, runs anywhere
#   $(BUILD)/payload/NAME.bin         the same as a flat binary
#   $(BUILD)/payload/NAME-fixed.elf   linked at 0x8020_0000, where QEMU's virt starts a supervisor program
#
# With clang 14, which knows neither zicsr nor zifencei by name, they are part of the base; it also warns
# that RISCV_CC's linker is not called here.

PAYLOAD := $(BUILD)/payload
PAYLOAD_NAMES := $(patsubst tests/payload/%.c,%,$(wildcard tests/payload/*.c))
PAYLOADS := $(PAYLOAD_NAMES:%=$(PAYLOAD)/%.elf) $(PAYLOAD_NAMES:%=$(PAYLOAD)/%.bin) $(PAYLOAD)/canary-fixed.elf

PAYLOAD_ARCH := $(if $(filter clang,$(TOOLCHAIN)),-march=rv64imac,-march=rv64imac_zicsr_zifencei)
# For assembly that needs F, D and V; only its callers ask whether the hart has them.
PAYLOAD_ARCH_S := $(if $(filter clang,$(TOOLCHAIN)),-march=rv64gcv,-march=rv64gcv_zicsr_zifencei)
PAYLOAD_CFLAGS := -mabi=lp64 -mcmodel=medany -mno-relax -fPIE -ffreestanding -fno-builtin -fno-stack-protector \
	-fno-asynchronous-unwind-tables -fvisibility=hidden -std=gnu17 -O2 -g -Wall -Wextra -Werror -Wno-unused-command-line-argument \
	-Iinclude -Itests/payload/lib
PAYLOAD_LDFLAGS := --no-dynamic-linker -z max-page-size=4096 -z norelro -T tests/payload/lib/payload.ld

PAYLOAD_LIB := $(patsubst %,$(PAYLOAD)/%.o,$(wildcard tests/payload/lib/*.[cS]))
# Assembly of a payload is in NAME_*.S, but for what belongs to one with a longer name.
payload_assembly = $(filter-out $(foreach longer,$(filter $1_%,$(PAYLOAD_NAMES)),\
	$(wildcard tests/payload/$(longer)_*.S)),$(wildcard tests/payload/$1_*.S))
payload_objects = $(PAYLOAD)/tests/payload/$1.c.o $(patsubst %,$(PAYLOAD)/%.o,$(call payload_assembly,$1)) $(PAYLOAD_LIB)

$(PAYLOAD)/%.c.o: %.c tests/payload/payload.mk $(BUILD)/config/compile
	$(call brief,CC,$<)mkdir -p $(@D) && $(RISCV_CC) $(PAYLOAD_ARCH) $(PAYLOAD_CFLAGS) -MMD -MP -c $< -o $@

$(PAYLOAD)/%.S.o: %.S tests/payload/payload.mk $(BUILD)/config/compile
	$(call brief,AS,$<)mkdir -p $(@D) && $(RISCV_CC) $(PAYLOAD_ARCH_S) $(PAYLOAD_CFLAGS) -MMD -MP -c $< -o $@

define payload
$(PAYLOAD)/$1.elf: $$(call payload_objects,$1) tests/payload/lib/payload.ld
	$$(call brief,LD,$$@)ld.lld -pie $(PAYLOAD_LDFLAGS) $$(filter %.o,$$^) -o $$@
$(PAYLOAD)/$1-fixed.elf: $$(call payload_objects,$1) tests/payload/lib/payload.ld
	$$(call brief,LD,$$@)ld.lld -static --defsym=BASE=0x80200000 $(PAYLOAD_LDFLAGS) $$(filter %.o,$$^) -o $$@
$(PAYLOAD)/$1.bin: $(PAYLOAD)/$1.elf
	$$(call brief,OBJCOPY,$$@)$(RISCV_OBJCOPY) -O binary $$< $$@
endef
$(foreach name,$(PAYLOAD_NAMES),$(eval $(call payload,$(name))))
-include $(shell find $(PAYLOAD) -name '*.d' 2>/dev/null)

.PHONY: payloads
payloads: $(PAYLOADS)
