"""A fleet as its how-to sets it up: the commands and units of that page, and a web server that is another user."""

from __future__ import annotations

import re
import stat
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from support.command_blocks import marked_block
from support.paths import ROOT
from support.web import Reply

PAGE = ROOT / "docs/how-to/admit-for-a-fleet.md"
IMAGE = "registry.example/os/base:latest"
"""What stands there for a reader's own."""
COMMANDS = marked_block("how-to/admit-for-a-fleet.md", "tests/lab/test_fleet.py")
"""What the page has a machine type that shall admit."""
STATE = "srv/admission"
SETTINGS = "/etc/immutable-base/fleet/admission.toml"
UNIT = re.compile(r"^# /etc/systemd/system/(?P<name>\S+)\n(?P<text>(?:[^`\n].*\n)+)", re.MULTILINE)


def units() -> dict[str, str]:
    """Return the page's units by name."""
    return {found["name"]: found["text"] for found in UNIT.finditer(PAGE.read_text())}


@dataclass(frozen=True)
class Served:
    """What a web server answers whose root is a folder, and who is another user than its owner."""

    folder: Path

    def __call__(self, path: str) -> Reply:
        """Answer one request."""
        found = self.folder / unquote(path).lstrip("/")
        if ".." in found.parts:
            return Reply(b"", 400)
        if not found.is_file():
            return Reply(b"not here", 404)
        above = [it for it in found.parents if it.is_relative_to(self.folder.parent)]
        others = found.stat().st_mode & stat.S_IROTH
        if not others or not all(it.stat().st_mode & stat.S_IXOTH for it in above):
            return Reply(b"forbidden", 403)
        return Reply(found.read_bytes())
