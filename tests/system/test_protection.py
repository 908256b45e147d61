"""The hypervisor guards itself: a debug build breaks the rules from inside (boot word `violate=`), and what should catch it does."""

import pytest

from diosix import Machine, payload

TWO = [payload("canary", beats=2, beat_ms=200), payload("canary", "second", beats=2, beat_ms=200)]
# Where a double trap is to go: 16 bytes behind the start of the hypervisor.
RNMI = "rnmi-interrupt-vector=0x80000010,rnmi-exception-vector=0x80000010"
FAULT = "hypervisor fault: "


def violate(what, expected, **options):
    """Tries it; returns what the hypervisor says at last."""
    append = f"services=no violate={what} " + options.pop("append", "")
    with Machine(TWO, smp=1, append=append, **options) as machine:
        machine.expect(f"violation: {what}", anywhere=True)
        return machine.expect_any(["panic: " + expected, r"panic: .*\n", r"qemu: fatal: .*\n"])


def caught(what, expected, **options):
    which, match = violate(what, expected, **options)
    assert which == 0, f"{what}: {match[0]}"


@pytest.mark.parametrize("cpu", ["rv64", "rv64,h=off", "sifive-u54"])
def test_stack_guard(cpu):
    caught("stack-overflow", FAULT + r"(store/AMO|load) access fault below the hart's stack", cpu=cpu)


@pytest.mark.parametrize("cpu", ["rv64", "max", "rv64,smdbltrp=on", f"rv64,smdbltrp=on,smrnmi=on,{RNMI}"])
def test_fault_in_the_handling_of_a_fault(cpu):
    caught("double-fault", r"the hypervisor cannot go on: mcause 0x0*5 mepc 0x0*8.* mtval 0x0*8\n", qemu="qemu10", cpu=cpu)


def test_double_trap():
    """With Smdbltrp a fault in the handling of a trap is an RNMI."""
    caught("double-trap", r"hypervisor fault in a trap \(.*\): load access fault, pc 0x8.*, hart 0", qemu="qemu10",
           cpu=f"rv64,smdbltrp=on,smrnmi=on,{RNMI}")
    caught("double-trap", FAULT + r"load access fault, mtval 0x8,", qemu="qemu10", cpu="rv64")
