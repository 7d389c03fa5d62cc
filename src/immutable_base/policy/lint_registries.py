"""The rules about registries.d and registries.conf: where signatures are looked for, and how. Pure.

Sources: containers-registries.d(5), containers-registries.conf(5), and image/docker of
containers/container-libs: what is read from a lookaside is read by the client of the registry.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

from immutable_base.config.trust import SECURE_URL
from immutable_base.policy.host_trust import HostTrust
from immutable_base.policy.registries_file import (
    NotUnderstoodError,
    RegistriesFile,
    read_registries,
)

Finding = tuple[str, str]
LOOKASIDE = frozenset({"lookaside", "sigstore"})
"""Where signatures are read; `sigstore` is the earlier name."""
REGISTRIES = re.compile(r"(etc|usr/share)/containers/registries(\.rootful)?\.d/[^/]+\.yaml")
REGISTRIES_CONF = re.compile(
    r"(etc|usr/share)/containers/registries(\.conf|(\.rootful)?\.conf\.d/[^/]+\.conf)"
)


def lint_registries(files: Mapping[str, str], trust: HostTrust) -> Iterator[Finding]:
    """Yield what is wrong with these files: a rule's name, and a sentence."""
    places: dict[str, RegistriesFile] = {}
    for file, text in sorted(files.items()):
        if not REGISTRIES.fullmatch(file):
            continue
        try:
            places[file] = read_registries(text)
        except NotUnderstoodError as error:
            yield "registries-not-understood", f"/{file}: {error}: hosts may read what we do not"
    yield from _namespaces(places, trust)
    for file, found in places.items():
        for it in found.said:
            if it.key in LOOKASIDE and _is_open(it.value):
                yield (
                    "lookaside-not-https",
                    f"/{file}: {it.value}: whoever is on the way can bring back what has ended",
                )
    if trust.lookaside:
        yield from _unchecked(files, trust)


def _is_open(url: str) -> bool:
    return url.startswith("http:") and not re.fullmatch(SECURE_URL, url)


def _namespaces(places: Mapping[str, RegistriesFile], trust: HostTrust) -> Iterator[Finding]:
    """Each of our scopes says where its signatures lie, and nothing says otherwise."""
    own = places.get(trust.registries_file)
    ours = {scope.name for scope in trust.scopes}
    named: dict[str, list[str]] = {}
    for file, found in places.items():
        for name in found.namespaces:
            named.setdefault(name, []).append(file)
    for scope in (it.name for it in trust.scopes):
        if own is None or own.of(scope) != trust.where:
            wanted = " and ".join(f"{key}: {value}" for key, value in trust.where.items())
            yield "signatures-not-read", f"/{trust.registries_file} lacks {scope}: {wanted}"
        for name, where in sorted(named.items()):
            # Of one tag or digest, too: source: image/docker/registries_d.go, signatureTopLevel.
            inside = name.startswith((f"{scope}/", f"{scope}:", f"{scope}@"))
            if inside and name not in ours:
                yield "narrower-registries", f"{name} in /{where[0]} counts instead of {scope}"
    for name, where in sorted(named.items()):
        if len(where) > 1:
            listed = " and /".join(where)
            yield "namespace-twice", f"{name} is in /{listed}: an error for all images"


def _unchecked(files: Mapping[str, str], trust: HostTrust) -> Iterator[Finding]:
    """Where a registry's TLS certificate is not looked at, that of its lookaside is not either."""
    for file, text in sorted(files.items()):
        for prefix in _insecure(text) if REGISTRIES_CONF.fullmatch(file) else ():
            for scope in trust.scopes:
                if _overlap(prefix, scope.name):
                    yield (
                        "lookaside-unchecked",
                        f"/{file}: `insecure` for {prefix} counts for the lookaside, too",
                    )


def _insecure(text: str) -> Iterator[str]:
    """Yield what registries.conf calls insecure; one that is no TOML the image's skopeo refuses."""
    try:
        tables: Any = tomllib.loads(text).get("registry", [])
    except tomllib.TOMLDecodeError:
        return
    for table in tables if isinstance(tables, list) else ():
        if isinstance(table, dict) and table.get("insecure") is True:
            yield str(table.get("prefix") or table.get("location") or "")


def _overlap(prefix: str, scope: str) -> bool:
    if prefix.startswith("*."):
        return scope.partition("/")[0].endswith(prefix[1:])
    return f"{scope}/".startswith(f"{prefix}/") or f"{prefix}/".startswith(f"{scope}/")
