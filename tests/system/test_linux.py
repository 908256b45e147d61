"""Real Linux guests: Debian's kernel, BusyBox, MicroPython, zsh and less."""

import re

import pytest

from diosix import Machine, console, linux, payload

pytestmark = pytest.mark.slow


def use(machine):
    """What a person does first: all of it at a root shell."""
    assert machine.shell("uname -m", "riscv64")
    machine.line("micropython")
    machine.expect(">>> ")
    machine.line('print("hello " + "world")')
    machine.expect("^hello world")
    machine.expect(">>> ")
    machine.send("\x04")
    machine.expect("[#%] $")
    machine.shell("zsh -c 'echo zsh-$((6 * 7))'", "zsh-42")
    machine.line("seq 1 200 | less")
    machine.expect("^1$")
    machine.send("G")
    machine.expect("^200$")
    machine.send("q")
    machine.expect("[#%] $")


@pytest.mark.parametrize("options", [
    pytest.param({}, id="gstage"),
    pytest.param({"append": "isolation=pmp"}, id="pmp"),
    pytest.param({"qemu": "qemu10"}, id="qemu10"),
])
def test_one_guest(options):
    """From power-on to a shell, through a reboot, to power-off, as in the README."""
    with Machine([linux(ram="256M")], [console()], smp=2, mem="512M", **options) as machine:
        machine.login()
        use(machine)
        if not options:
            machine.line("reboot")
            machine.expect("capsule linux: restarting", 120, anywhere=True)
            machine.login()
        machine.line("poweroff")
        machine.expect("capsule linux: stopped", 120)


@pytest.mark.parametrize("cpu,qemu,append", [
    ("rv64,h=off,sstc=off", "qemu", ""), ("max", "qemu10", ""), ("rv64,smepmp=on", "qemu10", "isolation=pmp")])
def test_other_harts(cpu, qemu, append):
    with Machine([linux(ram="128M")], smp=1, cpu=cpu, qemu=qemu, append=f"services=no {append}") as machine:
        machine.login(360)
        machine.shell("uname -m", "riscv64")
        machine.line("poweroff")
        machine.wait_end(120)


def test_three_guests():
    """Three of 128 MB on four harts with 512 MB; all three are used."""
    guests = [linux(f"linux{i}") for i in range(3)]
    with Machine(guests, [console()], smp=4, mem="512M") as machine:
        for i in range(3):
            machine.expect(rf"capsule linux{i}: started", anywhere=True)
        for i in (2, 0, 1):
            machine.attach(f"linux{i}")
            machine.line("")
            machine.login(360)
            machine.shell(f"hostname guest-number-{i}; hostname", rf"^guest-number-{i}$")
        for i in (0, 2, 1):
            machine.attach(f"linux{i}")
            machine.line("")
            machine.shell("hostname", rf"^guest-number-{i}$")
        printed = machine.command("list")
        assert len(re.findall(r"linux\d +running", printed)) == 3, printed


def test_linux_beside_a_rogue(isolation):
    """Linux boots while its neighbours crash and restart."""
    guests = [linux(), payload("crash", properties=["auto_crash_restart"], delay_ms=500),
              payload("rogue", how="execute", properties=["auto_crash_restart"])]
    with Machine(guests, smp=2, append=f"services=no {isolation}") as machine:
        machine.login(360)
        machine.shell("uname -m", "riscv64")
        assert machine.count("capsule crash: vCPU 0 crashed") > 0
