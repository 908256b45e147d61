"""The manifest's shape: tables, keys, types, ranges. Each check takes an Entry, a key and its value,
returns what is meant by it, and reports what is wrong."""

import re

from dmfs.limits import (CAPSULE_MAX, VCPU_MAX, WEIGHT_MAX, WEIGHT_DEFAULT, CAP_MAX, PINS_MAX,
                         NAME_MAX, DESCRIPTION_MAX, BOOTARGS_MAX, MEGAPAGE, RAM_MAX, BLOB_MAX,
                         ADDRESS_MAX, PROPERTIES, ISA_REMOVABLE, ISA_FIXED, ISA_MAX)

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
SIZE = re.compile(r"([0-9]+)([KMGT]?)")
UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


class Entry:
    """A table of the manifest: [image], or the index-th [[service]] or [[guest]]."""

    def __init__(self, table, index, values, mistakes):
        self.table, self.index, self.values = table, index, values
        self.mistakes = mistakes
        self.line = mistakes.lines.get((table, index, None)) or mistakes.lines.get(
            (None, 0, table))
        self.capsule = {"kind": table}

    def label(self, key=None):
        name = self.values.get("name")
        this = f"{self.table} {name!r}" if isinstance(name, str) and name else self.table
        if not isinstance(name, str) and self.table != "image":
            this = f"{self.table} number {self.index + 1}"
        return f"{this}: {key}" if key else this

    def wrong(self, key, what):
        self.mistakes.at(self, key, what)


def kind_of(value):
    names = {bool: "a boolean", int: "an integer", float: "a float", str: "a string",
             list: "an array", dict: "a table"}
    return names.get(type(value), "a date or time")


def check_type(entry, key, value, *types):
    if type(value) in types:
        return True
    wanted = {str: "a string", int: "an integer", bool: "a boolean",
              list: "an array of integers" if key == "harts" else "an array of strings"}
    names = " or ".join(wanted[each] for each in types)
    entry.wrong(key, f"must be {names}, not {kind_of(value)}")
    return False


def check_text(entry, key, value, limit):
    """A line that may be shown on a terminal: printable ASCII."""
    if not check_type(entry, key, value, str):
        return ""
    if len(value) > limit:
        entry.wrong(key, f"has {len(value)} characters, at most {limit} are possible")
    odd = next((each for each in value if not " " <= each <= "~"), None)
    if odd is not None:
        entry.wrong(key, f"has the character {odd!a}; only printable ASCII is possible")
    return value


def check_name(entry, key, value):
    if not check_type(entry, key, value, str):
        return ""
    if not value:
        entry.wrong(key, "is empty")
    elif len(value) > NAME_MAX:
        entry.wrong(key, f"has {len(value)} characters, at most {NAME_MAX} are possible")
    elif not NAME.fullmatch(value):
        entry.wrong(key, f"{value!a} is not a name: letters, digits, '.', '_' and '-' are possible, "
                         "a letter or digit comes first")
    return value


def check_file(entry, key, value):
    if not check_type(entry, key, value, str):
        return None
    if not value or "\0" in value:
        entry.wrong(key, "is not the name of a file")
        return None
    return value


def check_ram(entry, key, value):
    if not check_type(entry, key, value, str, int):
        return 0
    found = SIZE.fullmatch(str(value))
    if not found:
        entry.wrong(key, f"{value!a} is not a size: a number of bytes, or a string of a number and "
                         "K, M, G or T")
        return 0
    size = int(found.group(1)) * UNITS[found.group(2)]
    if size == 0 or size % MEGAPAGE:
        entry.wrong(key, f"is {size} bytes, which is not a multiple of 2M")
        return 0
    if size > RAM_MAX:
        entry.wrong(key, f"is {size} bytes, at most 1T is possible")
        return 0
    return size


def check_range(low, high):
    def check(entry, key, value):
        if check_type(entry, key, value, int) and not low <= value <= high:
            entry.wrong(key, f"is {value}, must be {low} to {high}")
        return value
    return check


def check_properties(entry, key, value):
    if not check_type(entry, key, value, list):
        return []
    for number, each in enumerate(value):
        if not isinstance(each, str):
            entry.wrong(key, f"element {number + 1} must be a string, not {kind_of(each)}")
        elif each not in PROPERTIES:
            entry.wrong(key, f"{each!a} is not a property; there are {', '.join(PROPERTIES)}")
        elif each in value[:number]:
            entry.wrong(key, f"{each!a} is there twice")
    return value


