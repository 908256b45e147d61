"""The console service, with payloads for guests: quick, and everything that it prints is known."""

import re

import pytest

from diosix import CONSOLE_PROPERTIES, ESCAPE_KEY, PROMPT, Machine, console, payload


def talkers(count, beats=0):
    return [payload("canary", f"guest{i}", beats=beats, beat_ms=300) for i in range(count)]


def test_commands(isolation):
    with Machine(talkers(3), [console()], append=isolation) as machine:
        for i in range(3):
            machine.expect(rf"\[guest{i}\] canary alive 2", anywhere=True)
        printed = machine.command("help")
        for word in ("list", "attach", "stop", "start", "restart", "pause", "resume", "log"):
            assert word in printed
        printed = machine.command("list")
        assert printed.count("running") == 4, printed
        assert "started" in machine.command("log")
        machine.command("stop guest1")
        machine.expect("capsule guest1: stopped", anywhere=True)
        assert re.search(r"guest1 +stopped", machine.command("list"))
        machine.command("start guest1")
        machine.expect(r"\[guest1\] canary alive 1\b")
        machine.command("restart guest2")
        machine.expect(r"\[guest2\] canary alive 1\b")


def test_pause(isolation):
    with Machine(talkers(2), [console()], append=isolation) as machine:
        machine.expect(r"\[guest1\] canary alive 2", anywhere=True)
        machine.command("pause guest1")
        machine.expect("capsule guest1: paused", anywhere=True)
        assert re.search(r"guest1 +paused", machine.command("list"))
        machine.run_for(1)
        before = machine.count(r"\[guest1\]")
        machine.expect(r"\[guest0\] canary alive")
        machine.run_for(3)
        assert machine.count(r"\[guest1\]") == before
        machine.command("resume guest1")
        machine.position = len(machine.text)
        machine.expect(r"\[guest1\] canary alive")
        assert machine.count("not ok") == 0


def test_typed_while_paused(isolation):
    """Its port's interrupt is not lost: the guest sleeps until it comes."""
    with Machine([payload("uart", rx="asleep")], [console()], append=isolation) as machine:
        machine.expect("type now", anywhere=True)
        machine.command("pause uart")
        machine.expect("capsule uart: paused", anywhere=True)
        machine.attach("uart")
        machine.send("x")
        machine.command("list")  # it is behind the x
        machine.command("resume uart")
        machine.payload_done("uart")


def exits(machine, guest):
    """What `stats` shows of a guest's exits, by reason."""
    printed = machine.command(f"stats {guest}")
    found = {name.strip(): int(count) for name, count in re.findall(r"  ([a-z/ ]+) +(\d+) +[\d.]+/s", printed)}
    assert found, printed
    return found


def test_statistics(isolation):
    with Machine(talkers(2), [console()], append=isolation) as machine:
        machine.expect(r"\[guest1\] canary alive 2", anywhere=True)
        before = exits(machine, "guest1")
        for _ in range(3):
            machine.expect(r"\[guest1\] canary alive")
        after = exits(machine, "guest1")
        assert after["sbi dbcn"] >= before["sbi dbcn"] + 3, (before, after)
        assert after["wfi"] > before["wfi"], (before, after)
        machine.send(ESCAPE_KEY)
        machine.expect(re.escape(PROMPT))
        machine.line("top")
        machine.expect(r"harts  0: +\d+\.\d%")
        machine.expect(r"guest1 +\d+\.\d% .*sbi dbcn")
        machine.expect(r"guest1 +\d+\.\d% .*sbi dbcn")  # it is drawn again
        machine.send("q")
        machine.expect(re.escape(PROMPT))
        machine.line("")
        assert re.search(r"guest0\.0 +wfi", machine.command("trace guest0"))
        machine.expect(r"canary alive")


def test_statistics_need_the_property():
    properties = [name for name in CONSOLE_PROPERTIES if name != "stats_read"]
    with Machine(talkers(1), [console(properties)]) as machine:
        machine.expect("canary alive 1", anywhere=True)
        for words in ("stats guest0", "top", "trace"):
            assert "lacks the property stats_read" in machine.command(words)
        assert "exits/s" in machine.command("stats console")  # its own


def test_bad_commands():
    with Machine(talkers(1), [console()]) as machine:
        machine.expect("canary alive 1")
        for words in ("attach 99", "stop nobody", "frobnicate", "attach", "list list", "restart console"):
            assert "diosix" in machine.command(words)
        machine.expect(r"canary alive")


def test_input_goes_to_the_attached():
    guests = [payload("restart", f"life{i}", ram="16M") for i in range(2)]
    with Machine(guests, [console()]) as machine:
        for i in range(2):
            machine.expect(rf"\[life{i}\] restart ready", anywhere=True)
        for i in (1, 0):
            machine.attach(f"life{i}")
            machine.send("r")
            machine.expect(rf"\[life{i}\] restart ready")
        assert machine.count("restart ready") == 4


def lines_of(machine, name):
    """Once each: a console service may show again what it has shown just before it ended."""
    return list(dict.fromkeys(int(number) for number in re.findall(rf"\[{name}\] canary alive (\d+)", machine.text)))


def test_losing_the_console_loses_no_output():
    """A guest with the right to do so restarts the console service while others print."""
    beats = 100
    guests = [payload("canary", f"guest{i}", beats=beats, beat_ms=50) for i in range(2)]
    guests.append(payload("control", properties=["capsule_info", "capsule_control"], capsule="console",
                          do="restart", times=4, delay_ms=700, gap_ms=700))
    with Machine(guests, [console()]) as machine:
        for guest in guests:
            machine.payload_done(guest["name"])
        assert machine.count("capsule console: restarting") == 4
        for i in range(2):
            assert lines_of(machine, f"guest{i}") == list(range(1, beats + 1))


def test_control_needs_its_property():
    """The same request without the property is refused."""
    guests = [payload("control", capsule="console", do="stop"), payload("canary", beats=2)]
    with Machine(guests, [console()]) as machine:
        machine.expect(r"\[control\] not ok control.find")
        machine.payload_done("canary")


def test_console_without_properties_is_refused():
    """A console service that may not read guests' output ends; guests' output is not lost with it."""
    with Machine(talkers(1, beats=3), [console(properties=[])], append="") as machine:
        machine.payload_done("guest0")


def test_escape_key_twice_goes_to_the_next_guest():
    guests = [payload("restart", f"life{i}", ram="16M") for i in range(2)]
    with Machine(guests, [console()]) as machine:
        for i in range(2):
            machine.expect(rf"\[life{i}\] restart ready", anywhere=True)
        machine.attach("life0")
        machine.send(ESCAPE_KEY)
        machine.expect(re.escape(PROMPT))
        machine.send(ESCAPE_KEY)
        machine.send("r")
        machine.expect(r"\[life1\] restart ready")
