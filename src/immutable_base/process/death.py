"""No program outlives the process that started it."""

from __future__ import annotations

import ctypes
import signal

PR_SET_PDEATHSIG = 1  # linux/prctl.h
_libc = ctypes.CDLL(None, use_errno=True)


def die_with_parent() -> None:
    """Let the kernel end this process when its parent ends, in whatever way; prctl(2)."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
