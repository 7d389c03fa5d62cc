"""`registry prune` as a user runs it, against a registry that answers over TLS."""

import json
import os

import pytest

from immutable_base.errors import ConfigurationError
from immutable_base.prune.load import load_prune_plan
from support.complete import artifact, referrers
from support.forge import Instance
from support.oci_registry import BASE_DIGEST
from support.web import Reply

INSTANCE = "group/web"
TAGS, MANIFESTS = "os/base/tags/list", "os/base/manifests/"


def old(shelf):
    """Return what may go of the long history."""
    return {shelf.nights[days] for days in (30, 40)}


# ------------------------------------------------------------------ the plan


def test_a_plan_is_the_default_and_deletes_nothing(nights):
    before = (dict(nights.base.tags), dict(nights.base.manifests))
    done = nights.prune()
    assert done.code == 0
    assert (nights.base.tags, nights.base.manifests) == before
    assert nights.registry.written() == []
    assert "6 manifests may go" in done.out
    assert nights.prune("--plan").out == done.out


def test_old_nights_may_go_with_what_stands_beside_them(nights):
    rows = nights.items()
    going = {digest for digest, row in rows.items() if row["action"] == "delete"}
    assert {digest for digest in going if rows[digest]["kind"] == "image"} == old(nights)
    assert len(going) == 6


def test_every_image_that_stays_has_its_reason_in_words(nights):
    out = nights.prune().out
    for words in (
        "the tag latest names it", "one of the last 3 nights", "within the rollback window",
        "it was the newest when the rollback window began", "5 attestation, 5 signature",
    ):  # fmt: skip
        assert words in out


def test_the_same_registry_gives_the_same_plan(nights):
    assert nights.plan() == nights.plan()


def test_an_image_is_never_as_old_as_it_says_itself(nights):
    """Every image here says that it was made in 1970."""
    assert nights.fate(nights.nights[0]) == "keep"
    assert b"1970" in b"".join(nights.base.blobs.values())


def test_an_image_that_lost_its_tag_is_as_old_as_its_signature(nights):
    recent, ancient = (
        nights.publish(days, words="first", dated=False) for days in (4, 60)
    )  # fmt: skip
    rows = nights.items()
    assert (rows[recent]["action"], rows[ancient]["action"]) == ("keep", "delete")


def test_a_signature_by_others_proves_no_age(nights):
    lost = nights.base.image("lost")
    nights.sign(lost, 60, instance=Instance())
    row = nights.items()[lost]
    assert row["action"] == "keep"
    assert "cannot be proven" in row["reasons"][0]


def test_whoever_may_only_push_makes_nothing_go(nights):
    """Break the signature of what hosts run, move its day away, and give it one of long ago."""
    victim, day = nights.nights[5], nights.tag(5)
    nights.base.image("junk", day, f"{victim.replace(':', '-')}.sig")
    nights.base.tags[nights.tag(300)] = victim
    rows = nights.items()
    assert rows[victim]["action"] == "keep"
    assert "cannot be proven" in rows[victim]["reasons"][0]
    recent = nights.items()[nights.nights[2]]["reasons"]
    assert not any("proven" in words for words in recent)


def test_a_variant_that_was_never_published_is_told_and_nothing_else(nights):
    assert "base-zfs: the registry has no such repository" in nights.prune().out


def test_a_registry_without_any_of_the_repositories_is_an_error(shelf):
    shelf.registry.repositories.clear()
    done = shelf.prune()
    assert done.code == 16
    assert "registry.destination" in done.err


# ------------------------------------------------------------------ candidates


@pytest.fixture
def candidates(nights):
    """Three nights have left images for other machines: one of them long ago."""
    found = nights.registry.repository("os/candidates")
    for days in (0, 1, 40):
        named = found.image(f"candidate of {days}")
        found.tags[f"{nights.tag(days)}-{named[7:19]}"] = named
    return found


def test_candidates_of_old_nights_go_with_the_rest(nights, candidates):
    listed = nights.prune(nights=2)
    assert "os/candidates:" in listed.out
    assert listed.out.count("a candidate, older than the last 2 nights") == 1
    assert nights.prune("--yes", nights=2).code == 0
    assert {tag[:8] for tag in candidates.tags} == {nights.tag(0), nights.tag(1)}


def test_a_plan_with_candidates_is_carried_out_from_its_file(nights, candidates, tmp_path):
    plan = tmp_path / "plan.json"
    assert nights.prune("--format", "json", "--output", plan, nights=2).code == 0
    assert nights.prune("--yes", "--from", plan).code == 0
    assert len(candidates.tags) == 2


