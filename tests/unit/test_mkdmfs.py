"""mkdmfs: each mistake in a manifest is reported with its place, and what it writes is what the
hypervisor's own reader and the boot loaders' tools read."""

import bz2
import gzip
import lzma
import os
import pathlib
import re
import struct
import subprocess
import sys
import zlib

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
MKDMFS = TOP / "tools/mkdmfs"
MANIFESTS = [TOP / "manifest.toml", *sorted((TOP / "manifests").glob("*.toml"))]
MiB = 1 << 20


def elf(kind=2, address=0x80200000, machine=243, ident=b"\2\1\1", memory=4096, segments=1):
    """An ELF file with 100 bytes of code in each segment, which are 8 KiB apart."""
    header = b"\x7fELF" + ident.ljust(12, b"\0") + struct.pack(
        "<HHIQQQIHHHHHH", kind, machine, 1, address, 64, 0, 0, 64, 56, segments, 0, 0, 0)
    programs = b"".join(struct.pack("<IIQQQQQQ", 1, 5, 4096, address + number * 8192,
                                    address + number * 8192, 100, memory, 4096)
                        for number in range(segments))
    return (header + programs).ljust(4096, b"\0") + b"\x13\0\0\0" * 25


def loaded_elf(kind=2, address=0x80200000):
    """What of such a file gets into the image: nothing lies between, before or behind."""
    whole = elf(kind, address)
    program = struct.pack("<IIQQQQQQ", 1, 5, 64 + 56, address, address, 100, 4096, 1)
    return whole[:58] + bytes(6) + program + whole[4096:] + bytes(-(64 + 56 + 100) % 8)


def linux(size=8192, text_offset=2 * MiB, image_size=16 * MiB):
    header = struct.pack("<IIQQQIIQQ", 0, 0, text_offset, image_size, 0, 2, 0, 0,
                         int.from_bytes(b"RISCV\0\0\0", "little")) + b"RSC\5\0\0\0\0"
    return header.ljust(size, b"\x5a")


def zstd(data, *options):
    return subprocess.run(["zstd", "-q", "-c", *options], input=data, check=True,
                          capture_output=True).stdout


def zboot(payload, name="gzip", size=None):
    """An EFI program that carries a compressed kernel, with something behind the payload."""
    header = b"MZ\0\0zimg" + struct.pack("<IIQ", 4096, size or len(payload), 0) + name.encode()
    return header.ljust(4096, b"\0") + payload + b"\xa5" * 100


SERVICE = """\
[[service]]
name = "console"
file = "service.elf"
ram = "2M"
properties = ["auto_crash_restart", "service_console"]
"""
GUEST = """\
[[guest]]
name = "linux"
kernel = "linux"
initramfs = "initramfs"
ram = "32M"
"""


class Folder:
    """A folder with a manifest and its files."""

    def __init__(self, path):
        self.path = path
        self.write("service.elf", elf(kind=3, address=0))
        self.write("linux", linux())
        self.write("initramfs", b"070701" * 1000)
        self.write("hello.txt", b"Hello!\n")

    def write(self, name, data):
        (self.path / name).write_bytes(data)

    def run(self, manifest, *options, name="m.toml"):
        self.write(name, manifest.encode() if isinstance(manifest, str) else manifest)
        return subprocess.run([sys.executable, MKDMFS, name, "-o", "out.dmfs", *options],
                              cwd=self.path, capture_output=True, text=True, timeout=60)

    def make(self, manifest, *options):
        done = self.run(manifest, *options)
        assert (done.returncode, done.stderr) == (0, "")
        return (self.path / "out.dmfs").read_bytes()

    def mistakes(self, manifest, *options):
        """Runs mkdmfs, which must fail and leave nothing behind; returns its messages."""
        self.write("out.dmfs", b"an older image")
        before = set(os.listdir(self.path)) | {"m.toml"}
        done = self.run(manifest, *options)
        assert done.returncode == 1, done.stderr
        assert before - set(os.listdir(self.path)) == {"out.dmfs"}
        assert not set(os.listdir(self.path)) - before
        assert "Traceback" not in done.stderr
        return done.stderr.splitlines()

    def mistake(self, manifest, line, *words):
        """The manifest has exactly one mistake, in this line, and the message has these words."""
        found = self.mistakes(manifest)
        assert len(found) == 1, found
        where = f"m.toml:{line}: " if line else "m.toml: "
        assert found[0].startswith(where), found
        for word in words:
            assert word in found[0], found


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path)


