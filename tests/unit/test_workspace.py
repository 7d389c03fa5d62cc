"""One run at a time, whole files only, space asked before it is needed."""

import subprocess
import sys

import pytest

from immutable_base.errors import HostError
from immutable_base.workspace import exclusive, require_space, write_atomically


def test_a_second_run_is_refused_with_the_first_ones_pid(tmp_path):
    import os

    code = f"from pathlib import Path; from immutable_base.workspace import exclusive\nwith exclusive(Path({str(tmp_path)!r})): pass"
    with exclusive(tmp_path):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode != 0
    assert f"another run (process {os.getpid()}) works in {tmp_path}" in done.stderr
    with exclusive(tmp_path):
        pass


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "plan.json"
    write_atomically(path, "old")
    with pytest.raises(TypeError):
        write_atomically(path, 7)
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["plan.json"]


def test_space_is_asked_for_in_gib(tmp_path):
    require_space(tmp_path, 0)
    with pytest.raises(HostError, match="GiB free, a night needs 1000000 GiB"):
        require_space(tmp_path, 1_000_000)
