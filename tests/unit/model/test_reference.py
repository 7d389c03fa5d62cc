"""References as users write them."""

import pytest

from immutable_base.errors import ConfigurationError
from immutable_base.model.plan import BasePlan
from immutable_base.model.reference import Reference

DIGEST = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("text", "repository", "tag", "digest"),
    [
        ("quay.io/a/b:c", "quay.io/a/b", "c", None),
        ("quay.io/a/b", "quay.io/a/b", None, None),
        ("127.0.0.1:5000/a/b", "127.0.0.1:5000/a/b", None, None),
        ("127.0.0.1:5000/a:latest", "127.0.0.1:5000/a", "latest", None),
        (f"docker://quay.io/a@{DIGEST}", "quay.io/a", None, DIGEST),
        (f"quay.io/a:t@{DIGEST}", "quay.io/a", "t", DIGEST),
    ],
)
def test_parts(text, repository, tag, digest):
    reference = Reference.parse(text)
    assert (reference.repository, reference.tag, reference.digest) == (repository, tag, digest)
    assert str(reference) == text.removeprefix("docker://")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "base",
        "quay.io/A/b",
        "quay.io/a:",
        "quay.io/a@",
        "quay.io/a@sha256:12",
        "quay.io/a b",
        "q/a:-x",
        "127.0.0.1:99999/x/y",
        "127.0.0.1:65536/x/y",
        "127.0.0.1:0/x/y",
    ],
)
def test_not_a_reference(text):
    with pytest.raises(ConfigurationError, match="not the reference"):
        Reference.parse(text)


@pytest.mark.parametrize("port", [1, 80, 5000, 10000, 59999, 64999, 65499, 65529, 65535])
def test_every_port_that_there_is(port):
    assert Reference.parse(f"h:{port}/a").repository == f"h:{port}/a"


@pytest.mark.parametrize("text", ["[::1]:5000/a/b:c", "docker://[fe80::1]/a"])
def test_ipv6_is_told_in_true_words(text):
    with pytest.raises(ConfigurationError, match="IPv6 addresses are not supported"):
        Reference.parse(text)


@pytest.mark.parametrize(
    "reference",
    ["h:5000/a/b", "h:5000/a/b:t", f"h:5000/a/b@{DIGEST}", f"h:5000/a/b:t@{DIGEST}"],
)
def test_a_base_is_pinned_by_one_digest_however_the_configuration_names_it(reference):
    base = BasePlan(reference=reference, digest="sha256:" + "1" * 64, created=0)
    assert base.pinned == "h:5000/a/b@sha256:" + "1" * 64
