"""The stand-in bases look like the real ones where the product, or ostree, looks."""

from pathlib import Path

import pytest

from immutable_base_lab.bases import rootfs
from immutable_base_lab.bases.labels import base_labels
from immutable_base_lab.debian import catalogue
from immutable_base_lab.scenarios import metronome, tiny_content

EPOCH = 1_764_000_000
WITH = """\
libostree:
 Version: '2025.2'
 Features:
  - inode64
  - composefs
  - libsystemd
"""


@pytest.mark.parametrize(
    ("version", "can"),
    [
        (WITH, True),
        (WITH.replace("  - composefs\n", ""), False),
        (WITH.replace("composefs", "ex-composefs"), False),
        (WITH.replace("composefs", "no-composefs"), False),
        ("", False),
    ],
)
def test_composefs_is_demanded_only_of_an_ostree_that_has_it(version, can):
    """Debian's has none, and refused to deploy what demanded it."""
    assert rootfs.has_composefs(version) is can


def test_settings_of_the_base_say_nothing_of_composefs_by_themselves():
    text = (rootfs.FILES / "base" / rootfs.PREPARE_ROOT).read_text()
    assert "composefs" not in text
    assert "readonly = true" in text


@pytest.fixture
def tree(tmp_path):
    """A root as Debian's: its rpm has a database in /var."""
    for folder in ("var/lib/rpm", "usr/lib/sysimage", "etc", "home/me"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "var/lib/rpm/rpmdb.sqlite").touch()
    return tmp_path


def places_of_the_rpmdb(tree):
    return {
        name: (tree / name).resolve().relative_to(tree.resolve())
        for name in ("usr/lib/sysimage/rpm", "var/lib/rpm", "usr/share/rpm")
        if (tree / name).exists()
    }


def test_the_rpm_database_is_where_ostree_bases_have_it_before_and_after(tree):
    everywhere = dict.fromkeys(
        ("usr/lib/sysimage/rpm", "var/lib/rpm", "usr/share/rpm"), Path("usr/share/rpm")
    )
    rootfs.overlay(tree)
    assert places_of_the_rpmdb(tree) == everywhere
    assert list((tree / "usr/share/rpm").iterdir()) == [], "nothing of Debian's own"
    rootfs.shape(tree)
    assert places_of_the_rpmdb(tree) == everywhere
    assert [path.name for path in (tree / "var").iterdir()] == ["lib"]
    macros = (tree / "usr/lib/rpm/macros.d/macros.zz-lab-base").read_text()
    assert "%_dbpath /usr/share/rpm\n" in macros
    declared = (tree / "usr/lib/tmpfiles.d/lab-base.conf").read_text()
    assert "L /var/lib/rpm - - - - ../../usr/share/rpm\n" in declared


def test_a_base_says_of_which_compose_it_is_made():
    streams = catalogue.load().streams
    labels = base_labels(streams["el10"], EPOCH)
    assert labels["redhat.compose-id"] == "CentOS-Stream-10-20251124.0"
    assert (labels["redhat.id"], labels["redhat.version-id"]) == ("centos", "10")
    assert (labels["containers.bootc"], labels["ostree.bootable"]) == ("1", "1")
    assert labels["org.opencontainers.image.version"] == "10.20251124.0"
    fedora = streams["fedora"]
    assert (
        base_labels(fedora, EPOCH)["redhat.compose-id"]
        == f"Fedora-{fedora.version_id}-20251124.n.0"
    )
    assert base_labels(tiny_content.load().stream, EPOCH)["redhat.id"] == "centos"


def test_what_the_metronome_leaves_out_decides_whether_it_is_made_again():
    assert ("%pre", metronome.MAKE_USER) in metronome.inputs()
    assert ("folder", metronome.FOLDER) in metronome.inputs()
