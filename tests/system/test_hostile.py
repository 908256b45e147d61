"""Guests that try to get at others in ways that need more than one wrong access."""

import pytest

from diosix import Machine, payload


@pytest.mark.parametrize("qemu", ["qemu", "qemu10"])
def test_fp_registers_cannot_be_stolen(qemu, isolation):
    """An instruction that is not what it was when it trapped; see thief.c."""
    guests = [payload("thief", "victim", role="victim", seconds=5), payload("thief", write="yes")]
    with Machine(guests, smp=1, qemu=qemu, append=f"services=no {isolation}") as machine:
        machine.payload_done("thief")
        machine.payload_done("victim")


@pytest.mark.parametrize("h", ["on", "off"])
def test_single_precision_does_not_mix(h):
    """Harts with F and without D."""
    guests = [payload("single", f"fp{i}", seed=i) for i in range(3)]
    with Machine(guests, smp=1, cpu=f"rv64,h={h},d=off") as machine:
        for guest in guests:
            machine.payload_done(guest["name"])
