"""A machine in another time zone."""

import contextlib
import os
import time


@contextlib.contextmanager
def in_zone(name: str):
    """Let this process live in a zone, as a machine set to it would."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = name
    time.tzset()
    try:
        yield
    finally:
        os.environ.pop("TZ")
        if before is not None:
            os.environ["TZ"] = before
        time.tzset()
