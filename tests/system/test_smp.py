"""Linux with several vCPUs, on fewer harts, on as many and on more."""

import hashlib

import pytest

from diosix import Machine, linux

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


def load(machine, jobs):
    """Pipelines side by side, three processes each; every sum must be right."""
    counts = range(8, 8 + jobs)
    machine.line(f"for n in {' '.join(map(str, counts))}; do ({zeros('$n')} | sed s/-/$n/ >/tmp/sum$n) & done; "
                 "wait; cat /tmp/sum*; echo all-done")
    machine.expect("^all-done$", 120)
    machine.expect(r"[#%] $")
    for count in counts:
        assert machine.count(f"^{zeros_sum(count)}  {count}$") == 1, f"{count} blocks"


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
        offline_and_online(machine, vcpus - 1, vcpus)
        load(machine, 8)
        machine.shell("dmesg | grep -ciE 'stall|lockup|hung|BUG|Oops|WARNING'", "^0$")
        machine.line("poweroff")
        machine.wait_end(120)
