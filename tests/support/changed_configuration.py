"""Configurations of the lab with something changed."""

from __future__ import annotations

from pathlib import Path

from immutable_base.workspace import write_atomically
from immutable_base_lab.core.files import point_to

ONE_KERNEL = ("allow_up = true", "allow_up = false")
"""Both variants with modules land on one kernel, so that OpenZFS is compiled once.

With the lab's own configuration each lands on one of its own, the one upwards and the other
downwards. Where no kernel may go up, both go down to the same.
"""

NO_BOOTS = ('policy = "required"', 'policy = "off"')
"""Nothing is started as a machine."""


def change_configuration(source: Path, folder: Path, *replacements: tuple[str, str]) -> Path:
    """Write a copy of a configuration with texts replaced, its layers beside it; return its path.

    It may be there and be read at this moment, by tests that go beside these.
    """
    text = source.read_text()
    for old, new in replacements:
        assert old in text, old
        text = text.replace(old, new)
    path = folder / source.name
    write_atomically(path, text)
    point_to(folder / "layers", source.parent / "layers")
    return path
