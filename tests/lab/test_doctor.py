"""What only root can try: the file system of a container, as a workspace."""

import subprocess

from immutable_base.doctor import examine
from immutable_base.process import run


def overlay_of(workspace):
    return next(it for it in examine(run, workspace, 0) if it.name == "overlay")


def test_a_workspace_on_an_overlay_is_refused_before_anything_is_built(tmp_path):
    for name in ("lower", "upper", "work", "merged"):
        (tmp_path / name).mkdir()
    assert overlay_of(tmp_path).ok, "the folder itself takes one"
    options = f"lowerdir={tmp_path}/lower,upperdir={tmp_path}/upper,workdir={tmp_path}/work"
    merged = tmp_path / "merged"
    subprocess.run(["mount", "-t", "overlay", "overlay", "-o", options, merged], check=True)
    try:
        found = overlay_of(merged)
        assert not found.ok
        assert "which are refused" in found.reason
        assert list(merged.iterdir()) == []
    finally:
        subprocess.run(["umount", merged], check=True)
