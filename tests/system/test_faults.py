"""Things that go wrong on purpose: words of a debug build's boot arguments (docs/testing.md)."""

import re
import struct
import subprocess
import time

import pytest

from diosix import QEMUS, SCALE, Machine, console, payload
from monitor import Monitor

MISSING = r"no memory for|no \d+ MiB of free memory"
GUESTS = ["canary0", "canary1"]


def boot_without(n, isolation):
    """Boots without the n-th allocation. What does not need it lives to its end, what does says so.
    Returns all that was said."""
    guests = [payload("canary", name, beats=1, beat_ms=100) for name in GUESTS]
    with Machine(guests, [console()], smp=2, append=f"{isolation} fail=allocation:{n}") as machine:
        for name in GUESTS:
            machine.expect(rf"\[{name}\] PAYLOAD DONE passed=1 failed=0|capsule {name}: (?:{MISSING})",
                           anywhere=True)
        machine.expect(r"\d harts? for guests", anywhere=True)
        assert "panic" not in machine.text
        return machine.text


@pytest.mark.slow
def test_boot_without_one_allocation(isolation):
    """For each allocation: at most the one thing that needs it is missing, and is named."""
    complete, n, named = False, 0, 0
    while not complete:
        n += 1
        text = boot_without(n, isolation)
        complete = "boot has fewer than" in text
        missing = len(re.findall(rf"^(?!.*is left out).*(?:{MISSING})", text, re.MULTILINE))
        assert missing <= 1 and not (complete and missing)
        assert missing or "2 harts for guests" in text
        assert missing or all(f"[{name}] PAYLOAD DONE" in text for name in GUESTS)
        named += missing
        assert n < 60
    # A hart; for each capsule its structure, its RAM, its vCPU and devices. (The image may stay where it is.)
    assert named >= 1 + 3 * 3


CONTROL = ["capsule_info", "capsule_control"]
FREE, HYPERVISOR = 1, 3  # their places among the owners of the second map
RING = 8192  # for what a capsule prints: it stays when the capsule has ended
PLAIN = payload("canary", "target", beats=0, beat_ms=100)
# What is started, beside whom, and what it is that cannot be had.
STARTS = {"guest": ([PLAIN], ["RAM", "life"]),
          "its-first-start": ([payload("canary", "room", ram="128M", beats=0), {**PLAIN, "ram": "128M"}],
                              ["RAM", "life", "ring"]),
          "board-ram": ([{**PLAIN, "kernel": PLAIN["kernel"].replace(".elf", "-fixed.elf")}], ["RAM", "life"]),
          "console": ([], ["RAM", "life"])}
NAMED = {"RAM": r"no \d+ MiB of free memory", "life": "no memory for its vCPUs and devices",
         "tables": "no memory for its page tables", "ring": "no memory for what it prints"}


@pytest.mark.parametrize("what", STARTS)
def test_a_start_without_one_allocation(what, isolation, tmp_path):
    """A start, restart and stop, each time without the next of its allocations, up to one that lacks nothing,
    beside a guest that goes on."""
    targets, missing = STARTS[what]
    if isolation == "isolation=auto":
        missing = missing[:2] + ["tables"] + missing[2:]
    count, times = len(missing), len(missing) + 2
    if what == "board-ram" and isolation == "isolation=pmp":
        missing = missing[1:]  # the RAM that it is linked to is asked for twice
    name = targets[-1]["name"] if targets else "console"
    room = {"room": "room"} if what == "its-first-start" else {}
    control = payload("control", properties=CONTROL, capsule=name, do="starve", times=times, hold_ms=2000, **room)
    path = tmp_path / "monitor"
    with Machine([*targets, payload("canary", beats=0, beat_ms=50), control], [console()],
                 append=f"{isolation} fail=start", options=Monitor.options(path)) as machine:
        monitor = Monitor(path)
        machine.expect("starts begin")
        before, began = monitor.memory_map(), machine.position
        failed = int(machine.expect(rf"starts end, (\d) of {times} failed")[1])
        extents, owned = monitor.memory_map()
        if "ring" in missing:
            before[1][FREE] -= RING
            before[1][HYPERVISOR] += RING
        assert (extents == before[0] or "ring" in missing) and owned == before[1]
        machine.expect(r"\[canary\] canary alive")
        assert machine.count(r"\[control\] ok starve") == (4 if "ring" in missing else 3)
        text = machine.text[began:]
        assert [n for n in missing for _ in re.findall(rf"capsule {name}: {NAMED[n]}", text)] == missing
        assert len(re.findall(f"capsule {name}: started", text)) == times - failed
        assert f"has fewer than {count + 1} allocations" in text
        assert "panic" not in text


