"""A plugin of pytest's that prints every test that was collected, with its marks, as one line of JSON."""

import json

import pytest


def pytest_collection_finish(session: pytest.Session) -> None:
    """Print it when all were found."""
    marks = {item.nodeid: sorted({it.name for it in item.iter_markers()}) for item in session.items}
    print(json.dumps(marks))
