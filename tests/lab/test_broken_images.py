"""Images that no host could start, and what is said of each before a machine would wait for it.

Two kernels are no obstacle here: ostree takes one of them, and the checks `kernel-single` and `one-kernel` refuse the image.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from immutable_base.boot.boot_image import install_disk
from immutable_base.build.graph import image_tag
from immutable_base.errors import CheckError
from immutable_base.image.program import mounted_image
from immutable_base.process import Command, run
from immutable_base.tools import buildah

MODULES = "usr/lib/modules"


def kernel_of(root: Path) -> Path:
    (found,) = (path.parent for path in (root / MODULES).glob("*/vmlinuz"))
    return found


def without_kernel(root):
    (kernel_of(root) / "vmlinuz").unlink()


def without_initramfs(root):
    (kernel_of(root) / "initramfs.img").unlink()


def without_ostree(root):
    shutil.rmtree(root / "usr/libexec/libostree/ext")


@pytest.fixture(scope="module")
def storage(tiny_night):
    return buildah.Storage(run, tiny_night.workspace / "storage")


@pytest.fixture
def broken(storage, tmp_path):
    """Make an image of tonight's in which something is changed; return its id and layout."""

    def call(change):
        with buildah.container(storage, image_tag("tiny")) as name:
            change(buildah.mount(storage, name))
            made.append(buildah.commit(storage, name, request))
        buildah.write_layout(storage, made[0], tmp_path / "layout")
        return made[0]

    made = []
    request = buildah.CommitRequest(
        tag="localhost/broken:x", epoch=1_764_000_000, labels={}, annotations={}
    )
    yield call
    for image in made:
        buildah.remove_image(storage, image)


def mounts() -> str:
    return Path("/proc/self/mountinfo").read_text()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (without_kernel, "cannot be installed"),
        (without_initramfs, "initrd"),
        (without_ostree, "no host could be installed"),
    ],
)
def test_it_is_refused_in_words_and_nothing_is_left(storage, broken, tmp_path, change, words):
    image = broken(change)
    before = mounts()
    with mounted_image(storage, image) as mounted, pytest.raises(CheckError) as caught:
        install_disk(
            run, mounted, tmp_path / "layout", tmp_path / "root.raw", origin="x.example/x:y"
        )
    assert words in str(caught.value)
    assert mounts() == before
    loops = run(Command(argv=("losetup", "--list", "--noheadings"), timeout=10)).text
    assert str(tmp_path) not in loops
