"""`immutable-base init`: a configuration and layers to edit."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path

from immutable_base.init import write_defaults

NEXT = """\
next:
  cd {folder}
  $EDITOR immutable-base.toml            # yours: registry.destination, signing.certificate_identity
  sudo -E immutable-base doctor --online # what this host lacks, what the first night would meet
  sudo -E immutable-base plan            # what a run would build, and why; builds nothing"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument(
        "folder",
        metavar="DIR",
        type=Path,
        help="folder to write to; made if it does not exist, refused if it has a configuration",
    )


def run(namespace: argparse.Namespace) -> int:
    """Write the files, and say what to do with them."""
    names = write_defaults(namespace.folder)
    print(f"wrote {', '.join(names)} to {namespace.folder}")
    print(NEXT.format(folder=shlex.quote(str(namespace.folder))))
    return 0
