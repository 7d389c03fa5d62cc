"""The rules about policy.json itself. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from immutable_base.policy.host_trust import HostTrust, Scope
from immutable_base.policy.render import (
    ANYTHING,
    LOCAL,
    NEEDED_LOCAL,
    POLICY,
    REJECT,
    SHARED_POLICY,
    demand,
)
from immutable_base.verification.skipped import Skipped
from immutable_base.verification.strict import parse_json

Finding = tuple[str, str]
KNOWN_KEYS = {
    "insecureAcceptAnything": frozenset({"type"}),
    "reject": frozenset({"type"}),
    "signedBy": frozenset(
        {"type", "keyType", "keyPath", "keyPaths", "keyData", "signedIdentity"}
    ),
    "sigstoreSigned": frozenset(
        {
            "type", "keyPath", "keyPaths", "keyData", "keyDatas", "fulcio", "pki",
            "rekorPublicKeyPath", "rekorPublicKeyPaths", "rekorPublicKeyData",
            "rekorPublicKeyDatas", "signedIdentity",
        }
    ),
}  # fmt: skip
"""Keys of each kind of requirement; any other one makes the whole file unreadable."""
SOURCES = ("keyPath", "keyPaths", "keyData", "keyDatas", "fulcio", "pki")
"""Of these a `sigstoreSigned` has exactly one."""
ANY_TAG = frozenset({"matchRepository", "exactRepository"})


def lint_policy(files: Mapping[str, str], trust: HostTrust) -> Iterator[Finding]:
    """Yield what is wrong with the policy.json that counts: a rule's name, and a sentence."""
    text = files.get(POLICY, files.get(SHARED_POLICY))
    if text is None:
        yield "no-policy", f"there is no /{POLICY}: hosts take nothing, or anything"
        return
    try:
        document = parse_json(text.encode(), "it")
    except Skipped as one:
        yield "policy-unreadable", f"/{POLICY} cannot be read: {one.reason}"
        return
    policy = _PolicyDocument.of(document)
    if policy is None:
        yield "policy-unreadable", f"/{POLICY} has another form than containers-policy.json(5) says"
        return
    yield from _shapes(policy)
    yield from _scopes(policy, trust)
    if trust.whole:
        yield from _catch_all(policy)
        yield from _local(policy)
        yield from _strangers(policy, trust)


