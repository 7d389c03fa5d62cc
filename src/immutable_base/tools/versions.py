"""The versions of programs that are accepted in some versions only."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from immutable_base.process import Runner
from immutable_base.tools import cosign, syft
from immutable_base.tools.pins import Version

ASK_VERSION: Mapping[str, Callable[[Runner, str], Version]] = {
    "cosign": cosign.version,
    "syft": syft.version,
}
"""How each pinned program is asked for its version: a runner, and the program's name or path."""
