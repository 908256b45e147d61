"""What all system tests share. `pytest tests/system -k NAME` runs some of them; docs/testing.md."""

import os
import re
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import diosix  # noqa: E402


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: boots Linux, or takes more than ten seconds")


@pytest.fixture(autouse=True)
def name_logs(request):
    """Each test's machines log to files of its name."""
    name = re.sub(r"[^A-Za-z0-9.=,-]+", "_", request.node.nodeid.split("/")[-1])
    diosix.Machine.log_name = name.strip("_")


@pytest.fixture(params=["gstage", "pmp"])
def isolation(request):
    """Both ways to confine a capsule, as words for the hypervisor."""
    return "isolation=pmp" if request.param == "pmp" else "isolation=auto"


def pytest_collection_modifyitems(items):
    """Tests that share a machine stay together; without the second QEMU its tests are skipped."""
    missing = pytest.mark.skip(reason="there is no QEMU 10 (make qemu10)")
    for item in items:
        wanted = getattr(item, "callspec", None) and str(item.callspec.params)
        if wanted and "qemu10" in wanted and not os.path.exists(diosix.QEMUS["qemu10"]):
            item.add_marker(missing)
