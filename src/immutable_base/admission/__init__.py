"""Keyless admission: what the pipeline's identity has signed, the host admits by a key of its own.

The container tools of a host cannot match the identity in a GitLab certificate. So this program
verifies it, and signs what it admits by a key of the host, which policy.json requires. It runs on
hosts, on the system's Python: modules here import the standard library, `cryptography`,
`immutable_base.verification`, `immutable_base.model.reference` and `immutable_base.errors` only.
Read in this order: `decide`, `signature`, `lookaside`, `admit`; docs/explanation/host-admission.md.
"""
