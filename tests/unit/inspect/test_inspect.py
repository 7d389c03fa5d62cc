from immutable_base.inspect.collect import _leftovers
from immutable_base.inspect.modules import _fields, _listed
from immutable_base.inspect.rpm import parse_packages
from immutable_base.inspect.units import units_of
from immutable_base.model.facts import Answer


def test_packages_are_read_sorted_with_epochs_and_without_keys():
    text = "zfs\t0\t2.3.9-1\tx86_64\ngpg-pubkey\t0\tabc-def\t(none)\nnvidia-driver-cuda\t3\t550.163.01-1\tx86_64\n"
    assert [str(package) for package in parse_packages(text)] == [
        "nvidia-driver-cuda-3:550.163.01-1.x86_64",
        "zfs-2.3.9-1.x86_64",
    ]


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

    def __init__(self, text):
        self.text = text

    def answer(self, *argv):
        assert argv[:3] == ("systemctl", "--root=/", "is-enabled")
        return Answer(status=1, text=self.text)


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
    units = units_of(Systemctl("disabled\nenabled"), tmp_path)
    assert [(unit.name, unit.preset, unit.state) for unit in units] == [
        ("zfs-import-scan.service", "disable", "disabled"),
        ("zfs-zed.service", "enable", "absent"),
        ("zfs.target", "enable", "enabled"),
    ]


def test_an_answer_that_does_not_fit_the_question_is_unknown(tmp_path):
    preset(tmp_path)
    units = units_of(Systemctl("no such program"), tmp_path)
    assert {unit.state for unit in units} == {"absent", "unknown: no such program"}
