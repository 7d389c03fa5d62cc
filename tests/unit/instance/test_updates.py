"""Security updates on the way from repositories to a decision; the first half is verified for real."""

import hashlib

import pytest

from immutable_base.config.instance import InstanceSettings
from immutable_base.config.schema import Settings
from immutable_base.errors import RemoteError
from immutable_base.instance.base import FoundBase
from immutable_base.instance.ci_job import CiJob
from immutable_base.instance.context import InstanceContext
from immutable_base.instance.detect import detect_changes
from immutable_base.instance.published import PublishedImage
from immutable_base.instance.report import report_instance
from immutable_base.instance.updates import ask_updates
from immutable_base.instance.verbs import carry_out
from immutable_base.model.instance import (
    BaseEvidence,
    DecisionRule,
    InstanceOutcome,
    PublishedEvidence,
)
from immutable_base.report.instance import instance_markdown
from support.forge import NOW
from support.instance_world import OCI, sbom_with
from support.plan_world import digest_rpms, edit_metadata
from support.rpmmd import Notice, Rpm

DIGEST = "sha256:" + "b" * 64
BASE = BaseEvidence(
    reference="registry.example/base:latest", repository="registry.example/base", digest=DIGEST, variant="base",
    created=NOW, signer="https://x", issuer="https://y", signed_at=NOW, log_index=1,
)  # fmt: skip
PUBLISHED = PublishedEvidence(
    digest=DIGEST, base_digest=DIGEST, revision="c" * 40, signed_at=NOW, tags={}, sbom_sha256="e" * 64,
)  # fmt: skip
NOTICE = Notice("A-1", (("jq", "1.8-1"),), references=(("cve", "CVE-2026-1000", "x"),))
LABELS = {f"{OCI}.title": "base"}


def ask(mirrors, *, labels=None, image=None, base=None, settings=None):
    """Ask the repositories of `mirrors`; nothing stands in for fetching and verifying."""
    at = InstanceContext(
        folder=mirrors.folder, settings=InstanceSettings(schema_version=1, **(settings or {})),
        product=Settings.model_validate(mirrors.document), config_path=mirrors.folder / "immutable-base.toml",
        workspace=mirrors.folder / "ws", job=CiJob(), run=mirrors.run, clock=lambda: mirrors.now,
    )  # fmt: skip
    mirrors.write()
    found = FoundBase(
        evidence=BASE, labels=LABELS if labels is None else labels, sbom=sbom_with({}, base or {})
    )
    published = PublishedImage(evidence=PUBLISHED, sbom=image or sbom_with({}, {"jq": "1.7-1"}))
    return ask_updates(at, found, published)


@pytest.fixture
def offered(mirrors):
    """The repository of `base` has a newer jq, and an advisory for it."""
    mirrors.repositories["baseos"].append(Rpm("jq", "1.8-1"))
    digest_rpms(mirrors)
    mirrors.notices["baseos"] = [NOTICE]
    return mirrors


def test_an_update_is_found_in_signed_metadata(offered):
    found = ask(offered)
    (one,) = found.open
    assert (found.complete, found.unasked) == (True, ())
    assert (one.id, one.repository, one.cves) == ("A-1", "baseos", ("CVE-2026-1000",))
    assert (one.packages[0].installed, one.packages[0].fixed) == ("1.7-1", "1.8-1")


def test_an_update_that_the_repository_does_not_have_is_not_offered(mirrors):
    mirrors.notices["baseos"] = [NOTICE]
    found = ask(mirrors)
    assert (found.complete, found.open) == (True, ())


def test_repositories_without_advisories_are_named(mirrors):
    found = ask(mirrors)
    assert (found.complete, found.open, found.unasked) == (True, (), ())
    assert found.notes == ("these repositories publish no advisories: baseos",)


def unsigned(world):
    world.write()
    path = world.folder / "www/baseos/repodata/repomd.xml"
    path.write_text(path.read_text() + "\n")


