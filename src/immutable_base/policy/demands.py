"""Whether the hosts of an image demand signatures at all. Pure.

They can where a key signs, where another machine admits for them, or where they have the admission
program. Elsewhere an image leaves the base's policy as it is: one that demands what nobody makes
would refuse every update for ever.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from immutable_base.config.schema import Settings
from immutable_base.policy.render import POLICY, SHARED_POLICY

ADMISSION_LAYER = "admission"
"""The layer with the program that verifies keyless signatures on hosts."""
NOT_DEMANDED = (
    "without a key (signing.keys), a machine that admits (signing.fleet) and the layer `admission` "
    "a host cannot check who signed; signing.accept_everything says that this is meant"
)
BY_CHOICE = (
    "not demanded, by signing.accept_everything: a host cannot check who signed, and the base's "
    "policy stays as it is"
)


def variant_demands(settings: Settings, variant: str) -> bool:
    """Tell whether the hosts of a variant demand that images are signed."""
    return bool(settings.signing.host_key_paths) or variant_admits(settings, variant)


def variant_admits(settings: Settings, variant: str) -> bool:
    """Tell whether the hosts of a variant have the admission program."""
    found = settings.variants.get(variant)
    return found is not None and ADMISSION_LAYER in found.layers


def refuses_by_default(files: Mapping[str, str]) -> bool:
    """Tell whether an image's policy refuses what it does not name; `files` by path."""
    text = files.get(POLICY, files.get(SHARED_POLICY, ""))
    try:
        default = json.loads(text)["default"]
        return any(demand["type"] == "reject" for demand in default)
    except (ValueError, TypeError, LookupError, RecursionError):
        return False
