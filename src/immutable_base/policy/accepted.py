"""What the hosts of an image take next, in words of a label, and what a publication offers. Pure.

A host goes by the image that it runs. What is signed otherwise than that image demands is refused
by every host on it, for ever: nobody reaches them any more but at their consoles.
"""

from __future__ import annotations

from collections.abc import Mapping

from immutable_base.config.schema import Settings
from immutable_base.policy.demands import variant_admits, variant_demands
from immutable_base.policy.host_trust import HostTrust
from immutable_base.policy.public_key import fingerprint
from immutable_base.verification.policy import Signer

HOSTS_ACCEPT = "io.immutable-base.hosts-accept"
"""Label of an image: whose next images its hosts take."""
BETWEEN, AND, OR, ALSO = ", ", " with ", " or ", "; "
"""Between those of which hosts take any one; before each demand of a signer's job; between what
fulfils it; between what must hold at once. No key, URL or ref that is demanded holds a space."""


def accepted(trust: HostTrust, signer: Signer, *, admits: bool) -> str:
    """Return the label of an image whose hosts demand what `trust` says.

    `admits`: whether they have the admission program, which stands before automatic upgrades also
    where a key is demanded. No key where a fleet's machine admits: it signs, and no publication.
    """
    keys = () if trust.lookaside else trust.keys
    said = [BETWEEN.join(_key(key.pem) for key in keys)] if keys else []
    if admits or not trust.keys:
        demands = (f"{name} {OR.join(values)}" for name, values in sorted(signer.claims.items()))
        said.append(AND.join((_signer(signer), *demands)))
    return ALSO.join(said)


def variants_accept(settings: Settings, trust: HostTrust, signer: Signer) -> dict[str, str]:
    """Return the label of each variant whose hosts demand signatures."""
    return {
        name: accepted(trust, signer, admits=variant_admits(settings, name))
        for name in settings.variants
        if variant_demands(settings, name)
    }


def offered(signer: Signer, key: str | None) -> frozenset[str]:
    """Return what a publication is signed by, in the same words; `key` is a PEM."""
    return frozenset({_signer(signer)} | ({_key(key)} if key is not None else set()))


def is_refused(label: str, offer: frozenset[str], claims: Mapping[str, str] | None = None) -> bool:
    """Tell whether hosts with this label take nothing of an offer; empty: they demand nothing.

    `claims` are what the certificate says of the job; None: nobody knows yet.
    """
    return bool(label) and not all(
        any(_takes(it, offer, claims) for it in one_of.split(BETWEEN))
        for one_of in label.split(ALSO)
    )


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
