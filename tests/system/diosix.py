"""A computer with Diosix on it: QEMU with a serial port that tests read and type at.

    with Machine(guests=[payload("canary", beats=3)], smp=2) as machine:
        machine.expect("canary alive 1")

What comes from the serial port is kept as text, without the terminal's colours, in machine.text;
expect() looks for the next match behind the last one. Everything is also written, as it came, to a
log file. When a wait fails, the error has the last lines and the command to start the machine again.

Waits are generous, because the machine that tests run on may be slow and shared; the variable
TEST_TIMEOUT_SCALE makes them longer still. No test may depend on how long something takes.
"""

import os
import re
import shlex
import subprocess
import tempfile
import time
from pathlib import Path

import pexpect

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / os.environ.get("BUILD", "build")
ELF = BUILD / "diosix.elf"
LOGS = BUILD / "test-logs"
SCALE = float(os.environ.get("TEST_TIMEOUT_SCALE", "1"))
ESCAPE_KEY = "\x1d"  # Control-]
PROMPT = "diosix> "

# The distribution's QEMU and the newer one that set-up fetches.
QEMUS = {"qemu": os.environ.get("QEMU", "qemu-system-riscv64"),
         "qemu10": str(BUILD / "qemu10/bin/qemu-system-riscv64")}

CONSOLE_PROPERTIES = ["auto_crash_restart", "service_console", "console_read", "console_write",
                      "hv_log_read", "capsule_info", "capsule_control", "stats_read"]

TERMINAL_COMMAND = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[@-Z\\-_]|[78=>])")


class Failure(AssertionError):
    """Something that a machine should have done has not come."""


# --- what goes into an image ---------------------------------------------------------------------

def payload(name, as_name=None, ram="8M", cpus=1, properties=(), weight=None, file=None, **arguments):
    """A guest that is one of tests/payload. Keyword arguments become words for it."""
    as_name = as_name or name
    words = {"name": as_name, **arguments}
    entry = {"name": as_name, "kernel": str(BUILD / "payload" / (file or f"{name}.elf")), "ram": ram,
             "cpus": cpus, "bootargs": " ".join(f"{key}={value}" for key, value in words.items()),
             "properties": list(properties)}
    if weight:
        entry["weight"] = weight
    return entry


def linux(name="linux", ram="128M", bootargs="console=ttyS0 quiet", properties=(), **more):
    folder = BUILD / "guests/debian"
    return {"name": name, "kernel": str(folder / "linux"),
            "initramfs": str(folder / "initramfs.cpio.gz"), "ram": ram, "bootargs": bootargs,
            "properties": list(properties), **more}


def console(properties=CONSOLE_PROPERTIES):
    return {"name": "console", "file": str(BUILD / "services/console.elf"), "ram": "2M",
            "properties": list(properties)}


def toml_value(value):
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(toml_value(item) for item in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {toml_value(item)}" for key, item in value.items()) + "}"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return str(value)


def manifest(services=(), guests=(), banners=()):
    lines = []
    if banners:
        lines += ["[image]", f"banners = {toml_value([str(banner) for banner in banners])}"]
    for table, entries in (("service", services), ("guest", guests)):
        for entry in entries:
            lines.append(f"\n[[{table}]]")
            lines += [f"{key} = {toml_value(value)}" for key, value in entry.items()]
    return "\n".join(lines) + "\n"


def mkdmfs(text, folder, expect_failure=False):
    """Makes an image from a manifest's text; returns its path and what mkdmfs said."""
    source, image = Path(folder) / "manifest.toml", Path(folder) / "image.dmfs"
    source.write_text(text)
    done = subprocess.run(["/usr/bin/python3", str(ROOT / "tools/mkdmfs"), str(source), "-o", str(image)],
                          capture_output=True, text=True, check=False)
    said = done.stdout + done.stderr
    if expect_failure != (done.returncode != 0):
        raise Failure(f"mkdmfs ended with {done.returncode}:\n{said}\n{text}")
    return image, said


# --- the machine ---------------------------------------------------------------------------------

