"""From files and answers of an image to facts."""

import pytest

from immutable_base.errors import CheckError
from immutable_base.image.rpmdb import parse
from immutable_base.inspect.collect import _leftovers
from immutable_base.inspect.modules import _fields, _listed, _owners
from immutable_base.inspect.units import read_units
from support.plan_world import installed_text
from support.rpmmd import Rpm


def test_the_first_of_a_modinfo_field_counts():
    fields = _fields(
        "filename:       /x/zfs.ko.xz\nversion:        2.3.9-1\nparm:           a:b\nversion:  9\n"
    )
    assert (fields["version"], fields["filename"]) == ("2.3.9-1", "/x/zfs.ko.xz")


def test_modules_dep_gives_the_files_it_knows(tmp_path):
    (tmp_path / "modules.dep").write_text("extra/spl.ko.xz:\nextra/zfs.ko.xz: extra/spl.ko.xz\n")
    assert _listed(tmp_path / "modules.dep") == {"extra/spl.ko.xz", "extra/zfs.ko.xz"}
    assert _listed(tmp_path / "none") == set()


def test_leftovers_are_files_links_and_folders_with_content_but_not_empty_folders(tmp_path):
    for folder in (
        "usr/src/kernels",
        "usr/src/zfs-2.3.9",
        "var/lib/dkms",
        "var/log/journal",
        "tmp",
    ):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "usr/src/zfs-2.3.9/META").write_text("Linux-Maximum: 7.2\n")
    (tmp_path / "var/log/dnf.log").write_text("")
    (tmp_path / "usr/src/link").symlink_to("nowhere")
    assert _leftovers(tmp_path) == ("usr/src/link", "usr/src/zfs-2.3.9", "var/log/dnf.log")


class Systemctl:
    """Answers as systemctl does, from a text."""

    def __init__(self, root, text):
        self.root, self.text = root, text

    def read(self, *argv, ok):
        assert argv[:3] == ("systemctl", "--root=/", "is-enabled")
        assert ok == {0, 1}
        return self.text


def preset(root):
    folder = root / "usr/lib/systemd"
    (folder / "system-preset").mkdir(parents=True)
    (folder / "system").mkdir()
    (folder / "system/zfs.target").touch()
    (folder / "system/zfs-import-scan.service").touch()
    (folder / "system-preset/40-immutable-base-zfs.preset").write_text(
        "# Import pools.\nenable zfs.target\n\nenable zfs-zed.service\ndisable zfs-import-scan.service\n"
    )
    (folder / "system-preset/90-default.preset").write_text("disable *\n")


def test_units_are_those_of_our_presets_with_their_state(tmp_path):
    preset(tmp_path)
    units = read_units(Systemctl(tmp_path, "disabled\nenabled"))
    assert [(unit.name, unit.preset, unit.state) for unit in units] == [
        ("zfs-import-scan.service", "disable", "disabled"),
        ("zfs-zed.service", "enable", "absent"),
        ("zfs.target", "enable", "enabled"),
    ]


@pytest.mark.parametrize("text", ["no such program", "disabled", "disabled\nenabled\nenabled"])
def test_an_answer_that_does_not_fit_the_question_is_an_error(tmp_path, text):
    preset(tmp_path)
    with pytest.raises(CheckError, match="of 2 units"):
        read_units(Systemctl(tmp_path, text))


def test_an_image_without_units_of_ours_is_an_error(tmp_path):
    with pytest.raises(CheckError, match="no unit is named"):
        read_units(Systemctl(tmp_path, "enabled"))


def test_the_owner_of_a_module_is_found_however_its_package_spells_lib():
    text = installed_text(
        [
            Rpm("kmod-zfs", files=("/lib/modules/6.12/extra/zfs.ko.xz",)),
            Rpm("kmod-nvidia", files=("/usr/lib/modules/6.12/extra/nvidia.ko.xz", "/usr/bin/x")),
        ]
    )
    assert _owners(parse(text)) == {
        "/usr/lib/modules/6.12/extra/zfs.ko.xz": "kmod-zfs",
        "/usr/lib/modules/6.12/extra/nvidia.ko.xz": "kmod-nvidia",
    }