# --- harts ---

def lives_without_one(words, smp, **options):
    """One hart of the list is left out, whatever becomes of it later; the others work."""
    guests = [payload("canary", f"canary{i}", beats=4, beat_ms=300) for i in range(4)]
    with Machine(guests, smp=smp, append=f"services=no {words}", **options) as machine:
        left_out = machine.expect(r"hart (\d) did not come in; going on without it")[1]
        machine.expect("3 harts for guests")
        for guest in guests:
            machine.payload_done(guest["name"])
        text = machine.wait_end()
    worked = re.findall(r"hart (\d) used at most", text)
    assert len(worked) == 3 and left_out not in worked
    assert "panic" not in text


@pytest.mark.parametrize("word", ["fail=hart", "fail=late"])
def test_a_hart_does_not_come(word, isolation):
    """It stays away, or comes when the others have begun: then it has missed what they agreed on."""
    lives_without_one(f"{word} {isolation}", smp=4)


def test_a_hart_is_listed_and_not_there(tmp_path):
    """The device tree of a machine with one hart more."""
    tree = tmp_path / "more.dtb"
    subprocess.run([QEMUS["qemu"], "-display", "none", "-m", "256M", "-smp", "4", "-machine", f"virt,dumpdtb={tree}"],
                   check=True, capture_output=True)
    lives_without_one("", smp=3, options=["-dtb", str(tree)])


# --- the serial port ---

def wait_deaf(machine, timeout=120):
    """Waits until the machine has switched itself off, and reads nothing of what it says."""
    give_up = time.monotonic() + timeout * SCALE
    while machine.child.isalive():
        assert time.monotonic() < give_up, "the machine still runs"
        time.sleep(0.2)


FLOOD = [payload("flood", f"flood{i}", lines=600) for i in range(2)]


def test_nobody_reads_the_serial_port(isolation):
    """What it takes is full, so it jams while guests print. They live to their end all the same, and the
    machine goes off."""
    with Machine(FLOOD + [payload("canary", beats=5)], append=f"services=no {isolation}") as machine:
        machine.expect("flood line")
        wait_deaf(machine)


def test_nobody_reads_what_the_console_shows(isolation):
    """The same with a console service, which a guest ends at last."""
    guests = FLOOD + [payload("canary", beats=5)]
    guests.append(payload("control", properties=["capsule_info", "capsule_control"], capsule="console", do="stop",
                          delay_ms=6000))
    with Machine(guests, [console()], append=isolation) as machine:
        machine.expect("flood line")
        wait_deaf(machine)


@pytest.mark.parametrize("bus", ["virt", "virt,aia=aplic", "virt,aia=aplic-imsic"])
def test_the_serial_port_is_dead(bus, isolation):
    """It takes nothing and gives nothing, and what is typed raises its interrupt for ever."""
    guests = FLOOD + [payload("canary", beats=8)]
    with Machine(guests, smp=1, append=f"services=no fail=serial {isolation}", machine=bus) as machine:
        machine.expect("canary: started")
        for _ in range(3):
            machine.run_for(0.5)
            machine.send("x")
        machine.wait_end()
        assert "flood line" not in machine.text


def wait_for_log(monitor, machine, patterns):
    """Until the hypervisor's log, of which nothing is shown, has all of them. Returns it."""
    give_up = time.monotonic() + 60 * SCALE
    while True:
        machine.send("x")
        machine.run_for(0.3)
        log = struct.pack("<1024Q", *monitor.words(monitor.symbol("text"), 1024)).decode("utf-8", "replace")
        if all(re.search(pattern, log) for pattern in patterns):
            return log
        assert time.monotonic() < give_up, log


