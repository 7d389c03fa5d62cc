"""What may go, and what must stay: one rule at a time, without a registry."""

import json
from datetime import date, timedelta

import pytest

from immutable_base.model.prune import ManifestKind, PruneAction
from immutable_base.prune.decide import Rules, decide, undecided
from immutable_base.prune.snapshot import Manifest, Snapshot, read_manifest
from immutable_base.prune.tags import day_of, fixed_tags

TODAY = date(2026, 11, 26)
TEMPLATES = ("latest", "{date}", "{kernel}")


def digest(letter):
    return "sha256:" + letter * 64


A, B, C, D, E = map(digest, "abcde")


def tag(days):
    return (TODAY - timedelta(days=days)).strftime("%Y%m%d")


def beside(subject, ending):
    return subject.replace(":", "-") + ending


def rules(nights=1, days=10):
    return Rules(templates=TEMPLATES, today=TODAY, nights=nights, days=days)


def on_their_days(tags):
    """Every image was signed on the day of its tag."""
    days = {named: day_of(name, TEMPLATES) for name, named in tags.items()}
    return {named: day for named, day in days.items() if day is not None}


def fates(tags, *, manifests=(), gone=(), referrers=None, bases=None, signed=None, rules=rules()):  # noqa: B008  frozen
    known = {it.digest: it for it in manifests}
    for named in tags.values():
        known.setdefault(named, Manifest(digest=named))
    snapshot = Snapshot(
        repository="registry.example/os/base", tags=tags, manifests=known, gone=frozenset(gone),
        referrers=referrers or {},
    )  # fmt: skip
    found = decide(
        snapshot, rules, bases=bases or {}, signed={**on_their_days(tags), **(signed or {})}
    )
    return {item.digest: item for item in found.items}


def deleted(*arguments, **options):
    found = fates(*arguments, **options)
    return {digest for digest, item in found.items() if item.action is PruneAction.DELETE}


NEWEST = {"latest": E, tag(0): E}
"""What keeps the last night and the newest before the window out of a test's way."""
OLD = {**NEWEST, tag(20): D}


def test_only_what_is_older_than_nights_and_window_may_go():
    tags = {**NEWEST, tag(9): A, tag(20): B, tag(21): C}
    assert deleted(tags) == {C}
    reasons = {d: item.reasons for d, item in fates(tags).items()}
    assert reasons[A] == (f"the tag {tag(9)}: within the rollback window of 10 days",)
    assert reasons[B] == (f"the tag {tag(20)}: it was the newest when the rollback window began",)


def test_the_window_ends_with_its_last_day():
    found = fates({**NEWEST, tag(10): A, tag(11): B, tag(12): C})
    assert found[A].reasons == (f"the tag {tag(10)}: within the rollback window of 10 days",)
    assert "when the rollback window began" in found[B].reasons[0]
    assert found[C].action is PruneAction.DELETE


def test_the_last_nights_stay_however_old_they_are():
    tags = {"latest": E, tag(100): A, tag(200): B, tag(300): C, tag(400): D}
    assert deleted(tags, rules=rules(nights=3)) == {D}


def test_a_day_that_is_yet_to_come_stays_and_takes_no_place_among_the_nights():
    tags = {"latest": E, "29991231": A, tag(100): B, tag(200): C}
    assert deleted(tags, rules=rules(nights=1)) == {C}
    assert fates(tags)[A].reasons == ("the tag 29991231: its day is yet to come",)


@pytest.mark.parametrize(
    "name", ["latest", "6.12.0-1.el10", "mine", "20261399", "2026112", "v20250101"]
)
def test_a_tag_that_publishing_gives_no_day_stays_for_ever(name):
    assert deleted({**OLD, name: A}) == set()


def test_an_image_with_any_other_tag_stays_and_only_the_old_day_is_taken_away():
    found = fates({**OLD, tag(30): A, "6.12.1": A})[A]
    assert (found.action, found.removed_tags) == (PruneAction.UNTAG, (tag(30),))


def test_signature_attestation_and_sbom_stay_and_go_with_their_image():
    names = {beside(A, ".sig"): B, beside(A, ".att"): C, beside(A, ".sbom"): digest("f")}
    assert deleted({**OLD, tag(9): A, **names}) == set()
    assert deleted({**OLD, tag(30): A, **names}) == {A, B, C, digest("f")}


