"""Capsules that sleep (SBI SUSP): what wakes them up, and what doesn't."""

import pytest

from diosix import Machine, console, linux, payload


def test_pause_and_resume_wake_nobody(isolation):
    """The clock's alarm is the only reason to resume; the payload looks at the time when it does."""
    with Machine([payload("suspend", sleep_s=8)], [console()], append=isolation) as machine:
        machine.expect(r"\[suspend\] # asleep", anywhere=True)
        for _ in range(2):
            machine.command("pause suspend")
            machine.expect("capsule suspend: paused", anywhere=True)
            machine.command("resume suspend")
        assert machine.count("PAYLOAD DONE") == 0
        machine.payload_done("suspend")


@pytest.mark.slow
def test_linux_suspends_to_ram(isolation):
    """Two vCPUs, of which Linux stops one; what is typed wakes it up. (Its goldfish driver cannot be
    told to wake it.)"""
    guest = linux(bootargs="console=ttyS0 quiet no_console_suspend", cpus=2)
    with Machine([guest], smp=2, append=f"services=no {isolation}") as machine:
        machine.login(360)
        machine.shell("cat /sys/power/mem_sleep", r"\[deep\]")
        machine.line("echo enabled > /sys/class/tty/ttyS0/power/wakeup; dmesg -n 8")
        machine.line("echo mem > /sys/power/state; echo aw''ake $?")
        machine.expect("Disabling non-boot CPUs", 60)
        machine.run_for(2)
        assert machine.count(r"^awake") == 0
        machine.send("\r")
        machine.expect("awake 0", 60)
        machine.shell("nproc", "^2$")
        machine.line("poweroff")
        machine.wait_end(120)