def check_isa(entry, key, value):
    """Extensions to go without, such as "-v, -zba"."""
    for each in re.split(r"[ ,]+", check_text(entry, key, value, ISA_MAX).strip(" ,")):
        name = each.lower().removeprefix("-")
        if not each or each.startswith("-") and name in ISA_REMOVABLE:
            continue
        if not each.startswith("-"):
            entry.wrong(key, f"{each!a} does not begin with '-': extensions can only be left out")
        elif name in ISA_FIXED:
            entry.wrong(key, f"{name!a} cannot be left out")
        else:
            entry.wrong(key, f"{name!a} is no extension that guests can be given")
    return value


def check_harts(entry, key, value):
    if not check_type(entry, key, value, list):
        return []
    if not 1 <= len(value) <= PINS_MAX:
        entry.wrong(key, f"has {len(value)} elements, must have 1 to {PINS_MAX}")
    for number, each in enumerate(value):
        if type(each) is not int or not 0 <= each < 1 << 32:
            entry.wrong(key, f"element {number + 1} is not the id of a hart, 0 to 2^32 - 1")
        elif each in value[:number]:
            entry.wrong(key, f"{each} is there twice")
    return value


def check_exclusive(entry, key, value):
    if check_type(entry, key, value, bool) and value and "harts" not in entry.values:
        entry.wrong(key, "needs 'harts': which ones to have alone")
    return value


def check_load(entry, key, value):
    if not check_type(entry, key, value, int):
        return None
    if not (0 < value < ADDRESS_MAX and value % 4 == 0):
        entry.wrong(key, f"{value:#x} is not an address below 2^56 that is a multiple of 4")
        return None
    return value


def check_blob(entry, key, where, value):
    """Returns (file, address), or None after a mistake."""
    if not isinstance(value, dict):
        entry.wrong(key, f"{where} must be a table of file and address, not {kind_of(value)}")
        return None
    for each in sorted({"file", "address"} ^ value.keys()):
        entry.wrong(key, f"{where}: the key {each!r} is "
                         + ("unknown" if each in value else "missing"))
        return None
    file, address = value.get("file"), value.get("address")
    if not isinstance(file, str) or not file or "\0" in file:
        entry.wrong(key, f"{where}: file is not the name of a file")
    elif type(address) is not int or not 0 <= address < ADDRESS_MAX:
        entry.wrong(key, f"{where}: address is not an address below 2^56")
    else:
        return file, address
    return None


def check_blobs(entry, key, value):
    if not isinstance(value, list):
        entry.wrong(key, f"must be an array of tables of file and address, not {kind_of(value)}")
        return []
    if len(value) > BLOB_MAX:
        entry.wrong(key, f"there are {len(value)}, at most {BLOB_MAX} are possible")
        return []
    checked = [check_blob(entry, key, f"element {number + 1}", each)
               for number, each in enumerate(value)]
    return [each for each in checked if each]


# What a table may hold: key -> (how to check it, default); REQUIRED has no default.
REQUIRED = object()
COMMON_KEYS = {
    "name": (check_name, REQUIRED),
    "ram": (check_ram, REQUIRED),
    "cpus": (check_range(1, VCPU_MAX), 1),
    "weight": (check_range(1, WEIGHT_MAX), WEIGHT_DEFAULT),
    "cap": (check_range(1, CAP_MAX), None),
    "harts": (check_harts, []),
    "exclusive": (check_exclusive, False),
    "isa": (check_isa, ""),
    "properties": (check_properties, []),
    "description": (lambda *args: check_text(*args, DESCRIPTION_MAX), ""),
}
SERVICE_KEYS = {"file": (check_file, REQUIRED)} | COMMON_KEYS
GUEST_KEYS = {
    "kernel": (check_file, None),  # or flash0: see check_start
    "initramfs": (check_file, None),
    "blobs": (check_blobs, []),
    "flash0": (check_file, None),
    "flash1": (check_file, None),
    "bootargs": (lambda *args: check_text(*args, BOOTARGS_MAX), ""),
    "load": (check_load, None),
} | COMMON_KEYS
TABLES = {"service": SERVICE_KEYS, "guest": GUEST_KEYS}


