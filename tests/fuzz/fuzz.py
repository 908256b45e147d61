#!/usr/bin/python3
"""Lets the fuzz guest loose on the hypervisor; docs/testing.md.

    tests/fuzz/fuzz.py [--seed N] [--time SECONDS | --actions N] [MACHINE ...]

On each machine several fuzz guests run beside canaries, one pinned to each hart, and the console
service; a keeper starts fuzz guests again that have brought themselves down. A run fails when the
hypervisor reports a fault of its own, when a canary finds something changed or goes silent, when a
fuzz guest is refused its own RAM, when the console does not answer, or when the machine ends. The
guests' account of what they did is added up. One has so much RAM that for most of a life there is
some that has not come yet.

A run that QEMU ends by a mistake of its own is told from that: what is left to do is done from another
seed. If nothing at all gets done so, it is a failure.

With `icount` a run repeats exactly, from the same seed and the same binaries: time is what the harts
execute, they take turns, and QEMU's own chances are seeded. Without, harts are threads, and races
between them are real.
"""

import argparse
import math
import os
import random
import re
import sys
import time
from collections import Counter, defaultdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "system"))
from diosix import BUILD, SCALE, Failure, Machine, console, payload  # noqa: E402

ELF = Path(os.environ.get("FUZZ_ELF", BUILD / "sanitized/diosix.elf"))
PMP = "isolation=pmp"

# What there is to confine guests with, and what harts have that goes another way. QEMU 7.2 ("old") is
# several times slower at this than 10.0: it forgets all translations at each exit of a guest.
NEW = {"qemu": "qemu10"}
ICOUNT = {**NEW, "icount": 0}
MACHINES = {
    "gstage": NEW,
    "pmp": {**NEW, "append": PMP},
    "no-h": {**NEW, "cpu": "rv64,h=off"},
    "no-sstc": {**NEW, "cpu": "rv64,sstc=off"},
    "pmp-no-sstc": {**NEW, "cpu": "rv64,sstc=off", "append": PMP},
    "no-h-no-sstc": {**NEW, "cpu": "rv64,h=off,sstc=off"},
    "smepmp-gstage": {**NEW, "cpu": "rv64,smepmp=on"},
    "smepmp-pmp": {**NEW, "cpu": "rv64,smepmp=on", "append": PMP},
    "smepmp-no-h": {**NEW, "cpu": "rv64,h=off,smepmp=on"},
    "vector": {**NEW, "cpu": "rv64,v=on", "append": PMP},
    "flash": {**NEW, "flash": True},
    "service": {**NEW, "service": True},
    "max": {**NEW, "cpu": "max"},
    "max-pmp": {**NEW, "cpu": "max", "append": PMP},
    "max-no-h": {**NEW, "cpu": "max,h=off"},
    "old-gstage": {},
    "old-pmp": {"append": PMP},
    "old-no-h": {"cpu": "rv64,h=off,v=on"},
    "icount-gstage": ICOUNT,
    "icount-pmp": {**ICOUNT, "append": PMP},
    "icount-no-h": {**ICOUNT, "cpu": "rv64,h=off,sstc=off"},
}

BAD = re.compile(r"panic: .*|\[(?:canary|fuzz)\d\] not ok .*|lock of rank .*|the machine stops.*")
BEAT = re.compile(r"\[(canary\d)\] canary alive (\d+)")
LIFE = re.compile(r"\[(fuzz\d)\] fuzz life (\d+) actions (\d+) strays (\d+)")
KIND = re.compile(r"\[(fuzz\d)\] fuzz life (\d+) of (\w+) (\d+)/(\d+)/(\d+)/(\d+)")
MEMORY = re.compile(r"\[keeper\] memory came to (fuzz\d) (\d+) (\d+) (\d+)\n")
# QEMU 10.0 itself does not survive some vector loads that stop at a fault, nor, as 7.2, `vtype` read where UXL is what
# no hart has: such a run is over, but not failed.
QEMU_BUG = re.compile(r"Bail out! ERROR:(?:\.\./)*(?:accel/tcg|target/riscv)/.*")
QEMU_ENDS_MAX = 20  # as many runs of one machine may end so
CALLS = {"sbi", "service", "hart"}
LIFE_MAX = 100000  # more actions than a life has: a guest has overwritten its own account
SILENCE = 60  # seconds, of a canary that beats each second


def fuzz(name, seed, **more):
    return payload("fuzz", name, seed=seed, **more)


LARGE = {"ram": "64M", "cpus": 2}
SERVICE = ["service_console", "console_read", "console_write", "hv_log_read", "capsule_info", "stats_read",
           "auto_crash_restart"]


