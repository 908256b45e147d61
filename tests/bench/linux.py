#!/usr/bin/python3
"""Counts what a Linux guest executes from its first instruction to its login prompt.

    linux.py --qemu QEMU --hypervisor ELF [--runs N] [--json FILE] [--bootargs TEXT] [--seed N]

The same kernel and initramfs run on bare firmware and in a capsule on each back end; docs/performance.md
says what is counted, and budgets.toml how large the ratio may be.

The counts repeat. An instruction takes 1 ns, time that nobody uses passes at once (sleep=off), the clock
of the machine is QEMU's, and so is the seed of what is random. What is left is what Linux's timers bring
between the prompt and our stopping the machine, some hundred instructions, or more on a busy machine: hence
each system runs more than once, and the least counts.

QEMU's debugger port reads the counter, minstret, which can be told to count in machine mode alone. (Not
mcycle: it has the time in it that nobody uses.) A stop makes time jump to its end, so the count at the
kernel's first instruction comes from a run of its own.
"""

import argparse
import concurrent.futures
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path

import libfdt

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "system"))
import diosix  # noqa: E402  (makes images)
from bench import BUDGETS, SYSTEMS, Failure, symbol  # noqa: E402

GUEST_RAM = "256M"
# Without the kernel's tests of its ciphers: they make random keys, of which some are found sooner than
# others. And without its driver for counters, which makes firmware stop ours.
BOOTARGS = "console=ttyS0 quiet cryptomgr.notests initcall_blacklist=pmu_sbi_devinit"
PROMPT = "login:"
PATIENCE = 300 * diosix.SCALE  # seconds; a run takes about four
FIRMWARE_BASE = 0x8000_0000  # where a machine's RAM begins
# minstretcfg (Smcntrpmf 1.0): the *INH bits of all modes but machine mode.
ALL_MODES, MACHINE_MODE = 0, 0b1111 << 58
# What `virt` has and a capsule has not.
NOT_IN_A_CAPSULE = ["/fw-cfg@10100000", "/flash@20000000", "/platform-bus@4000000", "/pmu", "/soc/pci@30000000"]


class Debugger:
    """As much of GDB's remote protocol as it takes to stop a machine and to read and set its counter."""

    def __init__(self, path, child):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(PATIENCE)
        while self.socket.connect_ex(path):  # there is none yet, or nobody listens yet
            if child.poll() is not None:
                raise Failure("QEMU has ended early")
            time.sleep(0.01)
        self.stream = self.socket.makefile("rb")

    def send(self, packet):
        self.socket.sendall(f"${packet}#{sum(packet.encode()) % 256:02x}".encode())

    def receive(self):
        while (byte := self.stream.read(1)) != b"$":
            if not byte:
                raise Failure("QEMU has gone")
        packet = b""
        while (byte := self.stream.read(1)) != b"#":
            packet += byte
        self.stream.read(2)
        self.socket.sendall(b"+")
        return packet.decode()

    def ask(self, packet):
        self.send(packet)
        return self.receive()

    def run_to(self, address):
        """The machine's clock is of no use from then on."""
        if self.ask(f"Z1,{address:x},2") != "OK":
            raise Failure("QEMU sets no breakpoint")
        stopped = self.ask("c")
        if not stopped.startswith("T05"):
            raise Failure(f"no stop at {address:#x}: {stopped}")

    def stop(self):
        self.socket.sendall(b"\x03")
        self.receive()

    def describe(self, name):
        """A file of the target's description."""
        text, more = "", True
        while more:
            part = self.ask(f"qXfer:features:read:{name}:{len(text):x},ffb")
            text, more = text + part[1:], part[0] == "m"
        return text

    def number(self, register):
        """Its number; the description of a hart's CSRs has it."""
        for name in re.findall(r'href="([^"]+)"', self.describe("target.xml")):
            found = re.search(rf'<reg name="{register}"[^>]* regnum="(\d+)"', self.describe(name))
            if found:
                return int(found[1])
        raise Failure(f"QEMU has no {register}")

    def count_in(self, modes):
        """Before the machine runs."""
        value = modes.to_bytes(8, "little").hex()
        if self.ask(f"P{self.number('minstretcfg'):x}={value}") != "OK":
            raise Failure("QEMU does not set minstretcfg")

    def instructions(self):
        return int.from_bytes(bytes.fromhex(self.ask(f"p{self.number('minstret'):x}")), "little")


class Output:
    """What the serial port has shown."""

    def __init__(self, pipe):
        self.pipe, self.text = pipe, ""

    def more(self):
        data = os.read(self.pipe.fileno(), 4096)
        if not data:
            raise Failure(f"the run has ended early:\n{self.text}")
        self.text += data.decode("utf-8", "replace")


