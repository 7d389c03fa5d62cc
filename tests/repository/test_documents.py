"""What the documents name is there: links, paths, commands with their options, make targets, names in the code."""

import argparse
import re
import shlex
import subprocess
import tomllib
from functools import cache
from pathlib import Path

import pytest

from immutable_base.cli.main import all_commands, build_parser
from support.paths import ROOT

ROOMS = (ROOT, ROOT / "src/immutable_base", ROOT / "lab/src/immutable_base_lab")
"""A path in a document starts at the checkout, at one of the two packages, or at the document."""
MADE_BY_A_RUN = (
    "tonight/", "log/", "keys/", "trust/",
    "repodata/", "packages/", "local/", "bin/",
)  # fmt: skip
"""In a workspace, in the lab's state, in a repository of packages, in the input of a build step."""
ELSEWHERE = re.compile(r"[/~$]|(?:etc|usr|var)/|[\w-]+\.(?:com|io|org|example|invalid)/")
"""Starts of absolute paths, of paths in an image, and of references of images."""
PATH = re.compile(r"(?:[\w.<>*+-]+/)+(?:[\w.<>*+-]+\.[a-z]\w*)?")
TOP = {path.name for path in ROOT.iterdir() if path.is_dir()}
INSIDE = re.compile(r"([\w.-]+)(?:/[\w.<>*+-]+)+")
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
COMMAND = re.compile(r"immutable-base((?: +(?:\"[^\"]*\"|[^\s`\"'|;()\[\]#\\]+))+)")
GENERATED = "<!-- Made by scripts/generate.py"


