# Set-up: everything that a build needs and the tree does not have.
#
# Packages for this machine (host-packages.list) are installed before make follows any other rule:
# make remakes the makefiles that it includes first, and installed.mk is one. What is fetched
# without being installed (packages.lock) lands in $(CACHE); `$(CACHE)/SET.list` names the files.

FETCH_OPTIONS = --cache $(CACHE) $(if $(filter yes,$(OFFLINE)),--offline) \
	$(if $(MIRROR),--mirror $(MIRROR))

goals := $(or $(MAKECMDGOALS),image)
SETUP_SETS := run \
	$(if $(filter clang,$(TOOLCHAIN))$(findstring fuzz,$(goals)),clang) \
	$(if $(findstring test,$(goals))$(findstring bench,$(goals))$(findstring native,$(goals))$(findstring fuzz,$(goals)),test) \
	$(if $(findstring check,$(goals)),check) \
	$(if $(findstring small,$(goals)),kernel)

# Not for these goals, and not when make only says what it would do.
ifneq ($(filter-out help clean distclean,$(goals)),)
ifeq ($(strip $(only_talk)),)
ifneq ($(SETUP),no)
include $(BUILD)/setup/installed.mk
endif
endif
endif

$(BUILD)/setup/installed.mk: FORCE
	@OFFLINE=$(OFFLINE) tools/setup/host-packages --stamp $@ $(SETUP_SETS)

$(CACHE)/%.list: tools/setup/packages.lock tools/setup/fetch
	@tools/setup/fetch get $* $(FETCH_OPTIONS) >/dev/null

# Sources of libraries: $(BUILD)/third_party/dtc and $(BUILD)/third_party/zlib.
$(BUILD)/third_party/%/.stamp: $(CACHE)/%.list tools/setup/unpack
	$(call brief,UNPACK,$(@D))tools/setup/unpack $< $(@D) && touch $@

# The second QEMU that tests run on.
QEMU10 := $(BUILD)/qemu10/bin/qemu-system-riscv64
$(QEMU10): tools/setup/packages.lock tools/setup/qemu10
	$(call brief,QEMU10,$@)tools/setup/qemu10 $(BUILD)/qemu10 $(FETCH_OPTIONS)

.PHONY: setup setup-test qemu10
setup: $(BUILD)/third_party/dtc/.stamp $(BUILD)/third_party/zlib/.stamp $(GUEST_FILES)
setup-test: setup $(QEMU10) $(GUEST_FIRMWARE_FILES) $(GUEST_DEBIAN)/initrd.gz
qemu10: $(QEMU10)
