"""Guests that are firmware, and what starts from them; kernels and files in the forms that guests come in."""

import gzip
import re
import struct
import subprocess

import pytest

from diosix import BUILD, Machine, linux, payload

pytestmark = pytest.mark.slow

FIRMWARE = BUILD / "guests/firmware"
DEBIAN = BUILD / "guests/debian"
KERNEL, INITRD = 0x84000000, 0x88000000


def edk2(**more):
    return {"name": "edk2", "flash0": str(FIRMWARE / "RISCV_VIRT_CODE.fd"),
            "flash1": str(FIRMWARE / "RISCV_VIRT_VARS.fd"), "ram": "256M", **more}


# --- U-Boot ----------------------------------------------------------------------------------------

def u_boot(blobs=(), ram="256M"):
    return {"name": "u-boot", "kernel": str(FIRMWARE / "u-boot.bin"), "ram": ram, "blobs": list(blobs)}


def u_boot_prompt(machine):
    """Its countdown is its own affair: without an answer there is nothing to boot, and the prompt too."""
    machine.expect("Hit any key", 120)
    machine.send(" ")
    machine.expect(r"^=> ?$", 120)


def u_boot_command(machine, words, pattern):
    machine.line(words)
    match = machine.expect(pattern, 60)
    machine.expect(r"^=> ?$", 60)
    return match


def test_u_boot(isolation):
    """To its prompt, twice, and it finds the machine that it was built for; then it starts Linux,
    which lies in its RAM with an initramfs."""
    initramfs = DEBIAN / "initramfs.cpio.gz"
    blobs = [{"file": str(DEBIAN / "linux"), "address": KERNEL}, {"file": str(initramfs), "address": INITRD}]
    with Machine([u_boot(blobs)], smp=1, mem="512M", append=f"services=no {isolation}") as machine:
        u_boot_prompt(machine)
        machine.line("reset")
        machine.expect("capsule u-boot: restarting", 60)
        u_boot_prompt(machine)
        u_boot_command(machine, "version", r"^U-Boot 20\d\d\.\d\d")
        u_boot_command(machine, "sbi", r"^SBI \d+\.\d+\n(.*\n)*.*Timer Extension\n(.*\n)*.*Hart State Management")
        u_boot_command(machine, "bdinfo", r"^boot hart += 0x0*0$")
        u_boot_command(machine, "setenv bootargs console=ttyS0 quiet", "quiet")
        machine.line(f"booti {KERNEL:x} {INITRD:x}:{initramfs.stat().st_size:x} ${{fdtcontroladdr}}")
        machine.expect("Starting kernel", 60)
        machine.login(360)
        machine.shell("uname -m", "riscv64")
        machine.line("poweroff")
        machine.wait_end(120)


# Of U-Boot's tests of its UEFI services, those that need a device that this machine has not; on
# QEMU's `virt` they fail, too.
NO_DEVICE = {"random number generator", "simple network protocol"}


def test_u_boot_selftest(isolation):
    with Machine([u_boot()], smp=1, mem="512M", append=f"services=no {isolation}") as machine:
        u_boot_prompt(machine)
        u_boot_command(machine, "bootefi hello ${fdtcontroladdr}", "^Hello, world!")
        machine.line("bootefi selftest ${fdtcontroladdr}")
        machine.expect(r"^Summary: \d+ failures", 240)
        failed = set(re.findall(r"^ERROR: (?:Setting up|Executing|Tearing down) '(.*)' failed$", machine.text, re.M))
        assert failed <= NO_DEVICE, machine.failure(str(failed))
        assert machine.count("succeeded$") > 60
        machine.expect("Press any key", 60)
        machine.send(" ")
        machine.expect("capsule u-boot: restarting", 60)


def test_u_boot_flash():
    """Another driver of the flash than EDK2's finds it and does all that it can with it."""
    banks = {"flash0": str(FIRMWARE / "RISCV_VIRT_CODE.fd"), "flash1": str(FIRMWARE / "RISCV_VIRT_VARS.fd")}
    with Machine([{**u_boot(), **banks}], smp=1, mem="512M") as machine:
        u_boot_prompt(machine)
        for bank in (1, 2):
            u_boot_command(machine, f"flinfo {bank}", "CFI conformant flash (.*\n)*.*Intel Extended command set")
        u_boot_command(machine, "erase 22100000 +40000", "^Erased 2 sectors")
        u_boot_command(machine, "md.l 2213fff0 4", "2213fff0: ffffffff ffffffff ffffffff ffffffff")
        u_boot_command(machine, "mw.b 84000000 a5 1000; cp.b 84000000 22100040 1000", r"Copy to Flash\.\.\. done")
        u_boot_command(machine, "cmp.b 84000000 22100040 1000", r"^Total of 4096 byte\(s\) were the same")
        u_boot_command(machine, "md.l 22101040 1", "22101040: ffffffff")
        u_boot_command(machine, "protect on 22100000 +40000", "^Protected 2 sectors")
        u_boot_command(machine, "cp.b 20000000 22100000 100", "Can't write to protected Flash sectors")
        machine.line("poweroff")
        machine.wait_end()


