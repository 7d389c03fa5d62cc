"""Whom this machine trusts."""

from __future__ import annotations

from immutable_base.errors import printable
from immutable_base.verification.roots import TrustRoots
from immutable_base.verification.verify_image import moment


def trust_text(roots: TrustRoots, *, until: str | None) -> str:
    """Return the trust in an instance, one fact a line; `until` is when an update is due."""
    lines = [f"instance  {roots.instance}", f"source    {trust_source(roots)}"]
    if until is not None:
        lines.append(f"until     {until}: then `immutable-base trust update` is due")
    return (
        "\n".join(map(printable, (*lines, *(f"          {x}" for x in roots.fingerprints)))) + "\n"
    )


def trust_source(roots: TrustRoots) -> str:
    """Return where the trust was read, and of what date it is."""
    return roots.source if roots.dated is None else f"{roots.source}, of {moment(roots.dated)}"
