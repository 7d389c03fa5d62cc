"""Files that the lab writes are the same whoever checked it out."""

import os
import subprocess
import sys

from immutable_base_lab.core.files import copy_data, remove, write_private


def mode(path) -> int:
    return path.lstat().st_mode & 0o777


def test_package_data_has_the_same_modes_whatever_the_checkouts_umask(tmp_path):
    source, target = tmp_path / "source", tmp_path / "target"
    (source / "lib/rpm").mkdir(parents=True)
    (source / "lib/rpm/macros").write_text("x")
    for path in (source, *source.rglob("*")):
        path.chmod(0o775 if path.is_dir() else 0o664)
    (target / "lib").mkdir(parents=True)
    (target / "lib/own").write_text("y")
    (target / "lib/own").chmod(0o600)
    copy_data(source, target)
    assert {path.name: mode(path) for path in target.rglob("*")} == {
        "lib": 0o755, "rpm": 0o755, "macros": 0o644, "own": 0o600
    }  # fmt: skip


def test_secrets_are_private_from_their_first_byte(tmp_path):
    before = os.umask(0)
    try:
        write_private(tmp_path / "key", "secret")
    finally:
        os.umask(before)
    assert mode(tmp_path / "key") == 0o600


def test_removing_a_link_leaves_what_it_points_to(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/file").write_text("x")
    (tmp_path / "link").symlink_to("folder")
    remove(tmp_path / "link")
    remove(tmp_path / "absent")
    assert (tmp_path / "folder/file").exists()
    remove(tmp_path / "folder")
    assert list(tmp_path.iterdir()) == []


BACK_AND_FORTH = """
import sys
from pathlib import Path
from immutable_base_lab.core.files import point_to
link = Path(sys.argv[1])
for target in ("one", "other") * 300:
    point_to(link, link.with_name(target))
"""


def test_several_processes_may_let_a_link_point_somewhere_at_once(tmp_path):
    argv = [sys.executable, "-c", BACK_AND_FORTH, str(tmp_path / "link")]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    workers = [subprocess.Popen(argv, env=env) for _ in range(3)]
    assert [worker.wait() for worker in workers] == [0, 0, 0]
    assert [path.name for path in tmp_path.iterdir()] == ["link"]
