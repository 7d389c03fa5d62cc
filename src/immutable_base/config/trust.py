"""What a verification reads of immutable-base.toml: whom to trust, who signs, and where images are.

To import pydantic takes longer than to verify an image. So these tables are read by hand, by the
patterns and rules that `config.schema` has too; whatever is not plainly in order goes to the whole
reading, which tells what is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from immutable_base.config.toml import read_toml
from immutable_base.model.reference import PORT, REPOSITORY

PUBLIC_FULCIO = "https://fulcio.sigstore.dev"
NAME = r"^[a-z0-9][a-z0-9._-]*$"
SECURE_HOST = (
    r"^(https://([A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9a-fA-F:]+\])"
    r"|http://(127\.[0-9]+\.[0-9]+\.[0-9]+|localhost|\[::1\]))"
    rf"(:({PORT}))?"
)
SECURE_URL = rf"{SECURE_HOST}(/[!-~]*)?$"
"""https, or http to this machine; no user, no password, no space."""
IDENTITY = r"^(https?://[A-Za-z0-9][!-~]+|[!-?A-~]+@[!-?A-~]+)$"
"""What a certificate can name: a URI, or an e-mail address."""
PROJECT_ID = r"^[0-9]*$"
SOURCE_REF = r"^(refs/[!-~]+)?$"
RUNNERS = ("", "gitlab-hosted", "self-hosted")
SBOM_LIMIT = "sbom_limit_kib"
NOT_FOR_VERIFYING = frozenset(
    {SBOM_LIMIT, "keys", "fleet", "accept_unsigned", "accept_everything", "leave_behind"}
)
"""The keys of `[signing]` that a verification does not need."""
REGISTRY_KEYS = frozenset({"destination", "ca_bundle", "mirrors", "candidates"})


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningTable:
    """What a verification needs of the table `[signing]`; `config.signing` explains its keys."""

    certificate_identity: str
    certificate_oidc_issuer: str
    fulcio_url: str
    rekor_url: str
    fulcio_root: str = ""
    rekor_key: str = ""
    ct_log_key: str = ""
    without_ct_log: bool = False
    trusted_root: str = ""
    project_id: str = ""
    runner_environment: str = ""
    build_triggers: tuple[str, ...] = ()
    source_ref: str = ""
    protected_ref: bool = False

    def mistake(self) -> str | None:
        """Return why this is half a trust: it would be completed from elsewhere without a word."""
        private = bool(self.fulcio_root)
        if private != bool(self.rekor_key) or (not private and self.ct_log_key):
            return "fulcio_root and rekor_key belong together: set both, or neither"
        if private and bool(self.ct_log_key) == self.without_ct_log:
            return (
                "a private instance needs ct_log_key, or without_ct_log = true if it has no CT log"
            )
        if not private and self.without_ct_log:
            return "without_ct_log is for a private instance: fulcio_root is not set"
        if private and self.trusted_root:
            return "trusted_root is all the trust there is: fulcio_root is set too"
        if not private and not self.trusted_root and self.fulcio_url != PUBLIC_FULCIO:
            return "a private fulcio_url needs fulcio_root, or trusted_root"
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustSettings:
    """The part of the configuration that a verification needs."""

    signing: SigningTable
    destination: str
    ca_bundle: str
    mirrors: tuple[str, ...]
    variants: Collection[str]

    def authority(self, folder: Path) -> Path | None:
        """Return the configured private CA, None if there is none; `folder` is the file's."""
        return (folder / self.ca_bundle).resolve() if self.ca_bundle else None

    def mirrored(self) -> dict[str, str]:
        """Return each declared mirror with what it mirrors."""
        return dict.fromkeys(self.mirrors, self.destination)

    def repository_of(self, variant: str) -> str:
        """Return the repository that a variant is published to, without a tag."""
        return f"{self.destination}/{variant}"


def load_trust(path: Path) -> TrustSettings:
    """Read whom to trust; mistakes elsewhere in the file are not looked for.

    Raises ConfigurationError if what is needed cannot be used.
    """
    document = read_toml(path)
    try:
        return read_trust(document)
    except (LookupError, TypeError, ValueError, AttributeError):
        from immutable_base.config.load import load_settings  # noqa: PLC0415  for mistakes only

        return load_settings(path).trust()


def read_trust(document: dict[str, Any]) -> TrustSettings:
    """Return what is plainly in order.

    Raises LookupError, TypeError, ValueError or AttributeError for whatever may not be.
    """
    registry, version = document["registry"], document["schema_version"]
    _require(type(version) is int and version == 1)
    _require(registry.keys() <= REGISTRY_KEYS)
    destination = _text(registry["destination"])
    mirrors = tuple(map(_text, _list(registry.get("mirrors", []))))
    _require(all(REPOSITORY.fullmatch(name) for name in (destination, *mirrors)))
    variants = tuple(document["variants"].keys())
    _require(bool(variants) and all(re.fullmatch(NAME, name) for name in variants))
    return TrustSettings(
        signing=_signing(document["signing"]),
        destination=destination,
        ca_bundle=_text(registry.get("ca_bundle", "")),
        mirrors=mirrors,
        variants=variants,
    )


def _signing(table: dict[str, Any]) -> SigningTable:
    plain = {**table, "build_triggers": tuple(map(_text, _list(table.get("build_triggers", []))))}
    limit = plain.get(SBOM_LIMIT, 1)
    _require(type(limit) is int and limit > 0)
    found = SigningTable(**{k: plain[k] for k in plain if k not in NOT_FOR_VERIFYING})
    for field in fields(found):
        kind = {"bool": bool, "str": str}.get(str(field.type), tuple)
        _require(isinstance(getattr(found, field.name), kind))
    _require(re.fullmatch(IDENTITY, found.certificate_identity) is not None)
    for url in (found.certificate_oidc_issuer, found.fulcio_url, found.rekor_url):
        _require(re.fullmatch(SECURE_URL, url) is not None)
    _require(re.fullmatch(PROJECT_ID, found.project_id) is not None)
    _require(re.fullmatch(SOURCE_REF, found.source_ref) is not None)
    _require(all(re.fullmatch(NAME, trigger) for trigger in found.build_triggers))
    _require(found.runner_environment in RUNNERS and found.mistake() is None)
    return found


def _text(value: object) -> str:
    _require(isinstance(value, str) and value == value.strip())
    return str(value)


def _list(value: object) -> list[Any]:
    _require(isinstance(value, list))
    return value if isinstance(value, list) else []


def _require(fine: bool) -> None:  # noqa: FBT001  the only thing that it is about
    if not fine:
        raise ValueError("not plainly in order")
