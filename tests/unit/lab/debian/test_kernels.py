"""The lab's kernels are chosen from what the archive has, never by a version written down."""

import pytest

from immutable_base.errors import HostError
from immutable_base_lab.debian import kernels
from immutable_base_lab.debian.archive import Archive, Deb
from support.debian import archive_of_kernels as archive

TODAY = (
    ("6.12.95+deb12-amd64", "6.12.95-1~bpo12+1", True),
    ("6.12.100+deb13-amd64", "6.12.100-1", False),
    ("6.12.105+deb13-amd64", "6.12.105-1", False),
    ("6.12.107+deb13-amd64", "6.12.107-1", True),
    ("6.12.116+deb13-amd64", "6.12.116-1", True),
    ("6.12.117+deb12-amd64", "6.12.117-1~deb12u1", True),
    ("6.12.117+deb13-amd64", "6.12.117-1", True),
    ("7.2.12+deb13-amd64", "7.2.12-1~bpo13+1", True),
    ("7.3.4+deb13-amd64", "7.3.4-1~bpo13+1", True),
    ("7.3.5+deb13-amd64", "7.3.5-1~bpo13+1", False),
)


def choose(*found, builds=lambda kernel: kernel.upstream == "6.12.95"):
    return kernels.choose(kernels.found(archive(*found)), "6.12", builds)


def test_every_part_gets_its_kernel():
    choice = choose(*TODAY)
    assert choice.up.release == "6.12.117+deb13-amd64"
    assert choice.down is not None
    assert choice.down.release == "6.12.95+deb12-amd64"
    assert choice.image.release == "6.12.105+deb13-amd64"
    assert [each.release for each in choice.between] == ["6.12.116+deb13-amd64"]
    assert [each.release for each in choice.fedora] == ["7.3.4+deb13-amd64", "7.2.12+deb13-amd64"]


def test_archive_without_a_kernel_for_nvidia_leaves_that_part_open():
    choice = choose(*TODAY, builds=lambda kernel: False)
    assert choice.down is None
    assert choice.image.release == "6.12.105+deb13-amd64"


def test_image_kernel_never_has_headers_under_another_name():
    found = (*TODAY, ("6.12.107+deb13.1-amd64", "6.12.107-2", False))
    assert choose(*found).image.release == "6.12.105+deb13-amd64"


def test_archive_without_a_bare_kernel_is_an_error():
    complete = [each for each in TODAY if each[2]]
    with pytest.raises(HostError, match="without headers"):
        choose(*complete)


def test_flavours_and_unsigned_images_are_no_candidates():
    found = kernels.found(
        archive(
            ("6.12.1+deb13-cloud-amd64", "6.12.1-1", True),
            ("6.12.1+deb13-amd64-unsigned", "6.12.1-1", True),
            ("6.12.2+deb13-rt-amd64", "6.12.2-1", True),
        )
    )
    assert found == []


def test_kernel_without_kbuild_is_not_complete():
    debs = [
        Deb(name=name, suite="x", base_uri="", stanza=f"Package: {name}\nVersion: 6.12.1-1\n")
        for name in ("linux-image-6.12.1+deb13-amd64", "linux-headers-6.12.1+deb13-amd64")
    ]
    (kernel,) = kernels.found(Archive(debs))
    assert kernel.headers == ()
