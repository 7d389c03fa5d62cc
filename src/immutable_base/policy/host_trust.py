"""Whom a host trusts, by configuration: repositories, and what each of them must be signed with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from immutable_base.config.schema import Settings
from immutable_base.config.signing import Signing

NAME = "immutable-base"
"""Names the product's own files in an image; an instance's files have the instance's name."""
KEY_FOLDER = "usr/lib/pki/immutable-base"
"""Public keys in an image. Below /usr, because a file in /etc that a host has changed is never
updated again: hosts were stuck on an old key that way (ublue-os/main#600)."""
SLOTS = ("current", "next")
"""A key's file is called by its place, not by the key: a host whose policy.json was changed by
hand follows a rotation all the same."""
ADMISSION_KEY = "/var/lib/immutable-base/admission/host.pub"
"""Public key that a host's own admission program signs with, once it has verified an image."""
ADMITTED = "file:///var/lib/immutable-base/admission/lookaside"
"""Lookaside folder in which that program leaves its signatures."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostKey:
    """A public key that hosts accept."""

    path: str
    """Below the root of the image."""
    pem: str = ""
    """Its canonical text; empty where only the place is asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """A repository, or a namespace with all repositories below it."""

    name: str
    mirrors: str = ""
    """The namespace whose copy this is: what was signed for that one is accepted here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostTrust:
    """What an image says about whose images a host takes."""

    name: str
    """Begins the names of the files."""
    scopes: tuple[Scope, ...]
    keys: tuple[HostKey, ...] = ()
    """One of them must have signed; none: the host's own admission program must have."""
    lookaside: str = ""
    """Where what the fleet's machine has admitted is served, for which `keys` are then; empty: they
    are the publisher's, and sign beside the image."""
    unsigned: tuple[str, ...] = ()
    """Scopes of others, without any signature."""
    whole: bool = True
    """Whether everything else is refused; False: what the base says of everything else stays."""

    @property
    def registries_file(self) -> str:
        """The file of registries.d, below the image's root."""
        return f"etc/containers/registries.d/50-{self.name}.yaml"

    @property
    def attached(self) -> bool:
        """Whether signatures lie beside the image: those of the publisher's key do."""
        return bool(self.keys) and not self.lookaside

    @property
    def where(self) -> dict[str, str]:
        """What registries.d says of each scope: where its signatures lie.

        Where the publisher's key does not count, what lies beside an image is not read: anybody who
        may push can put something there that cannot be parsed, and one such refuses the image.
        """
        if self.attached:
            return {"use-sigstore-attachments": "true"}
        return {"lookaside": self.lookaside or ADMITTED, "use-sigstore-attachments": "false"}


def key_files(name: str, pems: Sequence[str]) -> tuple[HostKey, ...]:
    """Return public keys with their places in an image, the current one first."""
    return tuple(
        HostKey(path=f"{KEY_FOLDER}/{name}-{slot}.pub", pem=pem)
        for slot, pem in zip(SLOTS, pems, strict=False)
    )


def variants_trust(settings: Settings, pems: Sequence[str] | None = None) -> HostTrust:
    """Return what the images of the product's variants say.

    `pems` are the texts of `signing.host_key_paths`; without them only places are known.
    """
    registry, signing = settings.registry, settings.signing
    mirrors = (Scope(name=mirror, mirrors=registry.destination) for mirror in registry.mirrors)
    return HostTrust(
        name=NAME,
        scopes=(Scope(name=registry.destination), *mirrors),
        keys=key_files(NAME, _texts(signing, pems)),
        lookaside=_lookaside(signing),
        unsigned=signing.accept_unsigned,
    )


def instance_trust(
    name: str, repository: str, signing: Signing, pems: Sequence[str] | None = None
) -> HostTrust:
    """Return what an instance's image adds to its base's: its own repository."""
    return HostTrust(
        name=f"instance-{name}",
        scopes=(Scope(name=repository),),
        keys=key_files(f"instance-{name}", _texts(signing, pems)),
        lookaside=_lookaside(signing),
        unsigned=signing.accept_unsigned,
        whole=False,
    )


def _texts(signing: Signing, pems: Sequence[str] | None) -> Sequence[str]:
    return [""] * len(signing.host_key_paths) if pems is None else pems


def _lookaside(signing: Signing) -> str:
    """Return it without a slash at its end: container tools put one between it and the path."""
    return signing.fleet.lookaside.rstrip("/") if signing.fleet else ""
