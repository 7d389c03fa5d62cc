"""A variant for which no kernel fits is held through a whole run: said, not built, nothing moved."""

import json
import subprocess

import pytest

HELD, OTHER = "base-zfs", "fedora-base"


@pytest.fixture(scope="module")
def tags_before(lab, night):
    """The shared night published both."""
    return {name: lab.registry().tags(name) for name in (HELD, OTHER)}


@pytest.fixture(scope="module")
def held(lab, tags_before, tmp_path_factory):
    """Neither up nor down, and the base's own kernel has no kernel-devel: nothing fits."""
    config = lab.config_with(
        tmp_path_factory.mktemp("held"),
        ("allow_up = true", "allow_up = false"),
        ("allow_down = true", "allow_down = false"),
    )
    return lab.product(
        "run", "--config", config, "--variant", HELD, "--variant", OTHER, "--format", "json",
        workspace=lab.scratch / "held",
    )  # fmt: skip


@pytest.fixture(scope="module")
def rows(held):
    return {variant["name"]: variant for variant in json.loads(held.stdout)["variants"]}


def test_held_is_no_failure(held, rows):
    assert held.returncode == 0, held.stderr[-3000:]
    assert {n: (v["outcome"], v["exit_code"]) for n, v in rows.items()} == {
        HELD: ("held", 0), OTHER: ("published", 0),
    }  # fmt: skip
    assert rows[HELD]["error"] is None
    assert not rows[HELD]["unchanged"], "nothing was compared with what is published"


def test_the_reason_says_what_would_release_it(rows):
    reason = rows[HELD]["reason"]
    assert "held: no kernel" in reason
    assert "fits zfs" in reason
    assert "released by: kernel-devel for " in reason
    assert rows[HELD]["kernel"] is None


def test_nothing_is_built_of_it(lab, held, rows):
    assert (rows[HELD]["reference"], rows[HELD]["tags"], rows[HELD]["size"]) == (None, [], 0)
    nodes = [node["id"] for node in json.loads(held.stdout)["nodes"]]
    assert f"publish:{OTHER}" in nodes
    assert [node for node in nodes if HELD in node or node.startswith("module:")] == []
    images = subprocess.run(
        ["buildah", "--root", lab.scratch / "held/storage", "--runroot", lab.scratch / "held/storage-run",
         "--storage-driver", "overlay", "images", "--json"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    names = [name for image in json.loads(images.stdout) for name in image.get("names") or ()]
    assert any(f"/{OTHER}:" in name for name in names)
    assert not any(f"/{HELD}:" in name for name in names)


def test_what_is_published_stays(lab, held, tags_before):
    assert {name: lab.registry().tags(name) for name in (HELD, OTHER)} == tags_before
