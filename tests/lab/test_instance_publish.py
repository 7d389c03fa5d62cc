"""Publishing an instance: a job that is killed and started again, and two pipelines at once."""

from dataclasses import replace

import pytest

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


@pytest.mark.timeout(1800)
def test_two_pipelines_that_publish_at_once_lose_nothing(downstream, tmp_path):
    """On GitLab `resource_group` keeps them apart; here nothing does."""
    other = replace(downstream, folder=tmp_path / "other", workspace=tmp_path / "other-nights")
    downstream.program("git", "clone", "--quiet", str(downstream.folder), str(other.folder))
    other.commit(motd="another pipeline's\n")
    for stage in BEFORE:
        other.verb(stage)
    both = (downstream, other)
    started = [it.start("publish") for it in both]
    ended = [(process.communicate(timeout=1200), process.returncode) for process in started]
    said = [stderr for (_, stderr), _ in ended]
    assert [code for _, code in ended] == [0, 0], said
    digests = [it.document("publish.json")["digest"] for it in both]
    assert len(set(digests)) == 2
    for it, digest in zip(both, digests, strict=True):
        assert it.document("publish.json")["status"] == "published"
        verified = verify(it, digest)
        assert len(verified.proof.sboms) == len(verified.complete.provenances) == 1
    tags = downstream.tags()
    assert set(tags.values()) <= set(digests)
    own = {f"-{digest[7:19]}": digest for digest in digests}
    assert {end: found for end in own for tag, found in tags.items() if tag.endswith(end)} == own
    assert len({tags[name] for name in tags if not name.endswith(tuple(own))}) == 1, "one image"