def test_a_signature_of_a_signature_stays_with_the_image():
    names = {beside(A, ".att"): B, beside(B, ".sig"): C}
    assert deleted({**OLD, tag(9): A, **names}) == set()
    assert deleted({**OLD, tag(30): A, **names}) == {A, B, C}


def test_referrers_stay_and_go_with_what_they_refer_to():
    referrer = Manifest(digest=B, subject=A)
    options = {"manifests": [referrer], "referrers": {A: (B,)}}
    assert deleted({**OLD, tag(9): A}, **options) == set()
    assert deleted({**OLD, tag(30): A}, **options) == {A, B}


def test_a_list_of_referrers_under_a_tag_stays_and_goes_with_its_image():
    listing = Manifest(digest=C, is_index=True, children=(B,))
    options = {"manifests": [Manifest(digest=B, subject=A), listing]}
    assert deleted({**OLD, tag(9): A, beside(A, ""): C}, **options) == set()
    assert deleted({**OLD, tag(30): A, beside(A, ""): C}, **options) == {A, B, C}


def test_an_image_whose_tag_is_its_own_digest_stays():
    assert deleted({**OLD, beside(A, ""): A}) == set()
    assert deleted({**OLD, beside(A, ""): B}, gone=[A]) == set()
    index = Manifest(digest=A, is_index=True, children=(B,))
    assert deleted({**OLD, beside(A, ""): A}, manifests=[index, Manifest(digest=B)]) == set()


def test_what_a_tagged_referrer_refers_to_stays():
    assert (
        deleted({**OLD, tag(30): A, "report": B}, manifests=[Manifest(digest=B, subject=A)])
        == set()
    )


def test_images_of_an_index_stay_and_go_with_it():
    index = Manifest(digest=C, is_index=True, children=(A, B))
    parts = [index, Manifest(digest=A), Manifest(digest=B)]
    assert deleted({**OLD, tag(9): C}, manifests=parts) == set()
    assert deleted({**OLD, tag(30): C}, manifests=parts) == {A, B, C}
    assert deleted({**OLD, tag(30): C, "mine": A}, manifests=parts) == {B, C}


def test_what_an_instance_is_built_on_stays_with_its_tag_and_its_signature():
    found = fates(
        {**OLD, tag(30): A, beside(A, ".sig"): B},
        bases={A: ["registry.example/web:latest", "registry.example/db:latest"]},
    )
    assert (found[A].action, found[A].removed_tags) == (PruneAction.KEEP, ())
    assert found[A].reasons == (
        "registry.example/db:latest is built on it", "registry.example/web:latest is built on it",
    )  # fmt: skip
    assert found[B].action is PruneAction.KEEP


def test_orphans_may_go():
    names = {beside(A, ".sig"): B, beside(A, ".att"): C}
    assert deleted({**OLD, **names}, gone=[A]) == {B, C}
    said = fates({**OLD, **names}, gone=[A])[B].reasons
    assert said == (f"{A}, beside which it stands, is gone",)


def test_where_there_is_no_image_nothing_is_an_orphan():
    """cosign can keep signatures in a repository of their own (COSIGN_REPOSITORY)."""
    assert deleted({beside(A, ".sig"): B, beside(C, ".sig"): D}, gone=[A, C]) == set()


def test_what_is_not_understood_stays():
    assert deleted({**OLD, tag(30): A}, manifests=[Manifest(digest=A, is_known=False)]) == set()
    assert deleted({**OLD, beside(A, ".vex"): B}, gone=[A]) == set()


@pytest.mark.parametrize(("day", "goes"), [(None, False), (10, False), (11, True)])
def test_an_image_without_a_tag_goes_only_by_the_time_of_its_signature(day, goes):
    signed = {} if day is None else {A: TODAY - timedelta(days=day)}
    found = fates({**OLD, beside(A, ".sig"): B}, manifests=[Manifest(digest=A)], signed=signed)
    assert {found[A].action, found[B].action} == {PruneAction.DELETE if goes else PruneAction.KEEP}
    assert goes or "no tag names it" in found[A].reasons[-1]


def test_an_image_of_an_old_day_that_was_signed_lately_stays():
    signed = {A: TODAY - timedelta(days=2)}
    assert deleted({**OLD, tag(30): A}, signed=signed) == set()
    assert deleted({**OLD, tag(30): A}) == {A}


def test_what_was_newest_when_the_window_began_is_told_by_signatures_too():
    """Published on day 12 from inputs of day 30: until day 9 that was what hosts ran."""
    tags = {**NEWEST, tag(9): B, tag(20): C, tag(30): A}
    assert deleted(tags, signed={A: TODAY - timedelta(days=12)}) == {C}


