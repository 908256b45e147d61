"""Fuzz guests beside canaries, from fixed seeds, five minutes in all; docs/testing.md.

Where time is what the harts execute, each run does the same as the last one, up to a number of
actions. With harts that are threads it does not, so there it is as many actions as a while allows."""

import re
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "fuzz"))
import fuzz  # noqa: E402
from diosix import Failure  # noqa: E402


REPEATABLE = [name for name in fuzz.MACHINES if name.startswith("icount-")]
THREADED = [name for name in fuzz.MACHINES if name not in REPEATABLE]
SECONDS = 280  # of all of them


def check_memory_came(runs):
    """Both vCPUs of the large guest have reached for memory that was not there yet."""
    came = [run.memory.get("fuzz0", (0, 0)) for run in runs]
    assert all(sum(counts[vcpu] for counts in came) >= 5 for vcpu in (0, 1)), came


@pytest.mark.parametrize("machine", THREADED)
def test_fuzz(machine):
    check_memory_came(fuzz.fuzz_machine(machine, 2026, seconds=SECONDS / len(THREADED)))


@pytest.mark.parametrize("machine", REPEATABLE)
def test_fuzz_repeatably(machine):
    check_memory_came(fuzz.fuzz_machine(machine, 1128, actions=40000))


def test_an_end_of_qemu_is_told(monkeypatch, capsys):
    """The rest is done from another seed."""
    monkeypatch.setattr(fuzz, "QEMU_BUG", re.compile("canary alive 3"))
    monkeypatch.setattr(fuzz, "QEMU_ENDS_MAX", 2)
    runs = fuzz.fuzz_machine("gstage", 2026, seconds=600)
    assert len({run.seed for run in runs}) == 2
    assert capsys.readouterr().out.count("mistake of QEMU's: canary alive 3") == 2


@pytest.mark.parametrize("where", ["../../target/riscv/csr.c:458:read_vtype", "target/riscv/csr.c:975:read_vtype",
                                   "accel/tcg/user-exec-stub.c:1:x"])
def test_mistakes_of_qemu_are_known(where):
    """Distributions build it in a folder of their own."""
    assert fuzz.QEMU_BUG.search(f"Bail out! ERROR:{where}: code should not be reached\n")


def test_nothing_done_is_a_failure(monkeypatch):
    monkeypatch.setattr(fuzz, "QEMU_BUG", re.compile("for guests"))
    monkeypatch.setattr(fuzz, "QEMU_ENDS_MAX", 2)
    with pytest.raises(Failure, match="nothing was done in 2 runs from seed 2026"):
        fuzz.fuzz_machine("gstage", 2026, seconds=600)


def test_what_is_printed_runs_as_long(monkeypatch):
    """A failure after ten minutes is not found again in the minute that is the default."""
    def fail_late(run):
        run.started -= 600
        raise Failure(run.replay())
    monkeypatch.setattr(fuzz.Run, "look", fail_late)
    with pytest.raises(Failure, match="make fuzz MACHINE=icount-pmp SEED=7 TIME=(1[2-9]..|[2-9]...)$"):
        fuzz.Run("icount-pmp", seed=7).run(seconds=1200)
