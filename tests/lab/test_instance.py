"""A repository downstream, command by command: the same image again, and promises that are broken.

Its pipelines are in test_instance_pipeline.py.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from immutable_base import process
from immutable_base.instance.context import load_instance_context
from immutable_base.instance.verbs import decide_now
from immutable_base_lab.scenarios import escapement
from support.downstream import STAGES, Downstream, new_downstream
from support.scenario_runs import PRODUCT, ScenarioRuns

OCI = "org.opencontainers.image"


@pytest.fixture(scope="module")
def runs(tiny_lab, tiny_night) -> ScenarioRuns:
    """The tiny stream with both of its variants published."""
    return ScenarioRuns(state=tiny_lab.state)


@pytest.fixture
def downstream(runs, tmp_path) -> Downstream:
    """A repository that was never published, in a registry path of its own."""
    return new_downstream(runs, tmp_path)


@pytest.fixture(scope="module")
def never_published(runs, tmp_path_factory) -> Iterator[Downstream]:
    """One for all that has to be refused; its base is fetched once."""
    folder = tmp_path_factory.mktemp("never-published")
    yield new_downstream(runs, folder)
    shutil.rmtree(folder)


@pytest.mark.timeout(1800)
def test_the_same_commit_on_the_same_base_gives_the_same_image_which_is_signed_anew_when_old(
    downstream,
):
    decision = downstream.verb("detect-changes")
    assert (decision["outcome"], [r["rule"] for r in decision["reasons"]]) == (
        "rebuild",
        ["never-published"],
    )
    assert decision["base"]["variant"] == "tiny-metronome"
    assert [downstream.verb(stage)["outcome"] for stage in STAGES] == ["done"] * 4
    built = downstream.document("build.json")
    assert set(downstream.tags().values()) == {built["digest"]}
    labels = downstream.labels()
    assert labels[f"{OCI}.base.digest"] == decision["base"]["digest"]
    assert labels[f"{OCI}.revision"] == downstream.program("git", "rev-parse", "HEAD")
    assert labels["io.immutable-base.module.metronome"], "the base's modules are its own too"
    by = downstream.document("publish.json")
    accepted = labels["io.immutable-base.hosts-accept"]
    assert accepted == f"signer {by['signer']} of {by['issuer']}", "not the keys of the base"

    # The same inputs again give the same image: nothing is signed or tagged anew.
    downstream.verb("detect-changes", "--force")
    for stage in STAGES:
        downstream.verb(stage)
    assert downstream.document("build.json")["digest"] == built["digest"]
    assert downstream.document("publish.json")["status"] == "unchanged"

    # An old image is signed anew.
    at = load_instance_context(
        downstream.folder, Path(downstream.env["IMMUTABLE_BASE_CONFIG"]), downstream.workspace, process.run, downstream.env
    )  # fmt: skip
    decision = decide_now(replace(at, clock=lambda: time.time() + 8 * 86400))
    assert [reason.rule for reason in decision.reasons] == ["age"]
    for stage in STAGES:
        downstream.verb(stage)
    renewed = downstream.document("publish.json")
    assert (renewed["status"], renewed["digest"]) == ("renewed", built["digest"])
    assert renewed["rekor_log_index"] > by["rekor_log_index"], "another entry in the log"
    assert decide_now(at).published.signed_at > decision.published.signed_at


def install(downstream, what: str) -> None:
    """Let the Containerfile install a package of the tiny stream's repository."""
    downstream.commit(
        Containerfile=f"FROM {downstream.registry}/tiny-metronome:latest\nRUN dnf -y install {what}\n"
    )


@pytest.mark.timeout(1800)
def test_a_security_update_lets_a_schedule_build_and_the_changelog_names_its_cve(downstream):
    install(downstream, f"{escapement.NAME}-{escapement.OLD}")
    downstream.verb("detect-changes")
    for stage in STAGES:
        downstream.verb(stage)
    decision = downstream.verb("detect-changes")
    assert (decision["outcome"], [r["rule"] for r in decision["reasons"]]) == (
        "rebuild",
        ["advisory"],
    )
    (evidence,) = decision["reasons"][0]["evidence"]
    assert escapement.ADVISORY in evidence
    assert f"{escapement.OLD}-1 → {escapement.FIXED}-1" in evidence
    assert [note for note in decision["notes"] if "tiny-modules" in note], "it publishes none"

    install(downstream, escapement.NAME)
    assert {r["rule"] for r in downstream.verb("detect-changes")["reasons"]} == {
        "files",
        "advisory",
    }
    for stage in STAGES:
        downstream.verb(stage)
    (fixed,) = downstream.verb("report")["changes"]["fixed"]
    assert (fixed["id"], fixed["cves"]) == (escapement.ADVISORY, [escapement.CVE])
    text = downstream.program(*PRODUCT, "instance", "report", "--format", "markdown", "--workspace", str(downstream.workspace))  # fmt: skip
    assert escapement.CVE in text.replace("\\", "")
    assert downstream.verb("detect-changes")["outcome"] == "unchanged"


BROKEN = {
    "a module that is gone": ("RUN rm /usr/lib/modules/*/extra/metronome.ko*", ["every module of the base", "metronome"]),
    "a second kernel": ("RUN mkdir /usr/lib/modules/6.1.0 && touch /usr/lib/modules/6.1.0/vmlinuz", ["one kernel", "6.1.0"]),
    "a module of no package": (
        "RUN cp /usr/lib/modules/*/extra/metronome.ko* $(dirname /usr/lib/modules/*/extra/metronome.ko*)/other.ko.xz",
        ["owned by no package"],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("step", "words"), BROKEN.values(), ids=BROKEN.keys())
def test_an_instance_that_breaks_a_promise_is_not_published(never_published, step, words):
    downstream = never_published
    downstream.commit(Containerfile=f"FROM {downstream.registry}/tiny-metronome:latest\n{step}\n")
    downstream.verb("detect-changes")
    downstream.verb("build")
    error = downstream.verb("check", code=10)["error"]
    assert [word for word in words if word not in error] == [], error
    downstream.verb("sbom")
    downstream.verb("publish", code=10)
    downstream.program("skopeo", "list-tags", f"docker://{downstream.image}", code=1)