@pytest.fixture(scope="session")
def reader(tmp_path_factory):
    """The hypervisor's reader and loader, compiled for this machine."""
    program = tmp_path_factory.mktemp("reader") / "dmfs_list"
    subprocess.run([os.environ.get("UNIT_CC", "gcc"), "-std=gnu17", "-g", "-fsanitize=address,undefined",
                    "-Iinclude", "-iquote", "hypervisor/core", "-iquote", "hypervisor/hosted",
                    "tests/unit/dmfs_list.c", "hypervisor/core/dmfs.c", "hypervisor/core/dmfs_capsules.c",
                    "hypervisor/core/tree.c", "hypervisor/core/loader.c", "hypervisor/core/kernel.c",
                    "-lfdt", "-lz", "-o", program], cwd=TOP, check=True)

    def read(path):
        return subprocess.run([program, path], capture_output=True, text=True, timeout=60)
    return read


# --- what it writes ----------------------------------------------------------------------------

def test_trees_of_all_sizes():
    """libfdt's Python makes room in steps of 1024 bytes, but none for the last 4."""
    program = ("import sys; sys.path.insert(0, 'tools'); from dmfs import image\n"
               "blobs = type('', (), {'nodes': {}})()\n"
               "for size in range(0, 1024, 4):\n"
               "    assert len(image.make_tree(blobs, ['x' * size], [])) % image.DATA_ALIGN == 0")
    subprocess.run([sys.executable, "-c", program], cwd=TOP, check=True)


FULL = """\
[image]
banners = ["hello.txt"]

""" + SERVICE + """
[[guest]]
name = "linux"
description = "the whole of it"
kernel = "linux"
initramfs = "initramfs"
bootargs = "console=ttyS0 quiet"
ram = "1G"
cpus = 4
weight = 250
cap = 150
harts = [3, 1]
exclusive = true
properties = ["capsule_info", "capsule_control", "hv_log_read", "console_read", "console_write"]

[[guest]]
name = "flat"
kernel = "flat.bin"
load = 0x80400000
ram = 8388608
isa = "-V, -zba"

[[guest]]
name = "elf"
kernel = "guest.elf"
ram = "8M"
"""


@pytest.fixture
def full(folder):
    folder.write("flat.bin", b"\x13\0\0\0" * 1000)
    folder.write("guest.elf", elf())
    folder.make(FULL)
    return folder


def described(data):
    return f"{len(data)}:{zlib.crc32(data):08x}"


def test_the_hypervisor_reads_what_it_writes(full, reader):
    image = full.path / "out.dmfs"
    done = reader(image)
    size = image.stat().st_size
    files = {name: described((full.path / name).read_bytes())
             for name in ("linux", "initramfs", "flat.bin")}
    files |= {"service.elf": described(loaded_elf(kind=3, address=0)),
              "guest.elf": described(loaded_elf())}
    assert done.stdout.splitlines() == [
        f"image {size} of {size}",
        f"banner 7 {zlib.crc32(b'Hello!' + bytes([10])):08x}",
        "service console ram=2097152 cpus=1 weight=100 cap=0 harts= properties=0x3 load=0 "
        f'kernel={files["service.elf"]} entry=0x80000000 bootargs="" description=""',
        "guest linux ram=1073741824 cpus=4 weight=250 cap=150 harts=3,1,alone properties=0x7c load=0 "
        f'kernel={files["linux"]} initramfs={files["initramfs"]} entry=0x80200000 '
        'bootargs="console=ttyS0 quiet" description="the whole of it"',
        "guest flat ram=8388608 cpus=1 weight=100 cap=0 harts= properties=0 load=0x80400000 "
        'isa="-V, -zba" '
        f'kernel={files["flat.bin"]} entry=0x80400000 bootargs="" description=""',
        "guest elf ram=8388608 cpus=1 weight=100 cap=0 harts= properties=0 load=0 "
        f'kernel={files["guest.elf"]} entry=0x80200000 bootargs="" description=""',
    ]
    assert done.returncode == 0, done.stderr


def test_each_property_arrives(folder, reader):
    names = ["auto_crash_restart", "service_console", "console_write", "console_read",
             "hv_log_read", "capsule_info", "capsule_control", "stats_read"]
    folder.make("".join(SERVICE.replace('"console"', f'"s{bit}"').replace(
        '"auto_crash_restart", "service_console"', f'"{name}"') for bit, name in enumerate(names)))
    found = dict(re.findall(r"service s(\d) .* properties=0x([0-9a-f]+) ",
                            reader(folder.path / "out.dmfs").stdout))
    assert found == {str(bit): f"{1 << bit:x}" for bit in range(len(names))}


