"""Where an image has its things, as paths below its root."""

from __future__ import annotations

from pathlib import Path

MODULES = Path("usr/lib/modules")
"""One folder for each kernel, with its vmlinuz and its modules."""
