"""Servers on loopback, certificates and OpenPGP keys."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from immutable_base import download
from support.rpmmd import Signer, make_signer
from support.web import Certificate, Site, make_certificate, serving


@pytest.fixture
def direct(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loopback is reached directly, and a second attempt is not waited for."""
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "127.0.0.1")
    monkeypatch.setattr(download, "LONGEST_WAIT", 0.01)


@pytest.fixture
def site(direct) -> Iterator[Site]:
    with serving() as found:
        yield found


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def secure_site(direct, certificate: Certificate) -> Iterator[Site]:
    with serving(certificate) as found:
        yield found


@pytest.fixture(scope="session")
def signers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Signer]]:
    """Two keys of two owners."""
    folder = tmp_path_factory.mktemp("signers")
    made = {
        name: make_signer(folder / name, f"{name} <{name}@example.invalid>")
        for name in ("ours", "foreign")
    }
    yield made
    for signer in made.values():
        subprocess.run(
            ["gpgconf", "--homedir", str(signer.home), "--kill", "gpg-agent"], check=True
        )