# --- EDK2 ------------------------------------------------------------------------------------------

def shell_prompt(machine):
    machine.expect("UEFI Interactive Shell", 240)
    machine.expect("Press ESC in", 60)
    machine.send("\x1b")
    machine.expect("^Shell> ?$", 60)


def shell_command(machine, words, pattern):
    machine.line(words)
    match = machine.expect(pattern, 60)
    machine.expect("^Shell> ?$", 60)
    return match


VARIABLE = "setvar diosix -guid 12345678-1234-1234-1234-123456789abc"
VALUE = r"6B 00 65 00 70 00 74 00"


@pytest.mark.parametrize("qemu", ["qemu", "qemu10"])
def test_edk2(qemu):
    """To its shell out of flash; a variable that it keeps is in the other bank, until the restart."""
    with Machine([edk2(cpus=2)], smp=2, mem="512M", qemu=qemu) as machine:
        shell_prompt(machine)
        shell_command(machine, VARIABLE + ' -bs -nv =L"kept"', "ept")
        shell_command(machine, VARIABLE, VALUE)
        shell_command(machine, "dmem 0x22000880 40", r"k\.e\.p\.t")
        machine.line("reset")
        machine.expect("capsule edk2: restarting", 60)
        shell_prompt(machine)
        shell_command(machine, VARIABLE, "Unable to get")
        machine.line("reset -s")
        machine.expect("capsule edk2: stopped", 60)
        machine.wait_end()


@pytest.mark.parametrize("qemu,cpu,smp", [("qemu", None, 1), ("qemu", None, 2), ("qemu10", "rv64,smepmp=on", 2)])
def test_flash(tmp_path, qemu, cpu, smp):
    """All that a guest can do with it, by three vCPUs that share harts."""
    contents = struct.pack("<64I", *(0x5a000000 + number for number in range(64)))
    contents += struct.pack("<II", 0x02a00513, 0x00008067)  # li a0, 42; ret
    # csrr t0, sepc; addi t0, t0, 4; csrw sepc, t0; sret
    contents = contents.ljust(0x140, b"\0") + struct.pack("<4I", 0x141022f3, 0x00428293, 0x14129073, 0x10200073)
    # ld t0, 0(a1); ld a1, 8(a1); jr t0
    contents = contents.ljust(0x180, b"\0") + struct.pack("<3I", 0x0005b283, 0x0085b583, 0x00028067)
    (tmp_path / "flash").write_bytes(contents)
    guests = [{**payload("flash", cpus=3), "flash1": str(tmp_path / "flash")}, payload("canary", beats=1)]
    with Machine(guests, smp=smp, qemu=qemu, cpu=cpu) as machine:
        machine.payload_done("flash")
        machine.payload_done("canary")
        machine.wait_end()


def test_flash_takes_translation():
    """Said once, clearly, and the other guest runs."""
    with Machine([edk2(), payload("canary", beats=1)], append="services=no isolation=pmp", mem="512M") as machine:
        machine.expect("capsule edk2: flash needs two-stage translation .*, and isolation here is pmp")
        machine.payload_done("canary")
        machine.wait_end()
        assert machine.count("edk2") == 1


# --- kernels and files -----------------------------------------------------------------------------

def test_debian_installer(isolation):
    """Debian's kernel with the installer's own initrd, to its first screen."""
    guest = linux(initramfs=str(DEBIAN / "initrd.gz"), ram="512M", bootargs="console=ttyS0 quiet")
    with Machine([guest], smp=1, mem="768M", append=f"services=no {isolation}") as machine:
        machine.expect("Select a language", 600)


def zboot(payload_bytes, name):
    """An EFI program with a compressed kernel inside, as Linux builds it (zboot-header.S)."""
    header = b"MZ\0\0zimg" + struct.pack("<IIQ", 4096, len(payload_bytes), 0) + name
    return header.ljust(4096, b"\0") + payload_bytes


def zstd(data):
    return subprocess.run(["zstd", "-q", "-c"], input=data, capture_output=True, check=True).stdout


def test_packed_kernels(tmp_path):
    """The same kernel in four packings: each runs."""
    kernel = (BUILD / "payload/canary.elf").read_bytes()
    packed = {"gzip": gzip.compress(kernel), "zstd": zstd(kernel), "zboot": zboot(gzip.compress(kernel), b"gzip"),
              "nested": gzip.compress(zboot(zstd(kernel), b"zstd"))}
    guests = []
    for name, data in packed.items():
        (tmp_path / name).write_bytes(data)
        guests.append({**payload("canary", name, beats=2, beat_ms=100), "kernel": str(tmp_path / name)})
    with Machine(guests) as machine:
        for name in packed:
            machine.payload_done(name)
        machine.wait_end()
