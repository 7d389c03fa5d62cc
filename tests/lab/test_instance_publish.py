"""Publishing an instance: a job that is killed and started again, and two pipelines at once."""

import re
from dataclasses import replace

import pytest

from immutable_base.errors import RemoteError
from immutable_base.instance.context import load_instance_context
from immutable_base.process import run
from support.downstream import STAGES, new_downstream
from support.killing import kill, leftovers
from support.scenario_runs import ScenarioRuns
from support.stopping import StoppingPrograms

BEFORE = ("detect-changes", *STAGES[:-1])
"""What a pipeline does before it publishes."""


@pytest.fixture
def downstream(tiny_lab, tiny_night, tmp_path):
    """Built, checked and listed; nothing is published."""
    found = new_downstream(ScenarioRuns(state=tiny_lab.state), tmp_path)
    for stage in BEFORE:
        found.verb(stage)
    return found


def verify(downstream, digest):
    """Verify an image of the instance as its own pipeline does, with everything beside it."""
    at = load_instance_context(
        downstream.folder, downstream.product_configuration, downstream.workspace, run, downstream.env
    )  # fmt: skip
    return at.verifier().verify(at.repository, digest)


@pytest.mark.timeout(1800)
def test_a_job_that_is_killed_in_the_middle_and_started_again_publishes(downstream, tmp_path):
    digest = downstream.document("build.json")["digest"]
    name = downstream.image.rpartition("/")[2]
    for number, (point, moved) in enumerate((("sign", 0), ("attest 1", 0), ("tag 1", 1))):
        path = downstream.env["PATH"]
        programs = StoppingPrograms(tmp_path / f"stopping-{number}", path, {name: point})
        process = downstream.start("publish", env={"PATH": programs.path})
        try:
            programs.wait_for_all(process, seconds=300)
        finally:
            kill(process, downstream.workspace)
            process.communicate()
        assert programs.steps(name)[-1][0] == point.split()[0]
        # A tag never names what was not verified, whenever the job ends.
        assert list(downstream.tags().values()) == [digest] * moved, point
    downstream.verb("publish")
    published = downstream.document("publish.json")
    assert (published["status"], published["digest"]) == ("published", digest)
    assert {tag["name"] for tag in published["tags"]} == set(downstream.tags())
    assert set(downstream.tags().values()) == {digest}
    verified = verify(downstream, digest)
    assert len(verified.proof.sboms) == len(verified.complete.provenances) == 1
    assert leftovers(downstream.workspace) == []


OVERTAKEN = "another run has published newer inputs"
LOST = re.compile(rf"does another pipeline write|was moved by another run|{OVERTAKEN}")
"""What one of two that move the same tags is told: tags have no compare-and-swap."""


def publish_both(*both):
    """Publish at the same time; returns exit code and messages of each."""
    started = [it.start("publish") for it in both]
    said = [process.communicate(timeout=1200)[1] for process in started]
    return [(process.returncode, text) for process, text in zip(started, said, strict=True)]


@pytest.mark.timeout(1800)
def test_two_pipelines_that_publish_at_once_lose_nothing(downstream, tmp_path):
    """On GitLab `resource_group` keeps them apart; here nothing does, and one may be told to run again."""
    newer = replace(downstream, folder=tmp_path / "newer", workspace=tmp_path / "newer-nights")
    downstream.program("git", "clone", "--quiet", str(downstream.folder), str(newer.folder))
    newer.commit(motd="a later commit\n")
    for stage in BEFORE:
        newer.verb(stage)
    ended = publish_both(downstream, newer)
    lost = [text for code, text in ended if code != 0]
    assert len(lost) < 2, lost
    assert {code for code, _ in ended} <= {0, RemoteError.exit_code}, "which GitLab starts again"
    assert [text for text in lost if not LOST.search(text)] == []
    if ended[0][0] != 0:
        again = downstream.start("publish")
        said = again.communicate(timeout=1200)[1]
        assert again.returncode == 0 or OVERTAKEN in said, said
    newer.verb("publish")
    digest = newer.document("build.json")["digest"]
    tags = downstream.tags()
    assert {tags[tag["name"]] for tag in newer.document("publish.json")["tags"]} == {digest}
    assert tags["latest"] == digest, "the later commit's, whoever was first"
    for found in set(tags.values()):
        verified = verify(newer, found)
        assert len(verified.proof.sboms) == len(verified.complete.provenances) == 1
