"""A .deb made into an .rpm: what the packages promise each other must survive the translation."""

import pytest

from immutable_base_lab.debian import catalogue
from immutable_base_lab.debian.archive import Deb, DebianRelation
from immutable_base_lab.rpms import convert
from immutable_base_lab.rpms.convert import DebianPackages


def deb(name, *, version="1.0-1", architecture="amd64", **fields):
    lines = {"Package": name, "Version": version, "Architecture": architecture}
    lines |= {key.replace("_", "-").title(): value for key, value in fields.items()}
    stanza = "".join(f"{key}: {value}\n" for key, value in lines.items())
    return Deb(name=name, suite="trixie", base_uri="http://mirror.invalid", stanza=stanza)


def packages(*debs):
    return DebianPackages(debs, catalogue.load())


@pytest.mark.parametrize(
    ("debian", "rpm"),
    [
        ("1.2-3", "1.2-3"),
        ("1:2.3-4+deb13u1", "1:2.3-4+deb13u1"),
        ("6.12.95-1~bpo12+1", "6.12.95-1~bpo12+1"),
        ("1.0-rc1-2", "1.0.rc1-2"),
        ("2025.1", "2025.1-0"),
        ("4:14.2.0-1", "4:14.2.0-1"),
    ],
)
def test_version_keeps_epoch_upstream_and_revision(debian, rpm):
    assert str(convert.evr(debian)) == rpm


def test_version_without_revision_compares_with_any_release():
    assert convert.constraint(">=", "2.41") == " >= 2.41"
    assert convert.constraint("<<", "1:3.0-2") == " < 1:3.0-2"
    assert convert.constraint(None, None) == ""


def test_requires_use_the_names_of_el():
    known = packages(
        deb("tool", depends="libc6 (>= 2.38), xz-utils"), deb("libc6"), deb("xz-utils")
    )
    (tool,) = (each for each in known.debs() if each.name == "tool")
    assert known.requires(tool) == ("glibc >= 2.38", "xz")


def test_alternative_that_exists_is_chosen():
    tool = deb("tool", depends="absent | present (>= 1)")
    assert packages(tool, deb("present")).requires(tool) == ("present >= 1",)


def test_virtual_name_is_satisfied_by_its_provider():
    tool = deb("tool", depends="awk")
    known = packages(tool, deb("mawk", provides="awk"))
    assert known.requires(tool) == ("awk",)
    assert known.chosen(
        (DebianRelation(name="absent"), DebianRelation(name="awk"))
    ) == DebianRelation(name="awk")


def test_dependencies_of_maintainer_scripts_are_left_out():
    tool = deb("tool", depends="debconf (>= 0.5) | debconf-2.0, libc6")
    assert packages(tool, deb("libc6"), deb("debconf")).requires(tool) == ("glibc",)


def test_conflicts_only_with_packages_that_exist():
    tool = deb("tool", breaks="old (<< 2.0-1), nowhere", conflicts="tool")
    assert packages(tool, deb("old")).conflicts(tool) == ("old < 2.0-1",)


def test_dkms_does_not_bring_debians_packaging_tools():
    dkms = deb("dkms", depends="dpkg-dev, make | build-essential", architecture="all")
    requires = packages(dkms, deb("dpkg-dev")).requires(dkms)
    own = catalogue.load().change("dkms").requires
    assert "dpkg-dev" in requires
    assert own is not None
    assert {"gcc", "make", "kmod"} <= set(own)
    assert "dpkg-dev" not in own


def test_files_of_merged_directories_move_below_usr(tmp_path):
    (tmp_path / "lib/modules").mkdir(parents=True)
    (tmp_path / "lib/modules/x.ko").write_text("x")
    (tmp_path / "usr/lib").mkdir(parents=True)
    (tmp_path / "sbin").symlink_to("usr/sbin")
    convert.merge_usr(tmp_path)
    assert (tmp_path / "usr/lib/modules/x.ko").read_text() == "x"
    assert not (tmp_path / "lib").exists()
    assert not (tmp_path / "sbin").is_symlink()


def test_units_are_preset_and_users_are_made(tmp_path):
    units = tmp_path / "usr/lib/systemd/system"
    units.mkdir(parents=True)
    (units / "a.service").write_text("[Service]\n[Install]\nWantedBy=multi-user.target\n")
    (units / "b.service").write_text("[Service]\n")
    users = tmp_path / "usr/lib/sysusers.d"
    users.mkdir()
    (users / "a.conf").write_text("u a -\n")
    post = convert.scripts(tmp_path)["post"]
    assert "systemd-sysusers a.conf" in post
    assert "preset a.service" in post
    assert "b.service" not in post


def test_rpm_file_name_is_the_one_that_conversion_makes():
    name = convert.rpm_file_name(
        deb("git", version="1:2.47-1", architecture="all"), catalogue.load()
    )
    assert name == "git-core-2.47-1.noarch.rpm"
