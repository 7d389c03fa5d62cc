"""The Debian root of the bases: a mirror may fail once, and the archive moves on."""

import pytest

from immutable_base.errors import CommandError
from immutable_base_lab.debian import catalogue, root
from immutable_base_lab.debian.archive import STABLE, Archive, Deb, Mirrors

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


def deb(version, suite=STABLE[0], name="libzstd1"):
    stanza = f"Package: {name}\nVersion: {version}\n"
    return Deb(name=name, suite=suite, base_uri="", stanza=stanza)


@pytest.fixture
def cached(tmp_path):
    """A cached root with one package, and one that no archive has."""
    admin = tmp_path / "cached/root/var/lib/dpkg"
    (admin / "updates").mkdir(parents=True)
    (admin / "info").mkdir()
    (admin / "status").write_text(
        "".join(
            f"Package: {name}\nStatus: install ok installed\nArchitecture: amd64\n"
            f"Maintainer: x <x@example.com>\nDescription: x\nVersion: {version}\n\n"
            for name, version in (("libzstd1", "1.5.7-1"), ("local", "1"))
        )
    )
    return tmp_path / "cached"


def test_a_root_that_the_archive_has_moved_past_is_made_anew(cached):
    """Else libzstd-dev of today would require a libzstd1 that the bases do not have."""
    archive = Archive([deb("1.5.7-1"), deb("1.5.7-1+deb13u1", STABLE[-1])])
    assert root.forget_outdated(cached, archive)
    assert not cached.exists()


@pytest.mark.parametrize("other", [None, deb("9", "sid"), deb("9", name="libxml2")])
def test_a_root_of_today_stays(cached, other):
    archive = Archive([deb("1.5.7-1"), *([other] if other else [])])
    assert not root.forget_outdated(cached, archive)
    assert cached.exists()


def test_no_root_is_outdated(tmp_path):
    assert not root.forget_outdated(tmp_path, Archive([]))
