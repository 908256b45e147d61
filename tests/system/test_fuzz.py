"""Fuzz guests beside canaries, from fixed seeds, about five minutes in all; docs/testing.md.

Where time is what the harts execute, each run does the same as the last one, up to a number of
actions. With harts that are threads it does not, so there it is as many actions as a while allows."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "fuzz"))
import fuzz  # noqa: E402
from diosix import Failure  # noqa: E402


@pytest.mark.parametrize("machine", [name for name in fuzz.MACHINES if not name.startswith("icount-")])
def test_fuzz(machine):
    run = fuzz.Run(machine, seed=2026)
    run.run(seconds=20)
    assert run.total() > 0


@pytest.mark.parametrize("machine", [name for name in fuzz.MACHINES if name.startswith("icount-")])
def test_fuzz_repeatably(machine):
    fuzz.Run(machine, seed=1128).run(actions=30000)


def test_what_is_printed_runs_as_long(monkeypatch):
    """A failure after ten minutes is not found again in the minute that is the default."""
    def fail_late(run):
        run.started -= 600
        raise Failure(run.replay())
    monkeypatch.setattr(fuzz.Run, "look", fail_late)
    with pytest.raises(Failure, match="make fuzz MACHINE=icount-pmp SEED=7 TIME=(1[2-9]..|[2-9]...)$"):
        fuzz.Run("icount-pmp", seed=7).run(seconds=1200)
