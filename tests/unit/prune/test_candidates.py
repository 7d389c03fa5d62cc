"""Which candidates may go: those that no recent night left, and nothing else."""

from datetime import date, timedelta

import pytest

from immutable_base.model.prune import PruneAction
from immutable_base.prune.candidates import decide_candidates
from immutable_base.prune.decide import Rules
from immutable_base.prune.snapshot import Manifest, Snapshot

TODAY = date(2026, 11, 26)


def digest(letter):
    return "sha256:" + letter * 64


A, B, C, D = map(digest, "abcd")


def own(days, named):
    return f"{TODAY - timedelta(days=days):%Y%m%d}-{named[7:19]}"


def fates(tags, *, manifests=(), referrers=None, bases=None, nights=2):
    known = {named: Manifest(digest=named) for named in tags.values()}
    known |= {it.digest: it for it in manifests}
    snapshot = Snapshot(
        repository="registry.example/os/candidates", tags=tags, manifests=known,
        referrers=referrers or {},
    )  # fmt: skip
    rules = Rules(templates=("latest",), today=TODAY, nights=nights, days=30)
    found = decide_candidates(snapshot, rules, bases=bases or {})
    return {item.digest: item for item in found.items}


def deleted(*arguments, **options):
    found = fates(*arguments, **options)
    return {it for it, item in found.items() if item.action is PruneAction.DELETE}


RECENT = {own(0, A): A, own(3, B): B}


def test_those_of_the_last_nights_stay_however_long_ago_they_were():
    assert deleted({**RECENT, own(4, C): C}) == {C}
    assert deleted({own(300, A): A, own(301, B): B, own(302, C): C}) == {C}
    assert fates(RECENT)[B].reasons[0].endswith("one of the last 2 nights with candidates")


def test_all_candidates_of_one_night_stay_together():
    assert deleted({**RECENT, own(3, C): C, own(4, D): D}) == {D}


def test_the_window_for_rollbacks_keeps_no_candidate_because_no_host_ever_had_one():
    assert deleted({**RECENT, own(5, C): C}) == {C}


def test_an_image_left_again_and_again_stays_and_loses_its_old_tags():
    found = fates({**RECENT, own(9, A): A, own(8, A): A})[A]
    assert found.action is PruneAction.UNTAG
    assert found.removed_tags == (own(9, A), own(8, A))
    assert fates(RECENT)[A].removed_tags == ()


def test_a_day_that_is_yet_to_come_keeps_its_image_and_pushes_no_night_out():
    assert deleted({**RECENT, own(-1, C): C, own(-2, D): D}) == set()
    assert deleted({own(-1, C): C}) == set()


@pytest.mark.parametrize(
    "name", ["latest", "20200101", own(99, B), f"{own(99, C)}0", own(99, C)[:-1]]
)
def test_a_tag_that_no_build_gives_keeps_what_it_names(name):
    found = fates({**RECENT, own(99, C): C, name: C})[C]
    assert (found.action, found.removed_tags) == (PruneAction.KEEP, ())
    assert f"the tag {name} names it" in found.reasons[0]


def test_what_is_signed_is_no_candidate_and_stays_with_its_signature():
    beside = f"{C.replace(':', '-')}.sig"
    assert deleted({**RECENT, own(99, C): C, beside: D}) == set()
    known = {"manifests": [Manifest(digest=D, subject=C)], "referrers": {C: (D,)}}
    assert deleted({**RECENT, own(99, C): C}, **known) == set()


def test_what_is_not_understood_or_has_no_tag_stays():
    strange = Manifest(digest=C, is_known=False)
    assert deleted({**RECENT, own(99, C): C}, manifests=[strange]) == set()
    assert deleted(RECENT, manifests=[Manifest(digest=C)]) == set()


def test_what_an_instance_is_built_on_stays():
    assert deleted({**RECENT, own(99, C): C}, bases={C: ["registry.example/web:1"]}) == set()