def guests(seed, icount=False, service=False, flash=False):
    """Under icount a second is long: all intervals are shorter. With `service` one of the fuzz guests is
    the console service, as far as it does anything that one does: it swallows most of what it is given. So
    canaries beat more often, and now and then it must be still, for them to be heard. With `flash` one has flash.
    The large one begins anew more often, for new memory is what it is about."""
    beat, stuck, actions = (20, 300, 20000) if icount else (100 if service else 1000, 20000, 50000)
    canaries = [{**payload("canary", f"canary{hart}", beats=0, beat_ms=beat), "harts": [hart]} for hart in (0, 1)]
    hush = {"hush": "fuzz1"} if service else {}
    bank = {"flash0": str(BUILD / "payload/keeper.elf")} if flash else {}
    return [
        payload("keeper", properties=["capsule_info", "capsule_control", "stats_read"], seed=seed, stuck_ms=stuck,
                pause_ms=10 if icount else 50, storm="yes", **hush),
        canaries[0],  # memory is given out from the top, so each is below the one before it
        {**fuzz("fuzz0", seed, actions=actions // 10, **LARGE), **bank},
        canaries[1],
        fuzz("fuzz1", seed + 1, cpus=3, actions=actions, weight=300,
             properties=SERVICE if service else ["capsule_info", "hv_log_read", "console_write", "stats_read"]),
        {**fuzz("fuzz2", seed + 2, actions=actions, properties=["capsule_info", "auto_crash_restart"]), "cap": 80},
    ]


def promises(cpu="", append="", **_):
    """What the log of a machine says when it is the one that its name stands for."""
    gstage = "h=off" not in cpu and append != PMP
    return [f"isolation: {'gstage' if gstage else 'pmp'};"] + (["Smepmp, "] if "smepmp=on" in cpu or "max" in cpu else [])


class Run:
    """One machine with fuzz guests on it, from its start to a number of actions or seconds."""

    def __init__(self, name, seed):
        options = dict(MACHINES[name])
        self.promises = promises(**options)
        self.name, self.seed = name, seed
        extra, append = ["-seed", str(seed)], options.pop("append", "")
        if "icount" in options:
            extra += ["-rtc", "base=2026-01-01,clock=vm"]
        self.service, flash = options.pop("service", False), options.pop("flash", False)
        services = [] if self.service else [console()]
        self.machine = Machine(guests(seed, "icount" in options, self.service, flash), services=services, elf=ELF,
                               log_name=f"fuzz-{name}-{seed}", options=extra, append=append, **options)
        self.types = not self.service and "icount" not in options
        self.random = random.Random(seed)
        self.actions, self.lives = {}, defaultdict(list)
        self.kinds, self.memory = {}, {}
        self.beats, self.last_beat = Counter(), {}
        self.seen, self.attached, self.over = 0, False, False

    def look(self):
        """Takes in what has come since last time."""
        machine = self.machine
        machine.read(0.5)
        end = machine.text.rfind("\n") + 1
        text, self.seen = machine.text[self.seen:end], max(end, self.seen)
        bad = BAD.search(text)
        if bad:
            machine.run_for(2)
            raise machine.failure(f"{bad[0]}\n{self.replay()}")
        for name, life, actions, _ in LIFE.findall(text):
            if int(actions) <= LIFE_MAX:
                self.actions[name, life] = int(actions)
        for name, life, kind, *counts in KIND.findall(text):
            if all(int(count) <= LIFE_MAX for count in counts):
                self.kinds[name, life, kind] = [int(count) for count in counts]
        for name, *counts in MEMORY.findall(text):
            self.memory[name] = [int(count) for count in counts]
        for name, beat in BEAT.findall(text):
            self.beats[name] = int(beat)
            self.last_beat[name] = time.monotonic()
        if QEMU_BUG.search(machine.text):
            self.over = True
        elif machine.ended:
            raise machine.failure(f"the machine has ended\n{self.replay()}")
        if self.types and not self.over:
            self.type()

    def type(self):
        """A person attaches a fuzz guest, and goes on typing whatever it does."""
        if self.total() and not self.attached:
            self.machine.attach("fuzz0", 120)
            self.attached = True
        elif self.attached and self.random.randrange(4) == 0:
            count = self.random.randrange(1, 20)
            self.machine.send("".join(chr(self.random.randrange(32, 127)) for _ in range(count)))

    def check_canaries(self):
        now = time.monotonic()
        for name in ("canary0", "canary1"):
            silent = now - self.last_beat.get(name, self.started)
            if silent > SILENCE * SCALE:
                raise self.machine.failure(f"{name} has been silent for {silent:.0f} s\n{self.replay()}")

    def check_promises(self):
        for promise in self.promises:
            if promise not in self.machine.text:
                raise self.machine.failure(f"its log does not say `{promise}`")

    def total(self):
        return sum(self.actions.values())

    def summary(self):
        memory = ", ".join(f"{name} {'+'.join(map(str, counts))}" for name, counts in sorted(self.memory.items()))
        end = ", ended by a mistake of QEMU's: " + QEMU_BUG.search(self.machine.text)[0] if self.over else ""
        return f"{self.total()} actions in {len(self.actions)} lives, {self.seconds:.0f} s{end}; memory came to {memory}"

    def run(self, seconds=None, actions=None):
        self.started = time.monotonic()
        try:
            while not self.over and (seconds is None or time.monotonic() - self.started < seconds) and \
                    (actions is None or self.total() < actions):
                self.look()
                self.check_canaries()
            if not self.over:
                self.check_console()
                self.check_promises()
        finally:
            self.seconds = time.monotonic() - self.started
            self.machine.close()
        self.machine.log_path.with_suffix(".dmfs").unlink(missing_ok=True)

    def list(self, tries=5):
        """A key may be lost: when more is typed than the attached guest takes, the rest is dropped."""
        for _ in range(tries - 1):
            try:
                return self.machine.command("list", 15)
            except Failure:
                self.machine.line("")
        return self.machine.command("list", 15)

    def check_console(self):
        """The console answers, and each hart still serves its canary."""
        printed = "canary1" if self.service else self.list()
        if "canary1" not in printed:
            raise self.machine.failure(f"`list` did not list\n{self.replay()}")
        before = dict(self.beats)
        give_up = time.monotonic() + SILENCE * SCALE
        while any(self.beats[name] <= before.get(name, 0) for name in ("canary0", "canary1")):
            self.look()
            if time.monotonic() > give_up:
                raise self.machine.failure(f"a canary is silent after the end\n{self.replay()}")

    def replay(self):
        """It may take twice as long, for it is not the same each time and machines are shared."""
        seconds = max(60, math.ceil(2 * (time.monotonic() - self.started)))
        return f"to do it again: make fuzz MACHINE={self.name} SEED={self.seed} TIME={seconds}"

    def by_kind(self):
        sums = defaultdict(lambda: [0, 0, 0, 0])
        for (_, _, kind), counts in self.kinds.items():
            sums[kind] = [a + b for a, b in zip(sums[kind], counts)]
        return sums


def fuzz_machine(name, seed, seconds=None, actions=None, say=print):
    """Runs one machine; where QEMU ends it, again from other seeds for what is left. Returns all runs."""
    runs, seeds = [], random.Random(seed)
    while len(runs) < QEMU_ENDS_MAX:
        run = Run(name, seeds.randrange(1 << 31) if runs else seed)
        say(f"{name}: seed {run.seed} ... ", end="", flush=True)
        run.run(seconds, actions)
        say(run.summary(), flush=True)
        runs.append(run)
        seconds = seconds and seconds - run.seconds
        actions = actions and actions - run.total()
        if not run.over or (seconds is not None and seconds <= 0) or (actions is not None and actions <= 0):
            break
    if sum(run.total() for run in runs) == 0:
        raise Failure(f"{name}: nothing was done in {len(runs)} runs from seed {seed}; the last one: {runs[-1].summary()}")
    return runs


def unexpectedly_empty(sums):
    """What should happen in the course of many actions, and has not. Nothing but a call is refused, and a jump ends
    by the trap at its target. (QEMU 7.2 has no Zicboz, so a `zero` traps there.)"""
    columns = ["done", "refused", "trapped", "interrupted"]
    return [f"{kind} {column}" for kind, counts in sums.items() for column, count in zip(columns, counts) if count == 0
            and not (column == "refused" and kind not in CALLS) and (column, kind) != ("done", "jump")]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("machines", nargs="*", metavar="MACHINE", help=", ".join(MACHINES))
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 31))
    parser.add_argument("--time", type=float, default=60, help="seconds on each machine")
    parser.add_argument("--actions", type=int, help="actions on each machine, however long they take")
    parser.add_argument("--rounds", type=int, default=1, help="0: until something is found")
    arguments = parser.parse_args()
    total, ended, sums, rounds = 0, 0, defaultdict(lambda: [0, 0, 0, 0]), 0
    while arguments.rounds == 0 or rounds < arguments.rounds:
        for name in arguments.machines or MACHINES:
            try:
                runs = fuzz_machine(name, arguments.seed + rounds, None if arguments.actions else arguments.time,
                                    arguments.actions)
            except Failure as failure:
                print(f"FAILED\n{failure}", flush=True)
                sys.exit(1)
            for run in runs:
                total += run.total()
                ended += run.over
                for kind, counts in run.by_kind().items():
                    sums[kind] = [a + b for a, b in zip(sums[kind], counts)]
        rounds += 1
    print(f"{total} actions in all" + (f"; QEMU ended {ended} runs by a mistake of its own" if ended else ""))
    print(f"{'':12}{'done':>12}{'refused':>12}{'trapped':>12}{'interrupted':>12}")
    for kind, counts in sums.items():
        print(f"{kind:12}" + "".join(f"{count:12}" for count in counts))
    if unexpectedly_empty(sums):
        print("never:", ", ".join(unexpectedly_empty(sums)))


if __name__ == "__main__":
    main()
