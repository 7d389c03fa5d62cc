"""`python -m immutable_base` and the console script; the only place that exits."""

from __future__ import annotations

import sys

from immutable_base.cli.main import main


def entry_point() -> None:
    """Run the command line and exit with its code."""
    sys.exit(main(sys.argv[1:]))


if __name__ == "__main__":
    entry_point()
