"""One run at a time, whole files only, space asked before it is needed."""

import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

from immutable_base.errors import HostError
from immutable_base.state import default_workspace
from immutable_base.workspace import (
    exclusive,
    require_space,
    write_atomically,
)


def test_a_second_run_is_refused_with_the_first_ones_pid(tmp_path):
    code = f"from pathlib import Path; from immutable_base.workspace import exclusive\nwith exclusive(Path({str(tmp_path)!r})): pass"
    with exclusive(tmp_path):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode != 0
    assert f"another command (process {os.getpid()}) works in {tmp_path}" in done.stderr
    with exclusive(tmp_path):
        pass


def test_a_contained_holder_is_named_by_the_number_that_a_user_sees(tmp_path, monkeypatch):
    monkeypatch.setenv("IMMUTABLE_BASE_STARTED_BY", "4711")
    words = r"another command \(process 4711\)"
    with exclusive(tmp_path), pytest.raises(HostError, match=words):
        exclusive(tmp_path).__enter__()


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "plan.json"
    write_atomically(path, "old")
    with pytest.raises(TypeError):
        write_atomically(path, 7)
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["plan.json"]


@pytest.mark.parametrize(
    ("free", "needed", "enough"),
    [
        (20 << 30, 20, True),
        ((20 << 30) - 1, 20, False),
        (20 << 20, 20, False),
        (20 << 40, 20, True),
        (0, 0, True),
    ],
)
def test_space_is_asked_for_in_gib(tmp_path, monkeypatch, free, needed, enough):
    asked = []

    def disk_usage(path):
        asked.append(path)
        return SimpleNamespace(total=1 << 50, used=0, free=free)

    monkeypatch.setattr("immutable_base.workspace.shutil.disk_usage", disk_usage)
    folder = tmp_path / "new"
    if enough:
        require_space(folder, needed)
    else:
        with pytest.raises(HostError, match=rf"{folder} has [0-9.]+ GiB free, .* {needed} GiB"):
            require_space(folder, needed)
    assert asked == [folder]


def test_the_error_says_how_much_is_free(tmp_path, monkeypatch):
    usage = SimpleNamespace(total=0, used=0, free=3 << 29)
    monkeypatch.setattr("immutable_base.workspace.shutil.disk_usage", lambda _path: usage)
    with pytest.raises(HostError, match=r"has 1\.5 GiB free") as caught:
        require_space(tmp_path, 2)
    assert "--workspace" in caught.value.hint


@pytest.mark.parametrize("content", ["text", b"bytes"])
def test_documents_can_be_read_by_everybody_whatever_the_umask(tmp_path, content):
    """A pipeline's next job, or a web server, runs as another user."""
    path = tmp_path / "new" / "plan.json"
    before = os.umask(0o077)
    try:
        write_atomically(path, content)
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o7777 == 0o644
    assert path.read_bytes() == (content if isinstance(content, bytes) else content.encode())


def test_the_lock_names_this_process_alone_whatever_was_in_it(tmp_path):
    (tmp_path / "lock").write_text("123456789012345")
    with exclusive(tmp_path):
        assert (tmp_path / "lock").read_text() == str(os.getpid())
        with pytest.raises(HostError, match=rf"another command \(process {os.getpid()}\) works"):
            exclusive(tmp_path).__enter__()
    with exclusive(tmp_path):
        assert (tmp_path / "lock").read_text() == str(os.getpid())


def test_the_lock_ends_with_an_error(tmp_path):
    with pytest.raises(ValueError, match="x"), exclusive(tmp_path):
        raise ValueError("x")
    with exclusive(tmp_path):
        pass


def test_in_a_gitlab_job_the_default_workspace_is_on_the_jobs_volume(tmp_path, monkeypatch):
    monkeypatch.setenv("CI_PROJECT_DIR", "/builds/acme/os")
    monkeypatch.delenv("GITLAB_CI", raising=False)
    assert not default_workspace().is_relative_to("/builds")
    monkeypatch.setenv("GITLAB_CI", "true")
    assert default_workspace().is_relative_to("/builds/acme/os")


def test_the_default_workspace_follows_the_state_folder(tmp_path, monkeypatch):
    monkeypatch.delenv("GITLAB_CI", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert default_workspace().is_relative_to(tmp_path / "immutable-base")
    monkeypatch.setenv("XDG_STATE_HOME", "")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_workspace().is_relative_to(tmp_path / ".local/state/immutable-base")
