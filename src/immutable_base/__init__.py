"""Nightly, signed, immutable bootc images with kernel modules compiled ahead.

To use it as a library: `immutable_base.api`. To read it: start with `immutable_base.cli.main`, then
ARCHITECTURE.md.
"""