class Machine:
    log_name = "machine"  # conftest.py sets it to the running test's

    def __init__(self, guests=(), services=(), image=None, smp=2, mem="256M", cpu=None,
                 append=None, qemu="qemu", machine="virt", log_name=None, banners=(),
                 icount=None, elf=ELF, options=()):
        """Without services the hypervisor is told so, and guests write straight to the port. With
        `icount` time is what the harts execute, 2^icount ns for each instruction.
        `options` are more words for QEMU."""
        if append is None:
            append = "" if services else "services=no"
        self.folder = tempfile.TemporaryDirectory(prefix="diosix-test-")
        if image is None:
            image, _ = mkdmfs(manifest(services, guests, banners), self.folder.name)
        LOGS.mkdir(parents=True, exist_ok=True)
        self.log_path = LOGS / f"{log_name or Machine.log_name}.log"
        # What a person needs to start it again stays beside the log.
        kept = self.log_path.with_suffix(".dmfs")
        kept.write_bytes(Path(image).read_bytes())
        self.command_line = [QEMUS[qemu], "-machine", machine, "-bios", "none", "-nographic",
                             "-smp", str(smp), "-m", mem, "-kernel", str(elf), "-initrd", str(kept)]
        self.command_line += ["-cpu", cpu] if cpu else []
        self.command_line += ["-icount", f"shift={icount},sleep=off"] if icount is not None else []
        self.command_line += ["-append", append] if append else []
        self.command_line += list(options)
        self.text, self.position, self.rest = "", 0, b""
        self.last_heard = time.monotonic()
        self.log = open(self.log_path, "wb")
        self.log.write((shlex.join(self.command_line) + "\n\n").encode())
        self.child = pexpect.spawn(self.command_line[0], self.command_line[1:], timeout=None,
                                   echo=False, dimensions=(50, 200))
        self.child.delaybeforesend = None
        self.ended = False

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.close()
        if kind is None:
            self.log_path.with_suffix(".dmfs").unlink(missing_ok=True)

    def close(self):
        if not self.ended:
            self.child.close(force=True)
        self.log.close()
        self.folder.cleanup()

    def read(self, wait):
        """Takes what has come, waiting for it at most so many seconds."""
        try:
            data = self.child.read_nonblocking(65536, timeout=wait)
        except pexpect.TIMEOUT:
            return
        except pexpect.EOF:
            self.ended = True
            self.child.close()
            return
        self.last_heard = time.monotonic()
        self.log.write(data)
        self.log.flush()
        data = self.rest + data
        cut = data.rfind(b"\x1b")  # a command of the terminal may have come in part
        whole = cut < 0 or len(data) - cut > 16 or TERMINAL_COMMAND.match(data[cut:].decode("latin-1"))
        self.rest = b"" if whole else data[cut:]
        text = (data if whole else data[:cut]).decode("utf-8", "replace")
        self.text += TERMINAL_COMMAND.sub("", text).replace("\r", "").replace("\0", "")

    def expect(self, pattern, timeout=60, anywhere=False, silence=None):
        """Waits for the pattern behind the last match (or anywhere); returns the match. With
        `silence`, gives up when nothing at all has come for so many seconds."""
        found = self.expect_any([pattern], timeout, anywhere, silence)
        return found[1]

    def expect_any(self, patterns, timeout=60, anywhere=False, silence=None):
        give_up = time.monotonic() + timeout * SCALE
        while True:
            ended = self.ended
            for index, pattern in enumerate(patterns):
                match = re.compile(pattern, re.MULTILINE).search(self.text, 0 if anywhere else self.position)
                if match:
                    if not anywhere:
                        self.position = match.end()
                    return index, match
            if ended:
                raise self.failure(f"the machine ended before {patterns} came")
            if time.monotonic() > give_up:
                raise self.failure(f"{patterns} has not come in {timeout * SCALE:.0f} s")
            if silence and time.monotonic() > self.last_heard + silence * SCALE:
                raise self.failure(f"{patterns} has not come, nor anything else in {silence * SCALE:.0f} s")
            self.read(0.5)

    def send(self, text):
        self.child.send(text)

    def line(self, text):
        self.send(text + "\r")

    def wait_end(self, timeout=60):
        """Waits until the machine has switched itself off."""
        give_up = time.monotonic() + timeout * SCALE
        while not self.ended:
            if time.monotonic() > give_up:
                raise self.failure(f"the machine still runs after {timeout * SCALE:.0f} s")
            self.read(0.5)
        return self.text

    def count(self, pattern):
        return len(re.findall(pattern, self.text, re.MULTILINE))

    def run_for(self, seconds):
        """Lets it run and takes its output: for `nothing bad comes`, never for `it comes in time`."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and not self.ended:
            self.read(0.2)

    def failure(self, what):
        last = "\n".join(self.text.splitlines()[-40:])
        return Failure(f"{what}\n--- the last lines ({self.log_path} has all)\n{last}\n"
                       f"--- to start it again\n{shlex.join(self.command_line)}")

    # --- the console service's command line ---

    def command(self, words, timeout=60):
        """Opens the command line, runs one command, leaves; returns what it printed."""
        self.send(ESCAPE_KEY)
        self.expect(re.escape(PROMPT), timeout)
        start = self.position
        self.line(words)
        self.expect(re.escape(words) + r"\n", timeout)
        self.expect(re.escape(PROMPT), timeout)
        printed = self.text[start:self.position]
        self.line("")
        return printed

    def attach(self, name, timeout=60):
        """Attaching leaves the command line by itself."""
        self.send(ESCAPE_KEY)
        self.expect(re.escape(PROMPT), timeout)
        self.line(f"attach {name}")

    # --- payloads ---

    def payload_done(self, name, timeout=120):
        """Waits for a payload's end; fails with the checks that failed."""
        match = self.expect(rf"\[{re.escape(name)}\] PAYLOAD DONE passed=(\d+) failed=(\d+) ", timeout,
                            anywhere=True, silence=45)
        bad = re.findall(rf"^.*\[{re.escape(name)}\] not ok .*$", self.text, re.MULTILINE)
        if bad or match[2] != "0" or match[1] == "0":
            raise self.failure(f"payload {name}: passed {match[1]}, failed {match[2]}\n" + "\n".join(bad))
        return int(match[1])

    # --- Linux ---

    def login(self, timeout=240):
        self.expect(r"login: ?$", timeout)
        self.line("root")
        self.expect(r"[#%] $", timeout)

    def shell(self, command, pattern, timeout=60):
        """Types a command at a shell's prompt; waits for its answer and the next prompt."""
        self.line(command)
        match = self.expect(pattern, timeout)
        self.expect(r"[#%] $", timeout)
        return match
