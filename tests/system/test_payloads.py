"""The conformance payloads, all at once on one machine, on every back end and kind of hart.

Thirteen guests share two harts, so each check is also made with its vCPU being preempted."""

import pytest

from diosix import Machine, payload

MACHINES = {
    "gstage": {},
    "pmp": {"append": "services=no isolation=pmp"},
    "no-h": {"cpu": "rv64,h=off"},
    "no-sstc": {"cpu": "rv64,sstc=off"},
    "no-h-no-sstc": {"cpu": "rv64,h=off,sstc=off"},
    "qemu10": {"qemu": "qemu10"},
    "qemu10-pmp": {"qemu": "qemu10", "append": "services=no isolation=pmp"},
    "qemu10-max": {"qemu": "qemu10", "cpu": "max"},
    "qemu10-no-h-smepmp": {"qemu": "qemu10", "cpu": "rv64,h=off,smepmp=on"},
    "qemu10-max-pmp": {"qemu": "qemu10", "cpu": "max", "append": "services=no isolation=pmp"},
}
# QEMU 7.2 hides pending levels in a VS-mode sip (payload.h, check_sip).
SIP_HIDDEN = {"gstage", "pmp", "no-sstc"}


def guests_of(kind):
    more = " sip=hidden" if kind in SIP_HIDDEN else ""
    return [{**guest, "bootargs": guest["bootargs"] + more} for guest in GUESTS]


GUESTS = [
    payload("sbi"),
    payload("sbi", as_name="sbi-smp", cpus=3),
    payload("timer"),
    payload("uart"),
    payload("plic"),
    payload("traps"),
    payload("isolation"),
    payload("service_denied"),
    payload("stats", cpus=2),
    payload("memory_zero"),
    payload("suspend", cpus=2),
    payload("fp", as_name="fp-1", seed=1),
    payload("fp", as_name="fp-2", seed=2),
]


@pytest.fixture(scope="module")
def machines():
    """One machine for each kind, started when first asked for."""
    started = {}
    yield started
    for machine in started.values():
        machine.close()


@pytest.mark.parametrize("guest", [guest["name"] for guest in GUESTS])
@pytest.mark.parametrize("kind", [pytest.param(kind, marks=pytest.mark.xdist_group(kind)) for kind in MACHINES])
def test_payload(machines, kind, guest):
    if kind not in machines:
        machines[kind] = Machine(guests_of(kind), log_name=f"payloads-{kind}", **MACHINES[kind])
    assert machines[kind].payload_done(guest, timeout=240) > 0