def test_dumpimage_lists_it(full):
    listing = subprocess.run(["dumpimage", "-l", full.path / "out.dmfs"], check=True,
                             capture_output=True, text=True).stdout
    blocks = re.split(r"\n ?(?=Image|Configuration|Default| Image| Configuration)", listing)
    texts = [" ".join(block.split()) for block in blocks]
    assert any("(kernel-1) Description: linux" in text and "Kernel Image" in text
               and "Architecture: RISC-V OS: Linux" in text and "uncompressed" in text
               and "Data Size: 8192 Bytes" in text for text in texts), listing
    assert any("(ramdisk-1)" in text and "RAMDisk Image" in text for text in texts), listing
    assert any("(service-1)" in text and "Standalone Program" in text for text in texts), listing
    assert any(text.endswith("(linux) Description: the whole of it Kernel: kernel-1 "
                             "Init Ramdisk: ramdisk-1") for text in texts), listing
    assert "Default Configuration: 'linux'" in listing
    assert f"{zlib.crc32(linux()):08x}" in listing


def test_dumpimage_takes_a_file_out_again(full):
    subprocess.run(["dumpimage", "-T", "flat_dt", "-p", "2", "-o", "taken", "out.dmfs"],
                   cwd=full.path, check=True, capture_output=True)
    assert (full.path / "taken").read_bytes() == linux()


def test_equal_files_are_there_once(folder):
    folder.write("linux", linux(size=MiB))
    folder.write("copy", linux(size=MiB))
    one = len(folder.make(GUEST))
    three = folder.make(GUEST + GUEST.replace('"linux"\nk', '"two"\nk')
                        + GUEST.replace('"linux"\nk', '"three"\nk').replace('"linux"', '"copy"'))
    assert len(three) < one + 4096


def test_files_begin_at_pages(full):
    image = (full.path / "out.dmfs").read_bytes()
    for name in ("hello.txt", "linux", "initramfs", "flat.bin"):
        assert image.index((full.path / name).read_bytes()) % 4096 == 0
    assert image.index(loaded_elf(kind=3, address=0)) % 4096 == 0


def test_of_an_elf_file_only_what_is_loaded_is_there(folder):
    guest = GUEST.replace('kernel = "linux"', 'kernel = "guest.elf"').replace(
        'initramfs = "initramfs"\n', "")
    folder.write("guest.elf", elf())
    image = folder.make(guest)
    folder.write("guest.elf", elf() + b"symbols" * 100000)
    assert folder.make(guest) == image
    taken = folder.path / "taken"
    subprocess.run(["dumpimage", "-T", "flat_dt", "-p", "0", "-o", taken, "out.dmfs"],
                   cwd=folder.path, check=True, capture_output=True)
    headers = subprocess.run(["readelf", "-lW", taken], check=True, capture_output=True, text=True)
    assert headers.stderr == ""
    assert re.search(r"LOAD +0x000078 0x0+80200000 0x0+80200000 0x000064 0x001000 R E", headers.stdout)


def test_the_same_input_gives_the_same_bytes(full):
    first = (full.path / "out.dmfs").read_bytes()
    os.utime(full.path / "linux", (0, 0))
    assert full.make(FULL) == first


def test_services_or_guests_may_be_left_out(full, reader):
    (full.path / "linux").unlink()  # nobody asks for it
    full.make(FULL, "--no-guests")
    assert [line.split()[1] for line in reader(full.path / "out.dmfs").stdout.splitlines()[2:]] == [
        "console"]
    full.write("linux", linux())
    (full.path / "service.elf").unlink()
    full.make(FULL, "--no-services")
    assert [line.split()[1] for line in reader(full.path / "out.dmfs").stdout.splitlines()[2:]] == [
        "linux", "flat", "elf"]
    full.make(FULL, "--no-services", "--no-guests")
    assert len(reader(full.path / "out.dmfs").stdout.splitlines()) == 2


def test_paths_count_from_the_manifests_folder(folder):
    (folder.path / "sub").mkdir()
    manifest = GUEST.replace('"linux"\ni', '"../linux"\ni').replace('"initramfs"', '"../initramfs"')
    done = folder.run(manifest, name="sub/m.toml")
    assert done.returncode == 0, done.stderr


def test_dependencies_for_make(folder):
    folder.write("a file", b"070701")
    manifest = GUEST.replace('"initramfs"', '"a file"')
    folder.make(manifest, "--depfile", "out.d")
    rule = (folder.path / "out.d").read_text()
    assert rule == "out.dmfs: m.toml \\\n  linux \\\n  a\\ file\nm.toml:\nlinux:\na\\ file:\n"
    # A file that is gone is still named, and mkdmfs says which line needs it.
    (folder.path / "linux").unlink()
    assert folder.run(manifest, "--depfile", "out.d").returncode == 1
    assert "  linux " in (folder.path / "out.d").read_text()


def test_the_damaged_capsule_is_skipped_and_the_rest_boots(full, reader):
    image = bytearray((full.path / "out.dmfs").read_bytes())
    image[image.index((full.path / "flat.bin").read_bytes()) + 1234] ^= 0x10
    full.write("damaged.dmfs", image)
    done = reader(full.path / "damaged.dmfs")
    assert done.returncode == 0
    assert re.search(r"error: image: capsule flat: blob kernel-2 is damaged: crc32 found [0-9a-f]{8}, "
                     r"expected [0-9a-f]{8}\n", done.stdout)
    assert re.findall(r"^(?:guest|service) (\w+)", done.stdout, re.MULTILINE) == [
        "console", "linux", "elf"]


