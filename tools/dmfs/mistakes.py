"""Reading a manifest as TOML, and telling where in it a mistake is."""

import re
import sys
import tomllib


def statements(text):
    """Yields (line number, first line) of each TOML statement: a statement goes on where a bracket
    or a string of several lines is open."""
    token = re.compile(r'"""|\'\'\'|"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\'|#[^\n]*|[\[\]{}]|\n|$')
    depth, line, start, begin, at = 0, 1, 1, 0, 0
    while at <= len(text):
        found = token.search(text, at)
        word, at = found.group(), found.end()
        if word in ('"""', "'''"):
            escape = r"\\.|" if word == '"""' else ""
            close = re.compile(f"(?:{escape}.)*?{word}", re.DOTALL).match(text, at)
            end = close.end() if close else len(text)
            line, at = line + text.count("\n", at, end), end
        elif word in ("[", "{"):
            depth += 1
        elif word in ("]", "}"):
            depth -= 1
        elif word in ("\n", ""):
            line += 1
            if depth == 0 or not word:
                first = text[begin:found.start()].split("\n")[0].strip()
                if first and not first.startswith("#"):
                    yield start, first
                start, begin = line, at
            if not word:
                return


def unquote(key):
    return key.strip().strip("\"'")


def locate(text):
    """Returns a dict from (table, index, key) to a line number; key None is the table's header."""
    lines, counts = {}, {}
    table, index = None, 0
    for line, statement in statements(text):
        header = re.match(r"\[\[(.+?)\]\]|\[([^\]]+)\]", statement)
        if header:
            table = unquote(header.group(1) or header.group(2))
            index = counts.get(table, 0)
            counts[table] = index + 1
            lines.setdefault((table, index, None), line)
            continue
        key = re.match(r"(\"[^\"]*\"|'[^']*'|[A-Za-z0-9_-]+)\s*[=.]", statement)
        if key:
            lines.setdefault((table, index, unquote(key.group(1))), line)
    return lines


class Mistakes:
    """Collects what is wrong with a manifest."""

    def __init__(self, path):
        self.path = path
        self.lines = {}
        self.found = []

    def add(self, line, what):
        where = f"{self.path}:{line}" if line else self.path
        self.found.append((line or 0, f"{where}: {what}"))

    def at(self, entry, key, what):
        """A mistake in an Entry's value of `key`, or in the entry itself when key is None."""
        line = self.lines.get((entry.table, entry.index, key)) or entry.line
        self.add(line, f"{entry.label(key)}: {what}")

    def report(self):
        for _, message in sorted(self.found, key=lambda pair: pair[0]):
            print(f"{message}", file=sys.stderr)
        return bool(self.found)


def read_manifest(mistakes):
    """Returns the manifest as TOML tables; None after a mistake."""
    try:
        with open(mistakes.path, "rb") as file:
            text = file.read().decode("utf-8").replace("\r\n", "\n")
        manifest = tomllib.loads(text)
    except OSError as error:
        mistakes.add(None, error.strerror)
        return None
    except UnicodeDecodeError as error:
        mistakes.add(error.object.count(b"\n", 0, error.start) + 1, "this is not UTF-8 text")
        return None
    except tomllib.TOMLDecodeError as error:
        line = re.search(r" \(at line (\d+), column \d+\)", str(error))
        number = int(line.group(1)) if line else text.count("\n") + 1
        mistakes.add(number, re.sub(r" \(at .*\)$", "", str(error)))
        return None
    mistakes.lines = locate(text)
    return manifest