def test_candidates_are_of_no_variant_and_stay_where_one_is_named(nights, candidates):
    assert "os/candidates" not in nights.prune("--variant", "base").out


def test_where_variants_are_published_is_no_repository_of_candidates(nights, candidates):
    """A slip in registry.candidates must not let published images go by another rule."""
    nights.settings["candidates"] = nights.name
    assert nights.fate(nights.nights[20]) == "keep"


# ------------------------------------------------------------------ what cannot be believed


def test_all_pages_of_tags_are_read(nights):
    whole = nights.plan()
    nights.registry.page = 3
    assert nights.plan() == whole


def test_a_page_that_does_not_say_that_it_is_one_is_not_taken_for_the_whole(nights):
    whole = nights.plan()
    nights.registry.page, nights.registry.links = 3, False
    assert nights.plan() == whole


def test_a_registry_without_a_referrers_api_gives_the_same_plan(nights):
    whole = nights.plan()
    nights.registry.has_referrers = False
    assert nights.plan() == whole


@pytest.mark.parametrize("keeps_lists", [True, False], ids=["API", "tag"])
def test_the_full_sbom_stays_as_long_as_its_image_and_goes_after_it(nights, keeps_lists):
    nights.registry.has_referrers = keeps_lists
    found = {}
    for days in (5, 40):
        image = nights.nights[days]
        manifest, entry = artifact(image, f"full of {days}".encode())
        found[days] = [nights.base.add(manifest)]
        if not keeps_lists:
            found[days].append(nights.base.add(referrers(entry), image.replace(":", "-")))
    rows = nights.items()
    assert {rows[digest]["action"] for digest in found[5]} == {"keep"}
    assert {rows[digest]["action"] for digest in found[40]} == {"delete"}
    assert nights.prune("--yes").code == 0
    assert set(found[5]) <= set(nights.base.manifests)
    assert not set(found[40]) & set(nights.base.manifests)
    assert nights.nights[40].replace(":", "-") not in nights.base.tags


def test_referrers_of_an_image_go_with_it(nights):
    report = nights.base.image("report", subject=nights.nights[40])
    other = nights.base.image("other", subject=nights.nights[5])
    rows = nights.items()
    assert (rows[report]["action"], rows[other]["action"]) == ("delete", "keep")


def broken(path, *replies):
    return lambda shelf: shelf.registry.replies.update({("GET", path): list(replies)})


def listed(*tags, name="os/base", **headers):
    return Reply(json.dumps({"name": name, "tags": list(tags)}).encode(), 200, headers)


def without_latest(shelf):
    names = [name for name in shelf.base.tags if name != "latest"]
    broken(TAGS, listed(*names))(shelf)


def endless(shelf):
    link = {"Link": f'</v2/{TAGS}?n=1&last=a>; rel="next"'}
    broken(TAGS, listed("a", **link))(shelf)


def grown(shelf):
    names = sorted(shelf.base.tags)
    broken(TAGS, listed(*names), listed(*names), listed(*names, "zzz"))(shelf)


def subject_hidden(status, body=b"not found"):
    """Let the registry not tell of an image whose signature is there."""

    def spoil(shelf):
        lost = shelf.publish(60, dated=False)
        broken(MANIFESTS + lost, Reply(body, status))(shelf)

    return spoil


def index_of(shelf, status):
    broken(MANIFESTS + shelf.tag(5), Reply(b"", status))(shelf)


