# The compiler for RISC-V and the C library that goes with it, and the build machine's own compiler.
#
# The hypervisor and its services are built for RV64IMAC, without floating point, so that they run
# on any 64-bit hart that Linux runs on.

RISCV_PREFIX := riscv64-unknown-elf-
RISCV_MULTILIB := rv64imac/lp64

ifeq ($(TOOLCHAIN),clang)
# lld can relax RISC-V code only since version 15; it is not worth asking for.
RISCV_CC := clang --target=riscv64-unknown-elf -mno-relax -fuse-ld=lld -Wno-unused-command-line-argument
# Until version 16 clang counts these two among the base ISA and does not know their names.
RISCV_ARCH_BASE := $(shell $(RISCV_CC) -march=rv64i_zicsr_zifencei -E -x c /dev/null \
	>/dev/null 2>&1 && echo _zicsr_zifencei)
else
RISCV_ARCH_BASE := _zicsr_zifencei
RISCV_CC := $(RISCV_PREFIX)gcc
endif
RISCV_MODEL := -mabi=lp64 -mcmodel=medany
RISCV_ARCH := -march=rv64imac$(RISCV_ARCH_BASE) $(RISCV_MODEL)
RISCV_ARCH_FP := -march=rv64imafdc$(RISCV_ARCH_BASE) $(RISCV_MODEL)
RISCV_AR := $(RISCV_PREFIX)ar
RISCV_NM := $(RISCV_PREFIX)nm
RISCV_OBJCOPY := $(RISCV_PREFIX)objcopy
RISCV_OBJDUMP := $(RISCV_PREFIX)objdump
RISCV_SIZE := $(RISCV_PREFIX)size

# For this RISCV_ARCH gcc 12 does not find the right one of picolibc's variants, and clang none:
# name it.
PICOLIBC := /usr/lib/picolibc/riscv64-unknown-elf
PICOLIBC_CFLAGS := -isystem $(PICOLIBC)/include
PICOLIBC_LIBC := $(PICOLIBC)/lib/$(RISCV_MULTILIB)/libc.a
# Found when used, for the compiler may have to be installed first.
RISCV_LIBGCC = $(shell $(RISCV_PREFIX)gcc -march=rv64imac -mabi=lp64 -print-libgcc-file-name)

HOST_CC ?= gcc
