"""What an admission says, which one may be made, and which may go."""

import dataclasses
import json

import pytest

from immutable_base.admission.decide import (
    DAY,
    expired,
    name_to_pull,
    newer,
    newest,
    read_statement,
    require_not_older,
    write_statement,
)
from immutable_base.errors import VerificationError
from immutable_base.verification.skipped import Skipped
from support.admissions import REFERENCE, admission
from support.forge import NOW

# ------------------------------------------------------------------ the statement


def test_a_statement_is_read_as_it_was_written():
    assert read_statement(write_statement(admission())) == admission()


def test_a_statement_has_the_form_that_container_tools_parse():
    document = json.loads(write_statement(admission()))
    assert document["critical"] == {
        "identity": {"docker-reference": REFERENCE},
        "image": {"docker-manifest-digest": f"sha256:{1:064x}"},
        "type": "cosign container image signature",
    }
    assert document["optional"] == {
        "creator": "immutable-base-admission", "signed_at": NOW + 1, "timestamp": NOW + 1,
    }  # fmt: skip


def changed(**changes):
    document = json.loads(write_statement(admission()))
    for path, value in changes.items():
        *above, last = path.split("__")
        table = document
        for name in above:
            table = table[name]
        table[last] = value
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "is not strict JSON"),
        (b"[]", "is not a JSON object"),
        (b"null", "is not a JSON object"),
        (b"{}", "lacks critical, optional"),
        (changed(extra=1), "keys that do not belong there: extra"),
        (changed(critical__extra=1), "keys that do not belong there: extra"),
        (changed(critical=None), "is not a JSON object"),
        (changed(optional=None), "is not a JSON object"),
        (changed(critical__type="atomic container signature"), "is about something else"),
        (
            changed(critical__image={"docker-manifest-digest": "sha256:x"}),
            "is about something else",
        ),
        (changed(critical__identity={"docker-reference": 7}), "is not a text"),
        (changed(optional__timestamp="1"), "is not a count"),
        (changed(optional__signed_at=None), "is not a count"),
        (changed(optional__signed_at=-1), "is not a count"),
        (changed(optional__signed_at=True), "is not a count"),
    ],
)
def test_a_statement_of_another_form_is_no_admission(raw, words):
    with pytest.raises(Skipped, match=words):
        read_statement(raw)


@pytest.mark.parametrize(
    ("repository", "tag", "digest", "expected"),
    [
        ("registry.example:5000/os/base", "latest", None, "registry.example:5000/os/base:latest"),
        ("docker.io/busybox", "1", None, "docker.io/library/busybox:1"),
        ("index.docker.io/a/b", None, "sha256:0", "docker.io/a/b@sha256:0"),
        ("registry.example/os/base", "1", "sha256:0", "registry.example/os/base:1@sha256:0"),
    ],
)
def test_a_name_is_spelled_as_container_tools_do(repository, tag, digest, expected):
    assert name_to_pull(repository, tag, digest) == expected


# ------------------------------------------------------------------ an older image


def test_an_image_that_was_signed_earlier_is_refused():
    with pytest.raises(VerificationError, match="older than") as caught:
        require_not_older(admission(1), [admission(2), admission(0)])
    assert "--allow-older" in caught.value.hint
    assert admission(1).digest in caught.value.details


@pytest.mark.parametrize(
    "known",
    [
        [],
        [admission(1)],
        [admission(9, signed_at=NOW + 1)],
        [admission(2, reference="registry.example/os/base:stable")],
    ],
    ids=["nothing", "the same", "another of the same second", "another tag's"],
)
def test_what_is_not_older_under_this_name_may_be_admitted(known):
    require_not_older(admission(1), known)


OTHER_TAG = admission(9, reference="registry.example/os/base:stable")


@pytest.mark.parametrize("known", [[], [OTHER_TAG]], ids=["nothing", "another tag's"])
def test_a_host_that_has_admitted_nothing_yet_takes_nothing_older_than_its_own_image(known):
    floor = admission(1).signed_at
    require_not_older(admission(1), known, floor)
    with pytest.raises(
        VerificationError, match=r"older than .* packages in this host's image"
    ) as caught:
        require_not_older(admission(1), known, floor + 1)
    assert "--allow-older" in caught.value.hint
    assert admission(1).digest in caught.value.details


def test_what_it_went_back_to_on_purpose_stays_admitted():
    require_not_older(admission(1), [admission(1)], admission(1).signed_at + 1)


def test_who_goes_back_gives_up_what_is_newer_of_this_name_and_of_no_other():
    assert newer(admission(1), [admission(0), admission(1), admission(2), OTHER_TAG]) == [
        admission(2)
    ]


# ------------------------------------------------------------------ what may go


def test_what_is_deployed_stays_however_old_and_the_newest_of_each_name():
    booted, rollback, old, last = (admission(number) for number in range(4))
    other = admission(7, reference="registry.example/os/other:latest", signed_at=5, admitted_at=5)
    deployed = {booted.digest, rollback.digest}
    found = expired([booted, rollback, old, last, other], deployed, 0, NOW + 900 * DAY)
    assert found == [old]


def test_days_are_counted_from_the_admission():
    old, last = admission(0, admitted_at=NOW), admission(1)
    assert expired([old, last], (), 7, NOW + 7 * DAY) == []
    assert expired([old, last], (), 7, NOW + 7 * DAY + 1) == [old]


def test_a_clock_that_went_back_removes_nothing():
    ahead, last = admission(0, admitted_at=NOW + 900 * DAY), admission(1)
    assert expired([ahead, last], (), 0, NOW) == []


def test_the_newest_is_the_one_that_was_signed_last_whenever_it_was_admitted():
    first = admission(1, admitted_at=NOW + 50)
    assert newest([first, admission(2)], REFERENCE) == admission(2)
    assert newest([first], "registry.example/os/base:other") is None
    assert newest([dataclasses.replace(first)], REFERENCE) == first
