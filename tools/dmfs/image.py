"""The image: files one after the other, equal ones once, behind a FIT that describes them.
docs/manifest.md has the format."""

import hashlib
import os
import struct
import sys
import zlib

try:
    import libfdt
except ImportError:
    sys.exit("mkdmfs: error: Python's libfdt is missing (remedy: apt-get install python3-libfdt, "
             "and run mkdmfs with /usr/bin/python3)")

from dmfs.limits import PAGE

DATA_ALIGN = PAGE          # of each file in the image: it can be mapped, and copied fast
FORMAT_VERSION = 1


class Blobs:
    """The image's files, each content once."""

    def __init__(self):
        self.nodes = {}   # by the hash of the content, and the address
        self.data = {}    # (offset, content) by the hash
        self.counts = {}  # by prefix of the node's name
        self.end = 0

    def add(self, prefix, kind, system, file, data, load=None):
        """Returns the name of the node for this content. One with an address is not shared with one
        that has another address or none; their bytes are."""
        digest = hashlib.sha256(data).digest()
        if (digest, load) not in self.nodes:
            self.counts[prefix] = self.counts.get(prefix, 0) + 1
            self.nodes[digest, load] = {
                "node": f"{prefix}-{self.counts[prefix]}", "type": kind, "os": system,
                "file": os.path.basename(file), "load": load, "size": len(data),
                "offset": self.place(digest, data), "crc32": zlib.crc32(data)}
        return self.nodes[digest, load]["node"]

    def place(self, digest, data):
        """Returns where in the image these bytes are."""
        if digest not in self.data:
            self.data[digest] = (self.end, data)
            self.end = -(-(self.end + len(data)) // DATA_ALIGN) * DATA_ALIGN
        return self.data[digest][0]


def lay_out_guest(blobs, capsule):
    if capsule["ramdisk_data"]:
        capsule["ramdisk_node"] = blobs.add("ramdisk", "ramdisk", "linux", capsule["ramdisk_file"],
                                            capsule["ramdisk_data"])
    capsule["blob_nodes"] = [
        blobs.add("blob", "firmware", None, file, data, load=address)
        for (file, address), data in zip(capsule["blobs"], capsule["blobs_data"])]
    capsule["flash_nodes"] = [
        data and blobs.add("flash", "firmware", None, capsule[f"flash{bank}"], data)
        for bank, data in enumerate(capsule["flash_data"])]


def lay_out(banners, capsules):
    """Puts the node names into the capsules; returns (blobs, names of the banners)."""
    blobs = Blobs()
    names = [blobs.add("banner", "firmware", None, file, data) for file, data in banners]
    for capsule in capsules:
        is_service = capsule["kind"] == "service"
        if capsule["kernel_data"]:
            capsule["kernel_node"] = blobs.add(
                "service" if is_service else "kernel", "standalone" if is_service else "kernel",
                None if is_service else "linux", capsule["kernel_file"], capsule["kernel_data"])
        if not is_service:
            lay_out_guest(blobs, capsule)
    return blobs, names


def string_list(strings):
    return b"".join(each.encode("ascii") + b"\0" for each in strings)


def write_blob(tree, blob):
    with tree.add_node(blob["node"]):
        description = "".join(each if " " <= each <= "~" else "?" for each in blob["file"])
        tree.property_string("description", description)
        tree.property_string("type", blob["type"])
        tree.property_string("arch", "riscv")
        if blob["os"]:
            tree.property_string("os", blob["os"])
        tree.property_string("compression", "none")
        if blob["load"] is not None:
            tree.property_u64("load", blob["load"])
        tree.property_u32("data-offset", blob["offset"])
        tree.property_u32("data-size", blob["size"])
        with tree.add_node("hash-1"):
            tree.property_string("algo", "crc32")
            tree.property_u32("value", blob["crc32"])


def write_configuration(tree, capsule):
    with tree.add_node(capsule["name"]):
        tree.property_string("description", capsule["description"])
        for property_name in ("kernel", "ramdisk"):
            if f"{property_name}_node" in capsule:
                tree.property_string(property_name, capsule[f"{property_name}_node"])
        if capsule.get("blob_nodes"):
            tree.property("loadables", string_list(capsule["blob_nodes"]))
        for bank, node in enumerate(capsule.get("flash_nodes", [])):
            if node:
                tree.property_string(f"diosix,flash{bank}", node)
        tree.property_string("diosix,type", capsule["kind"])
        tree.property_u64("diosix,ram", capsule["ram"])
        tree.property_u32("diosix,cpus", capsule["cpus"])
        tree.property_u32("diosix,weight", capsule["weight"])
        if capsule["cap"]:
            tree.property_u32("diosix,cap", capsule["cap"])
        if capsule["harts"]:
            tree.property("diosix,harts", struct.pack(f">{len(capsule['harts'])}I",
                                                      *capsule["harts"]))
        if capsule["exclusive"]:
            tree.property("diosix,exclusive", b"")
        if capsule["isa"]:
            tree.property_string("diosix,isa", capsule["isa"])
        if capsule["properties"]:
            tree.property("diosix,properties", string_list(capsule["properties"]))
        if capsule.get("bootargs"):
            tree.property_string("diosix,bootargs", capsule["bootargs"])
        if capsule.get("load"):
            tree.property_u64("diosix,load", capsule["load"])


def make_tree(blobs, banners, capsules):
    """Returns the bytes of the FIT's device tree, padded so that the data begins at DATA_ALIGN."""
    tree = libfdt.FdtSw()
    tree.finish_reservemap()
    with tree.add_node(""):
        tree.property_string("description", "Diosix DMFS image")
        # A FIT needs it. One that changed with each build would make equal images differ.
        tree.property_u32("timestamp", 0)
        tree.property_u32("#address-cells", 2)  # of load
        tree.property_u32("diosix,version", FORMAT_VERSION)
        if banners:
            tree.property("diosix,banners", string_list(banners))
        with tree.add_node("images"):
            for blob in blobs.nodes.values():
                write_blob(tree, blob)
        with tree.add_node("configurations"):
            guests = [each for each in capsules if each["kind"] == "guest"]
            if capsules:
                tree.property_string("default", (guests or capsules)[0]["name"])
            for capsule in capsules:
                write_configuration(tree, capsule)
    tree.resize(tree.totalsize() + 4)  # as_fdt() makes no room for the tree's last token
    finished = tree.as_fdt()
    finished.pack()
    packed = bytearray(finished.as_bytearray())
    packed += bytes(-len(packed) % DATA_ALIGN)
    struct.pack_into(">I", packed, 4, len(packed))  # Devicetree 0.4, 5.2: totalsize
    return packed


def image_parts(tree, blobs):
    yield tree
    written = 0
    for offset, data in blobs.data.values():
        yield bytes(offset - written)
        yield data
        written = offset + len(data)
