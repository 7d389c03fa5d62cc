"""The commands of how-tos and tutorials, executed as a reader would: by a shell, in the tiny lab."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support.command_blocks import EXECUTED, command_blocks

BLOCKS = {str(block): block.text for block in command_blocks()}
BULKY = ("storage", "storage-run", "packages", "oci", "cache", "modules")
"""What of a night's workspace no page asks for."""


@pytest.fixture(scope="module")
def night(tiny_night, tmp_path_factory):
    """The documents of a night, as its reader has them, for pages that look at one."""
    folder = tmp_path_factory.mktemp("night") / "nights"
    left = shutil.ignore_patterns(*BULKY)
    shutil.copytree(
        tiny_night.workspace / "tonight", folder / "tonight", symlinks=True, ignore=left
    )
    return folder


@pytest.mark.parametrize("name", EXECUTED)
def test_what_a_page_tells_to_type_works(name, tiny_lab, night, tmp_path):
    how, text = EXECUTED[name], BLOCKS[name]
    for before, after in how.names:
        text = text.replace(before, after)
    folder = night if how.in_a_night else tmp_path
    env = {
        **tiny_lab.env,
        "HOME": str(tmp_path),
        "LAB": str(tiny_lab.state),
        "NIGHT": str(night),
        "PATH": f"{Path(sys.executable).parent}:{tiny_lab.env['PATH']}",
        "IMMUTABLE_BASE_WORKSPACE": str(folder if how.in_a_night else tmp_path / "workspace"),
        **{f"GIT_{who}_{what}": "a@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
    }  # fmt: skip
    if "immutable-base init ." in f"{how.begins}{text}":
        env.pop("IMMUTABLE_BASE_CONFIG")
    done = subprocess.run(
        ["bash", "-e", "-u", "-o", "pipefail", "-c", f"{how.begins}\n{text}"],
        cwd=folder, env=env, capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert done.returncode == how.status, f"{text}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
