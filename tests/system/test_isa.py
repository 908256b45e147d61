"""What a capsule's harts can do, with and without the manifest's `isa`."""

import pytest

from diosix import Machine, mkdmfs, manifest, payload

HARTS = {
    "gstage": {},
    "pmp": {"append": "services=no isolation=pmp"},
    "no-h": {"cpu": "rv64,h=off"},
    "vector": {"cpu": "rv64,v=true"},
    "vector-no-h": {"cpu": "rv64,v=true,h=off"},
    "qemu10-max": {"qemu": "qemu10", "cpu": "max"},
    "qemu10-svadu": {"qemu": "qemu10"},
    "qemu10-svadu-no-h": {"qemu": "qemu10", "cpu": "rv64,h=off"},
    "qemu10-svade": {"qemu": "qemu10", "cpu": "rv64,svade=on"},
}
ZICBOZ = {kind for kind in HARTS if "qemu10" in kind}  # QEMU 7.2 does not list it
SVADU = {"qemu10-svadu", "qemu10-svadu-no-h"}  # A and D bits set by the hart, where it is asked to
HIDDEN = {"gstage", "pmp", "vector"}  # QEMU 7.2's sip: docs/testing.md


def capsule(name, kind, isa="", **words):
    if "no-h" in kind:
        words["units"] = "open"
    if kind in HIDDEN:
        words["sip"] = "hidden"
    return {**payload("isa", name, **words), **({"isa": isa} if isa else {})}


@pytest.mark.parametrize("kind", HARTS)
def test_what_is_listed_and_what_is_not(kind):
    """Six capsules and more that share one hart, so that what one may use must not stay open for the next."""
    guests = [
        capsule("all", kind, **{"with": "zba"}),
        capsule("no-v", kind, "-v", without="v", **{"with": "d"}),
        capsule("no-f", kind, "-f", without="zfh", **{"with": "zba"}),
        capsule("no-sstc", kind, "-sstc", without="sstc", **{"with": "f"}),
        capsule("no-zba", kind, "-zba, -zbs", without="zba", **{"with": "zbb"}),
        capsule("no-zicboz", kind, "-zicboz", without="zicboz"),
        capsule("nothing", kind, "-f,-sstc,-zba,-zbb,-zbc,-zbs", without="d", **{"with": "c"}),
    ]
    if kind in SVADU:
        guests.append(capsule("no-svadu", kind, "-svadu", without="svadu"))
    with Machine(guests, smp=1, **HARTS[kind]) as machine:
        for guest in guests:
            machine.payload_done(guest["name"])
        assert ("ok stimecmp" in machine.text) == ("not" not in kind)
        assert ("ok zicboz.works" in machine.text) == (kind in ZICBOZ)
        assert "ok zicboz.unsaid" in machine.text
        for extension in ("svadu", "svade"):
            assert f"ok page.{extension}" in machine.text or extension not in kind
        assert ("ok page.without_svadu" in machine.text) == (kind in SVADU)


def test_a_removal_that_is_not_possible(tmp_path):
    """mkdmfs refuses; of an image made by somebody else, that capsule alone is left out."""
    bad = {**payload("canary", "bad", beats=2), "isa": "-zba, -m"}
    _, said = mkdmfs(manifest(guests=[bad]), tmp_path, expect_failure=True)
    assert "manifest.toml:9: guest 'bad': isa: 'm' cannot be left out" in said
    image, _ = mkdmfs(manifest(guests=[payload("canary", "good", beats=2), {**bad, "isa": "-zba, -v"}]), tmp_path)
    image.write_bytes(image.read_bytes().replace(b"-zba, -v\0", b"-zba, -m\0"))
    with Machine(image=image, smp=1) as machine:
        machine.expect("capsule bad: isa: '-m' is not '-' and an extension that can be left out", anywhere=True)
        machine.payload_done("good")
