"""The newest Python for the unit tests: none is an error, for its tests would be missed in silence."""

import subprocess
import sys

import pytest

from support.paths import ROOT

OURS = sys.version_info


@pytest.fixture
def ask(tmp_path):
    """Return how to ask on a machine with one other Python on PATH, to which Debian gives nothing."""

    def answer(minor):
        folder = tmp_path / "bin"
        folder.mkdir()
        for name, words in (
            (f"python3.{minor}", f"echo 3 {minor} 1 final"),
            ("mmdebstrap", "exit 1"),
        ):
            (folder / name).write_text(f"#!/bin/sh\n{words}\n")
            (folder / name).chmod(0o755)
        argv = [sys.executable, ROOT / "scripts/newest_python.py", tmp_path / "newest"]
        environment = {"PATH": f"{folder}:/usr/bin:/bin", "HOME": str(tmp_path)}
        return subprocess.run(argv, capture_output=True, text=True, check=False, env=environment)

    return answer


def test_a_newer_one_is_printed(ask, tmp_path):
    done = ask(OURS.minor + 40)
    assert (done.returncode, done.stdout) == (0, f"{tmp_path}/bin/python3.{OURS.minor + 40}\n")


def test_none_that_is_newer_is_an_error_with_the_next_step(ask):
    done = ask(OURS.minor)
    assert (done.returncode, done.stdout) == (4, "")
    assert f"error: no Python newer than 3.{OURS.minor}" in done.stderr
    assert "hint: run this as root" in done.stderr
