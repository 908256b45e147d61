"""Looks into a machine's memory through QEMU's monitor, past everything that runs on it.

    with Machine(..., options=Monitor.options(path)) as machine:
        monitor = Monitor(path)
        monitor.words(monitor.symbol("hart_count"), 1)
"""

import re
import socket
import subprocess
import time

from diosix import ELF, SCALE


class Monitor:
    @staticmethod
    def options(path):
        return ["-monitor", f"unix:{path},server=on,wait=off"]

    def __init__(self, path):
        give_up = time.monotonic() + 30 * SCALE
        self.socket = socket.socket(socket.AF_UNIX)
        while self.socket.connect_ex(str(path)) != 0:
            assert time.monotonic() < give_up, "QEMU's monitor does not answer"
            time.sleep(0.1)
        self.socket.settimeout(60 * SCALE)
        self.answer()
        symbols = subprocess.run(["nm", str(ELF)], capture_output=True, text=True, check=True).stdout
        self.symbols = {}
        for address, _, name in re.findall(r"^([0-9a-f]+) (\S) (\S+)$", symbols, re.MULTILINE):
            self.symbols.setdefault(name, []).append(int(address, 16))

    def answer(self):
        text = ""
        while not text.endswith("(qemu) "):
            text += self.socket.recv(65536).decode("utf-8", "replace")
        return text

    def command(self, words):
        self.socket.sendall(words.encode() + b"\n")
        return self.answer()

    def symbol(self, name):
        """Where a variable of this name is, which there must be only one of."""
        (address,) = self.symbols[name]
        return address

    def words(self, address, count):
        """So many 64-bit words of physical memory."""
        found = re.findall(r"0x([0-9a-f]{16})\b", self.command(f"xp /{count}gx {address:#x}"))
        assert len(found) == count
        return [int(word, 16) for word in found]

    def memory_map(self):
        """The hypervisor's own map of memory, and the bytes of each owner in its second one, while
        nothing changes them."""
        self.command("stop")
        extents, _, count = self.words(self.symbol("map"), 3)  # struct extents
        found = self.words(extents, 3 * count), self.words(self.symbol("bytes_of"), 128)
        self.command("cont")
        return found
