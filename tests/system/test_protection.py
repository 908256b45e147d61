"""The hypervisor guards itself: a debug build breaks the rules from inside (boot word `violate=`), and what should catch it does."""

import struct

import pytest

from diosix import Machine, payload

TWO = [payload("canary", beats=2, beat_ms=200), payload("canary", "second", beats=2, beat_ms=200)]
# Where a double trap is to go: 16 bytes behind the start of the hypervisor.
RNMI = "rnmi-interrupt-vector=0x80000010,rnmi-exception-vector=0x80000010"
FAULT = "hypervisor fault: "


def violate(what, expected, hart=0, **options):
    """Tries it on this hart, the last one; returns what the hypervisor says at last."""
    append = f"services=no violate={what} " + options.pop("append", "")
    guests = [{**guest, "harts": [hart]} for guest in TWO]
    with Machine(guests, smp=hart + 1, append=append, **options) as machine:
        machine.expect(f"violation: {what}", anywhere=True)
        return machine.expect_any(["panic: " + expected, r"panic: .*\n", r"qemu: fatal: .*\n"])


def caught(what, expected, **options):
    which, match = violate(what, expected, **options)
    assert which == 0, f"{what}: {match[0]}"


# What is caught, by what the harts and the back end have.
CODE = {
    "write-text": FAULT + "store/AMO access fault in the hypervisor's code, mtval 0x80000000,",
    "write-rodata": FAULT + "store/AMO access fault in its constants, ",
}
ALL = {
    **CODE,
    "execute-data": FAULT + r"instruction access fault, mtval (0x8\w+), pc \1,",
    "execute-rodata": FAULT + r"instruction access fault in its constants, mtval (0x8\w+), pc \1,",
    "execute-guest": FAULT + r"instruction access fault in guests' memory, mtval (0x8\w+), pc \1,",
    "read-guest": FAULT + "load access fault in guests' memory, ",
    "write-guest": FAULT + "store/AMO access fault in guests' memory, ",
    "read-other-guest": FAULT + "load access fault in guests' memory, ",
}
SMEPMP = {
    "gstage": {"qemu": "qemu10", "cpu": "rv64,smepmp=on"},
    "pmp": {"qemu": "qemu10", "cpu": "rv64,smepmp=on", "append": "isolation=pmp"},
    "no-h": {"qemu": "qemu10", "cpu": "rv64,smepmp=on,h=off"},
    "qemu7": {"cpu": "rv64,x-epmp=true"},
}


FEW = ["execute-data", "read-guest", "read-other-guest"]


@pytest.mark.parametrize("kind,what", [("gstage", what) for what in ALL] +
                         [(kind, what) for kind in SMEPMP if kind != "gstage" for what in FEW])
def test_smepmp(kind, what):
    caught(what, ALL[what], **SMEPMP[kind])


@pytest.mark.parametrize("what", FEW)
def test_smepmp_on_another_hart(what):
    """Than the one that boots, which is mostly the first."""
    caught(what, ALL[what] + r".*, hart 2\n", hart=2, **SMEPMP["gstage"])


@pytest.mark.parametrize("what", CODE)
@pytest.mark.parametrize("qemu", ["qemu", "qemu10"])
def test_code_behind_gstage(qemu, what):
    """Without Smepmp, what guests cannot reach anyway is locked for all."""
    caught(what, ALL[what], qemu=qemu, cpu="rv64")


@pytest.mark.parametrize("what,append", [("execute-data", ""), ("write-text", "isolation=pmp"), ("read-guest", "isolation=pmp")])
def test_not_caught(what, append):
    """What no locked entry can give: docs/security.md says so, and guests' own wall comes first."""
    assert violate(what, f"violation {what} was not caught", append=append)[0] == 0


@pytest.mark.parametrize("kind", SMEPMP)
def test_guests_live(kind):
    """All that machine mode does with guests' memory, it still can: calls with buffers, restarts."""
    options = {**SMEPMP[kind], "append": "services=no " + SMEPMP[kind].get("append", "")}
    sip = {"sip": "hidden"} if kind == "qemu7" else {}
    guests = [payload("sbi", cpus=2, **sip), payload("isolation"), payload("uart", **sip), payload("memory_zero"),
              payload("crash", properties=["auto_crash_restart"])]
    with Machine(guests, **options) as machine:
        machine.expect(r"harts? for guests.* Smepmp, 16 PMP entries")
        for guest in guests[:-1]:
            machine.payload_done(guest["name"])
        machine.expect("capsule crash: .*restart", anywhere=True)


@pytest.mark.parametrize("cpu,hart", [("rv64", 0), ("rv64", 1), ("rv64,h=off", 1), ("sifive-u54", 0)])
def test_stack_guard(cpu, hart):
    caught("stack-overflow", FAULT + rf"(store/AMO|load) access fault below the hart's stack.*, hart {hart}\n", hart=hart,
           cpu=cpu)


