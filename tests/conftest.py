"""What every test relies on, wherever it runs."""

import signal


def pytest_configure() -> None:
    """Heed SIGINT as in a terminal; a background job ignores it, and so would what it starts."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
