"""META of a real package, read by rpm2cpio and cpio, fetched over HTTP."""

import pytest

from immutable_base.errors import ImmutableBaseError, RemoteError, VerificationError
from immutable_base.plan.zfs_meta import parse_maximum
from support.rpm_files import build_rpm
from support.trust import document, maximum_of, package_of

MEMBER = "/usr/src/zfs-2.3.9/META"
OTHER = {"/usr/src/zfs-2.3.8/META": b"Linux-Maximum: 6.1\n", "/META": b"Linux-Maximum: 6.2\n"}


@pytest.fixture
def mirror(site, signers, tmp_path):
    site.folder = tmp_path
    site.settings = document(site.url, signers)
    return site


def offer(mirror, content, folder="new", *, others=OTHER):
    """Serve a zfs-dkms whose META has this content, beside two that are not the module's."""
    files = {**others, **({MEMBER: content} if content is not None else {})}
    (mirror.folder / folder).mkdir(exist_ok=True)
    path = build_rpm(mirror.folder / folder, "zfs-dkms", "2.3.9", files=files)
    url = mirror.serve(f"/{folder}/{path.name}", path.read_bytes())
    return package_of(path, url, "openzfs")


def maximum(mirror, package):
    return maximum_of(mirror.folder, mirror.settings, package)


def test_the_maximum_is_that_of_the_modules_own_folder(mirror):
    package = offer(mirror, b"Meta: 1\nName: zfs\nLinux-Maximum: 7.2\nLinux-Minimum: 4.18\n")
    assert maximum(mirror, package) == "7.2"
    assert maximum(mirror, package) == "7.2"
    assert len(mirror.requests) == 1, "and read once for this package"


def test_a_package_built_anew_under_the_same_name_is_read_anew(mirror):
    first = offer(mirror, b"Linux-Maximum: 7.2\n", "first")
    second = offer(mirror, b"Linux-Maximum: 7.1\n", "second")
    assert first.nevra == second.nevra
    assert [maximum(mirror, package) for package in (first, second, first)] == ["7.2", "7.1", "7.2"]


def test_bytes_that_are_no_utf_8_do_not_hide_the_maximum(mirror):
    package = offer(mirror, b"Author: Andr\xe9\nLinux-Maximum: 7.2\n")
    assert [maximum(mirror, package), maximum(mirror, package)] == ["7.2", "7.2"]


def test_a_package_without_meta_in_the_modules_folder_is_refused(mirror):
    with pytest.raises(ImmutableBaseError, match=f"has no file {MEMBER}"):
        maximum(mirror, offer(mirror, None))


def test_meta_without_a_maximum_is_refused_by_name(mirror):
    package = offer(mirror, b"Name: zfs\n")
    with pytest.raises(ImmutableBaseError, match=r"zfs-dkms-2\.3\.9-1\.noarch declares no"):
        maximum(mirror, package)


def test_a_package_with_another_checksum_is_not_read(mirror):
    package = offer(mirror, b"Linux-Maximum: 7.2\n")
    mirror.serve("/new/zfs-dkms-2.3.9-1.noarch.rpm", b"another")
    with pytest.raises(VerificationError, match="not the one that its repository describes"):
        maximum(mirror, package)


def test_what_is_no_package_is_an_error_in_words(mirror, tmp_path):
    path = tmp_path / "zfs-dkms-2.3.9-1.noarch.rpm"
    path.write_bytes(b"junk")
    package = package_of(path, mirror.serve("/junk.rpm", b"junk"), "openzfs")
    with pytest.raises(ImmutableBaseError):
        maximum(mirror, package)


def test_a_package_that_is_not_there_is_named(mirror):
    package = offer(mirror, b"Linux-Maximum: 7.2\n")
    mirror.replies.clear()
    with pytest.raises(RemoteError, match=r"the package zfs-dkms-2\.3\.9-1\.noarch cannot be"):
        maximum(mirror, package)


@pytest.mark.parametrize("text", ["", "Linux-Maximum: seven\n", "#Linux-Maximum: 7.2\n", " 7.2\n"])
def test_only_the_declaration_itself_counts(text):
    with pytest.raises(ImmutableBaseError):
        parse_maximum(text, "zfs-dkms")


def test_the_declaration_is_found_among_others():
    text = "Name: zfs\nLinux-Maximum: 7.2\nLinux-Minimum: 4.18\n"
    assert parse_maximum(text, "zfs-dkms") == "7.2"
