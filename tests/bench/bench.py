#!/usr/bin/python3
"""Runs tests/bench/bench.c on bare firmware and in capsules; prints a table; checks the budgets.

    bench.py --qemu QEMU --hypervisor ELF [--update] [--json FILE]

QEMU counts instructions (-icount shift=0) and takes harts in turns in one thread, so every number is
the same each time. Four systems run the same guest, one after the other:

    opensbi   the firmware that QEMU brings, and nothing else: what the ratios refer to
    gstage    Diosix with two-stage translation
    pmp       Diosix, told to confine by PMP on the same harts
    no_h      Diosix on harts without the hypervisor extension

Budgets and goals are in budgets.toml, beside this file. The exit status is 1 when an operation takes
more than its budget, or could not be measured. --update writes new budgets: the goal where it is met,
else what was measured and two per cent. With the work done a budget goes down; where it goes up, that
is said, and the change to budgets.toml should say why.
"""

import argparse
import json
import math
import os
import re
import socket
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "system"))
import diosix  # noqa: E402  (makes images)

BUDGETS = HERE / "budgets.toml"
SYSTEMS = {"opensbi": ("rv64", ""), "gstage": ("rv64", "services=no"),
           "pmp": ("rv64", "services=no isolation=pmp"), "no_h": ("rv64,h=off", "services=no")}
DIOSIX = [name for name in SYSTEMS if name != "opensbi"]
ROOM = 1.02  # a budget above the goal is what is measured, times this
PATIENCE = 60  # seconds; a run takes about one
RESULT = re.compile(r"BENCH (\w+) (\d+) (\d+) (\d+)")


class Failure(Exception):
    """A run did not end as it should."""


def symbol(elf, name):
    """Its address."""
    table = subprocess.run(["readelf", "-sW", elf], capture_output=True, text=True, check=True).stdout
    found = re.search(rf"^ *\d+: (\w+) .* {name}(\.lto_priv\.\d+)?$", table, re.MULTILINE)
    if not found:
        raise Failure(f"{elf} has no symbol {name}")
    return int(found[1], 16)


# --- running -------------------------------------------------------------------------------------

