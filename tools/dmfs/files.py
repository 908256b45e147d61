"""The files that a manifest names: reading them, and whether each capsule's have room in its RAM."""

import os
import struct

from dmfs.limits import (VCPU_MAX, MEGAPAGE, PAGE, FDT_ROOM, ELF_SEGMENT_MAX, FLASH_SIZE, RAM_BASE,
                         FLAT_ADDRESS)
from dmfs.unpack_kernel import BadKernel, unpack_kernel


class Files:
    """Reads each file once, and unpacks each kernel once."""

    def __init__(self, folder):
        self.folder = folder
        self.contents = {}
        self.kernels = {}

    def path(self, name):
        return os.path.normpath(os.path.join(self.folder, name))

    def read(self, entry, key, name):
        """Returns the file's bytes, or None after a mistake."""
        path = self.path(name)
        if path not in self.contents:
            try:
                with open(path, "rb") as file:
                    self.contents[path] = file.read()
            except OSError as error:
                self.contents[path] = f"{path}: {error.strerror}"
        contents = self.contents[path]
        if not isinstance(contents, str) and not contents:
            contents = f"{path}: the file is empty"
        if isinstance(contents, str):
            entry.wrong(key, contents)
            return None
        return contents

    def kernel(self, entry, key, name):
        """Returns a kernel's bytes, unpacked, or None after a mistake."""
        packed = self.read(entry, key, name)
        if packed is None:
            return None
        path = self.path(name)
        try:
            if path not in self.kernels:
                self.kernels[path] = unpack_kernel(packed)
        except BadKernel as bad:
            entry.wrong(key, f"{path}: {bad}")
            return None
        return self.kernels[path]

    def flash(self, entry, key, name):
        """Returns a flash bank's contents without the zeros at their end: what the image does not
        hold is zero."""
        data = self.read(entry, key, name)
        if data is not None and len(data) > FLASH_SIZE:
            entry.wrong(key, f"{self.path(name)}: {len(data)} bytes, a flash bank has {FLASH_SIZE}")
            return None
        return data and (data.rstrip(b"\0") or b"\0")


def elf_segments(data):
    """Returns the (address, size in memory) of an ELF's loadable segments and if it can move."""
    # ELF-64 Object File Format 1.5, figures 2 and 6; e_machine: RISC-V ELF psABI
    if len(data) < 64:
        raise BadKernel("is an ELF file that ends within its header")
    if data[4:7] != b"\2\1\1":
        raise BadKernel("is an ELF file, but not a 64-bit little-endian one")
    kind, machine, version, entry, phoff, _, _, _, phentsize, phnum = struct.unpack_from(
        "<HHIQQQIHHH", data, 16)
    if machine != 243:
        raise BadKernel(f"is an ELF file for another processor (e_machine {machine}, RISC-V is 243)")
    if kind not in (2, 3):
        raise BadKernel(f"is an ELF file that is not linked into a program (e_type {kind})")
    if phentsize != 56 or not phnum or phoff + phnum * phentsize > len(data):
        raise BadKernel("is an ELF file whose program headers are missing or beyond its end")
    segments, entry_found = [], False
    for number in range(phnum):
        p_type, _, offset, vaddr, paddr, filesz, memsz, _ = struct.unpack_from(
            "<IIQQQQQQ", data, phoff + number * phentsize)
        if p_type != 1 or not memsz:
            continue
        if filesz > memsz or offset + filesz > len(data) or paddr + memsz > 1 << 64:
            raise BadKernel(f"is an ELF file whose segment {number} lies beyond its end")
        segments.append((paddr, memsz))
        entry_found |= vaddr <= entry < vaddr + memsz or paddr <= entry < paddr + memsz
    if not segments or not entry_found:
        raise BadKernel("is an ELF file whose entry point lies in no loadable segment")
    if len(segments) > ELF_SEGMENT_MAX:
        raise BadKernel(f"is an ELF file with {len(segments)} loadable segments, at most "
                        f"{ELF_SEGMENT_MAX} are possible")
    return sorted(segments), kind == 3


def loaded_part(data):
    """Returns an ELF that checks have passed without what nobody loads: symbols, debug information,
    padding. It would have to be hashed and kept in memory."""
    phoff, = struct.unpack_from("<Q", data, 32)
    phnum, = struct.unpack_from("<H", data, 56)
    headers = [struct.unpack_from("<IIQQQQQQ", data, phoff + number * 56) for number in range(phnum)]
    loaded = [each for each in headers if each[0] == 1 and each[6]]
    table, segments, at = b"", b"", 64 + 56 * len(loaded)
    for kind, flags, offset, vaddr, paddr, filesz, memsz, _ in loaded:
        segment = data[offset:offset + filesz]
        segment += bytes(-(at + filesz) % 8)  # copied fast
        table += struct.pack("<IIQQQQQQ", kind, flags, at, vaddr, paddr, filesz, memsz, 1)
        segments, at = segments + segment, at + len(segment)
    # The program headers follow the ELF header; there are no sections.
    header = (data[:32] + struct.pack("<QQ", 64, 0) + data[48:56]
              + struct.pack("<HHHH", len(loaded), 0, 0, 0))
    return header + table + segments