def test_the_serial_port_is_dead_for_a_console_service(isolation, tmp_path):
    """The console service reads what guests print, and the log, and gets rid of none of it. Guests run to their
    ends, one of them stops the service, and the log has it all."""
    control = payload("control", properties=CONTROL, capsule="console", do="stop", idle="flood0")
    floods = [payload("flood", f"flood{i}", lines=200) for i in range(2)]
    guests = [*floods, payload("canary", beats=3), control, payload("canary", "last", beats=0)]
    path = tmp_path / "monitor"
    with Machine(guests, [console()], smp=1, append=f"fail=serial {isolation}", options=Monitor.options(path)) as machine:
        names = ["flood0", "flood1", "canary", "console", "control"]
        log = wait_for_log(Monitor(path), machine, [f"capsule {name}: stopped" for name in names])
        assert log.index("capsule flood0: stopped") < log.index("capsule console: stopped")
        assert "Diosix" in log and "crashed" not in log and "flood line" not in machine.text
        assert not machine.ended


# --- the walls around a capsule ---

FOREIGN = (r"panic: hart \d, capsule (\d) \(canary(\d)\): {} at 0x[0-9a-f]+ "
           r"lets it reach 0x([0-9a-f]+), which is not its own but: (.*)\n")
TOO_MUCH = r"panic: hart \d, capsule (\d) \(canary(\d)\): PMP lets it reach 0x[0-9a-f]+ bytes of its own 0x[0-9a-f]+\n"


LATE = 200


def is_caught(word, when, expected, isolation, **more):
    """Two guests share a hart. That the n-th world switch is a late one is to be seen by what they have printed."""
    guests = [{**payload("canary", f"canary{i}", beats=0, beat_ms=10), **more} for i in range(2)]
    with Machine(guests, smp=1, append=f"services=no isolation={isolation} fail={word}:{when}") as machine:
        found = machine.expect(expected)
        assert re.search(r"capsule (\d) \(canary\1\)", found[0])
        assert (machine.count("canary alive") > 20) == (when == LATE)
        return found


@pytest.mark.parametrize("word,when,isolation", [
    ("pmp1", 1, "auto"), ("pmp1", LATE, "auto"), ("pmp3", LATE, "auto"), ("pmp6", LATE, "auto"),
    ("gstage", 1, "auto"), ("gstage", LATE, "auto"),
    ("pmp1", 1, "pmp"), ("pmp3", LATE, "pmp"), ("pmp6", LATE, "pmp")])
def test_a_wrong_wall_is_caught(word, when, isolation):
    """A debug build compares what the hart obeys with its second map of owners."""
    found = is_caught(word, when, FOREIGN.format("the G-stage" if word == "gstage" else "PMP"), isolation)
    assert found[4] != f"capsule {found[1]}"
    if word == "gstage":
        assert (found[3], found[4]) == ("80000000", "the hypervisor")


def test_a_wrong_wall_around_flash_is_caught(tmp_path):
    """Entry 6, where it is in use. What follows may be another's or the capsule's own RAM, which it then has twice."""
    (tmp_path / "flash").write_bytes(b"flash" * 1000)
    is_caught("pmp6", LATE, f"{FOREIGN.format('PMP')}|{TOO_MUCH}", "auto", flash1=str(tmp_path / "flash"))


def test_memory_that_is_not_filled_is_caught():
    """Without translation entry 1 ends where what is filled does, so a page more is the guest's own."""
    is_caught("pmp1", LATE, TOO_MUCH, "pmp")


@pytest.mark.parametrize("word,cpu,why", [
    ("pmp1", "rv64,pmp=off", "these harts have 0 PMP entries"), ("pmp6", "rv64,pmp=off", "these harts have 0 PMP entries"),
    ("gstage", "rv64,h=off", "isolation is pmp")])
def test_a_wall_that_is_not_there_cannot_be_wrong(word, cpu, why):
    """It is said, and guests run."""
    with Machine([payload("canary", beats=1, beat_ms=100)], cpu=cpu, append=f"services=no fail={word}:1") as machine:
        machine.expect(f"fail={word} is not possible: {why}")
        machine.payload_done("canary")
        assert "panic" not in machine.wait_end()
