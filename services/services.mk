# Services: programs that run in capsules with properties. Each has a folder here with a main(), and
# links with services/runtime.
#
#   SERVICE_FILES   $(BUILD)/services/NAME.elf for each

SERVICE_NAMES := console
SERVICE_BUILD := $(BUILD)/services
SERVICE_FILES := $(SERVICE_NAMES:%=$(SERVICE_BUILD)/%.elf)

# A static position-independent executable: services/runtime/start.S says why. With nothing visible
# from outside, the compiler needs no table to find what is inside.
SERVICE_CFLAGS = $(RISCV_ARCH) -std=gnu17 -fpie -fvisibility=hidden -ffreestanding -fno-common \
	-fno-asynchronous-unwind-tables -ffunction-sections -fdata-sections \
	-g -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla \
	-Iinclude -Iservices/runtime $(PICOLIBC_CFLAGS) -Os $(if $(filter release,$(QUALITY)),-DNDEBUG)

# GNU ld for bare RISC-V cannot make this kind of executable; lld can. No service prints floating
# point, so picolibc's smaller printf is enough. -z notext: the relocation table may name words
# in constant data, too, because start.S comes before everything else.
SERVICE_LD := ld.lld -pie --no-dynamic-linker -z notext --gc-sections --build-id=none \
	--defsym=vfprintf=__i_vfprintf

service-objects = $(patsubst services/%,$(SERVICE_BUILD)/%.o,\
	$(basename $(wildcard services/$1/*.c services/$1/*.S)))

$(SERVICE_BUILD)/%.o: services/%.c $(BUILD)/config/compile
	$(call brief,CC,$<)mkdir -p $(@D) && $(RISCV_CC) $(SERVICE_CFLAGS) -MMD -MP -c -o $@ $<

$(SERVICE_BUILD)/%.o: services/%.S $(BUILD)/config/compile
	$(call brief,AS,$<)mkdir -p $(@D) && $(RISCV_CC) $(SERVICE_CFLAGS) -MMD -MP -c -o $@ $<

# What goes into the image is without debugging information; NAME.debug has it.
define service-rule
$(SERVICE_BUILD)/$1.debug: $(call service-objects,runtime) $(call service-objects,$1) services/runtime/service.ld
	$$(call brief,LD,$$@)$$(SERVICE_LD) -T services/runtime/service.ld -o $$@ \
		$$(filter %.o,$$^) $$(PICOLIBC_LIBC) $$(RISCV_LIBGCC)

$(SERVICE_BUILD)/$1.elf: $(SERVICE_BUILD)/$1.debug
	$$(call brief,STRIP,$$@)$$(RISCV_OBJCOPY) --strip-all $$< $$@

-include $(patsubst %.o,%.d,$(call service-objects,runtime) $(call service-objects,$1))
endef
$(foreach name,$(SERVICE_NAMES),$(eval $(call service-rule,$(name))))

.PHONY: services
services: $(SERVICE_FILES)
