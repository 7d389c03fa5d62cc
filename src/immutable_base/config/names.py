"""Which variants a user means."""

from __future__ import annotations

from collections.abc import Iterable

from immutable_base.config.schema import Settings
from immutable_base.config.toml import did_you_mean
from immutable_base.errors import ConfigurationError


def selected_variants(settings: Settings, names: Iterable[str]) -> tuple[str, ...]:
    """Return the variants asked for, all when none was named.

    Raises ConfigurationError for a name that the configuration does not have.
    """
    for name in names:
        if name not in settings.variants:
            raise ConfigurationError(
                f"there is no variant '{name}'{did_you_mean(name, settings.variants)}",
                hint=f"configured variants: {', '.join(settings.variants)}",
            )
    asked = set(names)
    return tuple(name for name in settings.variants if not asked or name in asked)
