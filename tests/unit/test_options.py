"""Options of the build that cannot be are refused by name, before anything is built."""

import os
import pathlib
import subprocess

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]


def ask(option):
    outside = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    return subprocess.run(["make", "help", "SETUP=no", option], cwd=TOP, env=outside,
                          capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("option", ["CPUS=1", "HARTS_MAX=64", "LOAD_ADDRESS=0x80200000",
                                    "HART_STACK_SIZE=8192", "QUALITY=release"])
def test_what_can_be(option):
    done = ask(option)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("option, words", [
    ("CPUS=0", "from 1 to 512"),
    ("CPUS=two", "from 1 to 512"),
    ("HARTS_MAX=65", "from 1 to 64"),
    ("HARTS_MAX=", "from 1 to 64"),
    ("LOAD_ADDRESS=here", "from 0x1000"),
    ("LOAD_ADDRESS=0x80000800", "a multiple of 0x1000"),
    ("HART_STACK_SIZE=3", "a multiple of 0x1000"),
    ("HART_STACK_SIZE=0x1000", "from 0x2000"),
    ("QUALITY=fast", "use QUALITY=debug or QUALITY=release"),
    ("ISOLATION=gstage", "use ISOLATION=auto or ISOLATION=pmp"),
])
def test_what_cannot(option, words):
    done = ask(option)
    assert done.returncode == 2
    assert option in done.stderr and words in done.stderr
    assert len(done.stderr.splitlines()) == 1
