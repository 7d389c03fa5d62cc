"""Each rule of `detect-changes` by itself, and what comes before and after all of them."""

import dataclasses

import pytest

from immutable_base.instance.rules import DAY, RULES, Situation, decide
from immutable_base.model.advisory import AdvisedPackage, OpenAdvisory
from immutable_base.model.instance import (
    BaseEvidence,
    DecisionRule,
    InstanceOutcome,
    PublishedEvidence,
)

NOW = 1_790_000_000
BASE = BaseEvidence(
    reference="registry.example/base-zfs:latest", repository="registry.example/base-zfs", digest="sha256:" + "b" * 64,
    variant="base-zfs", created=NOW - 3 * DAY, signer="https://x", issuer="https://y", signed_at=NOW - 3 * DAY, log_index=1,
)  # fmt: skip
DIGEST = "sha256:" + "d" * 64
PUBLISHED = PublishedEvidence(
    digest=DIGEST, base_digest=BASE.digest, revision="c" * 40, signed_at=NOW - 2 * DAY,
    tags={"latest": DIGEST, "20261120": DIGEST}, sbom_sha256="e" * 64,
)  # fmt: skip
ADVISORY = OpenAdvisory(
    id="FEDORA-2026-1", severity="Important", cves=("CVE-2026-1000", "CVE-2026-1001"), repository="updates",
    packages=(AdvisedPackage(name="jq", arch="x86_64", installed="1.7-1", fixed="1.8-1", in_base=False),),
)  # fmt: skip
QUIET = Situation(
    source="schedule", forced=False, now=NOW, maximum_age_days=7, base_maximum_age_days=None, base=BASE, published=PUBLISHED,
)  # fmt: skip


def but(**changes):
    return dataclasses.replace(QUIET, **changes)


def published(**changes):
    return but(published=PUBLISHED.model_copy(update=changes))


ALONE = {
    "a push": (but(source="push"), DecisionRule.PUSH),
    "a merge request": (but(source="merge_request_event"), DecisionRule.PUSH),
    "a variable or option": (but(forced=True), DecisionRule.FORCED),
    "somebody in the browser": (but(source="web"), DecisionRule.FORCED),
    "another pipeline": (but(source="pipeline"), DecisionRule.FORCED),
    "nothing published": (but(published=None), DecisionRule.NEVER_PUBLISHED),
    "nothing that can be verified": (but(published=None, unpublished="not signed"), DecisionRule.UNFINISHED),
    "a tag elsewhere": (published(tags={"latest": DIGEST, "20261120": BASE.digest}), DecisionRule.UNFINISHED),
    "a tag that is not there": (published(tags={"latest": DIGEST, "20261120": None}), DecisionRule.UNFINISHED),
    "a new base": (published(base_digest="sha256:" + "a" * 64), DecisionRule.BASE),
    "a base that the label does not name": (published(base_digest=""), DecisionRule.BASE),
    "files": (but(changed=("Containerfile",)), DecisionRule.FILES),
    "a commit that is not here": (but(changed=None), DecisionRule.FILES),
    "a security update": (but(advisories=(ADVISORY,)), DecisionRule.ADVISORY),
    "repositories that say nothing": (but(unasked=("repository 'x' does not answer",)), DecisionRule.ADVISORIES_UNKNOWN),
    "an old image": (published(signed_at=NOW - 7 * DAY - 1), DecisionRule.AGE),
}  # fmt: skip


@pytest.mark.parametrize(("situation", "rule"), ALONE.values(), ids=ALONE.keys())
def test_each_rule_fires_alone(situation, rule):
    outcome, reasons = decide(situation)
    assert (outcome, [reason.rule for reason in reasons]) == (InstanceOutcome.REBUILD, [rule])


def test_every_rule_has_a_situation_in_which_only_it_fires():
    fired = {rule for situation, _ in ALONE.values() for rule in RULES if rule(situation)}
    assert fired == set(RULES)
    alone = [[rule for rule in RULES if rule(situation)] for situation, _ in ALONE.values()]
    assert {rules[0] for rules in alone if len(rules) == 1} == set(RULES)


@pytest.mark.parametrize("source", ["schedule", ""])
def test_without_a_reason_nothing_is_built_and_that_is_a_result_of_its_own(source):
    outcome, (reason,) = decide(but(source=source))
    assert (outcome, reason.rule) == (InstanceOutcome.UNCHANGED, DecisionRule.NOTHING)
    assert DIGEST in reason.evidence[0]


def test_all_reasons_are_told():
    changed = PUBLISHED.model_copy(update={"base_digest": "", "signed_at": 0})
    _, reasons = decide(but(source="push", forced=True, published=changed, changed=("a",)))
    assert [r.rule for r in reasons] == [
        DecisionRule.PUSH,
        DecisionRule.FORCED,
        DecisionRule.BASE,
        DecisionRule.FILES,
        DecisionRule.AGE,
    ]


def test_the_last_day_of_an_age_is_not_too_old():
    assert decide(published(signed_at=NOW - 7 * DAY))[0] is InstanceOutcome.UNCHANGED


@pytest.mark.parametrize("source", ["schedule", "push", "web"])
def test_without_a_base_image_the_instance_waits_whatever_else(source):
    outcome, (reason,) = decide(
        but(source=source, base=None, base_missing="no image x", forced=True)
    )
    assert (outcome, reason.rule) == (InstanceOutcome.WAIT, DecisionRule.BASE_ON_HOLD)
    assert "no image x" in reason.message


@pytest.mark.parametrize("source", ["schedule", "push"])
def test_a_base_that_is_too_old_is_waited_for_unless_forced(source):
    late = but(source=source, base_maximum_age_days=2)
    outcome, (reason,) = decide(late)
    assert (outcome, reason.rule) == (InstanceOutcome.WAIT, DecisionRule.BASE_ON_HOLD)
    assert BASE.digest in reason.evidence[0]
    assert "or found nothing new" in reason.message, "a night that ends `unchanged` signs nothing"
    assert decide(dataclasses.replace(late, forced=True))[0] is InstanceOutcome.REBUILD
    assert decide(dataclasses.replace(late, base_maximum_age_days=3, source="schedule"))[0] is (
        InstanceOutcome.UNCHANGED
    )


def test_many_files_are_counted():
    _, (reason,) = decide(but(changed=tuple(f"f{n:02}" for n in range(25))))
    assert (len(reason.evidence), reason.evidence[-1]) == (21, "and 5 more")


def test_a_security_update_is_told_with_package_severity_and_cves():
    _, (reason,) = decide(but(advisories=(ADVISORY,)))
    assert reason.evidence == (
        "FEDORA-2026-1 (Important): jq.x86_64 1.7-1 → 1.8-1; CVE-2026-1000, CVE-2026-1001",
    )


def test_many_advisories_are_counted():
    many = tuple(ADVISORY.model_copy(update={"id": f"A-{number:02}"}) for number in range(23))
    _, (reason,) = decide(but(advisories=many))
    assert (len(reason.evidence), reason.evidence[-1]) == (21, "and 3 more")


def test_why_repositories_say_nothing_is_the_evidence():
    _, (reason,) = decide(but(unasked=("one", "two")))
    assert reason.evidence == ("one", "two")
