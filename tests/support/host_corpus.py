"""The verifier's corpus as a host meets it: each case is an image that the host would like to pull."""

from __future__ import annotations

import datetime as dt
import time

from immutable_base.admission.decide import Admission
from support import attestation_cases, registry_cases, signature_cases

WITHOUT = {
    "registry: signed as another repository, and asked so",
    "registry: asked for as another repository than signed",
}
"""`--signed-as` is a question of a person to `verify`; a host has `mirrors`."""
CORPORA = {
    "signature": signature_cases.CASES,
    "attestation": attestation_cases.CASES,
    "registry": registry_cases.CASES,
}
CASES = {
    f"{corpus}: {name}": case
    for corpus, cases in CORPORA.items()
    for name, case in cases.items()
    if f"{corpus}: {name}" not in WITHOUT
}
"""By corpus and name: what spoils a scene, what `verify` then ends with, and words of its error.

What `verify` says of provenance and full SBOM is not here: no host asks for them.
"""


def apply_arguments(host, scene):
    """Say in a host's words what the arguments of `verify` demand beyond the configuration."""
    if not scene.arguments:
        return
    option, value = scene.arguments
    if option == "--not-older-than":
        host.settings["maximum_age_days"] = int(value.removesuffix("d"))
        return
    assert option == "--signed-after"
    earlier = Admission(
        reference=scene.reference,
        digest="sha256:" + "7" * 64,
        signed_at=int(dt.datetime.fromisoformat(value).timestamp()),
        admitted_at=int(time.time()),
    )
    host.remember(earlier)
