"""docs/sbi.md says what the code does: each extension and function is on the page, with tests that exist."""

import pathlib
import re

TOP = pathlib.Path(__file__).resolve().parents[2]
MACHINE = TOP / "hypervisor/riscv/machine"
PAGE = (TOP / "docs/sbi.md").read_text()
UNIT = (TOP / "tests/unit/test_sbi.c").read_text()
PAYLOADS = "".join(path.read_text() for path in (TOP / "tests/payload").glob("*.c"))
PAYLOAD_NAMES = {path.stem for path in (TOP / "tests/payload").glob("*.c")}
# So many functions the SBI 3.0 has in each extension of it, from 0 on: those that we lack are on the page, too.
SPECIFIED = {0x10: 7, 0x54494D45: 1, 0x735049: 1, 0x52464E43: 7, 0x48534D: 4, 0x53525354: 1, 0x53555350: 1,
             0x4442434E: 3, 0: 9}


def sections():
    """The page's tables: {first extension id: [cells of a row, ...]}"""
    found = {}
    for section in PAGE.split("\n## ")[1:]:
        number = re.search(r"\((0x[0-9A-Fa-f]+)", section.splitlines()[0])
        if number:
            rows = [[cell.strip() for cell in line.strip("|").split("|")]
                    for line in section.splitlines() if re.match(r"\| (\d+ |all)", line)]
            found[int(number.group(1), 16)] = rows
    return found


def extensions():
    """Of the code: {first extension id: (file, text)}"""
    found = {}
    for path in MACHINE.glob("sbi_*.c"):
        text = path.read_text()
        if "const struct sbi_extension" in text:
            first = re.search(r"\.first = (\w+)", text).group(1)
            value = {"DIOSIX_SBI_EXTENSION": "0x0A000005", "SET_TIMER": "0"}.get(first, first)
            found[int(value, 0)] = (path, text)
    return found


def test_each_extension_of_the_code_is_on_the_page():
    assert set(sections()) == set(extensions())


def test_each_extension_is_in_the_table_of_calls():
    table = (MACHINE / "sbi.c").read_text()
    for path, _ in extensions().values():
        assert f"&{path.stem}," in table


def test_each_function_of_the_code_is_on_the_page():
    """A file's first enumeration has its functions by the names that the SBI gives them. Each is on the page,
    complete on both back ends, which share the code, and of the others each is said not to be supported."""
    for number, (path, text) in extensions().items():
        rows = sections()[number]
        if rows[0][0] == "all":
            continue
        enumeration = re.search(r"enum \{.*?\}", text, re.S).group()
        functions = {f"{value} `{name.lower()}`" for name, value in re.findall(r"(\w+) = (\d+)", enumeration)}
        for function, pmp, gstage, *_ in rows:
            assert pmp == gstage == ("complete" if function in functions else "not supported"), function
        assert functions <= {row[0] for row in rows}, path.name
        assert [int(row[0].split()[0]) for row in rows] == list(range(SPECIFIED[number])), path.name


def test_each_function_has_tests_that_exist():
    for number, rows in sections().items():
        assert rows, f"0x{number:x} has no function"
        for function, _, _, _, unit, payload in rows:
            units, checks = re.findall(r"`(\w+)`", unit), re.findall(r"`([\w.]+)`", payload)
            assert units and checks, function
            for name in units:
                assert f"TEST({name})" in UNIT, f"{function}: there is no unit test {name}"
            for name in checks:
                assert f'"{name}"' in PAYLOADS or name in PAYLOAD_NAMES, f"{function}: there is no check {name}"
