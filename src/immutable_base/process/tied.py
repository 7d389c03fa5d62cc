"""No program outlives the process that started it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence

from immutable_base.errors import ToolMissingError

SETPRIV = "setpriv"


def tied_to_us(argv: Sequence[str]) -> tuple[str, ...]:
    """Return a command that the kernel ends when the thread that starts it ends, in whatever way.

    setpriv(1) asks for it (prctl(2), PR_SET_PDEATHSIG), and then is the program. Never a
    `preexec_fn`: code of ours between fork and exec waits for ever on a lock that another thread
    held at the fork (subprocess's documentation). Raises ToolMissingError.
    """
    setpriv = shutil.which(SETPRIV, path=os.defpath)
    if setpriv is None:
        raise ToolMissingError("`setpriv` is not installed", hint="`apt-get install util-linux`")
    return (setpriv, "--pdeathsig", "KILL", "--", *argv)
