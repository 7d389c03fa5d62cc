"""What instances are built on stays."""

import pytest

from support.oci_registry import BASE_DIGEST

INSTANCE = "group/web"


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
