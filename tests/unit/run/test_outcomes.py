"""Each variant ends published, held or failed: never anything in between, never green by default."""

from immutable_base.errors import CheckError, CommandError
from immutable_base.model.plan import Verdict
from immutable_base.model.publish import Publication, PublicationStatus, Tag
from immutable_base.run.outcomes import StageResults, variant_result
from immutable_base.schedule import Node, NodeOutcome
from support.plans import BASE, layer, package, variant

PLANNED = variant("base", "6.12.0", layer("base", package("htop")))
DIGEST = "sha256:" + "b" * 64
PUBLICATION = Publication(
    rests_on={}, variant="base", status=PublicationStatus.PUBLISHED, repository="registry.example/base", digest=DIGEST,
    tags=(Tag(name="latest", before=None, digest=DIGEST),), signer="https://gitlab.example/ci", issuer="https://gitlab.example",
    rekor_log_index=1, sbom_sha256="c" * 64, full_sbom_sha256="d" * 64,
    provenance_log_index=2, notes=(), steps=(), seconds=1.0,
)  # fmt: skip
NODES = [
    Node(id="fetch", title="fetch", action=lambda _say: None, variants=("base", "other")),
    Node(id="publish:base", title="publish", action=lambda _say: None, variants=("base",)),
]


def outcomes(**states):
    named = {"fetch": "done", "publish:base": "done"} | {
        k.replace("_", ":"): v for k, v in states.items()
    }
    return {
        key: NodeOutcome(id=key, state="failed" if isinstance(v, Exception) else v, seconds=2.0,
                     error=v if isinstance(v, Exception) else None)
        for key, v in named.items()
    }  # fmt: skip


def test_a_publication_makes_it_published():
    row = variant_result(
        PLANNED, NODES, outcomes(), StageResults(publication=PUBLICATION, packages=3)
    )
    assert (row.outcome, row.exit_code, row.tags) == ("published", 0, ("latest",))
    assert row.reference == f"registry.example/base@{DIGEST}"
    assert row.seconds == 2.0, "only the nodes that nobody else needed"


def test_nodes_that_all_went_well_without_a_publication_are_not_green():
    row = variant_result(PLANNED, NODES, outcomes(), StageResults(packages=3))
    assert row.outcome == "failed"
    assert "without a publication" in row.error, "no variant ends without a reason"
    assert row.reference is None
    assert row.exit_code != 0


def test_a_failure_has_its_words_and_its_code():
    error = CommandError("`dkms build` exited with status 3", details="too few arguments")
    row = variant_result(
        PLANNED, NODES, outcomes(fetch=error, publish_base="skipped"), StageResults()
    )
    assert (row.outcome, row.exit_code) == ("failed", 5)
    assert "too few arguments" in row.error


def test_a_failed_check_is_ten_and_something_unknown_is_a_bug():
    assert (
        variant_result(
            PLANNED, NODES, outcomes(publish_base=CheckError("two kernels")), StageResults()
        ).exit_code
        == 10
    )
    assert (
        variant_result(
            PLANNED, NODES, outcomes(publish_base=KeyError("x")), StageResults()
        ).exit_code
        == 1
    )


def test_another_variants_failure_is_not_ours():
    nodes = [
        *NODES,
        Node(id="publish:other", title="publish", action=lambda _say: None, variants=("other",)),
    ]
    found = outcomes() | {
        "publish:other": NodeOutcome(id="publish:other", state="failed", error=CommandError("x"))
    }
    assert (
        variant_result(PLANNED, nodes, found, StageResults(publication=PUBLICATION)).outcome
        == "published"
    )


def test_held_keeps_what_is_published_and_is_no_error():
    held = variant("base", None, verdict=Verdict.HOLD).model_copy(
        update={"reasons": ("no kernel fits",)}
    )
    row = variant_result(held, NODES, outcomes(), StageResults())
    assert (row.outcome, row.exit_code, row.reason) == ("held", 0, "no kernel fits")
    assert row.error is None


def test_a_variant_that_could_not_be_planned_has_the_plans_code():
    failed = variant("base", None, verdict=Verdict.FAIL).model_copy(
        update={"reasons": ("repository 'baseos' is down",), "exit_code": 6, "base": BASE}
    )
    row = variant_result(failed, NODES, outcomes(), StageResults())
    assert (row.outcome, row.exit_code, row.error) == ("failed", 6, "repository 'baseos' is down")


def test_published_and_unchanged_are_two_things():
    moved = variant_result(PLANNED, NODES, outcomes(), StageResults(publication=PUBLICATION))
    assert moved.unchanged is False
    same = PUBLICATION.model_copy(update={"status": PublicationStatus.UNCHANGED})
    row = variant_result(PLANNED, NODES, outcomes(), StageResults(publication=same))
    assert (row.outcome, row.unchanged) == ("published", True)
    nothing = variant_result(PLANNED, NODES, outcomes(), StageResults())
    assert nothing.unchanged is False


def test_a_variant_with_a_failed_node_is_not_published_whatever_its_publication_says():
    error = CommandError("a later stage failed")
    row = variant_result(
        PLANNED, NODES, outcomes(fetch=error), StageResults(publication=PUBLICATION, packages=3)
    )
    assert (row.outcome, row.exit_code) == ("failed", 5)
    assert (row.reference, row.tags, row.signer, row.unchanged) == (None, (), None, False)


def test_a_variant_that_was_not_to_be_built_is_never_published():
    """A publication of it could only be somebody else's."""
    for verdict, expected in ((Verdict.HOLD, "held"), (Verdict.FAIL, "failed")):
        planned = variant("base", None, verdict=verdict).model_copy(update={"exit_code": 6})
        row = variant_result(planned, NODES, outcomes(), StageResults(publication=PUBLICATION))
        assert (row.outcome, row.reference) == (expected, None)


def test_a_skipped_variant_without_an_error_of_its_own_is_not_green():
    row = variant_result(
        PLANNED, NODES, outcomes(publish_base="skipped"), StageResults(publication=None)
    )
    assert (row.outcome, row.exit_code) == ("failed", 1)


def test_what_the_plan_warns_of_is_told_however_the_variant_ended():
    warned = PLANNED.model_copy(update={"warnings": ("no support from 2026-12-02 on",)})
    for results in (StageResults(publication=PUBLICATION), StageResults()):
        row = variant_result(warned, NODES, outcomes(), results)
        assert row.warnings == ("no support from 2026-12-02 on",)
