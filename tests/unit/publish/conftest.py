"""A publication and its surroundings."""

import pytest

from support.publish_fixtures import (
    config,
    context,
    image,
    publish,
    settings,
    token,
    variant,
    world,
)

__all__ = ["config", "context", "image", "publish", "settings", "token", "variant", "world"]


@pytest.fixture(autouse=True)
def _no_patience(monkeypatch):
    """Services that fail in a test fail for ever: nothing is asked twice."""
    monkeypatch.setattr("immutable_base.publish.patience.SECONDS", 0.0)


@pytest.fixture
def patient(monkeypatch):
    """Services that fail here come back: they are asked again at once, however slow this machine is."""
    monkeypatch.setattr("immutable_base.publish.patience.FIRST_WAIT", 0.001)
    monkeypatch.setattr("immutable_base.publish.patience.SECONDS", 600.0)
