"""What an image's signature and SBOM prove, decided by ourselves, byte for byte.

Modules here import the standard library, `cryptography` and `immutable_base.errors` only, because
the same code runs on hosts, on the system's Python. Why it is our own, and where it differs from
cosign: docs/explanation/trust-model.md.
"""
