# Guests: operating systems that go into an image. Each has a folder here that says how it is
# assembled.
#
#   GUEST_FILES   what the default manifest names: Debian's kernel, an initramfs of its programs

GUEST_DEBIAN := $(BUILD)/guests/debian
GUEST_FILES := $(GUEST_DEBIAN)/linux $(GUEST_DEBIAN)/initramfs.cpio.gz

# Debian's network installer holds the same kernel as the kernel's own package, at half the
# download.
DEBIAN_INSTALLER := usr/lib/debian-installer/images/13/riscv64/text/debian-installer/riscv64

$(GUEST_DEBIAN)/linux: $(CACHE)/guest-debian-kernel.list tools/setup/unpack
	$(call brief,UNPACK,$@)tools/setup/unpack $< $(@D) $(DEBIAN_INSTALLER)/linux

# The installer's own system: another real guest, much larger.
$(GUEST_DEBIAN)/initrd.gz: $(CACHE)/guest-debian-kernel.list tools/setup/unpack
	$(call brief,UNPACK,$@)tools/setup/unpack $< $(@D) $(DEBIAN_INSTALLER)/initrd.gz

$(GUEST_DEBIAN)/initramfs.cpio.gz: $(CACHE)/guest-debian.list guests/debian/build-initramfs \
		guests/newc.py $(shell find guests/debian/root)
	$(call brief,CPIO,$@)mkdir -p $(@D) && guests/debian/build-initramfs $< guests/debian/root $@

# Firmware that a guest can start from: U-Boot for supervisor mode, and EDK2 with its variables.
GUEST_FIRMWARE := $(BUILD)/guests/firmware
GUEST_FIRMWARE_FILES := $(GUEST_FIRMWARE)/u-boot.bin \
	$(GUEST_FIRMWARE)/RISCV_VIRT_CODE.fd $(GUEST_FIRMWARE)/RISCV_VIRT_VARS.fd

$(GUEST_FIRMWARE)/u-boot.bin: $(CACHE)/guest-firmware.list tools/setup/unpack
	$(call brief,UNPACK,$@)tools/setup/unpack $< $(@D) usr/lib/u-boot/qemu-riscv64_smode/$(@F)

$(GUEST_FIRMWARE)/%.fd: $(CACHE)/guest-firmware.list tools/setup/unpack
	$(call brief,UNPACK,$@)tools/setup/unpack $< $(@D) usr/share/qemu-efi-riscv64/$(@F)

.PHONY: guests guest-firmware guest-debian-native
guest-firmware: $(GUEST_FIRMWARE_FILES)
guests: $(GUEST_FILES)

# The guest without the hypervisor, to compare with.
guest-debian-native: $(GUEST_FILES) $(QEMU10)
	guests/debian/check-natively $(QEMU10) $(GUEST_FILES)

# A small kernel, built from source, with a userland that needs no floating point: for harts without
# it, and for tests that have no time for a distribution's kernel. Not part of the default image.
# The kernel also runs the Debian guest's initramfs.
GUEST_SMALL := $(BUILD)/guests/small
GUEST_SMALL_FILES := $(GUEST_SMALL)/linux $(GUEST_SMALL)/initramfs.cpio

$(GUEST_SMALL)/linux: $(CACHE)/linux-source.list guests/small/kernel.config guests/small/build-kernel
	$(call brief,KERNEL,$@)guests/small/build-kernel $< guests/small/kernel.config \
		$(BUILD)/guests/small-kernel $@

$(GUEST_SMALL)/init: guests/small/init.c $(BUILD)/config/compile
	$(call brief,CC,$<)mkdir -p $(@D) && $(RISCV_CC) $(RISCV_ARCH) -std=gnu17 -Os -Wall -Wextra \
		-Werror -ffreestanding -fno-pic -nostdlib -static -Wl,--build-id=none -s -o $@ $<

$(GUEST_SMALL)/initramfs.cpio: $(GUEST_SMALL)/init guests/small/build-initramfs guests/newc.py
	$(call brief,CPIO,$@)guests/small/build-initramfs $< $@

.PHONY: guest-small
guest-small: $(GUEST_SMALL_FILES)
