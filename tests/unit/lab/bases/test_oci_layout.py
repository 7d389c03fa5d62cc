"""A root file system becomes an image of one layer, and the same files the same bytes."""

import gzip
import hashlib
import json
import os
import tarfile

import pytest

from immutable_base_lab.bases import oci_layout

CREATED = 1_700_000_000


def make_tree(folder):
    for name, text in (("usr/bin/sh", "shell"), ("etc/passwd", "root"), ("a", "first")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (folder / "usr/bin/sh").chmod(0o4755)
    os.link(folder / "usr/bin/sh", folder / "usr/bin/bash")
    (folder / "bin").symlink_to("usr/bin")
    (folder / "var").mkdir()
    for path in folder.rglob("*"):
        os.utime(path, (CREATED + 500,) * 2, follow_symlinks=False)
    os.utime(folder / "a", (CREATED - 500,) * 2)
    return folder


def written(folder, created=CREATED):
    image = oci_layout.PlainImage(
        tree=make_tree(folder / "tree"), created=created, command=("/sbin/init",), labels={"a": "b"}
    )
    oci_layout.write(image, folder / "oci")
    return folder / "oci"


@pytest.fixture
def layout(tmp_path):
    return written(tmp_path)


def blob(layout, descriptor):
    path = layout / "blobs" / descriptor["digest"].replace(":", "/")
    content = path.read_bytes()
    assert f"sha256:{hashlib.sha256(content).hexdigest()}" == descriptor["digest"]
    assert len(content) == descriptor["size"]
    return path


def test_every_blob_is_what_its_descriptor_says_and_there_is_no_other(layout):
    index = json.loads((layout / "index.json").read_text())
    assert json.loads((layout / "oci-layout").read_text()) == {"imageLayoutVersion": "1.0.0"}
    (descriptor,) = index["manifests"]
    manifest = json.loads(blob(layout, descriptor).read_text())
    assert manifest["mediaType"] == descriptor["mediaType"]
    config = json.loads(blob(layout, manifest["config"]).read_text())
    (layer,) = manifest["layers"]
    with tarfile.open(blob(layout, layer)) as archive:
        assert archive.fileobj is not None
    digest = hashlib.sha256(gzip.decompress(blob(layout, layer).read_bytes()))
    assert config["rootfs"]["diff_ids"] == [f"sha256:{digest.hexdigest()}"]
    assert config["config"] == {"Cmd": ["/sbin/init"], "Labels": {"a": "b"}}
    assert config["created"] == "2023-11-14T22:13:20Z"
    known = {descriptor["digest"], manifest["config"]["digest"], layer["digest"]}
    assert {f"sha256:{path.name}" for path in (layout / "blobs/sha256").iterdir()} == known
    assert {path.name for path in layout.iterdir()} == {"blobs", "index.json", "oci-layout"}


def test_files_are_in_the_layer_as_they_were_and_none_is_younger_than_the_image(layout):
    manifest = json.loads((layout / "index.json").read_text())["manifests"][0]
    layer = json.loads(blob(layout, manifest).read_text())["layers"][0]
    with tarfile.open(blob(layout, layer)) as archive:
        found = {os.path.normpath(member.name): member for member in archive}
    assert found["usr/bin/bash"].mode == 0o4755
    assert found["usr/bin/sh"].islnk(), "a second name is a hard link"
    assert found["bin"].linkname == "usr/bin"
    assert found["var"].isdir()
    assert found["a"].mtime == CREATED - 500, "Python's compiled files know their source by it"
    assert found["etc/passwd"].mtime == CREATED
    assert list(found) == sorted(found)


def test_the_same_files_give_the_same_image(tmp_path):
    (tmp_path / "one").mkdir()
    (tmp_path / "other").mkdir()
    one, other = (
        (written(tmp_path / name) / "index.json").read_text() for name in ("one", "other")
    )
    assert one == other