class Linux:
    def __init__(self, options, folder):
        self.qemu, self.hypervisor, self.seed = options.qemu, options.hypervisor, options.seed
        self.bootargs, self.folder = options.bootargs, Path(folder)
        self.guest = diosix.linux(ram=GUEST_RAM, bootargs=self.bootargs)
        self.image, _ = diosix.mkdmfs(diosix.manifest(guests=[self.guest]), folder)
        with open(self.guest["kernel"], "rb") as kernel:
            self.text_offset = int.from_bytes(kernel.read(16)[8:], "little")

    def tree(self, cpu):
        """The device tree of `virt`, without what a capsule has not."""
        path = self.folder / "virt.dtb"
        subprocess.run([self.qemu, "-machine", f"virt,dumpdtb={path}", "-m", GUEST_RAM, "-cpu", cpu],
                       check=True, capture_output=True)
        tree = libfdt.Fdt(path.read_bytes())
        tree.resize(tree.totalsize() + 4096)
        for node in NOT_IN_A_CAPSULE:
            tree.del_node(tree.path_offset(node))
        tree.setprop_str(tree.path_offset("/chosen"), "bootargs", self.bootargs)
        path.write_bytes(tree.as_bytearray())
        return str(path)

    def command(self, system, gdb):
        cpu, words = SYSTEMS[system]
        command = ["timeout", "-k", "5", str(PATIENCE), self.qemu, "-machine", "virt", "-cpu", cpu + ",smcntrpmf=on",
                   "-smp", "1", "-display", "none", "-nic", "none", "-icount", "shift=0,sleep=off",
                   "-rtc", "clock=vm,base=2026-01-01T00:00:00", "-seed", str(self.seed),
                   "-serial", "stdio", "-monitor", "none", "-S",
                   "-chardev", f"socket,id=gdb,path={gdb},server=on,wait=off", "-gdb", "chardev:gdb"]
        if system == "opensbi":
            return command + ["-m", GUEST_RAM, "-dtb", self.tree(cpu), "-kernel", self.guest["kernel"],
                              "-initrd", self.guest["initramfs"]]
        return command + ["-m", "512M", "-bios", "none", "-kernel", self.hypervisor, "-append", words,
                          "-initrd", str(self.image)]

    def entry(self, system):
        """Where machine mode leaves for the kernel: there, or in guest_enter(), at whose end the guest begins."""
        return FIRMWARE_BASE + self.text_offset if system == "opensbi" else symbol(self.hypervisor, "guest_enter")

    def run(self, system, modes, to_end):
        """Starts a machine, and returns what it has counted in these modes when to_end(), which is given its debugger
        and its output, has brought it there."""
        gdb = self.folder / f"gdb-{system}"
        gdb.unlink(missing_ok=True)
        with subprocess.Popen(self.command(system, gdb), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT) as child:
            try:
                debugger = Debugger(str(gdb), child)
                debugger.count_in(modes)
                to_end(debugger, Output(child.stdout))
                return debugger.instructions()
            finally:
                child.terminate()

    def count(self, system, modes, runs):
        """Instructions between the kernel's first one and its prompt."""
        def to_kernel(debugger, _):
            debugger.run_to(self.entry(system))

        def to_prompt(debugger, output):
            debugger.send("c")
            while PROMPT not in output.text:
                output.more()
            debugger.stop()
            isolation = f"isolation: {'gstage' if system == 'gstage' else 'pmp'};"
            if system != "opensbi" and isolation not in output.text:
                raise Failure(f"{system}: wrong isolation\n{output.text}")

        first = self.run(system, modes, to_kernel)
        return min(self.run(system, modes, to_prompt) for _ in range(runs)) - first

    def measure(self, system, runs):
        return {"instructions": self.count(system, ALL_MODES, runs),
                "of_machine_mode": self.count(system, MACHINE_MODE, 1)}


def main():
    parser = argparse.ArgumentParser(description="Counts Linux's instructions up to its login prompt.")
    parser.add_argument("--qemu", required=True)
    parser.add_argument("--hypervisor", required=True)
    parser.add_argument("--json", default=str(diosix.BUILD / "bench-linux.json"))
    parser.add_argument("--runs", type=int, default=2)
    parser.add_argument("--bootargs", default=BOOTARGS)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    most = tomllib.loads(BUDGETS.read_text())["linux_to_login"]["ratio"]
    try:
        with tempfile.TemporaryDirectory(prefix="diosix-bench-") as folder, \
                concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            linux = Linux(options, folder)
            measured = dict(zip(SYSTEMS, pool.map(lambda system: linux.measure(system, options.runs), SYSTEMS)))
    except (Failure, OSError) as failure:
        sys.exit(f"bench: {failure}")
    for counts in measured.values():
        counts["ratio"] = counts["instructions"] / measured["opensbi"]["instructions"]
    Path(options.json).write_text(json.dumps({"qemu": options.qemu, "bootargs": options.bootargs, "seed": options.seed,
                                              "most": most, "measured": measured}, indent=1) + "\n")
    print("| Linux, first instruction to login | instructions | ratio | of them in machine mode |")
    print("| --- | ---: | ---: | ---: |")
    for system, counts in measured.items():
        print(f"| `{system}` | {counts['instructions']:,} | {counts['ratio']:.4f} | {counts['of_machine_mode']:,} |")
    over = [system for system in SYSTEMS if measured[system]["ratio"] > most]
    for system in over:
        print(f"bench: FAILED: Linux on {system} takes more than {most} of what it takes on bare firmware")
    sys.exit(1 if over else 0)


if __name__ == "__main__":
    main()
