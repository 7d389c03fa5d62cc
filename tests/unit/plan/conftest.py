"""The small world of repositories and a base image."""

from support.plan_world import signer, world

__all__ = ["signer", "world"]
