"""Commands that mount images run in namespaces of their own, as root.

So no mount and no process outlives them, however they end.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence


def must_be_contained() -> bool:
    """Tell whether this process is root's, and in no namespaces of its own yet."""
    from immutable_base.process import is_contained  # noqa: PLC0415  `--help` starts no program

    return os.geteuid() == 0 and not is_contained()


def run_again_contained(arguments: Sequence[str]) -> int:
    """Run this command line once more, in namespaces of its own, and return its exit code."""
    from immutable_base.process import run_contained  # noqa: PLC0415  as above

    return run_contained([sys.executable, "-m", "immutable_base", *arguments])
