"""Servers, certificates and keys for the tests of every room."""

from support.trust_fixtures import certificate, direct, secure_site, signers, site

__all__ = ["certificate", "direct", "secure_site", "signers", "site"]
