"""The corpus, first part: who signed what, when, and how it is attached. Negative cases first.

Names in brackets are the defects that the cases would have found: S1 to S16, as in
docs/explanation/trust-model.md.
"""

from support import (  # noqa: F401  each adds its cases
    certificate_cases,
    log_cases,
    signature_tag_cases,
    signed_text_cases,
)
from support.signature_corpus import CASES, TEXTS

__all__ = ["CASES", "TEXTS"]
