# The hypervisor: $(BUILD)/diosix.elf, and $(BUILD)/diosix.bin for boot loaders that want it flat.

# Where the machine's reset vector jumps to, the most harts, and a hart's stack with its guard page.
LOAD_ADDRESS ?= 0x80000000
HARTS_MAX ?= 64
HART_STACK_SIZE ?= $(if $(filter debug,$(QUALITY)),0x4000,0x3000)
$(call number,LOAD_ADDRESS,0x1000,0x7ffffffff000,0x1000)
$(call number,HARTS_MAX,1,64,1)
$(call number,HART_STACK_SIZE,0x2000,0x100000,0x1000)

HV_BUILD := $(BUILD)/hypervisor
HV_SOURCES := $(wildcard hypervisor/core/*.c hypervisor/drivers/*.c hypervisor/riscv/*.c hypervisor/riscv/machine/*.c)
HV_ASSEMBLY := hypervisor/riscv/entry.S hypervisor/riscv/fp.S hypervisor/riscv/vector.S

# Of the libraries, only the files that are used.
HV_FDT := $(BUILD)/third_party/dtc/libfdt
HV_FDT_READER := fdt fdt_ro fdt_check fdt_strerror
HV_FDT_WRITER := fdt fdt_sw
# What each file may take for granted (libfdt_internal.h): 0x04 that trees are of version 17, which tree_fault()
# sees to; 0x02 that offsets are ones that libfdt gave, in the file that checks each of them against the size
# of the structure block anyway. A tree that is being written is ours: no damage is looked for in it.
# What reads trees goes after boot, what writes guests' stays: each has a copy of its own of what both need.
FDT_ASSUME_fdt := 0x06
FDT_ASSUME_fdt_ro := 0x04
FDT_ASSUME_fdt_check := 0x04
FDT_ASSUME_fdt_sw := 0x3f
fdt_assume = -DFDT_ASSUME_MASK=$(or $(FDT_ASSUME_$1),0)
HV_ZLIB := $(BUILD)/third_party/zlib
HV_THIRD_PARTY := $(BUILD)/third_party/dtc/.stamp $(BUILD)/third_party/zlib/.stamp

# What only boot needs is linked by itself first, for the linker script to know it: see core/boot_only.h.
HV_BOOT := $(patsubst %,$(HV_BUILD)/%.o,core/dmfs core/dmfs_capsules core/placement_admit core/tree \
	drivers/devicetree riscv/boot riscv/features riscv/isa_read riscv/platform_tree $(addprefix libfdt/,$(HV_FDT_READER)) zlib/crc32)

# What runs seldom: when capsules start and end, for people who ask, for devices that nobody waits for.
HV_SELDOM := $(patsubst %,$(HV_BUILD)/%.o,core/extents core/kernel core/loader core/memory core/service core/service_reports \
	drivers/aplic drivers/imsic drivers/plic riscv/bug riscv/gstage riscv/isa riscv/protect riscv/seed riscv/start \
	$(addprefix riscv/machine/,flash rtc sbi_console sbi_dbcn sbi_legacy sbi_susp))

HV_OBJECTS := $(patsubst hypervisor/%.c,$(HV_BUILD)/%.o,$(HV_SOURCES)) \
	$(patsubst hypervisor/%.S,$(HV_BUILD)/%.o,$(HV_ASSEMBLY)) \
	$(addprefix $(HV_BUILD)/,$(HV_FDT_READER:%=libfdt/%.o) $(HV_FDT_WRITER:%=libfdt_write/%.o) zlib/crc32.o)

HV_INCLUDES := -Iinclude -Ihypervisor -Ihypervisor/core -Ihypervisor/riscv -Ihypervisor/riscv/machine \
	-Ihypervisor/drivers -isystem $(HV_FDT) -isystem $(HV_ZLIB) $(PICOLIBC_CFLAGS)
# gcc would align each string and array to 8 bytes.
HV_ALIGN := $(if $(filter gcc,$(TOOLCHAIN)),-malign-data=natural)
HV_CFLAGS := $(RISCV_ARCH) -std=gnu17 -ffreestanding -fno-common -fno-pic -ffunction-sections -fdata-sections \
	$(HV_ALIGN) -g -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla \
	-DHART_MAX=$(HARTS_MAX) -DHART_STACK_SIZE=$(HART_STACK_SIZE) \
	$(if $(filter debug,$(QUALITY)),-O2 -DDEBUG,-Os -DNDEBUG -flto=auto)
# What C leaves undefined becomes a breakpoint, which ends as any fault of the hypervisor does.
HV_SANITIZE := $(if $(filter yes,$(SANITIZE)),-fsanitize=undefined $(if $(filter clang,$(TOOLCHAIN)),\
	-fsanitize-trap=all,-fsanitize-undefined-trap-on-error))
HV_THIRD_PARTY_CFLAGS := $(filter-out -W% -O2,$(HV_CFLAGS)) -Os -DZ_SOLO -DZ_U4=unsigned -DZ_TESTW=4 -DZ_TESTN=1
HV_LDFLAGS := $(RISCV_ARCH) $(HV_ALIGN) -Os -flto=auto -ffunction-sections -g -nostdlib -static -Wl,--gc-sections \
	-Wl,--defsym=vfprintf=__i_vfprintf \
	-Wl,--defsym=LOAD_ADDRESS=$(LOAD_ADDRESS) -Wl,--defsym=HART_STACK_SIZE=$(HART_STACK_SIZE)

$(HV_BUILD)/%.o: hypervisor/%.c hypervisor/hypervisor.mk $(BUILD)/config/compile $(HV_THIRD_PARTY)
	$(call brief,CC,$<)mkdir -p $(@D) && $(RISCV_CC) $(HV_CFLAGS) $(HV_SANITIZE) $(HV_INCLUDES) -MMD -MP -c -o $@ $<

$(HV_BUILD)/%.o: hypervisor/%.S hypervisor/hypervisor.mk $(BUILD)/config/compile
	$(call brief,AS,$<)mkdir -p $(@D) && $(RISCV_CC) $(HV_CFLAGS) $(HV_INCLUDES) -MMD -MP -c -o $@ $<

# Loops that are memset and memcpy must not become calls of them.
$(HV_BUILD)/riscv/string.o: HV_CFLAGS += -O2 -fno-builtin -fno-lto

# For speed whatever the rest is built for.
$(patsubst %,$(HV_BUILD)/%.o,core/pqueue core/sched core/wake drivers/uart_ns16550 $(addprefix riscv/,fast fast_access fast_instruction fpu interrupt isolation run translate world \
	machine/machine machine/plic machine/uart)): HV_CFLAGS += -O2

# The one file with FP instructions; it is called only on harts that have them.
$(HV_BUILD)/riscv/fp.o: HV_CFLAGS := $(RISCV_ARCH_FP) -g

# Stepping from tag to tag is most of the work with a tree. Copies of a few bytes are made in place here: what
# guests may write to meanwhile is not copied so, for the compiler might read it twice.
$(HV_BUILD)/libfdt/%.o $(HV_BUILD)/libfdt_write/%.o: HV_THIRD_PARTY_CFLAGS += -O2 -fbuiltin $(if $(filter gcc,$(TOOLCHAIN)),-fno-inline-small-functions)
$(HV_BUILD)/core/tree.o: HV_CFLAGS += -O2 -fbuiltin
$(HV_BUILD)/libfdt/%.o: $(BUILD)/third_party/dtc/.stamp hypervisor/hypervisor.mk $(BUILD)/config/compile
	$(call brief,CC,libfdt/$*.c)mkdir -p $(@D) && \
		$(RISCV_CC) $(HV_THIRD_PARTY_CFLAGS) $(call fdt_assume,$*) $(HV_INCLUDES) -c -o $@ $(HV_FDT)/$*.c
$(HV_BUILD)/libfdt_write/%.o: $(BUILD)/third_party/dtc/.stamp hypervisor/hypervisor.mk $(BUILD)/config/compile
	$(call brief,CC,libfdt/$*.c)mkdir -p $(@D) && \
		$(RISCV_CC) $(HV_THIRD_PARTY_CFLAGS) $(call fdt_assume,fdt_sw) $(HV_INCLUDES) -c -o $@ $(HV_FDT)/$*.c

# Four bytes at once, with tables of 5 KiB that go after boot. Eight at once would take no fewer instructions.
$(HV_BUILD)/zlib/%.o: HV_THIRD_PARTY_CFLAGS += -O2 -funroll-loops $(if $(filter gcc,$(TOOLCHAIN)),-fpeel-loops)
$(HV_BUILD)/zlib/%.o: $(BUILD)/third_party/zlib/.stamp hypervisor/hypervisor.mk $(BUILD)/config/compile
	$(call brief,CC,zlib/$*.c)mkdir -p $(@D) && \
		$(RISCV_CC) $(HV_THIRD_PARTY_CFLAGS) $(HV_INCLUDES) -c -o $@ $(HV_ZLIB)/$*.c

$(HV_BUILD)/image.o: hypervisor/riscv/image.S $(BUILD)/image.dmfs
	$(call brief,AS,$<)$(RISCV_CC) $(RISCV_ARCH) -DDMFS_FILE='"$(BUILD)/image.dmfs"' -c -o $@ $<

# A part that is linked by itself first.
link_part = $(RISCV_CC) $(RISCV_ARCH) $(HV_ALIGN) -Os -flto=auto -ffunction-sections -fdata-sections -g -nostdlib \
	-r $(if $(filter gcc,$(TOOLCHAIN)),-flinker-output=nolto-rel) -o $@ $^

$(HV_BUILD)/boot_only.o: $(HV_BOOT)
	$(call brief,LD,$@)$(link_part)
	@$(RISCV_OBJCOPY) --wildcard --localize-symbol='fdt_*' --prefix-alloc-sections=.boot $@

# Registers are saved by calls, which is slower and shorter.
$(HV_BUILD)/seldom.o: $(HV_SELDOM)
	$(call brief,LD,$@)$(link_part) -msave-restore

# lld cannot check references between sections; the build with gcc does.
HV_SCRIPTS := $(if $(filter gcc,$(TOOLCHAIN)),-T hypervisor/riscv/boot_only.ld) -T hypervisor/riscv/hypervisor.ld
HV_LINKED := $(filter-out $(HV_BOOT) $(HV_SELDOM),$(HV_OBJECTS)) $(addprefix $(HV_BUILD)/,boot_only.o seldom.o image.o)
$(BUILD)/diosix.elf: $(HV_LINKED) hypervisor/riscv/hypervisor.ld hypervisor/riscv/boot_only.ld
	$(call brief,LD,$@)$(RISCV_CC) $(HV_LDFLAGS) $(HV_SCRIPTS) -o $@ $(HV_LINKED) $(PICOLIBC_LIBC) $(RISCV_LIBGCC)

$(BUILD)/diosix.bin: $(BUILD)/diosix.elf
	$(call brief,OBJCOPY,$@)$(RISCV_OBJCOPY) -O binary $< $@

-include $(HV_OBJECTS:.o=.d)
