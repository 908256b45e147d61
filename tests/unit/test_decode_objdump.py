"""The hypervisor's instruction decode agrees with GNU objdump: on all compressed patterns, and on
all major and minor opcodes of loads, stores and atomics with many registers and offsets."""
import os
import random
import re
import struct
import subprocess

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
NOT_AN_ACCESS = "-"

# name: (kind, size, flags)
ACCESSES = {
    "lb": ("load", 1, "s-"), "lh": ("load", 2, "s-"), "lw": ("load", 4, "s-"),
    "ld": ("load", 8, "s-"), "lbu": ("load", 1, "--"), "lhu": ("load", 2, "--"),
    "lwu": ("load", 4, "--"), "flw": ("load", 4, "-f"), "fld": ("load", 8, "-f"),
    "sb": ("store", 1, "--"), "sh": ("store", 2, "--"), "sw": ("store", 4, "--"),
    "sd": ("store", 8, "--"), "fsw": ("store", 4, "-f"), "fsd": ("store", 8, "-f"),
}
ACCESSES |= {"c." + name + sp: ACCESSES[name] for name in ("lw", "ld", "fld", "sw", "sd", "fsd")
             for sp in ("", "sp")}
FUNCT5 = {"add": 0, "swap": 1, "xor": 4, "or": 8, "and": 12, "min": 16, "max": 20, "minu": 24,
          "maxu": 28}


def expected(text):
    """From the disassembler's words to the dump's."""
    name, _, operands = text.partition("\t")
    operands = operands.split(" ")[0].strip()
    number = [int(n) for n in re.findall(r"-?\d+", operands)]
    atomic = re.fullmatch(r"(amo(\w+)|lr|sc)\.([wd])(\.aq|\.rl|\.aqrl)?", name)
    if atomic:
        size = {"w": 4, "d": 8}[atomic[3]]
        if atomic[1] == "lr":
            return f"lr {size} s- {number[0]} {number[0]} {number[1]} 0 2"
        kind, funct5 = ("sc", 3) if atomic[1] == "sc" else ("amo", FUNCT5[atomic[2]])
        return f"{kind} {size} s- {number[1]} {number[0]} {number[2]} 0 {funct5}"
    if name not in ACCESSES:
        return NOT_AN_ACCESS
    kind, size, flags = ACCESSES[name]
    register, offset, base = number
    return f"{kind} {size} {flags} {register} 0 {base} {offset} 0"


@pytest.fixture(scope="module")
def dump(tmp_path_factory):
    program = tmp_path_factory.mktemp("decode") / "dump"
    riscv = os.path.join(ROOT, "hypervisor/riscv")
    subprocess.run(["gcc", "-std=gnu17", "-O1", "-iquote", riscv, "-o", program,
                    os.path.join(ROOT, "tests/unit/decode_dump.c"), riscv + "/decode.c"], check=True)

    def decode(words):
        packed = struct.pack(f"<{len(words)}I", *words)
        out = subprocess.run([program], input=packed, capture_output=True, check=True).stdout
        return out.decode().splitlines()
    return decode


def disassemble(words, tmp_path):
    """The text for each word, which must start an instruction."""
    path = tmp_path / "words.bin"
    path.write_bytes(struct.pack(f"<{len(words)}I", *words))
    out = subprocess.run(["riscv64-unknown-elf-objdump", "-D", "-b", "binary", "-m", "riscv:rv64",
                          "-M", "no-aliases,numeric", path], capture_output=True, check=True,
                         text=True).stdout
    texts = {}
    for line in out.splitlines():
        match = re.match(r"\s*([0-9a-f]+):\t[0-9a-f]+ *\t(.*)", line)
        if match and int(match[1], 16) % 4 == 0:
            texts[int(match[1], 16) // 4] = match[2]
    return [texts[i] for i in range(len(words))]


def compare(words, dump, tmp_path):
    texts = disassemble(words, tmp_path)
    wrong = [f"{word:08x} {text!r}: {got}, not {expected(text)}"
             for word, text, got in zip(words, texts, dump(words)) if got != expected(text)]
    assert not wrong, "\n".join(wrong[:20])
    return texts


def is_zcb(pattern):
    """objdump 2.40 does not know these; test_decode.c has them."""
    return pattern & 0xE003 == 0x8000


def test_all_compressed_patterns(dump, tmp_path):
    nop = 0x0001
    words = [nop << 16 | pattern for pattern in range(0x10000)
             if pattern & 3 != 3 and not is_zcb(pattern)]
    texts = compare(words, dump, tmp_path)
    assert sum(expected(text) != NOT_AN_ACCESS for text in texts) > 20000


def test_loads_stores_and_atomics(dump, tmp_path):
    chance = random.Random(0)
    words = []
    for opcode in (0x03, 0x07, 0x23, 0x27, 0x2F):
        for funct3 in range(8):
            for upper in range(128):
                for _ in range(8):
                    words.append(upper << 25 | chance.getrandbits(10) << 15 | funct3 << 12 |
                                 chance.getrandbits(5) << 7 | opcode)
    words += [upper << 27 | chance.getrandbits(5) << 15 | 2 << 12 | 0x2F for upper in range(32)]
    # Of Zfhmin, which test_decode.c has, and those that decode_access leaves to the hart.
    words = [w for w in words if not (w & 0x7F in (0x07, 0x27) and w >> 12 & 7 not in (2, 3))]
    texts = compare(words, dump, tmp_path)
    assert sum(expected(text) != NOT_AN_ACCESS for text in texts) > 10000


def test_other_opcodes(dump, tmp_path):
    chance = random.Random(1)
    words = [chance.getrandbits(25) << 7 | opcode << 2 | 3
             for opcode in range(32) if opcode & 7 != 7 for _ in range(200)]
    words = [w for w in words if w & 0x7F not in (0x07, 0x27)]
    compare(words, dump, tmp_path)
