"""The corpus, second part: SBOM attestations. What is used must be what was signed, byte for byte."""

from support import attested_by_cases, envelope_cases, statement_cases  # noqa: F401  they add cases
from support.attestation_corpus import CASES, OTHER

__all__ = ["CASES", "OTHER"]