@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda path: path.name)
def test_the_projects_own_manifests_are_good(manifest, folder, reader):
    """With files of other contents in the places that they name."""
    (folder.path / "manifests").mkdir()
    text = manifest.read_text()
    for name in re.findall(r'"((?:\.\./)?build/[^"]+)"', text):
        file = folder.path / "manifests" / name if name.startswith("../") else folder.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.resolve().write_bytes(linux() if name.endswith("linux") else elf(kind=3, address=0))
    (folder.path / "banners").mkdir()
    folder.write("banners/diosix.txt", (TOP / "banners/diosix.txt").read_bytes())
    done = folder.run(text, name=manifest.relative_to(TOP))
    assert done.returncode == 0, done.stderr
    listed = reader(folder.path / "out.dmfs").stdout
    assert "error" not in listed and "plan=" not in listed
    assert listed.count("\nguest ") == text.count("[[guest]]")


def short(value):
    """Names a case by the last words that it looks for."""
    return value[-1] if isinstance(value, list) else ""


def changed(old, new, manifest=GUEST):
    assert manifest.count(old) == 1
    return manifest.replace(old, new)


KERNELS = {
    "gzip": gzip.compress,
    "padded": lambda kernel: gzip.compress(kernel) + bytes(512),
    "two streams": lambda kernel: gzip.compress(kernel[:5000]) + gzip.compress(kernel[5000:]),
    "zstd": zstd,
    "zstd of the kernel's build": lambda kernel: zstd(kernel, "--ultra", "-22"),
    "xz": lzma.compress,
    "bzip2": bz2.compress,
    "zboot": lambda kernel: zboot(gzip.compress(kernel)),
    "zboot zstd": lambda kernel: zboot(zstd(kernel), "zstd"),
    "zboot zstd22": lambda kernel: zboot(zstd(kernel), "zstd22"),
    "zboot xz": lambda kernel: zboot(lzma.compress(kernel), "xzkern"),
    "nested": lambda kernel: gzip.compress(zboot(gzip.compress(kernel))),
}


@pytest.mark.parametrize("pack", KERNELS.values(), ids=list(KERNELS))
def test_packed_kernels_are_unpacked(folder, pack):
    kernel = linux(size=100000) + os.urandom(1000)
    folder.write("linux", kernel)
    expected = folder.make(GUEST)
    folder.write("linux", pack(kernel))
    assert folder.make(GUEST) == expected


def test_a_packed_service_is_unpacked(folder):
    expected = folder.make(SERVICE)
    folder.write("service.elf", gzip.compress(elf(kind=3, address=0)))
    assert folder.make(SERVICE) == expected


@pytest.mark.parametrize("pack", [gzip.compress, zstd], ids=["gzip", "zstd"])
def test_a_bomb_is_not_unpacked(folder, pack):
    folder.write("linux", pack(bytes(16 * MiB)) * 33)  # streams one after the other
    folder.mistake(GUEST, 3, "linux: ", "unpack to more than 512 MiB")


def test_without_the_zstd_program(folder, monkeypatch):
    folder.write("linux", zstd(linux()))
    monkeypatch.setenv("PATH", "/nowhere")
    folder.mistake(GUEST, 3, "the program zstd is missing (remedy: apt-get install zstd)")


BLOBS = """\
blobs = [
    { file = "one", address = 0x81300004 },
    { file = "two", address = 0x81800000 },
]
"""


@pytest.fixture
def blobs(folder):
    folder.write("one", b"1" * 5000)
    folder.write("two", b"2" * 9000)
    return folder


def test_blobs(blobs, reader):
    blobs.make(GUEST + BLOBS + GUEST.replace('name = "linux"', 'name = "other"')
               + '[[guest.blobs]]\nfile = "one"\naddress = 0x80000000\n')
    image = blobs.path / "out.dmfs"
    one, two = described(b"1" * 5000), described(b"2" * 9000)
    listed = reader(image).stdout
    assert f" at=0x81300004 blob={one} at=0x81800000 blob={two} entry=0x80200000 " in listed
    assert f" at=0x80000000 blob={one} entry=0x80200000 " in listed
    assert image.read_bytes().count(b"1" * 5000) == 1
    listing = subprocess.run(["dumpimage", "-l", image], check=True, capture_output=True,
                             text=True).stdout
    assert re.search(r"Loadables:\s+blob-1\s+blob-2\n", listing), listing
    assert re.search(r"Load Address:\s+0x81300004\n", listing), listing


