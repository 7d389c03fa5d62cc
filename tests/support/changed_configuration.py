"""Configurations of the lab with something changed."""

from __future__ import annotations

from pathlib import Path

ONE_KERNEL = ("allow_up = true", "allow_up = false")
"""Both variants with modules land on one kernel, so that OpenZFS is compiled once.

With the lab's own configuration each lands on one of its own, the one upwards and the other
downwards. Where no kernel may go up, both go down to the same.
"""

NO_BOOTS = ('policy = "required"', 'policy = "off"')
"""Nothing is started as a machine."""


def change_configuration(source: Path, folder: Path, *replacements: tuple[str, str]) -> Path:
    """Write a copy of a configuration with texts replaced, its layers beside it; return its path."""
    text = source.read_text()
    for old, new in replacements:
        assert old in text, old
        text = text.replace(old, new)
    path = folder / source.name
    path.write_text(text)
    (folder / "layers").symlink_to(source.parent / "layers")
    return path
