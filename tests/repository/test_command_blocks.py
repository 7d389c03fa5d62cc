"""No block of commands in a how-to or a tutorial is forgotten: a test types it, or the page says why none does."""

import re

import pytest

from support.command_blocks import SESSIONS, blocks_of, files_of, marked_block, pages
from support.paths import ROOT

FOUND = pages()
MARKED = [
    pytest.param(page, block, id=f"{page} {number}")
    for page, blocks in FOUND.items()
    for number, block in enumerate(blocks, start=1)
    if block.marker
]
IMPORTED = re.compile(r"^from support\.(\w+) import", re.MULTILINE)
COMMAND = re.compile(r"(?:immutable-base|cosign)((?: [a-z][a-z-]+)+)")
PROGRAM = re.compile(r"^([a-z][a-z-]+) ", re.MULTILINE)
OF_EVERY_SHELL = {"cp", "eval", "mkdir", "printf"}
"""What a test does as well without a shell."""
OPTION = re.compile(r"(?<!\S)--[a-z-]+")


def test_each_page_is_typed_by_a_test_unless_it_says_of_each_block_why_not():
    typed = {page for page, blocks in FOUND.items() if not all(block.marker for block in blocks)}
    assert typed == SESSIONS.keys()


@pytest.mark.parametrize("page", SESSIONS)
def test_whatever_is_typed_instead_of_a_name_stands_for_one_on_the_page(page):
    """Else the page was changed, and something else is typed than what it says."""
    text = "".join(block.text for block in FOUND[page] if not block.marker)
    missing = [before for before, _ in SESSIONS[page].names if before not in text]
    assert missing == []


def test_a_page_that_has_a_limit_of_its_own_says_so():
    limited = {page: session.minutes for page, session in SESSIONS.items() if session.minutes != 15}
    assert limited == {"tutorial/first-image.md": 10}
    assert "ten minutes" in (ROOT / "docs/tutorial/first-image.md").read_text()


@pytest.mark.parametrize(("page", "block"), MARKED)
def test_a_block_that_is_not_typed_gives_a_reason_or_the_test_that_has_its_commands(page, block):
    head, colon, reason = block.marker.partition("not executed: ")
    if colon:
        assert not head
        assert len(reason.split()) > 2
        return
    files = files_of(block.marker)
    assert files
    own = "\n".join(path.read_text() for path in files)
    if f'marked_block("{page}"' in own:
        return
    text = "\n".join(map(with_support, files))
    commands = " ".join(COMMAND.findall(block.text)).split()
    words = {*commands, *OPTION.findall(block.text)}
    assert words
    unknown = [it for it in words if not re.search(rf'"{re.escape(it)}["=]', text)]
    assert unknown == []
    others = {it for it in PROGRAM.findall(block.text) if not it.startswith("immutable-base")}
    assert others <= OF_EVERY_SHELL, "the test has to type the block itself: marked_block"


def test_a_marked_block_is_the_one_that_names_the_test_and_there_must_be_one():
    block = marked_block("how-to/make-the-image-of-the-jobs.md", "tests/lab/test_ci_image.py")
    assert "skopeo copy " in block
    with pytest.raises(ValueError, match="unpack"):
        marked_block("how-to/make-the-image-of-the-jobs.md", "tests/lab/test_prune.py")


def with_support(path):
    """Return the text of a test, and of what it has from the tests' own helpers."""
    texts = [path.read_text(), (ROOT / "tests/lab/conftest.py").read_text()]
    seen = set()
    for text in texts:
        for name in set(IMPORTED.findall(text)) - seen:
            seen.add(name)
            texts.append((ROOT / f"tests/support/{name}.py").read_text())
    return "\n".join(texts)


def test_a_block_is_found_whatever_its_indentation_language_and_marker():
    text = (
        "```sh\none\n```\n\n1. x\n\n   <!-- not executed: it is the second -->\n   ```bash\n   two\n   ```\n\n"
        "```toml\nno = 1\n```\n\n<!-- a comment -->\n```\nthree\n```\n<!-- executed by it -->\n\n```sh\nfour\n```\n"
    )
    found = [(block.text.strip(), block.marker) for block in blocks_of(text)]
    reason = "not executed: it is the second"
    assert found == [("one", ""), ("two", reason), ("three", ""), ("four", "")]


def test_no_marker_stands_alone():
    texts = {page: (ROOT / "docs" / page).read_text() for page in FOUND}
    alone = {
        page: (text.count("<!-- not executed"), text.count("<!-- executed by"))
        for page, text in texts.items()
        if text.count("<!-- not executed") + text.count("<!-- executed by")
        != len([block for block in FOUND[page] if block.marker])
    }
    assert alone == {}
