"""One name for one thing."""

import ast
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCES = sorted([*(ROOT / "src").rglob("*.py"), *(ROOT / "lab/src").rglob("*.py")])


def class_names():
    """Return every class name, without the underscore of private ones, and the modules that have it."""
    found = defaultdict(list)
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                found[node.name.lstrip("_")].append(str(path.relative_to(ROOT)))
    return found


def test_no_two_classes_share_a_name():
    shared = {name: places for name, places in class_names().items() if len(places) > 1}
    assert shared == {}
