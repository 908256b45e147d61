#!/usr/bin/python3
"""Counts what a Linux guest executes from its first instruction to its login prompt.

    linux.py --qemu QEMU --hypervisor ELF [--runs N] [--json FILE]

The same kernel and initramfs run on bare firmware and in a capsule on each back end, one after the
other; docs/performance.md says what is counted, and budgets.toml how large the ratio may be.

QEMU records the run (-icount rr=record) only because a recording knows how many instructions it has:
`info replay` shows QEMU's raw count, of every privilege, in which the time that a hart waits in wfi
is not. (The clock has it, and what a guest reads can be stopped by firmware.) QEMU's debugger port
stops the machine at the kernel's first instruction and when the serial port has shown the prompt.
A Linux that waits at its prompt executes next to nothing, so when that second stop comes matters little.

Waiting takes real time (sleep=on), and where Linux's ticks fall in its work depends on that; what Linux
does for a number of ticks, it does for some more or fewer instructions then. So each system runs several
times, and the least counts. Single runs differ by four per cent: hence this is not a part of `make bench`.
"""

import argparse
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
BOOTARGS = "console=ttyS0 quiet"
PROMPT = "login:"
PATIENCE = 300 * diosix.SCALE  # seconds; a run takes about twenty
FIRMWARE_BASE = 0x8000_0000  # where a machine's RAM begins
A0 = 10  # of the registers as the debugger has them
# What `virt` has and a capsule has not.
NOT_IN_A_CAPSULE = ["/fw-cfg@10100000", "/flash@20000000", "/platform-bus@4000000", "/pmu", "/soc/pci@30000000"]


class Debugger:
    """As much of GDB's remote protocol as it takes to stop a machine and to ask QEMU's monitor."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(PATIENCE)
        self.socket.connect(path)
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
        if self.ask(f"Z1,{address:x},2") != "OK":
            raise Failure("QEMU sets no breakpoint")
        stopped = self.ask("c")
        if not stopped.startswith("T05") or self.ask(f"z1,{address:x},2") != "OK":
            raise Failure(f"no stop at {address:#x}: {stopped}")

    def word(self, packet, at=0):
        """64 bits of the answer."""
        return int.from_bytes(bytes.fromhex(self.ask(packet)[16 * at:16 * at + 16]), "little")

    def stop(self):
        self.socket.sendall(b"\x03")
        self.receive()

    def instructions(self):
        self.send("qRcmd," + b"info replay".hex())
        said = ""
        while (packet := self.receive()) != "OK":
            said += bytes.fromhex(packet[1:]).decode()
        return int(re.search(r"instruction count = (\d+)", said)[1])


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
    def __init__(self, qemu, hypervisor, folder):
        self.qemu, self.hypervisor, self.folder = qemu, hypervisor, Path(folder)
        self.guest = diosix.linux(ram=GUEST_RAM, bootargs=BOOTARGS)
        self.image, _ = diosix.mkdmfs(diosix.manifest(guests=[self.guest]), folder)
        self.guest_enter = symbol(self.hypervisor, "guest_enter")
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
        tree.setprop_str(tree.path_offset("/chosen"), "bootargs", BOOTARGS)
        path.write_bytes(tree.as_bytearray())
        return str(path)

    def command(self, system):
        cpu, words = SYSTEMS[system]
        command = [self.qemu, "-machine", "virt", "-cpu", cpu, "-smp", "1", "-display", "none", "-nic", "none",
                   "-icount", f"shift=0,sleep=on,rr=record,rrfile={self.folder}/recording",
                   "-serial", "stdio", "-monitor", "none", "-S",
                   "-chardev", f"socket,id=gdb,path={self.folder}/gdb,server=on,wait=off", "-gdb", "chardev:gdb"]
        if system == "opensbi":
            return command + ["-m", GUEST_RAM, "-dtb", self.tree(cpu), "-kernel", self.guest["kernel"],
                              "-initrd", self.guest["initramfs"]]
        return command + ["-m", "512M", "-bios", "none", "-kernel", self.hypervisor, "-append", words,
                          "-initrd", str(self.image)]

    def run_to_kernel(self, debugger, system):
        """Stops at the guest's first instruction. Where that is, the kernel's header says, and on Diosix the vCPU that
        guest_enter() is given: its first word is the pc."""
        first = FIRMWARE_BASE + self.text_offset
        if system != "opensbi":
            debugger.run_to(self.guest_enter)
            first = debugger.word(f"m{debugger.word('g', A0):x},8")
        debugger.run_to(first)

    def count(self, system):
        """Instructions between the first one of the kernel and its prompt."""
        command = ["timeout", "-k", "5", str(PATIENCE), *self.command(system)]
        gdb = self.folder / "gdb"
        gdb.unlink(missing_ok=True)
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT) as child:
            try:
                while not gdb.exists() and child.poll() is None:
                    time.sleep(0.01)
                debugger, output = Debugger(str(gdb)), Output(child.stdout)
                self.run_to_kernel(debugger, system)
                first = debugger.instructions()
                debugger.send("c")
                while PROMPT not in output.text:
                    output.more()
                debugger.stop()
                isolation = f"isolation: {'gstage' if system == 'gstage' else 'pmp'};"
                if system != "opensbi" and isolation not in output.text:
                    raise Failure(f"{system}: wrong isolation\n{output.text}")
                return debugger.instructions() - first
            finally:
                child.terminate()


def main():
    parser = argparse.ArgumentParser(description="Counts Linux's instructions up to its login prompt.")
    parser.add_argument("--qemu", required=True)
    parser.add_argument("--hypervisor", required=True)
    parser.add_argument("--json", default=str(diosix.BUILD / "bench-linux.json"))
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    most = tomllib.loads(BUDGETS.read_text())["linux_to_login"]["ratio"]
    counts = {}
    try:
        with tempfile.TemporaryDirectory(prefix="diosix-bench-") as folder:
            linux = Linux(options.qemu, options.hypervisor, folder)
            for system in SYSTEMS:
                counts[system] = sorted(linux.count(system) for _ in range(options.runs))
    except (Failure, OSError) as failure:
        sys.exit(f"bench: {failure}")
    Path(options.json).write_text(json.dumps({"qemu": options.qemu, "counts": counts}, indent=1) + "\n")
    base = counts["opensbi"][0]
    print(f"| Linux, first instruction to login | least of {options.runs} runs | ratio | most of {options.runs} runs |")
    print("| --- | ---: | ---: | ---: |")
    for system, runs in counts.items():
        print(f"| {system} | {runs[0]:,} | {runs[0] / base:.3f} | {runs[-1]:,} |")
    over = [system for system, runs in counts.items() if runs[0] > base * most]
    for system in over:
        print(f"bench: FAILED: Linux on {system} takes more than {most} of what it takes on bare firmware")
    sys.exit(1 if over else 0)


if __name__ == "__main__":
    main()
