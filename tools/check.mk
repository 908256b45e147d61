# Checks of the source text: `make check`.
#
#   check-format   every C file is laid out as .clang-format says
#   check-static   two static analysers: cppcheck over the whole, and clang's analyser over each file
#                  with the very definitions that it is compiled with
#
# Whoever changes a file that is wrongly laid out may run `make format`.

CHECK_BUILD := $(BUILD)/check
CHECK_LAID_OUT = find include hypervisor services tests -name '*.[ch]' -print0 | xargs -0 clang-format

.PHONY: check check-format check-static check-cppcheck check-clang format
check: check-format check-static
check-static: check-cppcheck check-clang

check-format:
	$(call brief,FORMAT,every C file)$(CHECK_LAID_OUT) --dry-run -Werror

format:
	$(call brief,FORMAT,every C file)$(CHECK_LAID_OUT) -i

# Headers of the C library and of libfdt are the compiler's business: hence no complaints about
# those that are missing here. boot.c and start.c subtract symbols of the linker script, which are no objects.
CHECK_CPPCHECK := cppcheck --quiet --error-exitcode=1 --inline-suppr --std=c11 -j 2 \
	--enable=warning,performance,portability --suppress=missingIncludeSystem \
	--suppress=comparePointers:hypervisor/riscv/boot.c --suppress=comparePointers:hypervisor/riscv/start.c \
	-D__riscv=1 -D__riscv_xlen=64 -DDEBUG -DHART_MAX=64 -DHART_STACK_SIZE=16384

check-cppcheck:
	$(call brief,CPPCHECK,hypervisor)$(CHECK_CPPCHECK) -Iinclude -Ihypervisor -Ihypervisor/core \
		-Ihypervisor/riscv -Ihypervisor/riscv/machine -Ihypervisor/drivers \
		hypervisor/core hypervisor/drivers hypervisor/riscv
	$(call brief,CPPCHECK,services)$(CHECK_CPPCHECK) -Iinclude -Iservices/runtime services

# clang's analyser follows paths through each function and names the one that goes wrong. A file
# that has passed is looked at again only when it, or a header of ours, changes.
CHECK_CLANG = clang --analyze -Xclang -analyzer-werror -Xclang -analyzer-output=text \
	--target=riscv64-unknown-elf -march=rv64imac -mabi=lp64
CHECK_HEADERS := $(wildcard include/*/*.h hypervisor/*/*.h hypervisor/*/*/*.h services/*/*.h)

check-clang: $(patsubst %.c,$(CHECK_BUILD)/%.passed,$(HV_SOURCES) $(wildcard services/*/*.c))

$(CHECK_BUILD)/hypervisor/%.passed: hypervisor/%.c $(CHECK_HEADERS) $(HV_THIRD_PARTY)
	$(call brief,ANALYSE,$<)mkdir -p $(@D) && $(CHECK_CLANG) \
		$(filter-out -march=% -mabi=% -malign-data=%,$(HV_CFLAGS)) $(HV_INCLUDES) $< && touch $@

$(CHECK_BUILD)/services/%.passed: services/%.c $(CHECK_HEADERS)
	$(call brief,ANALYSE,$<)mkdir -p $(@D) && $(CHECK_CLANG) \
		$(filter-out -march=% -mabi=%,$(SERVICE_CFLAGS)) $< && touch $@
