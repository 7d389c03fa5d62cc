"""A registry over TLS, and a Sigstore of the tests' own."""

import pytest

from immutable_base.verification.tls_trust import TlsTrust
from support.forge import Instance
from support.scene import Scene
from support.web import make_certificate, serving


@pytest.fixture(scope="session")
def instance():
    return Instance()


@pytest.fixture(scope="session")
def foreign():
    """Another Sigstore, with the same names and other keys."""
    return Instance()


@pytest.fixture(scope="session")
def registry_tls(tmp_path_factory):
    return make_certificate(tmp_path_factory.mktemp("registry-tls"))


@pytest.fixture(scope="session")
def registry_site(registry_tls):
    with serving(registry_tls) as found:
        yield found


@pytest.fixture(scope="session")
def trust_in_registry(registry_tls):
    """One for all tests: whoever does not trust its authority makes another."""
    return TlsTrust(registry_tls.authority)


@pytest.fixture
def scene(registry_site, registry_tls, trust_in_registry, instance, tmp_path, monkeypatch):
    monkeypatch.setattr("immutable_base.verify.TlsTrust", lambda authority: trust_in_registry)
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "127.0.0.1")
    for name in ("IMMUTABLE_BASE_CONFIG", "REGISTRY_AUTH_FILE", "XDG_RUNTIME_DIR", "DOCKER_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return Scene(registry_site, instance, tmp_path, registry_tls.authority)
