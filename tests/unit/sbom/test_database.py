"""Only the image's own database is read, wherever it lies and whatever links to it."""

import pytest

from immutable_base.errors import CheckError
from immutable_base.sbom.database import DATABASES, copy_database


def write(root, name, text="x"):
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def copied(target):
    return sorted(str(it.relative_to(target)) for it in target.rglob("*") if not it.is_dir())


@pytest.fixture
def image(tmp_path):
    (tmp_path / "image").mkdir()
    return tmp_path / "image"


@pytest.mark.parametrize("place", DATABASES)
def test_the_database_is_found_in_each_place_it_may_have(image, tmp_path, place):
    write(image, f"{place}/rpmdb.sqlite", "packages")
    write(image, "usr/lib/os-release", "ID=centos\n")
    (image / "etc").mkdir()
    (image / "etc/os-release").symlink_to("../usr/lib/os-release")
    write(image, "usr/bin/other")
    copy_database(image, tmp_path / "copy")
    assert copied(tmp_path / "copy") == sorted(
        ["etc/os-release", f"{place}/rpmdb.sqlite", "usr/lib/os-release"]
    )
    assert (tmp_path / "copy" / place / "rpmdb.sqlite").read_text() == "packages"
    assert (tmp_path / "copy/etc/os-release").is_symlink()


def test_what_links_to_the_database_is_not_a_second_one(image, tmp_path):
    write(image, "usr/share/rpm/rpmdb.sqlite")
    (image / "var/lib").mkdir(parents=True)
    (image / "var/lib/rpm").symlink_to("../../usr/share/rpm")
    copy_database(image, tmp_path / "copy")
    assert copied(tmp_path / "copy") == ["usr/share/rpm/rpmdb.sqlite"]


def test_links_out_of_the_image_are_not_followed(image, tmp_path):
    """They would lead to the build machine's own."""
    write(tmp_path, "machine/rpm/rpmdb.sqlite", "of the machine")
    write(tmp_path, "machine/os-release", "of the machine")
    (image / "var").symlink_to(tmp_path / "machine")
    (image / "usr/lib").mkdir(parents=True)
    (image / "usr/lib/sysimage").symlink_to(tmp_path / "machine")
    (image / "usr/lib/os-release").symlink_to(tmp_path / "machine/os-release")
    with pytest.raises(CheckError, match="no rpm database"):
        copy_database(image, tmp_path / "copy")
    write(image, "usr/share/rpm/rpmdb.sqlite")
    (image / "usr/share/rpm/link").symlink_to(tmp_path / "machine/os-release")
    copy_database(image, tmp_path / "copy")
    assert (tmp_path / "copy/usr/lib/os-release").is_symlink()
    assert (tmp_path / "copy/usr/share/rpm/link").is_symlink()
    assert "usr/lib/sysimage" not in copied(tmp_path / "copy")


def test_an_image_without_a_database_is_refused(image, tmp_path):
    (image / "usr/share/rpm").mkdir(parents=True)
    with pytest.raises(CheckError, match="no rpm database"):
        copy_database(image, tmp_path / "copy")
