"""The machine comes up: numbers and kinds of harts, both QEMUs, machines other than virt."""

import re
import struct

import pexpect
import pytest

from diosix import BUILD, ELF, QEMUS, SCALE, Machine, payload

CANARY = [payload("canary", beats=2, beat_ms=200), payload("canary", "fixed", file="canary-fixed.elf", beats=2, beat_ms=200),
          payload("canary", "flat", file="canary.bin", beats=2, beat_ms=200)]


def lives(guests=None, powers_off=True, **options):
    """Starts, runs canaries to their end, and switches itself off when nothing is left."""
    guests = CANARY[:1] if guests is None else guests
    with Machine(guests, **options) as machine:
        for guest in guests:
            machine.payload_done(guest["name"])
        machine.expect("nothing is left to run", anywhere=True)
        if powers_off:
            machine.wait_end()
        return machine.text


@pytest.mark.parametrize("harts", [1, 2, 4, 8])
def test_harts(harts, isolation):
    guests = [payload("canary", f"canary{i}", beats=2, beat_ms=200) for i in range(harts)]
    text = lives(guests, smp=harts, append=f"services=no {isolation}")
    assert re.search(rf"{harts} harts? for guests", text)
    assert ("isolation: pmp" in text) == ("pmp" in isolation)
    footprint = int(re.search(r"the hypervisor takes (\d+) KiB", text)[1])
    assert footprint <= 256 * harts
    assert len(re.findall(r"hart \d+ used at most \d+ of the \d+ bytes of its stack", text)) == harts


def test_as_firmware():
    """In OpenSBI's place: entered by the machine's reset code as `-bios`, flat, a2 set."""
    binary = ELF.with_suffix(".bin")
    qemu = pexpect.spawn(QEMUS["qemu"], ["-machine", "virt", "-nographic", "-m", "512M", "-bios", str(binary)],
                         timeout=120 * SCALE, encoding="utf-8", codec_errors="replace")
    try:
        qemu.expect("isolation: gstage")
        qemu.expect("capsule linux: started")
    finally:
        qemu.close(force=True)


@pytest.mark.parametrize("qemu,cpu", [
    ("qemu", "rv64"), ("qemu", "rv64,h=off"), ("qemu", "rv64,sstc=off"), ("qemu", "sifive-u54"),
    ("qemu", "rv64,v=on,vlen=256"), ("qemu10", "rv64"), ("qemu10", "rva22s64,pmp=on"), ("qemu10", "rva23s64,pmp=on"),
    ("qemu10", "rva23s64"), ("qemu10", "max"), ("qemu10", "sifive-u54"),
    ("qemu10", "rv64,smdbltrp=on"), ("qemu10", "rv64,smrnmi=on"),
])
def test_cpu(qemu, cpu):
    lives(qemu=qemu, cpu=cpu, guests=CANARY[:1] + [payload("fp", seed=3, rounds=10)] if "u54" not in cpu else None)


def test_nothing_to_confine_with():
    """Neither H nor PMP (QEMU's rva22s64 has PMP off): a clear refusal."""
    with Machine(CANARY[:1], qemu="qemu10", cpu="rva22s64") as machine:
        machine.expect("panic: these harts have neither the H extension nor .* PMP")


@pytest.mark.parametrize("cpu", ["rv64,f=off,d=off", "rv64,f=off,d=off,h=off"])
def test_without_floating_point(cpu):
    """RV64IMAC: the same binary."""
    guests = CANARY[:1] + [payload("sbi", **({} if "h=off" in cpu else {"sip": "hidden"}))]
    lives(guests, cpu=cpu)


def test_kernel_kinds():
    """An ELF that goes anywhere, one that is linked at an address, a flat binary."""
    lives(CANARY)


def test_kernel_at_its_address_on_pmp():
    """Without translation the capsule's RAM is the board's first, behind the firmware's part."""
    text = lives(CANARY[1:2], append="services=no isolation=pmp")
    assert re.search(r"capsule fixed: started.* at 0x80080000", text)


def image_of(binary):
    """A Linux Image with a page before the program, so that this one is at 0x80200000 on a board."""
    size = 0x1000 + len(binary)
    header = struct.pack("<IIQQQIIQ8s4sI", 0x0000106f, 0, 0x1ff000, size, 0, 2, 0, 0, b"RISCV", b"RSC\x05", 0)
    return header.ljust(0x1000, b"\0") + binary


def test_image_is_at_home_on_pmp(tmp_path):
    """Some kernels with Linux's header cannot move, and find what they do on a board; but one that
    has no header and cannot move either comes first."""
    (tmp_path / "Image").write_bytes(image_of((BUILD / "payload/canary.bin").read_bytes()))
    guest = payload("canary", "image", file=tmp_path / "Image", beats=2, beat_ms=200)
    text = lives([guest], append="services=no isolation=pmp")
    assert re.search(r"capsule image: started.* at 0x80080000", text)
    text = lives([guest, CANARY[1]], append="services=no isolation=pmp")
    assert re.search(r"capsule fixed: started.* at 0x80080000", text)


def test_low_memory_first_on_pmp():
    """Programs for small boards map what they like above the first gigabyte; and the fixed one still fits."""
    text = lives(CANARY[:2], append="services=no isolation=pmp", mem="3G")
    end = int(re.search(r"capsule canary: started.* at (0x\w+)", text)[1], 16) + (8 << 20)
    assert end <= 0xc0000000
    assert re.search(r"capsule fixed: started.* at 0x80080000", text)


def test_sifive_u():
    """A machine with a hart without supervisor mode and `time` that traps."""
    text = lives(machine="sifive_u", smp=5, mem="256M", powers_off=False)
    assert "4 harts for guests, 1 for maintenance" in text


def test_maintenance_hart_boots():
    """What is made for guests goes by the harts that run them. With -icount the first hart, which
    has neither supervisor mode nor H nor vectors, is always the first to come in."""
    guests = [payload("fp", f"fp{i}", seed=i, rounds=10) for i in range(2)]
    text = lives(guests, machine="sifive_u", smp=3, cpu="rv64,v=true,vlen=1024", icount=3, powers_off=False)
    assert "2 harts for guests, 1 for maintenance: H, FP, vector" in text
    assert "isolation: gstage" in text


def test_banner(tmp_path):
    banner = tmp_path / "banner.txt"
    banner.write_text("A banner of this test\n")
    assert "A banner of this test" in lives(banners=[banner])


def test_unknown_word():
    assert "'colour=blue' is unknown and ignored" in lives(append="services=no colour=blue")
