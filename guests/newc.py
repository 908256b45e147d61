"""Writes cpio archives of the kind that Linux takes as an initramfs.

The format is "newc" (Linux, Documentation/driver-api/early-userspace/buffer-format.rst). The same
contents always give the same bytes: entries are sorted, belong to root and carry no time. Devices
can be made without being root.
"""

import stat


class Archive:
    def __init__(self):
        self._entries = {"": (stat.S_IFDIR | 0o755, b"", (0, 0))}

    def __contains__(self, path):
        return path in self._entries

    def contents(self, path):
        return self._entries[path][1]

    def directory(self, path, mode=0o755):
        self._add(path, stat.S_IFDIR | mode)

    def file(self, path, data, mode=0o644):
        self._add(path, stat.S_IFREG | mode, data)

    def symlink(self, path, target):
        self._add(path, stat.S_IFLNK | 0o777, target.encode())

    def character_device(self, path, major, minor, mode=0o600):
        self._add(path, stat.S_IFCHR | mode, b"", (major, minor))

    def _add(self, path, mode, data=b"", device=(0, 0)):
        parent = path.rpartition("/")[0]
        if parent not in self._entries:
            self.directory(parent)
        if not stat.S_ISDIR(self._entries[parent][0]):
            raise ValueError("%s: %s is not a folder" % (path, parent))
        if path in self._entries and not stat.S_ISDIR(mode):
            raise ValueError("%s is there twice" % path)
        self._entries[path] = (mode, data, device)

    def to_bytes(self):
        parts = []
        for inode, (path, (mode, data, device)) in enumerate(sorted(self._entries.items()), 1):
            parts.append(_entry(path or ".", inode, mode, data, device))
        parts.append(_entry("TRAILER!!!", 0, 0, b"", (0, 0)))
        return b"".join(parts)


def _entry(path, inode, mode, data, device):
    name = path.encode() + b"\0"
    links = 2 if stat.S_ISDIR(mode) else 1
    fields = (inode, mode, 0, 0, links, 0, len(data), 0, 0) + device + (len(name), 0)
    header = b"070701" + b"".join(b"%08X" % field for field in fields)
    return _padded(header + name) + _padded(data)


def _padded(data):
    return data + b"\0" * (-len(data) % 4)
