"""Machines whose interrupt controllers are an APLIC, or an APLIC and IMSICs, instead of a PLIC."""

import pytest

from diosix import Machine, payload

MACHINES = {  # what QEMU is asked for, and the controller that the serial port's interrupt comes by
    "plic": ("virt", "PLIC"),
    "aplic": ("virt,aia=aplic", "APLIC"),
    "imsic": ("virt,aia=aplic-imsic", "APLIC"),
    "imsic-kicks": ("virt,aclint=on,aia=aplic-imsic", "APLIC"),  # harts kick each other by IMSIC, too
}


@pytest.mark.parametrize("kind,qemu", [(kind, "qemu") for kind in MACHINES] + [("imsic-kicks", "qemu10")])
def test_serial_port_interrupts(kind, qemu, isolation):
    """Input wakes a guest that sleeps, and nobody polls the port: without the interrupt nothing would
    come. Beside it, vCPUs on two harts interrupt each other all the time."""
    machine, controller = MACHINES[kind]
    words = {"sip": "hidden"} if qemu == "qemu" else {}
    guests = [payload("uart", rx="yes"), payload("sbi", cpus=3, **words)]
    with Machine(guests, smp=2, machine=machine, qemu=qemu, append=f"services=no loglevel=debug {isolation}") as machine:
        machine.expect(f"the serial port interrupts by {controller}")
        machine.expect("type now")
        for word in ("The quick brown fox ", "jumps over the lazy dog ", "0123456789"):
            machine.send(word)
        machine.payload_done("uart")
        machine.payload_done("sbi")
        machine.wait_end()
