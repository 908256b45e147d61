"""What guests get of the harts, measured by themselves.

Time is what the harts execute (-icount), so that a slow or busy build machine changes nothing. With
several harts QEMU executes them in turns of many milliseconds, so that a guest that has a hart may
stand still all the same: there it is Diosix's account of the time that is compared. (QEMU 7.2 hangs
with several harts and -icount: hence QEMU 10.)"""

import re

import pytest

from diosix import Machine, payload

LEAST_US = 1000  # the shortest slice: docs/scheduling.md
BUSY_US = 100    # its timer fires while it runs: docs/scheduling.md
EXIT_US = 200    # leaving a guest, the wake-up and entering the next one, at 16 ns an instruction


def share(name, weight=100, cpus=1, start=1, end=11, **more):
    words = {key: more.pop(key) for key in ("yields",) if key in more}
    return {**payload("share", name, ram="4M", cpus=cpus, weight=weight, from_ms=start * 1000,
                      to_ms=end * 1000, **words), **more}


def counted(machine, name, timeout=300):
    machine.payload_done(name, timeout)
    found = re.search(rf"\[{re.escape(name)}\] share count (\d+) longest_us (\d+) instructions (\d+) ran_us (\d+)",
                      machine.text)
    return [int(each) for each in found.groups()]


def check_shares(machine, names, weights, error=0.02, by=0):
    counts = [counted(machine, name)[by] for name in names]
    for name, count, weight in zip(names, counts, weights):
        wrong = count / sum(counts) / (weight / sum(weights)) - 1
        assert abs(wrong) < error, machine.failure(f"{name}: {wrong:.1%} from its share of {counts}")


def reports(machine):
    """What each hart says at the end: (switches, timers, kicks)."""
    machine.wait_end()
    found = re.findall(r"hart \d+ used .* (\d+) switches, interrupted for the scheduler by (\d+) timers and "
                       r"(\d+) kicks", machine.text)
    return [tuple(map(int, each)) for each in found]


@pytest.mark.parametrize("weights, end", [((100, 200, 400), 11), ((1, 2, 4), 4)], ids=str)
def test_shares_on_one_hart(isolation, weights, end):
    names = [f"w{weight}" for weight in weights]
    guests = [share(name, weight, cpus=2, end=end) for name, weight in zip(names, weights)]
    with Machine(guests, smp=1, icount=4, append=f"services=no {isolation}") as machine:
        check_shares(machine, names, weights)


@pytest.mark.parametrize("qemu", ["qemu10"])
def test_shares_on_two_harts(isolation, qemu):
    weights = (100, 200, 400)
    names = [f"w{weight}" for weight in weights]
    guests = [share(name, weight, cpus=2, properties=["capsule_info"])
              for name, weight in zip(names, weights)]
    with Machine(guests, smp=2, icount=4, qemu=qemu, append=f"services=no {isolation}") as machine:
        check_shares(machine, names, weights, by=3)


def test_a_cap(isolation):
    """A quarter of a hart for both vCPUs together; the rest is another's."""
    guests = [share("capped", 10000, cpus=2, cap=25, end=5), share("hog", end=5)]
    with Machine(guests, smp=1, icount=4, append=f"services=no {isolation}") as machine:
        check_shares(machine, ["capped", "hog"], (25, 75))


@pytest.mark.parametrize("cpu", [None, "rv64,sstc=off"])
def test_wake_ups_beside_hogs(isolation, cpu):
    """By timer and by IPI, while hogs want the hart."""
    guests = [share(f"hog{number}", cpus=2, end=1000) for number in range(4)]
    guests.append(payload("latency", cpus=2, rounds=300, bound_us=LEAST_US + EXIT_US))
    with Machine(guests, smp=1, icount=4, cpu=cpu, append=f"services=no {isolation}") as machine:
        machine.payload_done("latency", 300)


@pytest.mark.parametrize("isolation, cpu", [("auto", None), ("auto", "rv64,sstc=off"), ("pmp", "rv64,sstc=off"),
                                            ("pmp", "rv64,h=off")])
