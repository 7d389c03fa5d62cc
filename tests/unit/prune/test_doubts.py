"""No answer of a registry that may be cut off, empty or stale makes anything go."""

import json

import pytest

from support.complete import artifact, referrers
from support.web import Reply

TAGS = "os/base/tags/list"
MANIFESTS = "os/base/manifests/"


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