@pytest.mark.parametrize("words, old, new", [
    (["one takes 0x80200004 to 0x8020138c, where the kernel is: 0x80200000 to 0x81200000"],
     "0x81300004", "0x80200004"),
    (["two takes 0x81300000 to 0x81302328, where one is: 0x81300004 to 0x8130138c"],
     "0x81800000", "0x81300000"),
    (["one takes 0x7ffffffc to 0x80001384, but RAM is 0x80000000 to 0x82000000"],
     "0x81300004", "0x7ffffffc"),
    (["two takes 0x81fffff0 to 0x82002318, but RAM is"], "0x81800000", "0x81fffff0"),
    (["nowhere: No such file"], '"two"', '"nowhere"'),
    (["element 1: the key 'address' is missing"], ", address = 0x81300004", ""),
    (["element 2: the key 'size' is unknown"], "0x81800000", "0x81800000, size = 1"),
    (["element 1: address is not an address below 2^56"], "0x81300004", "-4"),
    (["element 1: address is not an address below 2^56"], "0x81300004", '"0x81300004"'),
    (["element 1: file is not the name of a file"], '"one"', '""'),
    (["must be an array of tables of file and address, not a string"], BLOBS, 'blobs = "one"'),
    (["element 1 must be a table of file and address, not a string"], BLOBS, 'blobs = ["one"]'),
    (["there are 9, at most 8"], BLOBS, f"blobs = {[1] * 9}"),
], ids=short)
def test_bad_blobs(blobs, words, old, new):
    manifest = changed(old, new, GUEST + BLOBS)
    blobs.mistake(manifest, 6, *words)


FLASH = """\
[[guest]]
name = "firmware"
flash0 = "code"
flash1 = "vars"
ram = "32M"
"""


@pytest.fixture
def flash(folder):
    folder.write("code", (b"code" * 1000).ljust(32 * MiB, b"\0"))
    folder.write("vars", b"\xff" * 5000)
    return folder


def test_flash(flash, reader):
    """Without the zeros at the end, which the image need not hold."""
    assert len(flash.make(FLASH)) < 20000
    listed = reader(flash.path / "out.dmfs").stdout
    code, variables = described(b"code" * 1000), described(b"\xff" * 5000)
    assert f" load=0 flash0={code} flash1={variables} entry=0x20000000 " in listed
    flash.make(FLASH + 'kernel = "linux"\n')
    assert f" flash0={code} flash1={variables} entry=0x80200000 " in reader(
        flash.path / "out.dmfs").stdout
    flash.write("vars", bytes(4096))
    flash.make(FLASH)
    assert " flash1=1:" in reader(flash.path / "out.dmfs").stdout


@pytest.mark.parametrize("line, words, old, new", [
    (1, ["'kernel' is missing (or 'flash0'"], 'flash0 = "code"', ""),
    (3, ["flash0", "large: 33554433 bytes, a flash bank has 33554432"], '"code"', '"large"'),
    (4, ["flash1", "nowhere: No such file"], '"vars"', '"nowhere"'),
    (4, ["load", "no kernel"], 'flash1 = "vars"', "load = 0x80200000"),
    (5, ["flash0", "unknown key"], FLASH, SERVICE.replace("properties", 'flash0 = "code" #')),
], ids=short)
def test_bad_flash(flash, line, words, old, new):
    flash.write("large", bytes(32 * MiB + 1))
    flash.mistake(changed(old, new, FLASH), line, *words)


# --- mistakes ----------------------------------------------------------------------------------

@pytest.mark.parametrize("line, word, manifest", [
    (3, "", GUEST.replace('"linux"\ni', "linux\ni")),
    (6, "", GUEST + "cpus = \n"),
    (6, "overwrite", GUEST + "ram = 1\n"),
    (1, "", "[[guest]\n"),
    (2, "", 'a = "b"\nc = """\n'),
])
def test_syntax_errors(folder, line, word, manifest):
    found = folder.mistakes(manifest)
    assert len(found) == 1 and word in found[0]
    assert int(found[0].split(":")[1]) in (line, line + 1)  # the end of a line is also its next one


def test_text_that_is_not_utf8(folder):
    folder.mistake(b"# comment\n" + GUEST.encode() + b"description = \"\xff\"\n", 7, "UTF-8")


