"""One limit for the whole, whatever hangs."""

import threading
import time

import pytest

from immutable_base.errors import BrokenProofError, CommandError, RemoteError
from immutable_base.verification.deadline import Deadline


def test_what_is_ready_in_time_is_returned():
    assert Deadline(seconds=5).hold(lambda: 7) == 7


@pytest.mark.parametrize("error", [BrokenProofError("x"), KeyboardInterrupt(), MemoryError()])
def test_an_error_is_the_callers(error):
    def work():
        raise error

    with pytest.raises(type(error)) as caught:
        Deadline(seconds=5).hold(work)
    assert caught.value is error


def test_what_never_ends_is_not_waited_for():
    never = threading.Event()
    began = time.monotonic()
    with pytest.raises(RemoteError, match=r"did not answer in full within 0\.2 s"):
        Deadline(seconds=0.2).hold(never.wait)
    assert time.monotonic() - began < 1
    never.set()


def test_time_that_is_over_is_over():
    deadline = Deadline(seconds=0.01)
    time.sleep(0.02)
    with pytest.raises(RemoteError, match="did not answer in full within"):
        deadline.remaining()
    with pytest.raises(RemoteError, match="did not answer in full within"):
        deadline.hold(lambda: 7)


def test_an_interrupted_run_does_not_wait_for_a_registry_that_hangs():
    never, interrupted = threading.Event(), threading.Event()
    threading.Timer(0.1, interrupted.set).start()
    began = time.monotonic()
    with pytest.raises(CommandError, match="is being interrupted"):
        Deadline(seconds=60, interrupted=interrupted.is_set).hold(never.wait)
    assert time.monotonic() - began < 2
    never.set()
