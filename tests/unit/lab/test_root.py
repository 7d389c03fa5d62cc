"""The Debian root of the bases: a mirror may fail once."""

import pytest

from immutable_base.errors import CommandError
from immutable_base_lab.debian import catalogue, root
from immutable_base_lab.debian.archive import Mirrors

MIRRORS = Mirrors(archive="http://mirror.invalid/debian", security="http://mirror.invalid/security")


@pytest.fixture(autouse=True)
def pauses(monkeypatch):
    seconds = []
    monkeypatch.setattr(root.time, "sleep", seconds.append)
    return seconds


def bootstrapping(tmp_path, failures):
    """Bootstrap with an mmdebstrap that fails at first; return what each attempt found in its way."""
    found = []

    def run(command):
        target = tmp_path / "root"
        found.append(target.exists())
        target.mkdir()
        if len(found) <= failures:
            raise CommandError("apt-get update failed")

    root.bootstrap(MIRRORS, catalogue.load(), tmp_path, runner=run)
    return found


def test_a_mirror_that_fails_for_a_moment_is_asked_again_from_nothing(tmp_path, pauses):
    assert bootstrapping(tmp_path, failures=2) == [False] * 3
    assert pauses == [5, 15]


def test_a_mirror_that_fails_for_good_is_an_error(tmp_path, pauses):
    with pytest.raises(CommandError, match="apt-get update failed"):
        bootstrapping(tmp_path, failures=100)
    assert sum(pauses) < 60