def test_a_manifest_that_is_not_there(folder):
    done = subprocess.run([sys.executable, MKDMFS, "nowhere.toml", "-o", "out.dmfs"],
                          cwd=folder.path, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == "nowhere.toml: No such file or directory\n"


@pytest.mark.parametrize("line, words, manifest", [
    # unknown things
    (6, ["guest 'linux'", "colour", "unknown key"], GUEST + 'colour = "red"\n'),
    (6, ["service 'console'", "kernel", "unknown key"], SERVICE + 'kernel = "linux"\n'),
    (6, ["machine", "unknown table"], GUEST + "[machine]\nx = 1\n"),
    (1, ["guests", "unknown table or key"], "guests = 1\n" + GUEST),
    (2, ["image: banner:", "unknown key"], "[image]\nbanner = []\n" + GUEST),
    # missing things
    (1, ["service 'console'", "'file' is missing"], changed('file = "service.elf"\n', "", SERVICE)),
    (1, ["'kernel' is missing"], changed('kernel = "linux"\n', "")),
    (1, ["'ram' is missing"], changed('ram = "32M"\n', "")),
    (1, ["guest number 1", "'name' is missing"], changed('name = "linux"\n', "")),
    (None, ["neither a [[service]] nor a [[guest]]"], "[image]\n"),
    # types
    (2, ["must be a string, not an integer"], changed('name = "linux"', "name = 5")),
    (3, ["must be a string, not an array"], changed('kernel = "linux"', "kernel = []")),
    (6, ["cpus", "must be an integer, not a string"], GUEST + 'cpus = "2"\n'),
    (6, ["weight", "not a boolean"], GUEST + "weight = true\n"),
    (6, ["cap", "must be an integer, not a float"], GUEST + "cap = 0.5\n"),
    (6, ["harts", "must be an array of integers, not an integer"], GUEST + "harts = 1\n"),
    (7, ["exclusive", "must be a boolean, not an integer"], GUEST + "harts = [1]\nexclusive = 1\n"),
    (6, ["load", "not a float"], GUEST + "load = 1.5\n"),
    (5, ["ram", "string or an integer"], changed('ram = "32M"', "ram = 1979-05-27")),
    (6, ["properties", "array of strings, not a string"], GUEST + 'properties = "hv_log_read"\n'),
    (6, ["element 2 must be a string"], GUEST + 'properties = ["hv_log_read", 1]\n'),
    (2, ["image: banners", "array of strings"], '[image]\nbanners = "hello.txt"\n' + GUEST),
    (2, ["image: banners", "must be a string"], "[image]\nbanners = [1]\n" + GUEST),
    (1, ["guest: must be an array of tables"], GUEST.replace("[[guest]]", "[guest]")),
    (1, ["image: must be a table"], "image = 3\n" + GUEST),
    # names
    (2, ["is empty"], changed('name = "linux"', 'name = ""')),
    (2, ["32 characters, at most 31"], changed('name = "linux"', f'name = "{"a" * 32}"')),
    (2, ["is not a name"], changed('name = "linux"', 'name = "my guest"')),
    (2, ["is not a name"], changed('name = "linux"', 'name = "-x"')),
    (2, ["is not a name"], changed('name = "linux"', 'name = "a@1"')),
    (2, ["is not a name"], changed('name = "linux"', 'name = "gäst"')),
    (7, ["a guest has this name already (line 2)"], GUEST + GUEST),
    (7, ["a service has this name already (line 2)"],
     SERVICE + GUEST.replace('name = "linux"', 'name = "console"')),
    # texts
    (6, ["64 characters, at most 63"], GUEST + f'description = "{"x" * 64}"\n'),
    (6, ["printable ASCII"], GUEST + 'description = "\\u001b[31m"\n'),
    (6, ["4096 characters, at most 4095"], GUEST + f'bootargs = "{"x" * 4096}"\n'),
    (6, ["printable ASCII"], GUEST + 'bootargs = """a\nb"""\n'),
    # extensions
    (6, ["isa", "must be a string, not an array"], GUEST + 'isa = ["-v"]\n'),
    (6, ["isa", "'m' cannot be left out"], GUEST + 'isa = "-v,-m"\n'),
    (6, ["isa", "'zfuture' is no extension"], GUEST + 'isa = "-zfuture -v"\n'),
    (6, ["isa", "'' is no extension"], GUEST + 'isa = "-"\n'),
    (6, ["isa", "'v' does not begin with '-'"], GUEST + 'isa = "v"\n'),
    (6, ["isa", "256 characters, at most 255"], GUEST + f'isa = "{"-v " * 85},"\n'),
    # numbers
    (6, ["cpus", "is 0, must be 1 to 64"], GUEST + "cpus = 0\n"),
    (6, ["cpus", "is 65, must be 1 to 64"], GUEST + "cpus = 65\n"),
    (6, ["weight", "is 0, must be 1 to 10000"], GUEST + "weight = 0\n"),
    (6, ["weight", "is 10001, must be 1 to 10000"], GUEST + "weight = 10001\n"),
    (6, ["cap", "is 0, must be 1 to 6400"], GUEST + "cap = 0\n"),
    (6, ["cap", "is 6401, must be 1 to 6400"], GUEST + "cap = 6401\n"),
    # harts
    (6, ["harts", "has 0 elements, must have 1 to 64"], GUEST + "harts = []\n"),
    (6, ["harts", "has 65 elements"], GUEST + f"harts = {list(range(65))}\n"),
    (6, ["harts", "element 2 is not the id of a hart"], GUEST + "harts = [1, -1]\n"),
    (6, ["harts", "element 1 is not the id of a hart"], GUEST + "harts = [true]\n"),
    (6, ["harts", "element 1 is not the id of a hart"], GUEST + "harts = [0x100000000]\n"),
    (6, ["harts", "2 is there twice"], GUEST + "harts = [2, 1, 2]\n"),
    (6, ["exclusive", "needs 'harts'"], GUEST + "exclusive = true\n"),
    (13, ["harts", "2: also those of guest 'linux'", "that one wants them alone"],
     GUEST + "harts = [1, 2]\nexclusive = true\n" + GUEST.replace('"linux"', '"two"', 1)
     .replace('kernel = "two"', 'kernel = "linux"') + "harts = [2]\n"),
    (5, ["is not a size"], changed('"32M"', '"lots"')),
    (5, ["is not a size"], changed('"32M"', '"-32M"')),
    (5, ["is not a size"], changed('"32M"', '"32MB"')),
    (5, ["is not a size"], changed('"32M"', '""')),
    (5, ["is not a size"], changed('"32M"', "-2097152")),
    (5, ["multiple of 2M"], changed('"32M"', '"33M"')),
    (5, ["multiple of 2M"], changed('"32M"', "0")),
    (5, ["at most 1T"], changed('"32M"', '"2T"')),
    # properties
    (6, ["'console' is not a property", "service_console"], GUEST + 'properties = ["console"]\n'),
    (6, ["'hv_log_read' is there twice"],
     GUEST + 'properties = [\n  "hv_log_read",\n  "hv_log_read",\n]\n'),
    # files
    (3, ["kernel", "nowhere: No such file or directory"], changed('kernel = "linux"',
                                                                  'kernel = "nowhere"')),
    (4, ["initramfs", "empty: the file is empty"], changed('"initramfs"', '"empty"')),
    (4, ["initramfs", "folder: Is a directory"], changed('"initramfs"', '"folder"')),
    (4, ["initramfs", "not the name of a file"], changed('"initramfs"', '""')),
    (3, ["file", "nowhere: No such file"], changed('"service.elf"', '"nowhere"', SERVICE)),
    (2, ["image: banners", "nowhere: No such file"], '[image]\nbanners = ["nowhere"]\n' + GUEST),
    (2, ["image: banners", "only printable ASCII"], '[image]\nbanners = ["linux"]\n' + GUEST),
], ids=short)
def test_mistakes(folder, line, words, manifest):
    folder.write("empty", b"")
    (folder.path / "folder").mkdir()
    folder.mistake(manifest, line, *words)


def test_an_unreadable_file(folder):
    (folder.path / "linux").unlink()
    (folder.path / "linux").symlink_to("linux")  # unreadable for root, too
    folder.mistake(GUEST, 3, "linux: Too many levels")


@pytest.mark.parametrize("line, words, kernel, more", [
    (3, ["linux: gzip data in it are damaged, in the stream at byte 0"], b"\x1f\x8b" + bytes(100), ""),
    (3, ["linux: gzip data in it are damaged"], gzip.compress(linux())[:-8] + bytes(8), ""),
    (3, ["gzip data in it end too early, after 30 bytes"], gzip.compress(linux())[:30], ""),
    (3, ["gzip data in it are damaged, in the stream at byte", "header"],
     gzip.compress(linux()) + b"more", ""),
    (3, ["xz data in it end too early"], lzma.compress(linux())[:-8], ""),
    (3, ["bzip2 data in it are damaged"], bz2.compress(linux())[:10] + bytes(50), ""),
    (3, ["zstd data in it are damaged: ", "end"], b"\x28\xb5\x2f\xfd" + bytes(2), ""),
    (3, ["compressed with lz4; put it into the manifest uncompressed"],
     b"\x04\x22\x4d\x18" + bytes(50), ""),
    (3, ["packed more than 3 times"], gzip.compress(gzip.compress(gzip.compress(
        gzip.compress(linux())))), ""),
    (3, ["unpacks to nothing"], gzip.compress(b""), ""),
    (3, ["zboot program that ends within its header"], b"MZ\0\0zimg" + bytes(20), ""),
    (3, ["zboot", "payload, 999999 bytes from byte 4096, is not within"], zboot(b"x", size=999999), ""),
    (3, ["zboot", "'lzo'; gzip, zstd,"], zboot(b"x", "lzo"), ""),
    (3, ["zboot program without gzip data at byte 4096"], zboot(b"x"), ""),
    (3, ["zboot program with a bad payload at byte 4096: gzip data in it end too early"],
     zboot(gzip.compress(linux())[:-9]), ""),
    (3, ["ends within its header"], gzip.compress(b"\x7fELF"), ""),
    (3, ["ends within its header"], b"\x7fELF", ""),
    (3, ["64-bit little-endian"], elf(ident=b"\1\1\1"), ""),
    (3, ["another processor"], elf(machine=62), ""),
    (3, ["not linked into a program"], elf(kind=1), ""),
    (3, ["beyond its end"], elf()[:100], ""),
    (3, ["segment 0 lies beyond its end"], elf()[:4190], ""),
    (3, ["program headers are missing"], elf(segments=0), ""),
    (3, ["entry point lies in no loadable segment"], elf(memory=0), ""),
    (3, ["16 loadable segments, at most 15"], elf(segments=16), ""),
    (3, ["segments overlap"], elf(segments=2, memory=8193), ""),
    (3, ["'load' is for a kernel without a header"], elf(), "load = 0x80200000\n"),
    (3, ["'load' is for a kernel without a header"], linux(), "load = 0x80200000\n"),
    (5, ["RAM is 0x80000000"], elf(address=0x40000000), ""),
    (5, ["RAM is 0x80000000 to 0x82000000"], elf(address=0x82000000), ""),
    (5, ["RAM is 0x80000000 to 0x82000000"], b"flat" * 100, "load = 0x81ffff00\n"),
    (6, ["load", "not an address"], b"flat" * 100, "load = 0x80200001\n"),
    (6, ["load", "not an address"], b"flat" * 100, "load = -4\n"),
    (5, ["too small", "initramfs 8192", "34M is the least"], linux(image_size=30 * MiB), ""),
    (5, ["too small", "36M is the least"], linux(image_size=32 * MiB), ""),
    (5, ["too small", "device tree 323584", "34M is the least"],
     linux(image_size=30 * MiB - 128 * 1024), "cpus = 64\n"),
    (5, ["too small"], linux(image_size=1 << 63), ""),
    (5, ["too small", "34M is the least"], elf(memory=32 * MiB - 4096, address=0x80000000), ""),
], ids=short)
def test_kernels_that_cannot_start(folder, line, words, kernel, more):
    folder.write("linux", kernel)
    folder.mistake(GUEST + more, line, *words)


def test_the_least_ram_is_enough(folder, reader):
    folder.write("linux", linux(image_size=30 * MiB))
    folder.make(changed('"32M"', '"34M"'))
    listed = reader(folder.path / "out.dmfs").stdout
    assert "entry=0x80200000" in listed and "plan=" not in listed


def test_too_many_capsules(folder):
    guests = [GUEST.replace('name = "linux"', f'name = "g{number}"') for number in range(65)]
    folder.make("".join(guests[:64]))
    folder.mistake("".join(guests), 64 * 5 + 1, "guest 'g64'", "65 services and guests, at most 64")


def test_all_mistakes_are_reported_in_order(folder):
    found = folder.mistakes("""\
# A comment with [[guest]] in it
[image]
colour = 1

[[guest]]
name = "one"
description = '''
[[guest]]
ram = "2M"'''
kernel = "nowhere"
ram = "3M"
properties = [
    "nothing", # ]
]

[[service]]
"file" = "service.elf"
ram = "2M"

[[guest]]
name = "one"
kernel = "linux"
ram = "32M"
cpus.x = 4
""")
    assert [line.split(":")[1] for line in found] == ["3", "7", "10", "11", "12", "16", "21", "24"]


def test_an_image_never_replaces_what_it_is_made_from(folder):
    folder.write("m.toml", GUEST.encode())
    for output in ("linux", "m.toml", "./initramfs"):
        before = (folder.path / output).read_bytes()
        done = subprocess.run([sys.executable, MKDMFS, "m.toml", "-o", output], cwd=folder.path,
                              capture_output=True, text=True)
        assert done.returncode == 1 and "would be made from" in done.stderr
        assert (folder.path / output).read_bytes() == before


def test_it_knows_the_hypervisors_extensions():
    source = "".join((TOP / f"hypervisor/riscv/{name}.c").read_text() for name in ("isa", "isa_read"))
    table = re.findall(r'\{"(\w+)", NEED_', source)
    fixed = re.search(r'fixed\[\] = "([^"]*)"', source).group(1).split()
    tool = {}
    exec((TOP / "tools/dmfs/limits.py").read_text(), tool)
    assert tool["ISA_FIXED"] == fixed
    assert sorted(tool["ISA_REMOVABLE"]) == sorted(set(table) - set(fixed))


def test_an_output_that_cannot_be_written(folder):
    folder.write("m.toml", GUEST.encode())
    done = subprocess.run([sys.executable, MKDMFS, "m.toml", "-o", "nowhere/out.dmfs"],
                          cwd=folder.path, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == "mkdmfs: error: nowhere/out.dmfs: No such file or directory\n"