def test_timer_of_one_that_computes(isolation, cpu):
    """Strikes when the deadline comes and not before, or as soon as it has the hart again."""
    guests = [share("hog", start=0, end=1000), payload("latency", rounds=45, busy_us=BUSY_US)]
    with Machine(guests, smp=1, icount=4, cpu=cpu, append=f"services=no isolation={isolation}") as machine:
        machine.payload_done("latency")


def test_filling_a_large_guest_delays_no_small_one(isolation):
    """A guest of 256 MB comes first, but others run while its memory is filled: 1 ns an instruction."""
    guests = [payload("memory_zero", "large", ram="256M"), payload("service_denied", "small")]
    # Clearing by single stores, without Zicboz, takes 0.2 instructions for each byte.
    with Machine(guests, smp=1, mem="384M", cpu="rv64,zicboz=off", icount=0, qemu="qemu10",
                 append=f"services=no {isolation}") as machine:
        machine.wait_end()
        small, large = (1000 * float(re.search(rf"([\d.]+)\].* capsule {name}: stopped", machine.text)[1])
                        for name in ("small", "large"))
        assert large > 95, machine.failure(f"the large one ended after {large} ms: it was no work to fill it")
        # Its own 50 ms of waiting (WAIT), one slice of the other's before, and some work.
        assert small < 80, machine.failure(f"the small one ended after {small} ms")


def test_alone_on_its_hart(isolation):
    """Nothing interrupts it for the scheduler, while the other hart is wanted by many."""
    guests = [share(f"hog{number}", cpus=2, end=4) for number in range(3)]
    guests.append(share("alone", end=4, harts=[1], exclusive=True))
    with Machine(guests, smp=2, append=f"services=no {isolation}") as machine:
        for guest in guests:
            counted(machine, guest["name"])
        (_, busy, _), (_, timers, kicks) = reports(machine)
        assert busy > 20, machine.failure(f"{busy} timers on the shared hart")
        # Its alarm before the count.
        assert timers <= 1 and kicks == 0, machine.failure(f"{timers} timers, {kicks} kicks")


@pytest.mark.parametrize("cpu", [None, "rv64,h=off", "rv64,sstc=off"])
def test_wfi_on_its_own_hart(isolation, cpu):
    """Is no exit, and still ends with each interrupt; after it, another's is one as before."""
    words = {} if cpu == "rv64,h=off" else {"sip": "hidden"}  # QEMU 7.2: payload.h, check_sip
    guests = [{**payload("stats", "own", own_wfi="yes", **words), "harts": [1], "exclusive": True},
              {**payload("sbi", "pair", cpus=2, **words), "harts": [2, 3], "exclusive": True},
              payload("stats", "other", cpus=2, **words)]
    with Machine(guests, smp=4, cpu=cpu, append=f"services=no {isolation}") as machine:
        for guest in guests:
            machine.payload_done(guest["name"])


def test_harts_that_cannot_be_had(isolation):
    """The one gets a message and is left out; the others start."""
    guests = [share("one", end=2), share("two", harts=[1], end=2), share("absent", harts=[0, 7]),
              share("three", harts=[2], exclusive=True, end=2)]
    with Machine(guests, smp=3, append=f"services=no {isolation}") as machine:
        for name in ("one", "two", "three"):
            counted(machine, name)
        machine.expect(r"error: capsule absent: there is no hart 7 that runs guests", anywhere=True)
        machine.wait_end()
        assert machine.count(r"is left out") == machine.count("capsule absent is left out") == 1


def test_the_lightest_do_not_starve(isolation):
    """60 of weight 1 beside one of 10000 each have a millisecond in 10,060."""
    names = [f"light{number}" for number in range(60)]
    guests = [share(name, 1, start=4, end=16) for name in names]
    guests.append(share("heavy", 10000, start=4, end=16))
    with Machine(guests, smp=1, mem="512M", icount=5, append=f"services=no {isolation}") as machine:
        heavy, _, _, _ = counted(machine, "heavy")
        for name in names:
            count, longest, _, _ = counted(machine, name)
            # The heavy one begins with a credit of 10 ms in units of weight 100: a second of its own.
            assert count > 0 and longest < 11_100_000, machine.failure(f"{name} waited for {longest} us")
            assert count < heavy / 1000, machine.failure(f"{name} had {count}, heavy {heavy}")
