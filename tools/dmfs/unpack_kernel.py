"""Takes a kernel out of what it is packed in: gzip, zstd, xz, bzip2, EFI zboot, or several of
these within each other.

mkdmfs calls this when it makes an image, so that the hypervisor, in machine mode, never runs a
decompressor on data from outside, and a guest that restarts is copied, not unpacked again.

What comes in is not believed: nothing is unpacked beyond UNPACKED_MAX bytes, whatever a stream of
some kilobytes claims to hold, and a stream must be whole, with its checksum.
"""

import bz2
import lzma
import struct
import subprocess
import tempfile
import zlib

UNPACKED_MAX = 512 << 20
NESTED_MAX = 4  # vmlinuz.efi.gz is three deep
PIECE = 1 << 20


class BadKernel(Exception):
    """A kernel that cannot start, with the reason."""


def collect(name, pieces):
    """Joins the pieces of what is unpacked, up to the limit."""
    parts, size = [], 0
    for piece in pieces:
        parts.append(piece)
        size += len(piece)
        if size > UNPACKED_MAX:
            raise BadKernel(f"{name} data in it unpack to more than {UNPACKED_MAX >> 20} MiB")
    return b"".join(parts)


def streams(name, data, new, failure):
    """Yields pieces of what a decompressor of zlib's, lzma's or bz2's kind makes of one stream after
    the other. Zeros may follow: files are padded."""
    at = 0
    while True:
        decompressor = new()
        feed = data[at:]
        while not decompressor.eof:
            try:
                piece = decompressor.decompress(feed, PIECE)
            except failure as error:
                raise BadKernel(f"{name} data in it are damaged, in the stream at byte {at}: "
                                f"{error}") from None
            # zlib hands back what it has not looked at, the others keep it
            feed = getattr(decompressor, "unconsumed_tail", b"")
            if not piece and not feed and not decompressor.eof:
                raise BadKernel(f"{name} data in it end too early, after {len(data)} bytes")
            yield piece
        at = len(data) - len(decompressor.unused_data)
        if not decompressor.unused_data.strip(b"\0"):
            return


def gunzip(data):
    # 31: a gzip header and trailer are expected
    return collect("gzip", streams("gzip", data, lambda: zlib.decompressobj(31), zlib.error))


def unxz(data):
    return collect("xz", streams("xz", data, lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ),
                                 lzma.LZMAError))


def bunzip2(data):
    return collect("bzip2", streams("bzip2", data, bz2.BZ2Decompressor, (OSError, EOFError)))


def unzstd(data):
    """Python has no zstd of its own before 3.14."""
    with tempfile.TemporaryFile() as packed:
        packed.write(data)
        packed.seek(0)
        try:
            # --memory: kernels are compressed with windows of up to 128 MiB
            program = subprocess.Popen(["zstd", "-q", "-d", "-c", "--memory=256MB"], stdin=packed,
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        except FileNotFoundError:
            raise BadKernel("is compressed with zstd, and the program zstd is missing (remedy: "
                            "apt-get install zstd)") from None
    with program:
        try:
            unpacked = collect("zstd", iter(lambda: program.stdout.read(PIECE), b""))
        except BadKernel:
            program.kill()
            raise
        said = program.stderr.read().decode("ascii", "replace").strip()
    if program.returncode:
        reason = said.splitlines()[0].split(" : ")[-1].strip() if said else "no reason given"
        raise BadKernel(f"zstd data in it are damaged: {reason}")
    return unpacked


# By the name that EFI zboot has for it: how a stream begins, how it is unpacked.
METHODS = {
    "gzip": (b"\x1f\x8b", gunzip),
    "zstd": (b"\x28\xb5\x2f\xfd", unzstd),
    "zstd22": (b"\x28\xb5\x2f\xfd", unzstd),
    "xzkern": (b"\xfd7zXZ\0", unxz),
    "bzip2": (b"BZh", bunzip2),
}
UNKNOWN = {b"\x04\x22\x4d\x18": "lz4", b"\x02\x21\x4c\x18": "lz4", b"\x89LZO\0": "lzop"}


def zboot_payload(data):
    """What a bootable EFI program that carries a compressed kernel carries, unpacked."""
    # Linux, drivers/firmware/efi/libstub/zboot-header.S
    if len(data) < 56:
        raise BadKernel("is an EFI zboot program that ends within its header")
    offset, size = struct.unpack_from("<II", data, 8)
    name = data[24:56].split(b"\0")[0].decode("ascii", "replace")
    if offset + size > len(data) or not size:
        raise BadKernel(f"is an EFI zboot program whose payload, {size} bytes from byte {offset}, "
                        f"is not within its {len(data)} bytes")
    if name not in METHODS:
        raise BadKernel(f"is an EFI zboot program with a payload compressed with {name!a}; "
                        f"{', '.join(METHODS)} are possible")
    magic, unpack = METHODS[name]
    payload = data[offset:offset + size]
    if not payload.startswith(magic):
        raise BadKernel(f"is an EFI zboot program without {name} data at byte {offset}")
    try:
        return unpack(payload)
    except BadKernel as bad:
        raise BadKernel(f"is an EFI zboot program with a bad payload at byte {offset}: "
                        f"{bad}") from None


def unpack_once(data):
    """What is inside; None when this is no packing."""
    if data[:2] == b"MZ" and data[4:8] == b"zimg":
        return zboot_payload(data)
    for magic, unpack in METHODS.values():
        if data.startswith(magic):
            return unpack(data)
    for magic, name in UNKNOWN.items():
        if data.startswith(magic):
            raise BadKernel(f"is compressed with {name}; put it into the manifest uncompressed")
    return None


def unpack_kernel(data):
    """Returns the kernel inside, or the data themselves."""
    for _ in range(NESTED_MAX):
        inside = unpack_once(data)
        if inside is None:
            return data
        if not inside:
            raise BadKernel("unpacks to nothing")
        data = inside
    raise BadKernel(f"is packed more than {NESTED_MAX - 1} times")
