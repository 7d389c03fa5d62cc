"""Whose images a host accepts: whether one policy.json is as strict as another. Pure.

Source: containers-policy.json(5). Requirements of a scope are all demanded, so more of them are
stricter; `reject` is the strictest, `insecureAcceptAnything` demands nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

ANYTHING = {"type": "insecureAcceptAnything"}
REJECT = {"type": "reject"}


def policy_objections(base: str, image: str) -> tuple[str, ...]:
    """Return where the image's policy accepts what the base's does not, one line each."""
    try:
        before, after = _Policy(base), _Policy(image)
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError) as error:
        return () if base == image else (f"it cannot be read: {error}",)
    return tuple(
        f"{transport or 'default'}{f' {scope}' if scope else ''}: {_text(new)}, "
        f"in the base {_text(old)}"
        for transport, scope in sorted({*before.scopes(), *after.scopes(), ("", "")})
        if not _is_as_strict(
            new := after.demands(transport, scope), old := before.demands(transport, scope)
        )
    )


class _Policy:
    """A policy that was read; raises ValueError, TypeError or AttributeError if it is none."""

    def __init__(self, text: str) -> None:
        document: dict[str, Any] = json.loads(text)
        self.default: list[Any] = list(document["default"])
        self.transports: dict[str, dict[str, list[Any]]] = {
            str(transport): {str(scope): list(demands) for scope, demands in scopes.items()}
            for transport, scopes in document.get("transports", {}).items()
        }

    def scopes(self) -> Iterator[tuple[str, str]]:
        """Yield every scope that has requirements of its own."""
        for transport, scopes in self.transports.items():
            yield from ((transport, scope) for scope in scopes)

    def demands(self, transport: str, scope: str) -> list[Any]:
        """Return what is demanded of images in a scope: its own, a wider one's, or the default."""
        scopes = self.transports.get(transport, {})
        for wider in _wider(scope):
            if wider in scopes:
                return scopes[wider]
        return self.default


def _wider(scope: str) -> Iterator[str]:
    """Yield a scope and those that hold it: namespaces, hosts, wildcards of hosts, all."""
    yield scope
    rest = scope
    while "/" in rest:
        rest = rest.rpartition("/")[0]
        yield rest
    host = rest
    while "." in host:
        host = host.removeprefix("*.").partition(".")[2]
        yield f"*.{host}"
    yield ""


def _is_as_strict(new: list[Any], old: list[Any]) -> bool:
    return REJECT in new or all(demand in new for demand in old if demand != ANYTHING)


def _text(demands: list[Any]) -> str:
    kinds = (str(it.get("type")) if isinstance(it, dict) else str(it) for it in demands)
    return " and ".join(kinds) or "nothing"
