"""What the tiny stream is made of: a cut kernel, a module in two versions, names of the large lab."""

import json

import pytest

from immutable_base.errors import HostError
from immutable_base_lab.core import cache
from immutable_base_lab.debian import catalogue, kernels
from immutable_base_lab.rpms.kernel_rpms import keep_modules
from immutable_base_lab.scenarios import metronome, tiny_content
from immutable_base_lab.scenarios.tiny_packages import newest_complete
from support.debian import archive_of_kernels

TODAY = (
    ("6.12.95+deb13-amd64", "6.12.95-1", True),
    ("6.12.100+deb13-amd64", "6.12.100-1", True),
    ("6.12.101+deb13-amd64", "6.12.101-1", False),
    ("7.3.4+deb13-amd64", "7.3.4-1", True),
)


def test_its_kernel_is_the_newest_of_the_series_whose_headers_are_there():
    found = kernels.found(archive_of_kernels(*TODAY))
    assert newest_complete(found, "6.12").release == "6.12.100+deb13-amd64"


def test_an_archive_without_a_complete_kernel_is_named():
    found = kernels.found(archive_of_kernels(TODAY[2], TODAY[3]))
    with pytest.raises(HostError, match=r"no complete kernel of 6\.12"):
        newest_complete(found, "6.12")


def test_of_a_cut_kernel_what_is_named_stays_with_its_folder(tmp_path):
    for name in (
        "fs/ext4/ext4.ko.xz", "fs/ext4-extra/x.ko.xz", "drivers/block/loop.ko.xz",
        "drivers/block/loop-control.ko", "drivers/gpu/drm/drm.ko", "lib/a/b.ko",
    ):  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    keep_modules(tmp_path, ("fs/ext4", "drivers/block/loop", "lib"))
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {"fs/ext4/ext4.ko.xz", "drivers/block/loop.ko.xz", "lib/a/b.ko"}
    assert not (tmp_path / "drivers/gpu").exists(), "no empty folder stays"


def test_the_two_versions_differ_in_their_version_and_in_one_call():
    sound, broken = (
        metronome.source_of(version).splitlines() for version in (metronome.SOUND, metronome.BROKEN)
    )
    differing = [pair for pair in zip(sound, broken, strict=True) if pair[0] != pair[1]]
    assert [(a.strip(), b.strip()) for a, b in differing] == [
        metronome.REMOVED, ('MODULE_VERSION("1.0");', 'MODULE_VERSION("2.0");')
    ]  # fmt: skip


def test_a_module_that_lost_the_call_is_no_silent_success(tmp_path, monkeypatch):
    (tmp_path / "source").mkdir()
    (tmp_path / "source/metronome.c").write_text("int beats;\n")
    monkeypatch.setattr(metronome, "FILES", tmp_path)
    with pytest.raises(ValueError, match="0 calls"):
        metronome.source_of(metronome.SOUND)


def test_names_and_most_changes_are_the_large_labs():
    large, tiny = catalogue.load(), tiny_content.load().catalogue()
    assert tiny.rpm_name("libc6") == large.rpm_name("libc6") == "glibc"
    assert tiny.change("dkms") == large.change("dkms")
    assert tiny.change("gcc") != large.change("gcc")
    assert tiny.kernel_series == large.kernel_series


def test_the_tiny_stream_changes_nothing_of_the_large_lab():
    """Its catalogue decides what is made again: a copy of it must not be a change of it."""
    before = cache.key_of(catalogue.load().model_dump())
    tiny_content.load().catalogue()
    assert cache.key_of(catalogue.load().model_dump()) == before
    assert "tiny" not in json.dumps(sorted(catalogue.load().streams))


def test_its_repositories_are_those_of_its_base_and_its_configuration():
    stream = tiny_content.load().stream
    assert set(stream.repositories) == {
        tiny_content.REPOSITORY, tiny_content.DEVEL_REPOSITORY
    }  # fmt: skip