def changed_advisories(world):
    world.write()
    (path,) = (world.folder / "www/baseos/repodata").glob("*-updateinfo.*")
    world.tampered[f"/baseos/repodata/{path.name}"] = path.read_bytes()[:-1] + b"x"


def no_xml(world):
    world.write()
    edit_metadata(world, "baseos", (b"<updates>", b"<updates"), kind="updateinfo")


def gone_advisories(world):
    world.write()
    (path,) = (world.folder / "www/baseos/repodata").glob("*-updateinfo.*")
    world.answers[f"/baseos/repodata/{path.name}"] = 404


WRONG = {
    "not answering": (lambda w: w.answers.update({"/baseos/repodata/repomd.xml": 404}), "repository 'baseos'"),
    "a signature that does not hold": (unsigned, "not signed by the pinned key"),
    "advisories that were changed": (changed_advisories, "updateinfo metadata of repository 'baseos'"),
    "advisories that are gone": (gone_advisories, "updateinfo metadata of repository 'baseos'"),
    "advisories that are none": (no_xml, "'baseos' cannot be read"),
    "another key": (lambda w: w.document["keys"]["k"].update(fingerprint="0" * 40), "repository 'baseos'"),
    "a key without a pin": (lambda w: w.document["keys"]["k"].pop("fingerprint"), "not pinned"),
    "metadata that is too old": (lambda w: w.document["repositories"]["baseos"].update(maximum_age_days=1) or setattr(w, "now", w.now + 3 * 86400), "days old at most"),
}  # fmt: skip


@pytest.mark.parametrize(("spoil", "words"), WRONG.values(), ids=WRONG.keys())
def test_what_cannot_be_asked_is_never_silence(offered, spoil, words):
    spoil(offered)
    found = ask(offered)
    assert (found.complete, found.open) == (False, ())
    assert words in found.unasked[0]
    assert "\n" not in found.unasked[0]


def test_one_repository_that_fails_hides_no_other(offered):
    offered.answers["/openzfs/repodata/repomd.xml"] = 404
    found = ask(offered, labels={f"{OCI}.title": "base-zfs"})
    assert ([it.id for it in found.open], found.complete) == (["A-1"], False)
    assert "openzfs" in found.unasked[0]


def test_an_optional_repository_that_is_not_there_is_a_note(offered):
    offered.document["repositories"]["openzfs"]["optional"] = True
    offered.answers["/openzfs/repodata/repomd.xml"] = 404
    found = ask(offered, labels={f"{OCI}.title": "base-zfs"})
    assert (found.complete, found.unasked) == (True, ())
    assert "optional repositories that were done without: openzfs" in found.notes


def test_a_base_that_nobody_knows_is_told(offered):
    found = ask(offered, labels={})
    assert (found.complete, found.open) == (False, ())
    assert "no variant and no stream" in found.unasked[0]


@pytest.mark.parametrize("sbom", [{"components": [{"purl": "pkg:rpm/x/y@1"}]}, {"components": [1]}])
def test_an_sbom_of_another_shape_is_told(offered, sbom):
    assert "not of our shape" in ask(offered, image=sbom).unasked[0]


def test_nothing_is_asked_where_nobody_wants_to_know(offered):
    found = ask(offered, settings={"rebuild": {"security_updates": "none"}})
    assert (found.open, found.unasked, offered.requests) == ((), (), [])
    assert "were not asked" in found.notes[0]


def test_plans_do_not_fetch_advisories(offered):
    offered.plan("base")
    assert not [path for path in offered.requests if "updateinfo" in path]


# ------------------------------------------------------------------ in a decision


def go(world, *stages):
    decision = detect_changes(world.context)
    for stage in stages:
        carry_out(world.context, stage, lambda _: None)
    return decision


def rules(decision):
    return [reason.rule for reason in decision.reasons]


@pytest.fixture
def published(world):
    """An instance with jq 1.7 of its own, published."""
    world.packages = {"jq": "1.7-1"}
    go(world, "build", "check", "sbom", "publish")
    return world