def kernel_span(data, load):
    """Returns (first address, end, if they are fixed) of what a kernel takes. An address that is
    not fixed counts from the start of RAM."""
    # The Linux kernel's Documentation/arch/riscv/boot-image-header.rst
    is_image = len(data) >= 64 and data[56:60] == b"RSC\5"
    if load and (data.startswith(b"\x7fELF") or is_image):
        raise BadKernel("has its own address: 'load' is for a kernel without a header")
    if data.startswith(b"\x7fELF"):
        segments, moves = elf_segments(data)
        for (address, size), (following, _) in zip(segments, segments[1:]):
            if address + size > following:
                raise BadKernel(f"is an ELF file whose segments overlap at {following:#x}")
        end = max(address + size for address, size in segments)
        first = segments[0][0]
        if moves:
            base = first // MEGAPAGE * MEGAPAGE
            return first - base, end - base, False
        return first, end, True
    if is_image:
        text_offset, image_size = struct.unpack_from("<QQ", data, 8)
        return text_offset, text_offset + max(image_size, len(data)), False
    address = load or FLAT_ADDRESS
    return address, address + len(data), True


def check_blob_places(entry, kernel):
    """Does each blob have a place in RAM of its own? `kernel` is (first address, end) or None."""
    ram = entry.capsule["ram"]
    taken = [(*kernel, "the kernel")] if kernel else []
    for (file, address), data in zip(entry.capsule["blobs"], entry.capsule["blobs_data"]):
        end = address + len(data)
        if address < RAM_BASE or end > RAM_BASE + ram:
            entry.wrong("blobs", f"{file} takes {address:#x} to {end:#x}, but RAM is {RAM_BASE:#x} "
                                 f"to {RAM_BASE + ram:#x}")
            continue
        for first, last, what in taken:
            if first < end and address < last:
                entry.wrong("blobs", f"{file} takes {address:#x} to {end:#x}, where {what} is: "
                                     f"{first:#x} to {last:#x}")
        taken.append((address, end, file))


def check_room(entry, end, initramfs):
    """Have the device tree and the initramfs room behind what ends at `end`, from RAM's start?"""
    ram = entry.capsule["ram"]
    blobs = sum(-(-len(data) // PAGE) * PAGE for data in entry.capsule.get("blobs_data", []))
    extra = -(-len(initramfs or b"") // PAGE) * PAGE
    cpus = entry.capsule["cpus"]
    fdt = FDT_ROOM + (PAGE * (cpus - 1) if cpus in range(1, VCPU_MAX + 1) else 0)
    needed = -(-end // PAGE) * PAGE + extra + blobs + fdt
    if needed > ram:
        parts = f"kernel {end} bytes from the start of RAM, device tree {fdt}"
        parts += f", initramfs {extra}" if extra else ""
        parts += f", blobs {blobs}" if blobs else ""
        enough = -(-needed // MEGAPAGE) * 2
        entry.wrong("ram", f"{ram} bytes are too small for {parts}; {enough}M is the least")


def check_fit(entry, key, kernel, initramfs):
    """Do kernel, blobs, initramfs and device tree have room in the capsule's RAM? False: what the
    kernel is cannot be told."""
    ram = entry.capsule["ram"]
    first = end = 0
    fixed = False
    try:
        if kernel:
            first, end, fixed = kernel_span(kernel, entry.capsule.get("load"))
    except BadKernel as bad:
        entry.wrong(key, f"{entry.capsule[key]}: {bad}")
        return False
    if fixed and (first < RAM_BASE or end > RAM_BASE + ram):
        entry.wrong("ram", f"the kernel takes {first:#x} to {end:#x}, but RAM is {RAM_BASE:#x} to "
                           f"{RAM_BASE + ram:#x}")
        return True
    if fixed:
        first, end = first - RAM_BASE, end - RAM_BASE
    check_room(entry, end, initramfs)
    if entry.capsule.get("blobs"):
        check_blob_places(entry, (RAM_BASE + first, RAM_BASE + end) if kernel else None)
    return True


def read_capsule(entry, files):
    """Adds the bytes that the capsule needs to entry.capsule: kernel_data and so on."""
    key = "file" if entry.table == "service" else "kernel"
    capsule = entry.capsule
    readers = {key: files.kernel, "initramfs": files.read, "flash0": files.flash,
               "flash1": files.flash}
    wanted = {each: capsule[each] for each in readers if capsule.get(each)}
    data = {each: readers[each](entry, each, name) for each, name in wanted.items()}
    blobs = [files.read(entry, "blobs", file) for file, _ in capsule.get("blobs", [])]
    capsule["kernel_file"], capsule["kernel_data"] = capsule[key], data.get(key)
    capsule["ramdisk_file"] = capsule.get("initramfs")
    capsule["ramdisk_data"] = data.get("initramfs")
    capsule["flash_data"] = [data.get("flash0"), data.get("flash1")]
    capsule["blobs_data"] = blobs
    if capsule["ram"] and None not in [*data.values(), *blobs]:
        if (check_fit(entry, key, data.get(key), data.get("initramfs"))
                and data.get(key, b"").startswith(b"\x7fELF")):
            capsule["kernel_data"] = loaded_part(data[key])


def read_banner(entry, name, files):
    data = files.read(entry, "banners", name)
    if data and not all(each in b"\t\n\r" or 32 <= each < 127 for each in data):
        entry.wrong("banners", f"{files.path(name)}: only printable ASCII, tabs and line ends are "
                               "possible")
    return data
