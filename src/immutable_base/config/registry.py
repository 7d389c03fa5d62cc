"""The table `[registry]` of immutable-base.toml: where images go."""

from __future__ import annotations

from immutable_base.config.types import Destination, OptionalDestination
from immutable_base.model.document import Frozen


class Registry(Frozen):
    """The registry that images are pushed to."""

    destination: Destination
    """`host[:port]/path`; an image is pushed to `<destination>/<variant>`."""
    ca_bundle: str = ""
    """PEM file of the registry's private CA; empty: the system's CAs."""
    mirrors: tuple[Destination, ...] = ()
    """Copies of `destination`: what was signed for `<destination>/<variant>` is accepted as
    `<mirror>/<variant>` too."""
    candidates: OptionalDestination = ""
    """Repository in which `build --candidate` leaves images, by digest and unsigned, for stages on
    other machines; empty: `<destination>/candidates`."""