def test_signatures_are_asked_for_only_where_they_decide():
    tags = {**NEWEST, tag(9): A, tag(30): B, tag(31): C, "6.12.1": C, beside(B, ".sig"): D}
    manifests = {it: Manifest(digest=it) for it in (A, B, C, D, E, digest("f"))}
    snapshot = Snapshot(repository="x", tags=tags, manifests=manifests)
    assert undecided(snapshot, rules()) == (B, digest("f"))


@pytest.mark.parametrize(
    ("template", "name", "day"),
    [
        ("{date}", "20261101", date(2026, 11, 1)),
        ("{date}", "20260231", None),
        ("{date}", "x20261101", None),
        ("el10.{date}", "el10.20261101", date(2026, 11, 1)),
        ("el10.{date}", "el10x20261101", None),
        ("{date}-{kernel}", "20261101-6.12.0-1.el10", date(2026, 11, 1)),
        ("{date}-{date}", "20261101-20261102", None),
        ("{kernel}", "20261101", None),
        ("{date}-{digest}", "20261101-0123456789ab", date(2026, 11, 1)),
        ("{date}-{digest}", "20261101-0123456789abc", None),
        ("{date}-{digest}", "20261101-0123456789ag", None),
        ("{digest}", "20261101", None),
    ],
)
def test_days_are_read_by_the_templates_of_tags(template, name, day):
    assert day_of(name, [template]) == day


def test_fixed_tags_are_templates_without_a_field():
    assert fixed_tags((*TEMPLATES, "{date}-{digest}", "{digest}")) == ("latest",)


# ------------------------------------------------------------------ whoever may only push


def test_an_old_day_in_a_tag_proves_nothing_where_no_signature_does():
    """Whoever may push breaks a signature, moves the day away, and gives the image an old one."""
    unproven = {D: TODAY - timedelta(days=20)}
    tags = {**OLD, tag(30): A, beside(A, ".sig"): B}
    manifests = {it: Manifest(digest=it) for it in (A, B, D, E)}
    snapshot = Snapshot(repository="x", tags=tags, manifests=manifests)
    found = {it.digest: it for it in decide(snapshot, rules(), bases={}, signed=unproven).items}
    assert {found[A].action, found[B].action} == {PruneAction.KEEP}
    assert "how old it is cannot be proven" in found[A].reasons[0]


def test_what_has_a_file_system_is_an_image_whatever_tag_says_that_it_is_a_signature():
    image = Manifest(digest=A, has_files=True)
    tags = {**OLD, beside(C, ".sig"): A}
    found = fates(tags, manifests=[image], gone=[C], signed={A: TODAY})[A]
    assert (found.action, found.kind) == (PruneAction.KEEP, ManifestKind.UNKNOWN)


@pytest.mark.parametrize("name", [beside(C, ""), tag(30), "20200101"])
def test_to_be_listed_by_an_index_that_nobody_signed_is_no_reason_to_go(name):
    index = Manifest(digest=B, is_index=True, children=(A,))
    manifests = {B: index, **{it: Manifest(digest=it) for it in (A, D, E)}}
    snapshot = Snapshot(
        repository="x", tags={**OLD, name: B}, manifests=manifests, gone=frozenset({C})
    )
    found = decide(snapshot, rules(), bases={}, signed={D: TODAY - timedelta(days=20)})
    assert {it.digest: it.action for it in found.items}[A] is PruneAction.KEEP


@pytest.mark.parametrize(
    ("kind", "known"),
    [
        ("application/vnd.oci.image.layer.v1.tar+gzip", True),
        ("application/vnd.oci.image.layer.v1.tar", True),
        ("application/vnd.oci.image.layer.nondistributable.v1.tar+zstd", True),
        ("application/vnd.docker.image.rootfs.diff.tar.gzip", True),
        ("application/vnd.dev.cosign.simplesigning.v1+json", False),
        ("application/vnd.dsse.envelope.v1+json", False),
        (1, False),
    ],
)
def test_a_file_system_is_known_by_the_kinds_of_its_layers(kind, known):
    layers = [{"mediaType": "text/plain"}, {"mediaType": kind}, "x"]
    raw = json.dumps({"schemaVersion": 2, "layers": layers}).encode()
    assert read_manifest(raw).has_files is known
