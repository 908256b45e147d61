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

.PHONY: guests guest-debian-native
guests: $(GUEST_FILES)

# The guest without the hypervisor, to compare with.
guest-debian-native: $(GUEST_FILES) $(QEMU10)
	guests/debian/check-natively $(QEMU10) $(GUEST_FILES)
