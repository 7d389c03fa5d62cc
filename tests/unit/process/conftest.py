"""No test of processes leaves one behind, even if it fails."""

import contextlib
import os
import signal

import pytest

from support.processes import processes_with


@pytest.fixture(autouse=True)
def nothing_stays(tmp_path):
    """End what a test that failed has left."""
    yield
    for pid in processes_with(str(tmp_path)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
