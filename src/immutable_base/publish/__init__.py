"""Push by digest, sign, attest, verify; only then move tags."""
