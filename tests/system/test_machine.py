"""The machine that a capsule finds, where it is largest."""

import pytest

from diosix import Machine, payload


@pytest.mark.parametrize("qemu", ["qemu", "qemu10"])
def test_64_vcpus(isolation, qemu):
    """Each is started, asked, fenced, interrupted and stopped. On QEMU 10's `max` the list of
    extensions is so long that the device tree needs more room than that of a small machine."""
    options = {"qemu": qemu, "cpu": "max"} if qemu == "qemu10" else {}
    words = {} if options else {"sip": "hidden"}
    with Machine([payload("sbi", cpus=64, **words)], smp=2, append=f"services=no {isolation}", **options) as machine:
        machine.payload_done("sbi", timeout=120)
        assert machine.count(r"ok smp\.stops$") == 3 * 63


def test_legacy_shutdown(isolation):
    with Machine([payload("restart", auto="l")], smp=1, append=f"services=no {isolation}") as machine:
        machine.expect("capsule restart: stopped", anywhere=True)
        assert "still alive" not in machine.text