def check_entry(entry, keys):
    """Fills entry.capsule with a checked value for each key."""
    for key in entry.values:
        if key not in keys:
            entry.wrong(key, f"unknown key; [[{entry.table}]] may have {', '.join(sorted(keys))}")
    for key, (check, default) in keys.items():
        if key in entry.values:
            entry.capsule[key] = check(entry, key, entry.values[key])
        elif default is REQUIRED:
            entry.wrong(None, f"the key '{key}' is missing")
            entry.capsule[key] = None
        else:
            entry.capsule[key] = default


def check_start(entry):
    """A guest starts with its kernel or from its first flash bank."""
    if entry.table == "guest" and "kernel" not in entry.values and "flash0" not in entry.values:
        entry.wrong(None, "the key 'kernel' is missing (or 'flash0', to start from flash)")
    if "load" in entry.values and "kernel" not in entry.values:
        entry.wrong("load", "there is no kernel that could be loaded there")


def check_image_table(values, mistakes):
    """Returns the [image] table's entry and the banners' files."""
    entry = Entry("image", 0, values if isinstance(values, dict) else {}, mistakes)
    if not isinstance(values, dict):
        mistakes.add(mistakes.lines.get((None, 0, "image")),
                     f"image: must be a table, not {kind_of(values)}")
        return entry, []
    for key in values:
        if key != "banners":
            entry.wrong(key, "unknown key; [image] may have banners")
    banners = values.get("banners", [])
    if not check_type(entry, "banners", banners, list):
        return entry, []
    return entry, [each for each in banners if check_file(entry, "banners", each)]


def check_capsule_tables(manifest, table, mistakes):
    entries = manifest.get(table, [])
    if not isinstance(entries, list) or any(not isinstance(each, dict) for each in entries):
        line = mistakes.lines.get((table, 0, None)) or mistakes.lines.get((None, 0, table))
        mistakes.add(line, f"{table}: must be an array of tables: write [[{table}]]")
        return []
    checked = [Entry(table, index, values, mistakes) for index, values in enumerate(entries)]
    for entry in checked:
        check_entry(entry, TABLES[table])
        check_start(entry)
    return checked


def check_exclusive_harts(entries):
    """Nobody else may be pinned to the harts of one that has them alone."""
    before = []
    for entry in entries:
        if not isinstance(entry.values.get("harts", []), list):
            continue
        for other in before:
            both = set(map(str, entry.values.get("harts", []))) & set(
                map(str, other.values.get("harts", [])))
            if both and True in (entry.values.get("exclusive"), other.values.get("exclusive")):
                alone = "this" if entry.values.get("exclusive") else "that"
                entry.wrong("harts", f"{', '.join(sorted(both))}: also those of {other.label()}, "
                                     f"and {alone} one wants them alone")
        before.append(entry)


def check_together(entries, mistakes):
    """What concerns several capsules."""
    first = {}
    for entry in entries:
        name = entry.capsule["name"]
        if name and first.setdefault(name, entry) is not entry:
            line = mistakes.lines.get((first[name].table, first[name].index, "name"))
            entry.wrong("name", f"a {first[name].table} has this name already"
                        + (f" (line {line})" if line else ""))
    check_exclusive_harts(entries)
    if not entries and not mistakes.found:
        mistakes.add(None, "there is neither a [[service]] nor a [[guest]]")
    if len(entries) > CAPSULE_MAX:
        entries[CAPSULE_MAX].wrong(None, f"there are {len(entries)} services and guests, at most "
                                         f"{CAPSULE_MAX} are possible")


def check_manifest(manifest, mistakes):
    """Returns ([image] entry, banner files, entries of services, entries of guests)."""
    for key in manifest:
        if key not in ("image", "service", "guest"):
            line = mistakes.lines.get((key, 0, None)) or mistakes.lines.get((None, 0, key))
            mistakes.add(line, f"{key}: unknown table or key; there are [image], [[service]] and "
                               "[[guest]]")
    image, banners = check_image_table(manifest.get("image", {}), mistakes)
    services = check_capsule_tables(manifest, "service", mistakes)
    guests = check_capsule_tables(manifest, "guest", mistakes)
    check_together(services + guests, mistakes)
    return image, banners, services, guests