DOUBTS = {
    **{
        f"tags: {status}": broken(TAGS, Reply(b"{}", status))
        for status in (401, 403, 404, 429, 500, 502, 503)
    },
    **{
        f"a manifest: {status}": lambda shelf, status=status: index_of(shelf, status)
        for status in (401, 403, 404, 429, 500, 503)
    },
    **{
        f"the image beside which a signature stands: {status}": subject_hidden(status)
        for status in (401, 403, 404, 429, 500, 503)
    },
    "the image beside which a signature stands: 404 for another reason": subject_hidden(
        404, b'{"errors": [{"code": "DENIED"}]}'
    ),
    "no list of tags": broken(TAGS, Reply(b'{"name": "os/base"}')),
    "a next page without a list": broken(
        TAGS, listed("latest", Link=f'</v2/{TAGS}?last=latest>; rel="next"'), Reply(b"{}")
    ),
    "no tags": broken(TAGS, Reply(b'{"name": "os/base", "tags": []}')),
    "tags: null": broken(TAGS, Reply(b'{"name": "os/base", "tags": null}')),
    "tags of another repository": broken(TAGS, listed("latest", name="os/other")),
    "tags that are none": broken(TAGS, listed("../x")),
    "no JSON": broken(TAGS, Reply(b"<html>")),
    "half an answer": broken(TAGS, Reply(b'{"name": "os/base", "tags": ["la')),
    "an empty answer": broken(TAGS, Reply(b"")),
    "latest is there and not listed": without_latest,
    "pages without an end": endless,
    "a next page elsewhere": broken(
        TAGS, listed("a", Link='<https://other.example/x>; rel="next"')
    ),
    "a next page that is no address": broken(TAGS, listed("a", Link='<//[>; rel="next"')),
    "referrers with a next page that is no address": lambda shelf: broken(
        f"os/base/referrers/{shelf.nights[5]}",
        Reply(b'{"manifests": []}', 200, {"Link": '<//[>; rel="next"'}),
    )(shelf),
    "referrers with a next page that is none": lambda shelf: broken(
        f"os/base/referrers/{shelf.nights[5]}",
        Reply(b'{"manifests": []}', 200, {"Link": "</v2/x>; rel=prev"}),
    )(shelf),
    "a next page that fails": broken(
        TAGS, listed("latest", Link=f'</v2/{TAGS}?last=latest>; rel="next"'), Reply(b"", 429)
    ),
    "a tag that came while it was read": grown,
    "a tag that is listed and not there": lambda shelf: broken(
        MANIFESTS + shelf.tag(5), Reply(b'{"errors":[{"code":"MANIFEST_UNKNOWN"}]}', 404)
    )(shelf),
    "another manifest under a digest": subject_hidden(200, b"{}"),
    "referrers that fail": lambda shelf: broken(
        f"os/base/referrers/{shelf.nights[5]}", Reply(b"", 500)
    )(shelf),
    "referrers that are no list": lambda shelf: broken(
        f"os/base/referrers/{shelf.nights[5]}", Reply(b'{"manifests": [{}]}')
    )(shelf),
}


@pytest.mark.parametrize("name", DOUBTS)
def test_no_doubtful_answer_decides_anything(nights, name):
    DOUBTS[name](nights)
    before = dict(nights.base.manifests)
    done = nights.prune("--yes")
    assert done.code in {6, 15}, done.out + done.err
    assert "Traceback" not in done.err
    assert nights.registry.written() == []
    assert nights.base.manifests == before


def test_a_signature_whose_image_is_gone_is_an_orphan(nights):
    lost = nights.publish(2, words="lost", dated=False)
    del nights.base.manifests[lost]
    assert nights.prune("--yes").code == 0
    assert nights.beside(lost) == set()


def test_a_registry_that_is_not_there_is_an_error(nights):
    nights.registry.replies = {
        ("GET", TAGS): [Reply(b"", 301, {"Location": "https://127.0.0.1:1/"})]
    }
    assert nights.prune("--yes").code == 6


# ------------------------------------------------------------------ instances


def test_what_instances_are_built_on_stays(nights):
    web = nights.registry.repository(INSTANCE)
    web.image("web", "latest", labels={BASE_DIGEST: nights.nights[40]})
    web.image("annotated", "old", annotations={BASE_DIGEST: nights.nights[30]})
    where = f"{nights.registry.host}/{INSTANCE}"
    rows = nights.items("--instances", where)
    assert {rows[nights.nights[days]]["action"] for days in (30, 40)} == {"keep"}
    assert rows[nights.nights[40]]["reasons"] == [f"{where}:latest is built on it"]
    assert nights.fate(nights.nights[40]) == "delete"


def test_an_instance_that_only_its_signature_tells_of_counts(nights):
    web = nights.registry.repository(INSTANCE)
    web.image("web", "latest", labels={BASE_DIGEST: nights.nights[0]})
    running = web.image("before", labels={BASE_DIGEST: nights.nights[40]})
    web.beside(running, ".sig")
    assert (
        nights.fate(nights.nights[40], "--instances", f"{nights.registry.host}/{INSTANCE}")
        == "keep"
    )


def test_every_image_of_an_instances_index_counts(nights):
    web = nights.registry.repository(INSTANCE)
    inner = web.image("web", labels={BASE_DIGEST: nights.nights[40]})
    web.index(inner, tags=["latest"])
    assert (
        nights.fate(nights.nights[40], "--instances", f"{nights.registry.host}/{INSTANCE}")
        == "keep"
    )


