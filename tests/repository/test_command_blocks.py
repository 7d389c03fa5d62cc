"""No block of commands in a how-to or a tutorial is forgotten: it is executed, or somebody said why not."""

import re

import pytest

from support.command_blocks import BY_A_TEST, EXECUTED, NOT_HERE, blocks_of, command_blocks
from support.paths import ROOT

BLOCKS = {str(block): block for block in command_blocks()}


def test_each_block_is_in_one_table_and_each_row_is_about_a_block():
    rows = [*EXECUTED, *BY_A_TEST, *NOT_HERE]
    assert len(rows) == len(set(rows))
    assert sorted(rows) == sorted(BLOCKS)
    assert all(NOT_HERE.values())


@pytest.mark.parametrize("name", EXECUTED)
def test_whatever_a_row_replaces_is_in_its_block(name):
    """Else the page was changed, and something else is executed than what it says."""
    for before, _ in EXECUTED[name].names:
        assert before in BLOCKS[name].text, before


@pytest.mark.parametrize(("name", "file"), BY_A_TEST.items())
def test_the_test_that_stands_for_a_block_has_its_commands(name, file):
    text = (ROOT / file).read_text()
    commands = re.findall(r"immutable-base ([a-z-]+)(?: ([a-z-]+))?", BLOCKS[name].text)
    assert commands
    words = {word for command in commands for word in command if word}
    conftest = (ROOT / "tests/lab/conftest.py").read_text() + "".join(
        path.read_text() for path in (ROOT / "tests/support").glob("*.py")
        if path.name != "command_blocks.py"
    )  # fmt: skip
    assert [word for word in sorted(words) if word not in text + conftest] == []


def test_a_block_is_found_whatever_its_indentation_and_language(tmp_path):
    page = tmp_path / "how-to" / "page.md"
    page.parent.mkdir()
    page.write_text(
        "```sh\none\n```\n\n1. x\n\n   ```bash\n   two\n   ```\n\n```toml\nno = 1\n```\n\n```\nthree\n```\n"
    )
    assert [block.text.strip() for block in blocks_of(page)] == ["one", "two", "three"]
