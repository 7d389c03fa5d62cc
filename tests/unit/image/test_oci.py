"""An OCI layout that came from somewhere: every byte of it, or a refusal by name."""

import hashlib
import json

import pytest

from immutable_base.errors import CheckError, VerificationError
from immutable_base.image.oci import blob, only_manifest, read_json, require_image, require_whole
from support.small_images import write_layout


@pytest.fixture
def layout(tmp_path):
    return tmp_path / "layout"


@pytest.fixture
def image(layout):
    """The digest of the manifest and the id of the image."""
    digest = write_layout(layout, "content")
    return digest, read_json(layout, digest)["config"]["digest"].removeprefix("sha256:")


def test_a_whole_layout_has_the_size_of_its_parts(layout, image):
    digest, image_id = image
    parts = [path for path in (layout / "blobs/sha256").iterdir() if path.name not in digest]
    size = sum(path.stat().st_size for path in parts)
    assert require_image(layout, digest=digest, image_id=image_id) == size
    require_whole(layout, digest=digest, image_id=image_id)


@pytest.mark.parametrize("which", ["manifest", "config", "layer"])
@pytest.mark.parametrize("how", ["missing", "changed"])
def test_a_blob_that_is_missing_or_changed_is_named(layout, image, which, how):
    digest, image_id = image
    manifest = read_json(layout, digest)
    named = {
        "manifest": digest,
        "config": manifest["config"]["digest"],
        "layer": manifest["layers"][0]["digest"],
    }[which]
    path = blob(layout, named)
    path.unlink() if how == "missing" else path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(VerificationError, match=named) as caught:
        require_whole(layout, digest=digest, image_id=image_id)
    assert ("lacks" if how == "missing" else "was changed") in caught.value.message


def test_another_image_is_refused_by_both_digests(layout, image, tmp_path):
    digest, image_id = image
    other = write_layout(tmp_path / "other", "something else")
    with pytest.raises(CheckError, match=f"holds {other}, not {digest}"):
        require_image(tmp_path / "other", digest=digest, image_id=image_id)
    with pytest.raises(
        CheckError, match=f"holds the image sha256:{image_id}, not sha256:{'0' * 64}"
    ):
        require_image(layout, digest=digest, image_id="0" * 64)


@pytest.mark.parametrize("manifests", [[], ["sha256:" + "0" * 64] * 2])
def test_a_layout_without_exactly_one_image_is_refused(layout, image, manifests):
    (layout / "index.json").write_text(
        json.dumps({"manifests": [{"digest": digest} for digest in manifests]})
    )
    with pytest.raises(VerificationError, match=f"holds {len(manifests)} images, not one"):
        only_manifest(layout)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"manifests": 7}', '{"manifests": [{}]}'])
def test_an_index_that_is_none_is_refused(layout, image, text):
    (layout / "index.json").write_text(text)
    with pytest.raises(VerificationError, match=r"index\.json"):
        only_manifest(layout)


def test_a_folder_that_is_no_layout_is_told_with_the_command_that_makes_one(tmp_path):
    with pytest.raises(VerificationError, match="is not an OCI layout") as caught:
        only_manifest(tmp_path)
    assert "build --variant" in caught.value.hint


@pytest.mark.parametrize(
    "manifest",
    [b"[]", b"{}", b'{"config": {}, "layers": 7}', b'{"config": {}, "layers": []}', b"{"],
)
def test_a_manifest_of_another_form_is_refused_though_its_digest_is_right(layout, manifest):
    digest = hashlib.sha256(manifest).hexdigest()
    write_layout(layout, "content")
    (layout / "blobs/sha256" / digest).write_bytes(manifest)
    (layout / "index.json").write_text(json.dumps({"manifests": [{"digest": f"sha256:{digest}"}]}))
    with pytest.raises(VerificationError):
        require_image(layout, digest=f"sha256:{digest}", image_id="0" * 64)
