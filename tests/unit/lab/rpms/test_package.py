"""The %files section: what belongs to a package and how rpm must read its path."""

import os

from immutable_base_lab.rpms import package
from immutable_base_lab.rpms.package import Recipe


def recipe(**changes):
    plain = {
        "name": "x", "version": "1", "release": "1", "arch": "noarch", "summary": "x", "mtime": 0
    }  # fmt: skip
    return Recipe(**(plain | changes))


def test_files_and_links_are_listed_and_ordinary_directories_are_not(tmp_path):
    (tmp_path / "usr/bin").mkdir(parents=True)
    (tmp_path / "usr/bin/tool").write_text("x")
    (tmp_path / "usr/bin/alias").symlink_to("tool")
    (tmp_path / "usr/link").symlink_to("bin")
    for folder in (tmp_path / "usr", tmp_path / "usr/bin"):
        folder.chmod(0o755)
    entries = set(package.file_entries(recipe(), tmp_path))
    if os.geteuid() == 0:
        assert entries == {"/usr/bin/tool", "/usr/bin/alias", "/usr/link"}
    else:
        # A directory that root does not own is no ordinary one: it is listed.
        assert entries == {
            "/usr/bin/tool", "/usr/bin/alias", "/usr/link", "%dir /usr", "%dir /usr/bin"
        }  # fmt: skip


def test_empty_and_private_directories_belong_to_the_package(tmp_path):
    (tmp_path / "var/empty").mkdir(parents=True)
    (tmp_path / "etc/private").mkdir(parents=True)
    (tmp_path / "etc/private/file").write_text("x")
    (tmp_path / "etc/private").chmod(0o700)
    entries = list(package.file_entries(recipe(), tmp_path))
    assert "%dir /var/empty" in entries
    assert "%dir /etc/private" in entries


def test_configuration_is_marked(tmp_path):
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/x.conf").write_text("x")
    entries = list(package.file_entries(recipe(config=frozenset({"/etc/x.conf"})), tmp_path))
    assert "%config(noreplace) /etc/x.conf" in entries


def test_names_that_rpm_would_read_as_patterns_match_only_themselves(tmp_path):
    (tmp_path / "[").write_text("x")
    (tmp_path / "100%*").write_text("x")
    (tmp_path / "a b").write_text("x")
    entries = list(package.file_entries(recipe(), tmp_path))
    assert "/[[]" in entries
    assert "/100%%[*]" in entries
    assert "/a?b" in entries


def test_evr_names_the_epoch_only_if_there_is_one():
    assert recipe().evr == "1-1"
    assert recipe(epoch=3).evr == "3:1-1"
