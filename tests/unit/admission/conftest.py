"""A host that admits what a scene has, read over TLS like any registry."""

import pytest

from support.admitting_host import AdmittingHost
from support.scene_fixtures import (
    foreign,
    instance,
    registry_site,
    registry_tls,
    scene,
    trust_in_registry,
)

__all__ = ["foreign", "instance", "registry_site", "registry_tls", "scene", "trust_in_registry"]


@pytest.fixture
def host(scene, foreign, trust_in_registry, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "immutable_base.admission.admit.TlsTrust", lambda authority: trust_in_registry
    )
    monkeypatch.setattr("immutable_base.verification.registry.WAITS", (0.01,))
    scene.foreign = foreign
    return AdmittingHost(scene, tmp_path / "host")