class Bench:
    def __init__(self, qemu, hypervisor, folder):
        self.qemu, self.hypervisor, self.folder = qemu, hypervisor, Path(folder)
        self.boot_log = {}

    def image(self, run, vcpus):
        guest = diosix.payload("bench", cpus=vcpus, run=run)
        if run == "illegal":
            guest |= {"harts": [0], "exclusive": True}
        return diosix.mkdmfs(diosix.manifest(guests=[guest]), self.folder)[0]

    def command(self, system, run, harts, vcpus, cpu_options):
        cpu, words = SYSTEMS[system]
        command = ["timeout", "-k", "5", str(PATIENCE), self.qemu, "-machine", "virt", "-m", "256M",
                   "-cpu", cpu + cpu_options, "-smp", str(harts),
                   # A guest that only sleeps would make time fly, and keep QEMU from answering us.
                   "-icount", "shift=0,sleep=" + ("on" if run == "stay" else "off"),
                   "-display", "none", "-serial", "stdio",
                   "-monitor", f"unix:{self.folder}/monitor,server=on,wait=off"]
        if system == "opensbi":
            return command + ["-kernel", str(diosix.BUILD / "payload/bench.bin"), "-append", f"run={run}"]
        return command + ["-bios", "none", "-kernel", self.hypervisor, "-append", words,
                          "-initrd", str(self.image(run, vcpus))]

    def run(self, system, run="calls", harts=1, vcpus=None, cpu_options="", until="PAYLOAD DONE", then=None):
        """Returns what the guest measured, and what then() returns while it still runs."""
        command = self.command(system, run, harts, vcpus or harts, cpu_options)
        text, answer = "", None
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT) as child:
            for line in child.stdout:
                text += line.decode("utf-8", "replace")
                if until in text:
                    answer = then() if then else None
                    break
            child.terminate()
        self.boot_log[system] = text
        isolated = system == "opensbi" or f"isolation: {'gstage' if system == 'gstage' else 'pmp'};" in text
        ended = until in text and (then or "failed=0" in text)
        if not ended or not isolated or "not ok" in text:
            raise Failure(f"{system}, run={run}: no good end\n{text}\n{' '.join(command)}")
        return {found[1]: {"mean": int(found[2]), "least": int(found[3]), "most": int(found[4])}
                for found in RESULT.finditer(text)}, answer

    def operations(self, system):
        """Everything that is counted in instructions."""
        found, _ = self.run(system)
        first = found["first_instruction"]
        found |= {f"{name}_no_sstc": value for name, value
                  in self.run(system, "timer", cpu_options=",sstc=off")[0].items()}
        found["ping_pong_two_harts"] = self.run(system, "pair", harts=2)[0]["ping_pong"]
        if system != "opensbi":
            found["illegal_own_hart"] = self.run(system, "illegal")[0]["illegal_by_itself"]
            found["ping_pong_one_hart"] = self.run(system, "pair", harts=1, vcpus=2)[0]["ping_pong"]
        found["first_instruction"] = first
        return found

    # --- memory, with one hart and one small guest running ---

    def footprint(self, system):
        if system == "opensbi":
            size = re.search(r"Firmware Size\s*: (\d+) KB", self.boot_log[system])
            return {"ram_bytes": {"mean": int(size[1]) << 10}} if size else {}
        _, owned = self.run(system, "stay", until="BENCH first_instruction", then=self.hypervisor_owned)
        image = (self.folder / "image.dmfs").stat().st_size
        return {"text_bytes": {"mean": self.text_size(r"\.entry|\.text|\.rodata|\.boot")},
                "text_kept_bytes": {"mean": self.text_size(r"\.entry|\.text|\.rodata")},
                "ram_bytes": {"mean": owned - (image + 4095) // 4096 * 4096}}

    def text_size(self, names):
        """Bytes in these sections: code and constants."""
        sections = subprocess.run(["readelf", "-SW", self.hypervisor], capture_output=True, text=True, check=True).stdout
        sizes = re.findall(rf" ({names}) +PROGBITS +\w+ \w+ (\w+)", sections)
        return sum(int(size, 16) for _, size in sizes)

    def hypervisor_owned(self):
        """Bytes that the hypervisor's own map of memory (core/memory.c) gives to itself, image included."""
        with socket.socket(socket.AF_UNIX) as monitor:
            monitor.connect(f"{self.folder}/monitor")
            self.ask(monitor)
            extents, _, count = self.words(monitor, symbol(self.hypervisor, "map"), 3)
            words = self.words(monitor, extents, 3 * count)
        return sum(size for size, owner in zip(words[1::3], words[2::3])
                   if owner & 0xffffffff == 0xffffffff)  # MEMORY_HYPERVISOR

    @staticmethod
    def ask(monitor, question=""):
        """Sends a line to QEMU's monitor; returns what it says up to its next prompt."""
        monitor.sendall(question.encode() + b"\n" if question else b"")
        answer = b""
        while not answer.endswith(b"(qemu) "):
            answer += monitor.recv(4096)
        return answer.decode("utf-8", "replace")

    def words(self, monitor, address, count):
        answer = self.ask(monitor, f"xp /{count}gx {address:#x}")
        rows = re.findall(r"^[0-9a-f]{8,}:((?: 0x[0-9a-f]+)+)", answer, re.MULTILINE)
        return [int(word, 16) for row in rows for word in row.split()]


# --- judging -------------------------------------------------------------------------------------

def table(budgets, measured):
    """The table, as Markdown; in brackets the ratio to OpenSBI in this run."""
    rows = [["operation", *SYSTEMS, "goal"]]
    for name, entry in budgets.items():
        base = measured["opensbi"].get(name, {}).get("mean")
        row = [entry["operation"]]
        for system in SYSTEMS:
            value = measured[system].get(name, {}).get("mean")
            ratio = f" ({value / base:.2f})" if value and base and system != "opensbi" else ""
            row.append(f"{value:,}{ratio}" if value is not None else "–")
        rows.append(row + [f"{entry['goal']:,}"])
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ["| " + " | ".join(cell.ljust(width) if i == 0 else cell.rjust(width)
                               for i, (cell, width) in enumerate(zip(row, widths))) + " |" for row in rows]
    lines.insert(1, "| " + " | ".join("-" * width if i == 0 else "-" * (width - 1) + ":"
                                      for i, width in enumerate(widths)) + " |")
    return "\n".join(lines)


def judge(budgets, measured):
    """Lines about what is over its budget, and about what has become much cheaper than it."""
    bad, good = [], []
    for name, entry in budgets.items():
        for system in DIOSIX:
            value = measured[system].get(name, {}).get("mean")
            budget = entry.get(system)
            if value is None or budget is None:
                bad.append(f"{name} on {system}: {'not measured' if value is None else 'has no budget'}")
            elif value > budget:
                bad.append(f"{name} on {system}: {value:,} is over its budget of {budget:,} (goal {entry['goal']:,})")
            elif budget > entry["goal"] and value * ROOM < budget * 0.98:
                good.append(f"{name} on {system}: {value:,} needs no budget of {budget:,}; see --update")
    return bad, good


def update(budgets, measured):
    """Writes new budgets, in place, so that the file's comments stay."""
    text, name = BUDGETS.read_text().splitlines(), None
    for i, line in enumerate(text):
        header, key = re.match(r"\[(\w+)\]", line), re.match(r"(\w+) = \d+$", line)
        name = header[1] if header else name
        if not key or key[1] not in DIOSIX or name not in measured[key[1]]:
            continue
        value, goal, old = measured[key[1]][name]["mean"], budgets[name]["goal"], budgets[name][key[1]]
        new = goal if value <= goal else math.ceil(value * ROOM)
        text[i] = f"{key[1]} = {new}"
        if new > old:
            print(f"bench: {name} on {key[1]}: the budget rises from {old:,} to {new:,}")
    BUDGETS.write_text("\n".join(text) + "\n")


def main():
    parser = argparse.ArgumentParser(description="Counts instructions per operation.")
    parser.add_argument("--qemu", required=True)
    parser.add_argument("--hypervisor", required=True)
    parser.add_argument("--json", default=str(diosix.BUILD / "bench.json"))
    parser.add_argument("--update", action="store_true")
    options = parser.parse_args()
    budgets = {name: entry for name, entry in tomllib.loads(BUDGETS.read_text()).items() if "goal" in entry}
    measured = {}
    with tempfile.TemporaryDirectory(prefix="diosix-bench-") as folder:
        bench = Bench(options.qemu, options.hypervisor, folder)
        for system in SYSTEMS:
            try:
                measured[system] = bench.operations(system) | bench.footprint(system)
            except Failure as failure:
                sys.exit(f"bench: {failure}")
    ratios = {system: {name: value["mean"] / measured["opensbi"][name]["mean"] for name, value in values.items()
                       if measured["opensbi"].get(name, {}).get("mean")} for system, values in measured.items()}
    result = {"qemu": options.qemu, "measured": measured, "ratios": ratios, "budgets": budgets}
    Path(options.json).write_text(json.dumps(result, indent=1) + "\n")
    print(table(budgets, measured))
    if options.update:
        update(budgets, measured)
        return
    bad, good = judge(budgets, measured)
    for line in good:
        print(f"bench: {line}")
    for line in bad:
        print(f"bench: FAILED: {line}")
    if bad:
        sys.exit(1)
    met = sum(measured[system][name]["mean"] <= entry["goal"] for name, entry in budgets.items() for system in DIOSIX)
    print(f"bench: all within budget; {met} of {len(budgets) * len(DIOSIX)} meet their goal")


if __name__ == "__main__":
    main()
