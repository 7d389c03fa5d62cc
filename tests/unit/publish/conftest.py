"""A publication and its surroundings."""

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
