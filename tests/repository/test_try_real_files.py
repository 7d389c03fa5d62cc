"""The script for files of the real servers: it says what it tried, and that it tried nothing."""

import subprocess
import sys

import pytest

from support.paths import ROOT
from support.rpmmd import Rpm, make_signer, write_repository


def tried(folder):
    argv = [sys.executable, ROOT / "scripts/try_real_files.py", folder]
    return subprocess.run(argv, capture_output=True, text=True, check=False)


@pytest.fixture
def files(tmp_path):
    signer = make_signer(tmp_path / "signer")
    (tmp_path / "files").mkdir()
    (tmp_path / "files/RPM-GPG-KEY-ours").write_bytes(signer.public.read_bytes())
    write_repository(tmp_path / "files/repository", [Rpm("jq", "1-1")], signer, checksum="sha512")
    return tmp_path / "files", signer.fingerprint


def test_where_there_are_no_files_nothing_was_tried(tmp_path):
    done = tried(tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "nothing was tried" in done.stderr


def test_keys_and_metadata_are_read_and_pins_looked_for(files):
    folder, fingerprint = files
    done = tried(folder)
    assert done.returncode == 0, done.stderr
    assert f"RPM-GPG-KEY-ours: 1 certificate(s): {fingerprint}" in done.stdout
    assert "key `centos`: in none of them" in done.stdout
    assert "key `cuda`: not pinned" in done.stdout
    assert "primary by sha512" in done.stdout


def test_metadata_that_cannot_be_read_is_a_failure(files):
    folder, _ = files
    (folder / "repository/repodata/repomd.xml").write_text("<html>")
    done = tried(folder)
    assert done.returncode == 1
    assert "REFUSED" in done.stdout
