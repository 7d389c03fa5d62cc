"""Which image a user means: by its reference, or by the variant's name."""

from __future__ import annotations

from immutable_base.config.toml import did_you_mean
from immutable_base.config.trust import TrustSettings
from immutable_base.errors import ConfigurationError
from immutable_base.model.reference import Reference

DEFAULT_TAG = "latest"


def find_reference(text: str, settings: TrustSettings | None) -> Reference:
    """Return the reference that the user means.

    Raises ConfigurationError if it is neither a reference nor a configured variant.
    """
    if "/" in text:
        reference = Reference.parse(text)
        if not reference.names_registry:
            raise ConfigurationError(
                f"'{text}' does not say which registry: other programs would look at Docker Hub",
                hint="write registry/path:tag or registry/path@sha256:...",
            )
        return reference
    head, at, digest = text.partition("@")
    name, colon, tag = head.partition(":")
    tag = tag if colon or at else DEFAULT_TAG
    if settings is None:
        raise ConfigurationError(
            f"'{name}' is not a reference, and there is no configuration that names variants",
            hint="write registry/path:tag or registry/path@sha256:...",
        )
    if name not in settings.variants:
        raise ConfigurationError(
            f"'{name}' is neither a variant nor a reference{did_you_mean(name, settings.variants)}",
            hint=f"the configuration has: {', '.join(settings.variants)}",
        )
    named = f":{tag}" if colon or tag else ""
    return Reference.parse(f"{settings.repository_of(name)}{named}{at}{digest}")
