"""Registers of extensions that guests are not told of: nothing stays in them for the next guest."""

import pytest

from diosix import Machine, payload


@pytest.mark.parametrize("qemu,cpu", [
    ("qemu", "rv64,v=true"),
    ("qemu", "rv64,h=off"),
    ("qemu10", "max"),
    ("qemu10", "max,h=off"),
    ("qemu10", "max,smstateen=off"),
    ("qemu10", "max,h=off,smstateen=off"),
    ("qemu10", "rv64,h=off,d=off,zcd=off,zcmt=on"),
    ("qemu10", "rv64,f=off,d=off,zfa=off,zfinx=on"),
    ("qemu10", "rv64,h=off,f=off,d=off,zfa=off,zfinx=on"),
])
def test_a_spy_finds_nothing(qemu, cpu):
    guests = [payload("leak", "writer", role="writer"), payload("leak", "spy", role="spy")]
    machine = "virt,aia=aplic-imsic" if qemu == "qemu10" else "virt"
    with Machine(guests, smp=1, qemu=qemu, cpu=cpu, machine=machine) as computer:
        computer.payload_done("spy")
        computer.payload_done("writer")
