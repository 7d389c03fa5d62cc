"""A whole plan with the real client, real HTTP, a real package, and metadata that nobody signs.

So are most repositories of the product's own configuration.
"""

import dataclasses

import pytest

from immutable_base import context, download
from immutable_base.model.plan import Verdict
from immutable_base.process import run
from support.rpm_files import build_rpm, checksum

VERSION = "2.3.10"


@pytest.fixture
def mirrored(world, site, monkeypatch):
    """The small world on a server of its own; only the base image stays made up."""
    monkeypatch.setattr(context, "open_downloader", download.open_downloader)
    made_up = world.run
    world.run = lambda command: (
        run(command) if command.argv[0] in {"rpm2cpio", "cpio"} else made_up(command)
    )
    for name, table in world.document["repositories"].items():
        del table["metadata_key"]
        table["url"] = f"{site.url}/{name}/"
    world.document["keys"]["k"]["places"] = [f"{site.url}/key.asc"]
    meta = {f"/usr/src/zfs-{VERSION}/META": b"Author: Andr\xe9\nLinux-Maximum: 6.12\n"}
    rpm = build_rpm(world.folder, "zfs-dkms", VERSION, "1.el10", files=meta)
    world.repositories["openzfs"] = [
        dataclasses.replace(
            item,
            evr=f"{VERSION}-1.el10",
            provides=(f"zfs-kmod = {VERSION}",) if item.name == "zfs-dkms" else (),
            requires=(f"zfs-kmod = {VERSION}",) if item.name == "zfs" else (),
            **({"checksum": checksum(rpm).hex, "size": rpm.stat().st_size} if item.name == "zfs-dkms" else {}),
        )
        for item in world.repositories["openzfs"]
        if "2.3.9" in item.evr
    ]  # fmt: skip
    world.write()
    site.serve_folder(world.folder / "www")
    site.serve(f"/openzfs/Packages/{rpm.name}", rpm.read_bytes())
    return world


def test_the_plan_is_made_from_what_the_server_has(mirrored, site):
    plan = mirrored.plan("base-zfs", write=False)
    (variant,) = plan.variants
    assert variant.verdict is Verdict.BUILD, variant.reasons
    assert variant.modules[0].source.nevra == f"zfs-dkms-{VERSION}-1.el10.noarch"
    assert variant.kernel.ceiling == "6.12"
    assert {item.id: item.metadata_signed_by for item in plan.repositories} == {
        "baseos": None, "openzfs": None,
    }  # fmt: skip
    assert not [path for path in site.requests if path.endswith("repomd.xml.asc")]


def test_metadata_that_nobody_signs_is_held_to_its_checksums(mirrored, site):
    (path,) = [path for path in site.replies if "openzfs" in path and "primary" in path]
    site.serve(path, site.replies[path][0].body[:-1] + b"x")
    by_name = {variant.name: variant for variant in mirrored.plan(write=False).variants}
    assert {n for n, v in by_name.items() if v.verdict is Verdict.FAIL} == {
        "base-zfs", "base-zfs-nvidia",
    }  # fmt: skip
    assert by_name["base-zfs"].exit_code == 12


def test_a_package_that_was_exchanged_on_the_mirror_declares_nothing(mirrored, site):
    (path,) = [path for path in site.replies if path.endswith(".rpm")]
    other = {f"/usr/src/zfs-{VERSION}/META": b"Linux-Maximum: 9.9\n"}
    (mirrored.folder / "other").mkdir()
    rpm = build_rpm(mirrored.folder / "other", "zfs-dkms", VERSION, "1.el10", files=other)
    site.serve(path, rpm.read_bytes())
    variant = mirrored.variant("base-zfs", write=False)
    assert (variant.verdict, variant.exit_code) == (Verdict.FAIL, 12)
