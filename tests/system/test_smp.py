"""Many vCPUs on one hart, on some and on many: Linux with several, and the registers of them all."""

import hashlib
import struct

import pytest

from diosix import Machine, linux, payload

pytestmark = pytest.mark.slow

# Every number of vCPUs and of harts, more of either, and both back ends. What costs time is Linux's
# way to its login, so each machine boots once and does everything.
SHAPES = [  # vCPUs, harts, back end
    (2, 1, "gstage"), (4, 2, "gstage"), (8, 4, "gstage"),
    (8, 1, "pmp"), (4, 2, "pmp"), (2, 4, "pmp"),
]


def zeros_sum(blocks):
    """What sha256sum says of so many blocks of 64 KiB of zeros."""
    return hashlib.sha256(bytes(blocks << 16)).hexdigest()


def zeros(blocks):
    return f"dd if=/dev/zero bs=65536 count={blocks} 2>/dev/null | sha256sum"


# Floating point in a user program: the bits of a sum.
HARMONIC = "s=0.0\nfor i in range(1,9999): s+=1/i\n"


def harmonic_bits():
    result = {}
    exec(HARMONIC, result)
    return struct.pack("<d", result["s"]).hex()


def load(machine, pairs):
    """Pipelines and programs that calculate, side by side; every result must be right."""
    counts = range(8, 8 + pairs)
    script = f"import struct\n{HARMONIC}print(struct.pack('<d', s).hex())\n".replace("\n", "\\n")
    machine.shell(f'printf "{script}" >/tmp/h.py; echo written', "^written$")
    machine.line(f"for n in {' '.join(map(str, counts))}; do ({zeros('$n')} | sed s/-/$n/ >/tmp/sum$n) & "
                 "micropython /tmp/h.py >/tmp/bits$n & done; wait; cat /tmp/sum* /tmp/bits*; echo all-done")
    machine.expect("^all-done$", 240)
    machine.expect(r"[#%] $")
    for count in counts:
        assert machine.count(f"^{zeros_sum(count)}  {count}$") == 1, f"{count} blocks"
    assert machine.count(f"^{harmonic_bits()}$") == pairs


def offline_and_online(machine, cpu, cpus):
    """A vCPU goes (HSM hart_stop) and comes back (hart_start), and then works: its own timer tick and
    a process that may run nowhere else."""
    others = "0" if cpus == 2 else f"0-{cpus - 2}"
    switch = f"/sys/devices/system/cpu/cpu{cpu}/online"
    machine.shell(f"echo 0 >{switch}; cat /sys/devices/system/cpu/online", f"^{others}$")
    machine.shell(f"echo 1 >{switch}; cat /sys/devices/system/cpu/online", f"^0-{cpus - 1}$")
    machine.shell(f"taskset {1 << cpu:x} sh -c 'sleep 0.1; {zeros(1)}'", zeros_sum(1))


@pytest.mark.parametrize("vcpus,harts,isolation", [
    pytest.param(*shape, id=f"{shape[0]}-on-{shape[1]}-{shape[2]}") for shape in SHAPES])
def test_linux(vcpus, harts, isolation):
    append = "services=no" + (" isolation=pmp" if isolation == "pmp" else "")
    with Machine([linux(cpus=vcpus)], smp=harts, append=append) as machine:
        machine.login(360)
        machine.shell("nproc", rf"^{vcpus}$")
        machine.shell("dmesg | grep random", r"0\.000000\] random: crng init done")  # by our rng-seed
        offline_and_online(machine, vcpus - 1, vcpus)
        load(machine, 4)
        machine.shell("dmesg | grep -ciE 'stall|lockup|hung|BUG|Oops|WARNING'", "^0$")
        machine.line("poweroff")
        machine.wait_end(120)


CROWDS = {
    "64-on-2-gstage": (64, 2, {"append": "services=no"}),
    "64-on-2-no-h-no-sstc": (64, 2, {"cpu": "rv64,h=off,sstc=off"}),
    "64-on-1-qemu10-pmp": (64, 1, {"qemu": "qemu10", "append": "services=no isolation=pmp"}),
    "4-on-4-gstage": (4, 4, {"append": "services=no"}),
    "4-on-4-no-h": (4, 4, {"cpu": "rv64,h=off"}),
}


@pytest.mark.parametrize("vcpus,harts,kind", [pytest.param(*crowd, id=name) for name, crowd in CROWDS.items()])
def test_all_at_once(vcpus, harts, kind):
    """IPIs and fences to all, running, waiting and suspended; then each of them in its turn."""
    words = {} if "cpu" in kind or "qemu" in kind else {"sip": "hidden"}  # docs/testing.md, QEMU 7.2 with H
    for name in ("crowd", "sbi"):
        with Machine([payload(name, ram="16M", cpus=vcpus, **words)], smp=harts, **kind) as machine:
            machine.payload_done(name, 240)


@pytest.mark.parametrize("isolation,cpu", [
    pytest.param("auto", None, id="gstage"), pytest.param("pmp", None, id="pmp"),
    pytest.param("auto", "rv64,h=off,sstc=off", id="no-h-no-sstc")])
def test_fences_reach(isolation, cpu):
    """Old translations are gone when the call returns. QEMU 7.2 empties a hart's TLB at most exits, QEMU 10
    where guests are in VS-mode: what was forgotten of one that waits is seen on harts without H."""
    append = f"services=no isolation={isolation}"
    with Machine([payload("fence", cpus=2)], smp=2, qemu="qemu10", cpu=cpu, append=append) as machine:
        machine.payload_done("fence")


def test_translations_stay_behind():
    """One vCPU goes from hart to hart among its siblings and finds nothing old. (On harts without H, where
    QEMU 10 keeps TLBs from exit to exit.)"""
    with Machine([payload("wander", cpus=4)], smp=2, qemu="qemu10", cpu="rv64,h=off,sstc=off") as machine:
        machine.payload_done("wander")


@pytest.mark.parametrize("vlen,harts,cpu,append", [
    pytest.param(128, 1, "", "", id="128-on-1-gstage"),
    pytest.param(256, 2, "", " isolation=pmp", id="256-on-2-pmp"),
    pytest.param(512, 1, ",h=off", "", id="512-on-1-no-h"),
    pytest.param(1024, 2, "", "", id="1024-on-2-gstage"),
    pytest.param(128, 2, ",h=off,sstc=off", "", id="128-on-2-no-h-no-sstc"),
])
def test_registers_do_not_mix(vlen, harts, cpu, append):
    """Seven vCPUs of three guests, which load, keep and compare all FP and vector state, and whose
    interrupt handlers use the same registers, beside one that never touches them."""
    guests = [payload("context", f"context{i}", seed=i + 1, cpus=cpus, rounds=24, round_ms=12)
              for i, cpus in enumerate((1, 2, 4))] + [payload("canary", beats=3, beat_ms=300)]
    with Machine(guests, smp=harts, cpu=f"rv64,v=on,vlen={vlen}{cpu}", append="services=no" + append) as machine:
        for guest in guests:
            machine.payload_done(guest["name"])
        assert machine.count(f"vlen {vlen}$") == 3


def test_registers_follow_their_vcpu(isolation):
    """One vCPU that uses the registers goes from hart to hart and back, beside others that do not use
    them: what it finds on a hart may be its own of an earlier visit."""
    guests = [payload("context", rounds=60, round_ms=12)]
    guests += [payload("spin", f"spin{i}", periods=8, period_ms=500) for i in range(3)]
    with Machine(guests, smp=2, cpu="rv64,v=on", append=f"services=no {isolation}") as machine:
        machine.payload_done("context")
