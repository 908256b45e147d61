"""Guests that misbehave, and their neighbours."""

import pytest

from diosix import Machine, payload

FATAL = ["read", "write", "execute", "tables"]


def test_rogues_are_stopped(isolation):
    """Each way of reaching outside without a trap handler ends its own capsule, and no other."""
    guests = [payload("rogue", f"rogue-{how}", how=how) for how in FATAL]
    guests.append(payload("canary", beats=8, beat_ms=500))
    with Machine(guests, append=f"services=no {isolation}") as machine:
        for how in FATAL:
            machine.expect(rf"capsule rogue-{how}: vCPU 0 crashed", anywhere=True)
        machine.payload_done("canary")
        machine.wait_end()
        assert "still alive" not in machine.text


@pytest.mark.parametrize("qemu,cpu", [("qemu", None), ("qemu10", None), ("qemu", "rv64,h=off"),
                                      ("qemu10", "rv64,h=off,smepmp=on"), ("qemu10", "rv64,smepmp=on")])
def test_new_memory_for_two_at_once(isolation, qemu, cpu):
    """RAM is filled when it is first reached for, by whoever comes first."""
    with Machine([payload("reach", ram="256M", cpus=2)], mem="512M", qemu=qemu, cpu=cpu,
                 append=f"services=no {isolation}") as machine:
        machine.payload_done("reach")


@pytest.mark.parametrize("how", ["spin", "storm"])
def test_rogue_cannot_keep_the_hart(isolation, how):
    """One hart, a guest that never gives it away, and a neighbour that wants to sleep and wake."""
    guests = [payload("rogue", how=how), payload("canary", beats=5, beat_ms=200)]
    with Machine(guests, smp=1, append=f"services=no {isolation}") as machine:
        machine.payload_done("canary")


def test_crash_is_recorded_and_not_restarted(isolation):
    with Machine([payload("crash"), payload("canary", beats=3)], append=f"services=no {isolation}") as machine:
        machine.expect("capsule crash: vCPU 0 crashed: .*pc 0x")
        machine.payload_done("canary")
        machine.wait_end()
        assert machine.count("about to crash") == 1


def test_crash_restarts(isolation):
    guests = [payload("crash", properties=["auto_crash_restart"]), payload("canary", beats=4)]
    with Machine(guests, append=f"services=no {isolation}") as machine:
        for _ in range(3):
            machine.expect("about to crash")
            machine.expect("capsule crash: vCPU 0 crashed")
        machine.payload_done("canary")


def test_life_after_life(isolation):
    """Reboots, a crash and the power-off, each asked for by a letter; memory is clean each time."""
    guests = [payload("restart", ram="16M", properties=["auto_crash_restart"])]
    with Machine(guests, smp=1, append=f"services=no {isolation}") as machine:
        for letter in "rwrcr":
            machine.expect("restart ready")
            machine.send(letter)
        machine.expect("restart ready")
        machine.send("q")
        machine.payload_done("restart")
        machine.wait_end()
        assert machine.count("not ok") == 0 and machine.count("restart ready") == 6


def test_memory_of_the_dead(isolation):
    """What one capsule leaves in memory, the next one of the same place does not find."""
    guests = [payload("restart", ram="16M", auto="r"), payload("canary", beats=5)]
    with Machine(guests, smp=2, append=f"services=no {isolation}") as machine:
        for _ in range(20):
            machine.expect("restart ready")
        machine.payload_done("canary")
        assert machine.count("not ok") == 0


@pytest.mark.parametrize("cpu", ["rv64,v=on", "rv64,v=on,h=off"])
def test_floating_point_does_not_mix(cpu):
    """Four guests with FP and vector registers of their own on one hart."""
    guests = [payload("fp", f"fp{i}", seed=i, rounds=30, round_ms=10) for i in range(4)]
    with Machine(guests, smp=1, cpu=cpu) as machine:
        for guest in guests:
            machine.payload_done(guest["name"])


def test_typed_characters_reach_the_guest(isolation):
    with Machine([payload("uart", rx="yes")], smp=1, append=f"services=no {isolation}") as machine:
        machine.expect("type now")
        machine.send("The quick brown fox jumps over the lazy dog 0123456789")
        machine.payload_done("uart")


def test_shares_follow_weight():
    """Two spinners of different weight on one hart: the heavier gets more. How much more exactly is
    a benchmark's question; this one asks only for the order."""
    guests = [payload("spin", "light", weight=100, periods=8, period_ms=500),
              payload("spin", "heavy", weight=400, periods=8, period_ms=500)]
    with Machine(guests, smp=1) as machine:
        totals = {}
        for name in ("light", "heavy"):
            match = machine.expect(rf"\[{name}\] spin period 6 count \d+ total (\d+)\n", 120, anywhere=True)
            totals[name] = int(match[1])
        assert totals["heavy"] > 1.5 * totals["light"], totals