@cache
def files():
    """Return every file of the checkout, relative to it, that git does not ignore."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    names = sorted(filter(None, listing.stdout.decode().split("\0")))
    return [Path(name) for name in names if (ROOT / name).is_file()]


def documents():
    return [ROOT / name for name in files() if name.suffix == ".md"]


def for_each(*without):
    """Run a test for each document but those of these names."""
    chosen = [path for path in documents() if path.name not in without]
    return pytest.mark.parametrize("document", chosen, ids=lambda path: str(path.relative_to(ROOT)))


def code(document):
    """Return what a document shows as code: blocks, with continued lines joined, and spans."""
    block = re.compile(r"^```\w*\n(.*?)^```", re.MULTILINE | re.DOTALL)
    text = document.read_text()
    blocks = [found.replace("\\\n", " ") for found in block.findall(text)]
    return [*blocks, *spans(document)]


def spans(document):
    text = re.sub(r"^```\w*\n.*?^```", "", document.read_text(), flags=re.MULTILINE | re.DOTALL)
    return re.findall(r"`([^`\n]+)`", text)


def anchors(document):
    """Return the anchors of a document's headings, as GitLab makes them."""
    headings = re.findall(r"^#+ +(.+?)\s*$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in headings}


@for_each()
def test_every_relative_link_leads_somewhere(document):
    broken = []
    for target in LINK.findall(document.read_text()):
        name, _, anchor = target.partition("#")
        path = document.parent / name if name else document
        outside = re.match(r"[a-z]+:", target)
        if not outside and not (path.exists() and (not anchor or anchor in anchors(path))):
            broken.append(target)
    assert broken == []


def test_a_how_to_can_be_read_at_a_glance():
    """What has to be explained or looked up is in docs/explanation and docs/reference."""
    lines = {path.name: len(path.read_text().splitlines()) for path in pages("how-to")}
    assert {name: number for name, number in lines.items() if not 20 <= number <= 60} == {}


def test_the_readme_leads_to_every_page():
    linked = {(ROOT / name.partition("#")[0]).resolve() for name in LINK.findall(readme())}
    rooms = ("tutorial", "how-to", "explanation", "reference")
    assert {path for room in rooms for path in pages(room)} - linked == set()


def pages(room):
    return sorted((ROOT / "docs" / room).glob("*.md"))


def readme():
    return (ROOT / "README.md").read_text()


@for_each("CHANGELOG.md")
def test_every_path_exists(document):
    missing = [
        span
        for span in (span.removeprefix("…/") for span in spans(document))
        if is_path(span) and not exists(span, document)
    ]
    assert missing == []


def is_path(span):
    if ELSEWHERE.match(span) or span.startswith((*MADE_BY_A_RUN, ".venv/")):
        return False
    inside = INSIDE.fullmatch(span)
    return bool(PATH.fullmatch(span) or (inside and inside[1] in TOP))


def exists(span, document):
    """Tell whether a path, in which `<name>` and `NAME` stand for any name, is in the repository.

    A single folder may be anywhere: its sentence tells where.
    """
    if span.count("/") == 1 and span.endswith("/"):
        return any(span[:-1] in name.parent.parts for name in files())
    pattern = re.sub(r"<[^>]*>|\bNAME\b", "*", span)
    return any(path for room in (*ROOMS, document.parent) for path in room.glob(pattern))


def mistake(words):
    """Return the first word of a command line, whole or its beginning, that the parser does not know."""
    parser = everything()
    for word in words:
        known = commands_of(parser)
        if word.startswith("-"):
            if word.partition("=")[0] not in parser._option_string_actions:
                return word
        elif known and word not in known:
            return word
        else:
            parser = known.get(word, parser)
    return None


@cache
def everything():
    return build_parser(all_commands(), all_commands())


def commands_of(parser):
    actions = (a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    return next((action.choices for action in actions), {})


@for_each()
def test_every_command_exists_with_its_options(document):
    found = [line for text in code(document) for line in COMMAND.findall(text)]
    if GENERATED in document.read_text():
        found = []
    wrong = {line: unknown for line in found if (unknown := mistake(shlex.split(line)))}
    assert wrong == {}


def test_a_command_or_an_option_that_does_not_exist_is_seen():
    assert mistake(["lab", "up", "--state", "x"]) is None
    assert mistake(["plan", "--variant=base"]) is None
    assert mistake(["lab", "sideways"]) == "sideways"
    assert mistake(["plan", "--signed"]) == "--signed"
    assert mistake(["plot"]) == "plot"


@for_each()
def test_every_make_target_exists(document):
    lines = [
        line
        for text in code(document)
        for line in re.findall(r"^make ([\w -]+)", text, re.MULTILINE)
    ]
    if GENERATED in document.read_text():
        lines = []
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {word for line in lines for word in line.split("  ")[0].split()} <= targets


@for_each("CHANGELOG.md")
def test_every_variable_is_read_or_set_by_the_code(document):
    assert set(re.findall(r"IMMUTABLE_BASE_[A-Z_]+", document.read_text())) <= variables()


@cache
def variables():
    rooms = [ROOT / name for name in ("src", "lab/src", "tests/lab", "tests/support", "bench")]
    sources = [ROOT / "Makefile", ROOT / ".gitlab-ci.yml"]
    sources += [path for room in rooms for path in room.rglob("*.py")]
    return {v for p in sources for v in re.findall(r"IMMUTABLE_BASE_[A-Z_]+", p.read_text())}


def glossary():
    """Return the term and the code spans of each row's third column."""
    text = (ROOT / "CONTRIBUTING.md").read_text().partition("\n## Glossary\n")[2]
    rows = re.findall(r"^\| (.+?) \| .+? \| (.+?) \|$", text, re.MULTILINE)[1:]
    return [(term, re.findall(r"`([^`]+)`", where)) for term, where in rows]


def test_the_glossary_is_in_alphabetical_order():
    terms = [term.lower() for term, _ in glossary()]
    assert terms
    assert terms == sorted(terms)


@pytest.mark.parametrize(("term", "where"), glossary(), ids=lambda value: str(value)[:30])
def test_what_a_term_of_the_glossary_stands_for_is_in_the_code(term, where):
    found = [path for span in where for path in files_of(span)]
    assert found
    names = [span for span in where if not files_of(span)]
    text = "\n".join(path.read_text() for path in found)
    assert [name for name in names if not defines(text, name)] == []


def files_of(span):
    pattern = re.sub(r"<[^>]*>", "*", span)
    return [path for room in ROOMS for path in room.glob(pattern) if path.is_file()]


def defines(text, name):
    """Tell whether Python's text defines a class, a function, a constant or a field."""
    return re.search(rf"^\s*(?:class {name}\b|def {name}\(|{name}\s*[:=])", text, re.MULTILINE)


def test_the_rooms_stand_in_the_order_in_which_they_may_be_imported():
    """ARCHITECTURE.md says so of its table; import-linter enforces the list in pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    contracts = project["tool"]["importlinter"]["contracts"]
    layers = [[name.strip() for name in layer.split("|")] for layer in contracts[0]["layers"]]
    place = {name: number for number, names in enumerate(layers) for name in names}
    text = (ROOT / "ARCHITECTURE.md").read_text()
    (table,) = re.findall(r"\| room \| holds \| uses \|\n\|[-|]+\|\n((?:\|.*\n)+)", text)
    rows = [re.findall(r"`(\w+)(?:/|\.py)`", row.split(" | ")[0]) for row in table.splitlines()]
    assert {name for names in rows for name in names} == place.keys() - {"__main__"}
    highest = [min(place[name] for name in names) for names in rows]
    assert highest == sorted(highest)
