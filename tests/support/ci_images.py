"""The image of the jobs, as a build writes it down."""

from immutable_base.model.ci_image import CiImageBuild

BASE = f"docker.io/library/debian@sha256:{'b' * 64}"
BUILT = CiImageBuild(
    rests_on={}, repository="registry.example/os/ci", image_id="a" * 64, digest=f"sha256:{'d' * 64}",
    size=1, base=BASE, commit="c" * 40, version="1.2.3", epoch=1, buildah="1.39", seconds=1.0,
)  # fmt: skip
