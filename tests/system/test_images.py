"""Images and manifests that are damaged or wrong: a clear message, and the rest runs."""

import gzip
import struct
import zlib

import pytest

from diosix import BUILD, Machine, manifest, mkdmfs, payload

TWO = [payload("canary", "first", beats=2, beat_ms=100), payload("spin", "second", periods=1, period_ms=100)]


def crc32(data):
    return struct.pack(">I", zlib.crc32(data))


def damaged(tmp_path, change):
    image, _ = mkdmfs(manifest(guests=TWO), tmp_path)
    data = bytearray(image.read_bytes())
    change(data)
    image.write_bytes(data)
    return image


def test_flipped_byte_in_a_kernel(tmp_path):
    """The damaged capsule is left out, the other one runs."""
    loaded = (BUILD / "payload/spin.bin").read_bytes()  # mkdmfs takes no more of the ELF file

    def flip(data):
        data[data.index(loaded) + len(loaded) // 2] ^= 0x10

    with Machine(image=damaged(tmp_path, flip), smp=1, append="services=no") as machine:
        machine.expect("image: .*second.* is damaged: crc32", anywhere=True)
        machine.payload_done("first")
        machine.wait_end()
        assert "[second]" not in machine.text


@pytest.mark.parametrize("bytes_left", [64, 1000, 20000])
def test_truncated(tmp_path, bytes_left):
    """Whatever is left of it, the hypervisor says so and goes on with what is good."""
    def cut(data):
        del data[bytes_left:]

    with Machine(image=damaged(tmp_path, cut), append="services=no") as machine:
        machine.expect("not usable|has no place within the image|is damaged")


@pytest.mark.parametrize("content", [
    pytest.param(b"no image at all " * 1000, id="text"),
    pytest.param(b"\xd0\x0d\xfe\xed" + b"\xff" * 4000, id="magic"),
    pytest.param(b"\0" * 5000, id="zeros"),
])
def test_garbage(tmp_path, content):
    """The built-in image is used instead."""
    image = tmp_path / "garbage"
    image.write_bytes(content)
    with Machine(image=image, append="services=no guests=no", mem="512M") as machine:
        machine.expect("image: not usable")
        machine.expect("using the built-in one")


def test_too_much_ram():
    """One guest wants more than there is: it is named, the other one runs."""
    guests = [payload("spin", "large", ram="1G"), payload("canary", beats=1, beat_ms=100)]
    with Machine(guests, mem="128M") as machine:
        machine.expect("capsule large: no 1024 MiB of free memory")
        machine.payload_done("canary")
        machine.wait_end()


def test_kernel_that_is_none(tmp_path):
    """A kernel that claims to be an ELF but isn't one."""
    broken = tmp_path / "broken.elf"
    good = bytearray((BUILD / "payload/spin.elf").read_bytes())
    good[18] = 62  # e_machine: x86-64
    broken.write_bytes(good)
    guests = [{**payload("spin", "broken"), "kernel": str(broken)}, payload("canary", beats=1, beat_ms=100)]
    try:
        machine = Machine(guests)
    except AssertionError as refusal:  # mkdmfs may see it first
        assert "broken" in str(refusal)
        return
    with machine:
        machine.expect("capsule broken: kernel")
        machine.payload_done("canary")


def test_packed_kernel_in_an_image(tmp_path):
    """An image that mkdmfs did not make: the hypervisor unpacks nothing, and says who does."""
    packed = gzip.compress((BUILD / "payload/spin.elf").read_bytes())
    other = b"\0" + packed[1:]  # which mkdmfs takes for a flat binary
    (tmp_path / "kernel").write_bytes(other)
    guests = [{**payload("spin", "packed"), "kernel": str(tmp_path / "kernel"), "ram": "8M"}, TWO[0]]
    image, _ = mkdmfs(manifest(guests=guests), tmp_path)
    data = image.read_bytes()
    for old, new in ((other, packed), (crc32(other), crc32(packed))):
        assert data.count(old) == 1
        data = data.replace(old, new)
    image.write_bytes(data)
    with Machine(image=image, smp=1, append="services=no") as machine:
        machine.expect("capsule packed: kernel kernel-1: compressed with gzip; mkdmfs unpacks it")
        machine.payload_done("first")
        machine.wait_end()


def test_blobs(isolation, tmp_path):
    """A program that could be anywhere gets RAM where its blobs are to be."""
    (tmp_path / "blob").write_bytes(b"blob" * 1000)
    guest = {**payload("canary", beats=1), "ram": "32M",
             "blobs": [{"file": str(tmp_path / "blob"), "address": 0x81000000}]}
    with Machine([guest], append=f"services=no {isolation}") as machine:
        if "pmp" in isolation:
            machine.expect("capsule canary: started, 1 vCPU, 32 MiB at 0x80080000", anywhere=True)
        machine.payload_done("canary")


GOOD = {"name": "good", "kernel": str(BUILD / "payload/spin.elf"), "ram": "8M"}


@pytest.mark.parametrize("wrong,said", [
    ({"colour": "blue"}, "colour"),
    ({"kernel": "/nowhere/kernel"}, "/nowhere/kernel"),
    ({"ram": "3M"}, "ram"),
    ({"ram": "lots"}, "ram"),
    ({"cpus": 0}, "cpus"),
    ({"weight": 100000}, "weight"),
    ({"properties": ["fly"]}, "fly"),
    ({"name": "a name with spaces"}, "name"),
])
def test_bad_manifest(tmp_path, wrong, said):
    image, message = mkdmfs(manifest(guests=[{**GOOD, **wrong}]), tmp_path, expect_failure=True)
    assert said in message and "manifest.toml:" in message
    assert not image.exists()


def test_duplicate_name(tmp_path):
    _, message = mkdmfs(manifest(guests=[GOOD, GOOD]), tmp_path, expect_failure=True)
    assert "good" in message
