"""A publication and its surroundings."""

from support.publish_fixtures import context, image, publish, settings, token, variant, world

__all__ = ["context", "image", "publish", "settings", "token", "variant", "world"]
