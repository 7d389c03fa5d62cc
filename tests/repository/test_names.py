"""One name for one thing."""

import ast
import re
from collections import defaultdict

from support.paths import ROOT

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


def lines_with(pattern):
    """Return place and text of every line of code that the pattern matches."""
    return [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in SOURCES
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if re.search(pattern, line)
    ]


def test_an_error_is_written_where_it_is_raised():
    assert lines_with(r"^\s+msg = |\braise \w+\(msg\b") == []


def test_there_is_one_way_of_importing():
    assert lines_with(r"\bTYPE_CHECKING\b") == []


def test_public_texts_use_the_words_of_the_glossary():
    """Each of these had a term of the field; the glossary in CONTRIBUTING.md has it."""
    private = r"\b(mend|mends|mended|tonight's|by another way|has it not|forget_seen)\b"
    assert lines_with(private) == []