@pytest.mark.parametrize("cpu", ["rv64", "max", "rv64,smdbltrp=on", f"rv64,smdbltrp=on,smrnmi=on,{RNMI}"])
def test_fault_in_the_handling_of_a_fault(cpu):
    caught("double-fault", r"the hypervisor cannot go on: mcause 0x0*5 mepc 0x0*8.* mtval 0x0*8\n", qemu="qemu10", cpu=cpu)


def test_fault_after_an_exit_is_no_double_trap():
    """With Smdbltrp, an exit ends the handling of its trap early: what goes wrong then is recorded as ever."""
    caught("write-text", ALL["write-text"], qemu="qemu10", cpu="rv64,smdbltrp=on")


def test_double_trap():
    """With Smdbltrp a fault in the handling of a trap is an RNMI."""
    caught("double-trap", r"hypervisor fault in a trap \(.*\): load access fault, pc 0x8.*, hart 0", qemu="qemu10",
           cpu=f"rv64,smdbltrp=on,smrnmi=on,{RNMI}")
    caught("double-trap", FAULT + r"load access fault, mtval 0x8,", qemu="qemu10", cpu="rv64")


# --- what earlier firmware has locked ----------------------------------------------------------

OFF, NAPOT, LOCKED, RWX = 0, 0x18, 0x80, 7
EVERYTHING = 2 ** 54 - 1  # NAPOT, all of memory (Privileged 1.13, 3.7.1.1)
NOWHERE = 0x1000 >> 2 | 0x1ff  # the page at 0x1000, which is the boot ROM's


def firmware(folder, entry, address, config):
    """Words for QEMU: in the machine's flash, where it starts, is something that locks a PMP entry on each
    hart and goes to the hypervisor."""
    code = [0x00000297,  # auipc t0, 0
            0x0202b303,  # ld t1, 32(t0)
            0x3b031073 + (entry << 20),  # csrw pmpaddrN, t1
            0x0282b303,  # ld t1, 40(t0)
            0x3a032073 + (entry // 8 * 2 << 20),  # csrs pmpcfgN, t1
            0x0302b303,  # ld t1, 48(t0)
            0x00030067, 0]  # jr t1
    flash = folder / "flash"
    flash.write_bytes(struct.pack("<8I3Q", *code, address, config << entry % 8 * 8, 0x80000000))
    with open(flash, "r+b") as file:
        file.truncate(32 << 20)
    return ["-drive", f"if=pflash,unit=0,format=raw,readonly=on,file={flash}"]


@pytest.mark.parametrize("entry", [15, 5])
def test_locked_entry_that_opens_memory(tmp_path, entry):
    """Without H nothing else closes it again: no guest runs."""
    options = firmware(tmp_path, entry, EVERYTHING, LOCKED | NAPOT | RWX)
    with Machine(TWO, cpu="rv64,h=off", options=options) as machine:
        machine.expect("a PMP entry that firmware has locked gives guests memory")
        machine.expect("panic: these harts have neither the H extension nor .* PMP")
        assert "started" not in machine.text


@pytest.mark.parametrize("append", ["", "isolation=pmp"])
def test_locked_entry_that_opens_memory_behind_gstage(tmp_path, append):
    options = firmware(tmp_path, 15, EVERYTHING, LOCKED | NAPOT | RWX)
    with Machine([payload("isolation")], append=f"services=no {append}", options=options) as machine:
        machine.expect("a PMP entry that firmware has locked gives guests memory")
        machine.expect("isolation: gstage")
        machine.payload_done("isolation")


@pytest.mark.parametrize("cpu", ["rv64", "rv64,h=off"])
def test_too_few_entries_left(tmp_path, cpu):
    """Those behind a locked one don't count: a guest that no entry lets through would die at once."""
    with Machine(TWO, cpu=cpu, options=firmware(tmp_path, 3, NOWHERE, LOCKED | NAPOT)) as machine:
        machine.expect("panic: PMP has 2 entries, .* that firmware has not locked")
        assert "started" not in machine.text


@pytest.mark.parametrize("qemu,cpu,entry,config", [("qemu", "rv64,h=off", 12, NAPOT), ("qemu10", "rv64", 5, NAPOT),
                                                   ("qemu10", "rv64,smepmp=on", 15, OFF)])
def test_locked_entry_in_nobodys_way(tmp_path, qemu, cpu, entry, config):
    """What is left is enough, though not for all of the hypervisor's own guards."""
    options = firmware(tmp_path, entry, NOWHERE, LOCKED | config)
    with Machine([payload("isolation"), TWO[0]], qemu=qemu, cpu=cpu, append="services=no isolation=pmp",
                 options=options) as machine:
        machine.expect(rf"harts? for guests.* {entry - 1} PMP entries")
        machine.expect("isolation: pmp")
        machine.payload_done("isolation")
        machine.payload_done("canary")
