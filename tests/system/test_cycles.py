"""Thousands of lives of a capsule beside a running Linux, and of a service in the middle of its work.
TEST_CYCLES=10000 makes them more."""

import os
import re

import pytest

from diosix import BUILD, Machine, console, linux, payload
from monitor import Monitor

CYCLES = int(os.environ.get("TEST_CYCLES", "1000"))
CRASHES = min(CYCLES * 3 // 10, 1000)
CONTROL = ["capsule_info", "capsule_control"]
COUNT_ON = "i=0; while true; do i=$((i+1)); echo $i >/tmp/n; sleep 0.1; done &"
COMPLAINTS = "dmesg | grep -ciE 'stall|hung|bug:|unstable|call trace'"


def log_in_blindly(machine):
    """The prompts may have lines of the log between them."""
    machine.expect(r"login:", anywhere=True)
    machine.line("root")
    machine.expect(r"root@", anywhere=True)
    machine.line(COUNT_ON)


@pytest.mark.slow
def test_lives_of_a_capsule_beside_linux(isolation, tmp_path):
    """Memory ends as it began, page by page, and Linux has noticed nothing."""
    guests = [linux(), payload("canary", "target", beats=0, beat_ms=60000),
              payload("control", properties=CONTROL, capsule="target", do="cycle", times=CYCLES, idle="linux",
                      hold_ms=4000)]
    path = tmp_path / "monitor"
    with Machine(guests, smp=2, mem="256M", append=f"services=no {isolation}",
                 options=Monitor.options(path)) as machine:
        monitor = Monitor(path)
        machine.expect("cycles begin", timeout=240)
        before = monitor.memory_map()
        log_in_blindly(machine)
        machine.expect(r"cycles end after (\d+) ms", timeout=60 + CYCLES / 10)
        assert monitor.memory_map() == before
        machine.payload_done("control")
        machine.line("")
        machine.expect("[#%] $")
        assert machine.shell(COMPLAINTS, r"^(\d+)\n")[1] == "0"
        first = int(machine.shell("cat /tmp/n", r"^(\d+)\n")[1])
        assert first > 3
        assert int(machine.shell("sleep 1; cat /tmp/n", r"^(\d+)\n")[1]) > first
        assert "panic" not in machine.text


OTHERS = r"(?:[^\n]*\n){1,30}"


def is_torn(text, line):
    """What another guest prints, or the log, has come in the middle of it."""
    return any(re.search(re.escape(line[:at]) + OTHERS + re.escape(line[at:]) + "\n", text)
               for at in range(1, len(line) + 1))


def lines_of(text, name):
    """A line may come again, but none is missing."""
    lines = {int(n) for n in re.findall(rf"\[{name}\] canary alive (\d+)\n", text)}
    missing = set(range(1, max(lines) + 1)) - lines
    assert all(is_torn(text, f"[{name}] canary alive {number}") for number in missing), missing
    return lines


TALKERS = [payload("canary", f"talker{i}", beats=0, beat_ms=5) for i in range(2)]


def end_it_while_guests_print(service, what, isolation, path, **words):
    """CRASHES times, by payload `control`. Memory ends as it began. Returns the machine, which has ended."""
    control = payload("control", properties=CONTROL, capsule=service["name"], times=CRASHES, hold_ms=4000, **words)
    with Machine([*TALKERS, control], [service], smp=2, append=isolation, options=Monitor.options(path)) as machine:
        monitor = Monitor(path)
        machine.expect(f"{what} begin")
        before = monitor.memory_map()
        machine.expect(f"{what} end", timeout=60 + CRASHES / 5)
        assert monitor.memory_map() == before
        machine.payload_done("control")
    return machine


@pytest.mark.slow
def test_service_crashes_in_the_middle_of_traffic(isolation, tmp_path):
    """The console service crashes between any two of its calls while guests print. Each line comes, though
    the next life may show again what the last one has shown."""
    relay = {"name": "relay", "file": str(BUILD / "payload/relay.elf"), "ram": "2M",
             "properties": ["service_console", "console_write"]}
    machine = end_it_while_guests_print(relay, "crashes", isolation, tmp_path / "monitor", do="revive")
    assert machine.count("capsule relay: vCPU 0 crashed") >= CRASHES
    for talker in TALKERS:
        assert len(lines_of(machine.text, talker["name"])) > CRASHES


@pytest.mark.slow
def test_console_ends_in_the_middle_of_calls(isolation, tmp_path):
    """The same with the real one, which another hart stops and starts wherever it is: its crash is no other
    end. The guest that it is attached to loses nothing."""
    machine = end_it_while_guests_print(console(), "cycles", isolation, tmp_path / "monitor", do="cycle", gap_us=30000)
    assert len(lines_of(machine.text, "talker0")) > CRASHES
