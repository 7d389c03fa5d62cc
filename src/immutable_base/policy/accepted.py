"""What the hosts of an image take next, in words of a label, and what a publication offers. Pure.

A host goes by the image that it runs. What is signed otherwise than that image demands is refused
by every host on it, for ever: nobody reaches them any more but at their consoles.
"""

from __future__ import annotations

from collections.abc import Mapping

from immutable_base.policy.host_trust import HostTrust
from immutable_base.policy.public_key import fingerprint
from immutable_base.verification.policy import Signer

HOSTS_ACCEPT = "io.immutable-base.hosts-accept"
"""Label of an image: whose next images its hosts take, any one of them."""
BETWEEN, AND, OR = ", ", " with ", " or "
"""Between those that hosts take; before each demand of a signer's job; between what fulfils it. No
key, URL, ref or other value that is demanded holds a space."""


def accepted(trust: HostTrust, signer: Signer) -> str:
    """Return the label of an image whose hosts demand what `trust` says.

    Empty where a fleet's machine admits: its key signs, and no publication does.
    """
    if trust.lookaside:
        return ""
    if trust.keys:
        return BETWEEN.join(_key(key.pem) for key in trust.keys)
    demands = (f"{name} {OR.join(values)}" for name, values in sorted(signer.claims.items()))
    return AND.join((_signer(signer), *demands))


def offered(signer: Signer, key: str | None) -> frozenset[str]:
    """Return what a publication is signed by, in the same words; `key` is a PEM."""
    return frozenset({_signer(signer)} | ({_key(key)} if key is not None else set()))


def is_refused(label: str, offer: frozenset[str], claims: Mapping[str, str] | None = None) -> bool:
    """Tell whether hosts with this label take nothing of an offer; empty: they demand nothing.

    `claims` are what the certificate says of the job; None: nobody knows yet.
    """
    return bool(label) and not any(_takes(it, offer, claims) for it in label.split(BETWEEN))


def _takes(one: str, offer: frozenset[str], claims: Mapping[str, str] | None) -> bool:
    who, *demands = one.split(AND)
    if who not in offer:
        return False
    told = [demand.partition(" ") for demand in demands]
    return claims is None or all(claims.get(name) in values.split(OR) for name, _, values in told)


def _key(pem: str) -> str:
    return f"key sha256:{fingerprint(pem)}"


def _signer(signer: Signer) -> str:
    return f"signer {signer.identity} of {signer.issuer}"