class _PolicyDocument:
    """A policy.json whose form is that of one."""

    def __init__(self, default: list[Any], transports: dict[str, dict[str, list[Any]]]) -> None:
        self.default, self.transports = default, transports

    @classmethod
    def of(cls, document: object) -> _PolicyDocument | None:
        if not isinstance(document, dict) or not set(document) <= {"default", "transports"}:
            return None
        default, transports = document.get("default"), document.get("transports", {})
        if not _is_list_of_tables(default) or not isinstance(transports, dict):
            return None
        for scopes in transports.values():
            if not isinstance(scopes, dict) or not all(map(_is_list_of_tables, scopes.values())):
                return None
        return cls(list(default or ()), transports)

    def requirements(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Yield every requirement with where it stands."""
        yield from (("default", item) for item in self.default)
        for transport, scopes in self.transports.items():
            for scope, items in scopes.items():
                yield from ((f"{transport} '{scope}'", item) for item in items)


def _is_list_of_tables(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(it, dict) for it in value)


def _shapes(policy: _PolicyDocument) -> Iterator[Finding]:
    """What a skopeo does not read, and what can never match a pipeline's certificate."""
    for where, item in policy.requirements():
        kind = str(item.get("type"))
        known = KNOWN_KEYS.get(kind)
        if known is None:
            yield "unknown-requirement", f"{where}: no containers/image knows the type '{kind}'"
            continue
        if foreign := sorted(set(item) - known):
            yield "unknown-key", f"{where}: {', '.join(foreign)}: it makes the file unreadable"
        given = [name for name in SOURCES if name in item]
        if kind == "sigstoreSigned" and len(given) != 1:
            yield "key-sources", f"{where}: exactly one of {', '.join(SOURCES)}, not {len(given)}"
        if "fulcio" in item:
            yield (
                "fulcio-cannot-match",
                f"{where}: it compares e-mail addresses, and a pipeline's certificate has a URI",
            )


def _catch_all(policy: _PolicyDocument) -> Iterator[Finding]:
    """What bootc looks at, and what it does not."""
    if policy.default != [REJECT]:
        yield "default-accepts", "`default` is not `reject` alone: what nobody names is taken"
    for transport, scopes in policy.transports.items():
        if transport not in LOCAL and "" in scopes and REJECT not in scopes[""]:
            yield (
                "catch-all",
                f"{transport} '' takes what nobody names; bootc looks at `default` only",
            )
        for scope, items in scopes.items():
            if transport not in LOCAL and scope.startswith("*.") and ANYTHING in items:
                yield "catch-all", f"{transport} '{scope}' takes whatever lies on many hosts"


def _scopes(policy: _PolicyDocument, trust: HostTrust) -> Iterator[Finding]:
    """Each of our scopes demands what the configuration says, and so does whatever lies in it."""
    docker = policy.transports.get("docker", {})
    for scope in trust.scopes:
        found = docker.get(scope.name)
        if found is None:
            yield "scope-missing", f"docker '{scope.name}' is not named"
        else:
            yield from _demands(found, trust, scope)
        for name, items in docker.items():
            if name.startswith((f"{scope.name}/", f"{scope.name}:", f"{scope.name}@")):
                yield from _narrower(name, items, trust, scope)
    for transport, scopes in policy.transports.items():
        if transport not in LOCAL and transport != "docker" and any(map(_opens, scopes.values())):
            yield "other-transport", f"{transport} takes unsigned images from a registry, too"


def _narrower(name: str, items: list[Any], trust: HostTrust, scope: Scope) -> Iterator[Finding]:
    """What counts for a part of one of our scopes, in its stead."""
    if not _is_signed(items):
        yield "scope-opened", f"docker '{name}' lies in {scope.name} and demands nothing"
        return
    ours = name in {it.name for it in trust.scopes} or items == [demand(trust, scope)]
    if not ours and REJECT not in items:
        yield "scope-differs", f"docker '{name}' lies in {scope.name} and demands something else"


def _demands(found: list[Any], trust: HostTrust, scope: Scope) -> Iterator[Finding]:
    if found == [demand(trust, scope)]:
        return
    kinds = ", ".join(str(item.get("type")) for item in found)
    where = f"docker '{scope.name}'"
    if not _is_signed(found):
        yield "scope-accepts", f"{where}: {kinds}, no signature is demanded"
        return
    for item in found:
        identity = item.get("signedIdentity")
        kind = identity.get("type") if isinstance(identity, dict) else None
        if kind in ANY_TAG:
            yield "any-tag", f"{where}: {kind} takes an image of the repository under any tag"
        paths = item.get("keyPaths") or [item.get("keyPath")]
        for path in paths if isinstance(paths, list) else ():
            if isinstance(path, str) and path.startswith("/etc/") and trust.keys:
                yield "key-in-etc", f"{where}: {path}: a host that has changed it keeps it for ever"
    yield "scope-differs", f"{where}: not what the configuration demands"


def _local(policy: _PolicyDocument) -> Iterator[Finding]:
    for transport in NEEDED_LOCAL:
        demanded = policy.transports.get(transport, {}).get("", policy.default)
        if demanded != [ANYTHING]:
            yield (
                "local-refused",
                f"{transport}: an image that root has put there is refused; bootc cannot install",
            )


def _strangers(policy: _PolicyDocument, trust: HostTrust) -> Iterator[Finding]:
    """What the configuration lets in unsigned must not be, or hold, ours."""
    del policy
    for name in trust.unsigned:
        for scope in trust.scopes:
            if f"{name}/".startswith(f"{scope.name}/") or f"{scope.name}/".startswith(f"{name}/"):
                yield "unsigned-ours", f"accept_unsigned names {name}, where {scope.name} lies"


def _is_signed(items: list[Any]) -> bool:
    return any(item.get("type") in {"sigstoreSigned", "signedBy", "reject"} for item in items)


def _opens(items: list[Any]) -> bool:
    return not _is_signed(items)