def test_a_list_of_referrers_among_instances_is_no_instance(nights):
    web = nights.registry.repository(INSTANCE)
    image = web.image("web", "latest", labels={BASE_DIGEST: nights.nights[40]})
    bill = web.image("bill", subject=image)
    web.index(bill, tags=[image.replace(":", "-")])
    where = f"{nights.registry.host}/{INSTANCE}"
    assert nights.fate(nights.nights[40], "--instances", where) == "keep"


def nothing(web, nights):
    """There is no such repository."""


def unlabelled(web, nights):
    web.image("web", "latest")


def inherited(web, nights):
    web.image("web", "latest", labels={BASE_DIGEST: "sha256:" + "5" * 64})


def emptied(web, nights):
    del web.tags["latest"]


def half(web, nights):
    web.image("web", "latest", labels={BASE_DIGEST: nights.nights[0]})
    web.blobs.clear()


@pytest.mark.parametrize(
    ("spoil", "code", "words"),
    [
        (nothing, 16, "no repository"),
        (unlabelled, 2, "does not say what it is built on"),
        (inherited, 2, "inherited"),
        (emptied, 6, "lists no tag"),
        (half, 6, "does not have the configuration"),
    ],
)
def test_instances_that_do_not_tell_their_base_stop_everything(nights, spoil, code, words):
    if spoil is not nothing:
        web = nights.registry.repository(INSTANCE)
        web.image("first", "latest", labels={BASE_DIGEST: nights.nights[0]})
        spoil(web, nights)
    done = nights.prune("--yes", "--instances", f"{nights.registry.host}/{INSTANCE}")
    assert done.code == code
    assert words in done.err
    assert nights.registry.written() == []


# ------------------------------------------------------------------ deletion


def test_yes_deletes_what_the_plan_lists_and_nothing_else(nights):
    planned = {digest for digest, row in nights.items().items() if row["action"] == "delete"}
    before = set(nights.base.manifests)
    done = nights.prune("--yes", "--format", "json")
    report = json.loads(done.out)
    assert done.code == 0
    assert before - set(nights.base.manifests) == planned
    assert {name.partition("@")[2] for name in report["deleted"]} == planned
    assert report["seen"] == len(nights.base.manifests)
    assert all(path.startswith(MANIFESTS) for _, path in nights.registry.written())


def test_images_go_before_their_signatures(nights):
    nights.prune("--yes")
    order = [path.removeprefix(MANIFESTS) for _, path in nights.registry.written()]
    assert set(order[:2]) == {"sha256:" + it.partition(":")[2] for it in order[:2]}
    assert len(order) == 6
    kinds = [any(digest == it for it in nights.nights.values()) for digest in order]
    assert kinds == [True, True, False, False, False, False]


def test_a_second_time_nothing_may_go(nights):
    nights.prune("--yes")
    assert "nothing may go" in nights.prune().out


def test_an_old_day_is_taken_from_an_image_that_stays(nights):
    digest = nights.publish(50, "6.12.0")
    done = nights.prune("--yes")
    assert done.code == 0, done.err
    assert digest in nights.base.manifests
    assert nights.tag(50) not in nights.base.tags
    assert nights.base.tags["6.12.0"] == digest
    assert nights.beside(digest) == {"sig", "att"}


def test_a_registry_that_takes_no_single_tag_away_keeps_it_and_that_is_said(nights):
    nights.publish(50, "6.12.0")
    nights.registry.deletes_tags = "never"
    done = nights.prune("--yes")
    assert done.code == 0
    assert nights.tag(50) in nights.base.tags
    assert f"left {nights.name}:{nights.tag(50)}" in done.out


def test_a_manifest_that_goes_with_its_tag_is_put_back(nights):
    digest = nights.publish(50, "6.12.0")
    nights.registry.deletes_tags = "with the manifest"
    done = nights.prune("--yes")
    assert done.code == 6
    assert nights.base.tags["6.12.0"] == nights.base.tags[nights.tag(50)] == digest
    assert "together with its tag" in done.err
    assert old(nights) <= set(nights.base.manifests), "nothing else was deleted"


def test_a_registry_that_does_not_delete_is_an_error(nights):
    nights.registry.deletes_manifests = False
    done = nights.prune("--yes")
    assert done.code == 6
    assert "does the registry allow deletion?" in done.err


def test_a_registry_that_only_says_that_it_deletes_is_an_error(nights):
    first = min(old(nights))
    nights.registry.replies[("DELETE", MANIFESTS + first)] = [Reply(b"", 202)]
    done = nights.prune("--yes")
    assert done.code == 6
    assert first in done.err


