"""A registry over TLS, and a Sigstore of the tests' own."""

from support.scene_fixtures import (
    foreign,
    instance,
    registry_site,
    registry_tls,
    scene,
    trust_in_registry,
)

__all__ = ["foreign", "instance", "registry_site", "registry_tls", "scene", "trust_in_registry"]
