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

test_lock_SOURCES := hypervisor/core/lock.c hypervisor/hosted/port.c hypervisor/core/memory.c \
                     hypervisor/hosted/log.c
test_lock_LIBS := -lpthread
test_memory_SOURCES := hypervisor/core/lock.c hypervisor/hosted/log.c
test_pqueue_SOURCES := hypervisor/core/pqueue.c
$(UNIT)/test_pqueue.d/hypervisor/core/pqueue.o: UNIT_EXTRA := -fsanitize-coverage=trace-pc
test_error_SOURCES := hypervisor/core/error.c

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
