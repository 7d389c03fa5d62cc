"""Nightly, signed, immutable bootc images with kernel modules compiled ahead.

Start with `immutable_base.cli.main`, then ARCHITECTURE.md.
"""