def test_what_was_deleted_before_a_failure_is_named(nights):
    first, second = sorted(old(nights))
    nights.registry.replies[("DELETE", MANIFESTS + second)] = [Reply(b"denied", 403)]
    done = nights.prune("--yes")
    assert done.code == 6
    assert f"deleted before: {nights.name}@{first}" in done.err
    assert nights.beside(second) == {"sig", "att"}, "what is left is signed"


def test_something_that_goes_missing_meanwhile_is_found(nights):
    kept = nights.nights[5]

    def lose(path, reference):
        nights.base.manifests.pop(kept, None)
        nights.base.tags.pop(nights.tag(5), None)

    nights.registry.after_delete.append(lose)
    done = nights.prune("--yes")
    assert done.code == 12
    assert kept in done.err


def test_a_tag_that_another_run_moves_meanwhile_is_told(nights):
    def move(path, reference):
        nights.base.tags["latest"] = nights.nights[1]

    nights.registry.after_delete.append(move)
    done = nights.prune("--yes")
    assert done.code == 0
    assert f"moved by another run meanwhile: {nights.name}:latest" in done.out


# ------------------------------------------------------------------ a plan from a file


def test_a_pipe_is_no_plan(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ConfigurationError, match="is a pipe"):
        load_prune_plan(tmp_path / "pipe")


@pytest.fixture
def saved(nights, tmp_path):
    path = tmp_path / "plan.json"
    assert nights.prune("--format", "json", "--output", path).code == 0
    return path


def test_a_plan_from_a_file_is_carried_out(nights, saved):
    assert nights.prune("--yes", "--from", saved).code == 0
    assert not old(nights) & set(nights.base.manifests)


@pytest.mark.parametrize(
    "change",
    [
        lambda shelf: shelf.publish(0, "latest", words="again"),
        lambda shelf: shelf.base.tags.update({"rescued": shelf.nights[40]}),
        lambda shelf: shelf.base.beside(shelf.nights[5], ".sbom"),
    ],
)
def test_a_plan_that_the_registry_has_left_behind_is_refused(nights, saved, change):
    change(nights)
    done = nights.prune("--yes", "--from", saved)
    assert done.code == 6
    assert "changed since this plan was made" in done.err
    assert nights.registry.written() == []


def edited(**changes):
    return lambda document: {**document, **changes}


def more_goes(document):
    for item in document["repositories"][0]["items"]:
        item["action"] = "delete"
    return document


@pytest.mark.parametrize(
    ("edit", "code"),
    [
        (more_goes, 6),
        (edited(as_of="2999-01-01"), 2),
        (edited(as_of="2026-13-01"), 2),
        (edited(nights=0), 2),
        (edited(days=-1), 2),
        (edited(schema_version=2), 2),
        (edited(surprise=1), 2),
        (lambda document: [], 2),
        (lambda document: {**document, "repositories": [
            {"repository": "elsewhere.example/x", "exists": True, "items": []}]}, 2),
    ],
)  # fmt: skip
def test_a_plan_that_was_edited_deletes_nothing(nights, saved, edit, code):
    saved.write_text(json.dumps(edit(json.loads(saved.read_text()))))
    done = nights.prune("--yes", "--from", saved)
    assert done.code == code
    assert "Traceback" not in done.err
    assert nights.registry.written() == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["--from", "plan.json"],
        ["--yes", "--plan"],
        ["--yes", "--from", "plan.json", "--days", "1"],
        ["--yes", "--from", "plan.json", "--variant", "base"],
        ["--yes", "--from", "/nonexistent/plan.json"],
        ["--nights", "0"],
        ["--days", "-1"],
        ["--instances", "registry.example/web:latest"],
        ["--variant", "nope"],
    ],
)
def test_arguments_that_make_no_sense_are_refused(nights, arguments):
    done = nights.prune(*arguments)
    assert done.code == 2
    assert nights.registry.requests == []


def test_only_deletion_asks_for_more_than_reading(nights):
    challenge = {
        "WWW-Authenticate": f'Bearer realm="https://{nights.registry.host}/v2/token",service="x"'
    }
    nights.registry.replies[("GET", "token")] = [Reply(b'{"token": "abc"}')]
    nights.registry.replies[("GET", TAGS)] = [Reply(b"", 401, challenge)]
    for arguments, scope in (([], "pull"), (["--yes"], "pull,push,delete")):
        nights.registry.queries.clear()
        nights.prune(*arguments)
        assert [query["scope"] for query in nights.registry.queries if "scope" in query] == [
            f"repository:os/base:{scope}"
        ]
