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
def _short_waits(monkeypatch):
    """Services that fail in a test fail for ever: it is not waited for them as in earnest."""
    monkeypatch.setattr("immutable_base.publish.patience.FIRST_WAIT", 0.001)
    monkeypatch.setattr("immutable_base.publish.patience.SECONDS", 0.02)
