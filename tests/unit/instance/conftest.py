"""An instance and everything around it."""

import pytest

from support.instance_walk import go
from support.instance_world import InstanceWorld
from support.plan_world import signer
from support.plan_world import world as mirrors

__all__ = ["mirrors", "signer", "world"]


@pytest.fixture
def world(tmp_path, monkeypatch):
    monkeypatch.setenv("SIGSTORE_ID_TOKEN", "")  # put back afterwards
    return InstanceWorld(tmp_path, monkeypatch)


@pytest.fixture
def ready(world):
    """A world in which only the publication is missing."""
    go(world, "build", "check", "sbom")
    return world
