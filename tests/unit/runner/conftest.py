"""A registry over TLS, for the tests of this room."""

import pytest

from immutable_base.verification.client import Client
from immutable_base.verification.deadline import Deadline
from immutable_base.verification.tls_trust import TlsTrust
from support.oci_registry import serving_registry
from support.web import make_certificate


@pytest.fixture(scope="session")
def registry_tls(tmp_path_factory):
    return make_certificate(tmp_path_factory.mktemp("registry-tls"))


@pytest.fixture(scope="session")
def trust_in_registry(registry_tls):
    """Reading the system's CAs takes longer than everything else."""
    return TlsTrust(registry_tls.authority)


@pytest.fixture
def registry(registry_tls, monkeypatch):
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "127.0.0.1")
    monkeypatch.setattr("immutable_base.verification.registry.WAITS", (0.0, 0.0))
    with serving_registry(registry_tls) as found:
        yield found


@pytest.fixture
def client(trust_in_registry):
    made = Client(deadline=Deadline(seconds=30), tls=trust_in_registry)
    yield made
    made.close()
