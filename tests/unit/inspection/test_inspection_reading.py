from immutable_base.inspection.collect import _leftovers
from immutable_base.inspection.modules import _fields, _listed
from immutable_base.inspection.rpm import parse_packages


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
