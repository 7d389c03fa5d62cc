"""A layer on top of an image: what tests of base images are made with."""

import gzip
import hashlib
import io
import json
import tarfile

from immutable_base.image.oci import require_whole
from support.small_images import add_layer, write_layout


def test_a_layer_with_one_file_comes_on_top_and_the_layout_is_whole(tmp_path):
    below = write_layout(tmp_path, "below")
    digest = add_layer(tmp_path, "usr/lib/os-release", "above")
    assert digest != below

    def blob(name):
        return (tmp_path / "blobs" / name.replace(":", "/")).read_bytes()

    manifest, old = json.loads(blob(digest)), json.loads(blob(below))
    assert manifest["layers"][:-1] == old["layers"]
    archive = gzip.decompress(blob(manifest["layers"][-1]["digest"]))
    with tarfile.open(fileobj=io.BytesIO(archive)) as found:
        assert [(it.name, found.extractfile(it).read()) for it in found] == [
            ("usr/lib/os-release", b"above")
        ]
    config = json.loads(blob(manifest["config"]["digest"]))
    assert config["rootfs"]["diff_ids"][1:] == [f"sha256:{hashlib.sha256(archive).hexdigest()}"]
    require_whole(tmp_path, digest=digest, image_id=manifest["config"]["digest"][7:])
