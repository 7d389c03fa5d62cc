"""What how-tos and tutorials tell to type, typed as a reader would: in one shell for each page, in the tiny lab."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support.command_blocks import SESSIONS, script

BULKY = ("storage", "storage-run", "packages", "oci", "cache")
"""What of a run's workspace no page asks for."""
PEOPLE = {
    f"GIT_{who}_{what}": "a@example.com"
    for who in ("AUTHOR", "COMMITTER")
    for what in ("NAME", "EMAIL")
}
PAGES = [
    pytest.param(page, marks=[pytest.mark.long] if session.long else [])
    for page, session in SESSIONS.items()
]


@pytest.fixture
def folder(request, tmp_path, tiny_night):
    """An empty workspace, or one with the documents of a run; what a page leaves is removed."""
    found = tmp_path / "nights"
    found.mkdir()
    if SESSIONS[request.getfixturevalue("page")].in_a_night:
        left = shutil.ignore_patterns(*BULKY)
        tonight = tiny_night.workspace / "tonight"
        shutil.copytree(tonight, found / "tonight", symlinks=True, ignore=left)
    yield found
    shutil.rmtree(tmp_path, ignore_errors=True)


@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_tells_to_type_works(page, tiny_lab, tiny_night, folder):
    env = {
        **tiny_lab.env,
        **PEOPLE,
        "HOME": str(folder.parent),
        "PATH": f"{Path(sys.executable).parent}:{tiny_lab.env['PATH']}",
        "LAB": str(tiny_lab.state),
        "NIGHT": str(tiny_night.workspace),
        "IMMUTABLE_BASE_WORKSPACE": str(folder),
    }
    done = subprocess.run(
        ["bash", "-e", "-u", "-o", "pipefail", "-c", script(page)],
        cwd=folder, env=env, capture_output=True, text=True, timeout=60 * SESSIONS[page].minutes,
    )  # fmt: skip
    assert done.returncode == 0, f"{script(page)}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