def offer(world):
    world.repositories["epel"] = [Rpm("jq", "1.8-1")]
    world.notices["epel"] = [NOTICE]


def test_after_an_advisory_a_schedule_builds_for_that_reason_alone(published):
    assert go(published).outcome is InstanceOutcome.UNCHANGED
    offer(published)
    decision = go(published)
    assert (decision.outcome, rules(decision)) == (
        InstanceOutcome.REBUILD,
        [DecisionRule.ADVISORY],
    )
    assert decision.reasons[0].evidence == ("A-1 (Important): jq.x86_64 1.7-1 → 1.8-1; CVE-2026-1000",)  # fmt: skip


def test_an_update_without_an_advisory_lets_nothing_build(published):
    published.repositories["epel"] = [Rpm("jq", "1.8-1")]
    published.notices["epel"] = [Notice("A-2", (("jq", "1.8-1"),), kind="bugfix")]
    assert go(published).outcome is InstanceOutcome.UNCHANGED


def test_a_repository_that_does_not_answer_is_a_reason_of_its_own_kind(published):
    published.broken["epel"] = RemoteError("repository 'epel': does not answer")
    decision = go(published)
    assert (decision.outcome, rules(decision)) == (
        InstanceOutcome.REBUILD,
        [DecisionRule.ADVISORIES_UNKNOWN],
    )
    assert decision.advisories is None


def test_what_the_base_has_waits_for_a_new_base(published):
    published.publish_base(words="night 2", when=NOW + 60, packages={"jq": "1.7-1"})
    offer(published)
    decision = go(published)
    assert rules(decision) == [DecisionRule.BASE]
    assert [note for note in decision.notes if "open in the base image" in note]
    published.commit({"immutable-base-instance.toml": 'schema_version = 1\n[rebuild]\nsecurity_updates = "all"\n'})  # fmt: skip
    assert DecisionRule.ADVISORY in rules(go(published))


def test_nothing_is_asked_before_anything_is_published(world):
    world.broken["epel"] = RemoteError("no answer")
    decision = go(world)
    assert (rules(decision), decision.advisories) == ([DecisionRule.NEVER_PUBLISHED], None)


def test_the_changelog_names_the_cves_that_a_new_image_fixes(published):
    offer(published)
    published.packages = {"jq": "1.8-1"}
    published.commit({"motd": "x"})
    go(published, "build", "check", "sbom")
    report = report_instance(published.context.documents)
    (fixed,) = report.changes.fixed
    assert (fixed.id, fixed.cves, fixed.packages) == ("A-1", ("CVE-2026-1000",), ("jq",))
    text = instance_markdown(report)
    assert r"security advisories closed: 1, CVEs fixed: 1: CVE-2026-1000" in text.replace("\\", "")
    assert "A-1: Important jq (CVE-2026-1000)" in text.replace("\\", "")


def test_an_image_that_is_no_newer_fixes_none_and_that_is_said(published):
    offer(published)
    published.commit({"motd": "x"})
    go(published, "build", "check", "sbom")
    report = report_instance(published.context.documents)
    assert report.changes.fixed == ()
    assert "no known security advisory was closed" in instance_markdown(report)


def test_where_repositories_were_not_asked_the_changelog_claims_nothing(published):
    published.broken["epel"] = RemoteError("no answer")
    published.commit({"motd": "x"})
    go(published, "build", "check", "sbom")
    report = report_instance(published.context.documents)
    assert report.changes.fixed is None
    assert "advisor" not in instance_markdown(report).partition("packages and modules")[2]


def test_a_list_that_was_changed_on_its_way_is_not_believed(published):
    """The decision carries the advisories, and every later document rests on it."""
    offer(published)
    go(published, "build", "check", "sbom")
    path = published.folder / "workspace/instance/decision.json"
    before = hashlib.sha256(path.read_bytes()).hexdigest()
    path.write_text(path.read_text().replace("CVE-2026-1000", "CVE-2026-2000"))
    assert hashlib.sha256(path.read_bytes()).hexdigest() != before
    assert report_instance(published.context.documents).changes is None
