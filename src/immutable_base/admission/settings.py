"""What a host demands of its images: the file that the image brings, or the administrator's own."""

from __future__ import annotations

import os
import stat
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from immutable_base.errors import ConfigurationError
from immutable_base.verification.policy import Signer
from immutable_base.verification.roots import TrustRoots, private_roots, public_roots

OWN_SETTINGS = Path("/etc/immutable-base/admission.toml")
SHIPPED_SETTINGS = Path("/usr/lib/immutable-base/admission/admission.toml")
PLACES = (OWN_SETTINGS, SHIPPED_SETTINGS)
"""The first one that exists counts, as a whole."""
STATE = Path("/var/lib/immutable-base/admission")
LARGEST = 1 << 20
CLAIMS = ("project_id", "runner_environment", "source_ref")
"""Keys that demand one value of what the certificate says about the job; see `[signing]`."""
_TEXTS = {
    "certificate_identity", "certificate_oidc_issuer", "fulcio_url", "trusted_root", "fulcio_root",
    "rekor_key", "ct_log_key", "ca_bundle", "destination", "state", *CLAIMS,
}  # fmt: skip
_LISTS = {"mirrors", "build_triggers"}
_FLAGS = {"without_ct_log"}
_NUMBERS = {"schema_version", "keep_days", "maximum_age_days", "signed_after"}
_REQUIRED = ("schema_version", "certificate_identity", "certificate_oidc_issuer", "fulcio_url")


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmissionSettings:
    """Whom a host believes, and where it keeps what it admits."""

    signer: Signer
    roots: TrustRoots
    mirrors: Mapping[str, str]
    authority: Path | None
    """A private CA of the registry."""
    state: Path
    keep_days: int
    """How long an admission is kept that no deployment needs."""
    maximum_age_days: int
    """How long ago an image may have been signed; 0: no limit."""
    signed_after: int
    """When the newest input of this host's own image was made: seconds since 1970."""


def load_settings(path: Path | None) -> AdmissionSettings:
    """Read the settings, from `PLACES` if no file is named.

    Raises ConfigurationError if they, or a file that they name, cannot be used, or if others may
    write to them.
    """
    found = path or next((place for place in PLACES if place.exists()), PLACES[-1])
    try:
        table = tomllib.loads(_read(found).decode())
    except ValueError as error:  # also UnicodeDecodeError
        raise ConfigurationError(f"{found} is not TOML", details=str(error)) from error
    mistake = _mistake(table)
    if mistake is not None:
        raise ConfigurationError(f"{found}: {mistake}")
    return _settings(table, found)


def _mistake(table: Mapping[str, Any]) -> str | None:
    """Return what is wrong with the keys, None if nothing is."""
    unknown = sorted(table.keys() - _TEXTS - _LISTS - _FLAGS - _NUMBERS)
    if unknown:
        return f"there is no key {unknown[0]}"
    missing = [name for name in _REQUIRED if not table.get(name)]
    if missing:
        return f"{missing[0]} is missing"
    for names, fine, what in (
        (_TEXTS, _is_text, "a text without line breaks"),
        (_LISTS, lambda it: isinstance(it, list) and all(map(_is_text, it)), "a list of texts"),
        (_FLAGS, lambda it: isinstance(it, bool), "true or false"),
        (_NUMBERS, lambda it: type(it) is int and it >= 0, "a number"),
    ):
        for name in sorted(names & table.keys()):
            if not fine(table[name]):
                return f"{name} is not {what}"
    if table["schema_version"] != 1:
        return "schema_version is not 1"
    if table.get("mirrors") and not table.get("destination"):
        return "mirrors needs destination: what they mirror"
    return _half_a_trust(table)


def _half_a_trust(table: Mapping[str, Any]) -> str | None:
    private = {name for name in ("fulcio_root", "rekor_key") if table.get(name)}
    ct_log = {name for name in ("ct_log_key", "without_ct_log") if table.get(name)}
    if table.get("trusted_root"):
        return "trusted_root is all the trust there is" if private | ct_log else None
    if len(private) != 2:
        return "it needs trusted_root, or fulcio_root and rekor_key, which belong together"
    if bool(table.get("ct_log_key")) == table.get("without_ct_log", False):
        return "it needs ct_log_key, or without_ct_log = true if the instance has no CT log"
    return None


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value) and value == value.strip() and value.isprintable()


def _settings(table: Mapping[str, Any], path: Path) -> AdmissionSettings:
    demanded = {name: (table[name],) for name in CLAIMS if name in table}
    if table.get("build_triggers"):
        demanded["build_trigger"] = tuple(table["build_triggers"])
    return AdmissionSettings(
        signer=Signer(
            identity=table["certificate_identity"],
            issuer=table["certificate_oidc_issuer"],
            claims=demanded,
        ),
        roots=_roots(table, lambda name: path.parent / table[name]),
        mirrors=dict.fromkeys(table.get("mirrors", ()), table.get("destination", "")),
        authority=path.parent / table["ca_bundle"] if "ca_bundle" in table else None,
        state=Path(table.get("state", STATE)),
        keep_days=table.get("keep_days", 0),
        maximum_age_days=table.get("maximum_age_days", 0),
        signed_after=table.get("signed_after", 0),
    )


def _roots(table: Mapping[str, Any], place: Callable[[str], Path]) -> TrustRoots:
    """Return all the trust in an instance of Sigstore, with the CT log that it must have."""
    instance = table["fulcio_url"]
    if "trusted_root" in table:
        source = place("trusted_root")
        return public_roots(_read(source), instance=instance, source=str(source))
    return private_roots(
        instance=instance,
        fulcio=_read(place("fulcio_root")),
        rekor=_read(place("rekor_key")),
        ct=_read(place("ct_log_key")) if "ct_log_key" in table else None,
    )


def _read(path: Path) -> bytes:
    """Return a file that decides whom we believe, if only root and we may write to it."""
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            content = file.read(LARGEST + 1) if stat.S_ISREG(status.st_mode) else b""
    except OSError as error:
        raise ConfigurationError(
            f"{path} cannot be read: {error.strerror}",
            hint="the layer `admission` of the image brings it, or write one in /etc: "
            "docs/how-to/when-a-host-refuses-an-upgrade.md",
        ) from error
    if len(content) > LARGEST:
        raise ConfigurationError(f"{path} is larger than {LARGEST} bytes")
    if status.st_uid not in {0, os.geteuid()} or status.st_mode & 0o022:
        raise ConfigurationError(f"{path} decides whom we believe, and others may write to it")
    return content
