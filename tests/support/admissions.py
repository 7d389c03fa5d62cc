"""Admissions, by number."""

from immutable_base.admission.decide import Admission
from support.forge import NOW

REFERENCE = "registry.example/os/base:latest"


def admission(number=1, **changes):
    """Return one; a higher number was signed and admitted later."""
    values = {
        "reference": REFERENCE,
        "digest": f"sha256:{number:064x}",
        "signed_at": NOW + number,
        "admitted_at": NOW + number,
        **changes,
    }
    return Admission(**values)
