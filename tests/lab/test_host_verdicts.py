"""The verifier's corpus, asked of hosts: the program and the skopeo of an image, under its policy.

What each must say is in tests/support/host_verdicts.py, and from there in docs/reference.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from immutable_base.build.admission_files import program_files
from immutable_base.publish.by_key import tags_signed_by
from support.forge import Instance, key_signature, new_key, public_pem
from support.host_corpus import CASES, apply_arguments
from support.host_verdicts import expected, expected_text
from support.scene import Scene
from support.shipped_host import ShippedHost, is_refusal, shipped_roots, sign_by_key_too
from support.signature_cases import TEXTS
from support.web import make_certificate, serving

pytestmark = pytest.mark.apart

WITH_429 = "2"
"""Seconds: skopeo would go on asking for a minute."""


class TaggedScene(Scene):
    """Signatures are for the tag, as those by a key are."""

    def payload(self, digest=None, repository=None, **changes):
        named = f"{self.repository}:latest" if repository is None else repository
        return super().payload(digest, named, **changes)


@dataclass(frozen=True)
class Place:
    """A registry, two Sigstores, and the roots of two kinds of hosts."""

    scene: Callable[..., Scene]
    foreign: Instance
    admitting: Path
    by_key: Path
    key: object


@pytest.fixture(scope="module")
def place(admission_image, tmp_path_factory):
    folder = tmp_path_factory.mktemp("verdicts")
    certificate, instance = make_certificate(folder / "tls"), Instance()
    key, coming = new_key(), new_key()
    with serving(certificate) as site:

        def scene(folder, kind=Scene):
            return kind(site, instance, folder, certificate.authority)

        with shipped_roots(*admission_image, scene(folder), (key, coming)) as (admitting, by_key):
            yield Place(scene, Instance(), admitting, by_key, key)


def test_the_program_of_the_image_is_the_one_that_is_shipped(place):
    for name, content in program_files().items():
        assert (place.admitting / name).read_bytes() == content, name


@pytest.mark.parametrize("name", CASES)
def test_hosts_decide_as_the_table_says(name, place, tmp_path):
    must = expected(name)
    scene = place.scene(tmp_path)
    scene.foreign = place.foreign
    CASES[name][0](scene)
    host = ShippedHost(place.admitting, scene, tmp_path / "admitting")
    demanding = ShippedHost(place.by_key, scene, tmp_path / "by-key")
    seconds = {"seconds": WITH_429} if "429" in name else {}
    apply_arguments(host, scene)

    assert scene.verify().code == must.verify
    asked = host.admit()
    assert asked.status == must.admission, asked.text
    found = host.pull(**seconds)
    assert (found.status == 0) is must.admitted, found.text
    unsigned = demanding.pull(**seconds)
    assert unsigned.status != 0, "no key has signed it"
    sign_by_key_too(scene, place.key)
    signed = demanding.pull(**seconds)
    assert (signed.status == 0) is must.by_key, signed.text
    if not name.startswith("registry: "):
        # By the policy, and not because something else has failed.
        refused = [it for it in (found, unsigned, signed) if it.status != 0]
        assert [it.text for it in refused if not is_refusal(it)] == []


@pytest.mark.parametrize("name", TEXTS)
def test_a_key_s_signature_of_a_text_counts_as_the_table_says(name, place, tmp_path):
    must = expected_text(name)
    scene = place.scene(tmp_path, TaggedScene)
    item = key_signature(place.key, "", "", payload=TEXTS[name](scene))
    scene.set_sig(scene.sig(), item)
    tags = tags_signed_by(
        scene.registry, repository=scene.repository, digest=scene.digest,
        key=public_pem(place.key).decode(),
    )  # fmt: skip
    assert ("latest" in tags) is must.counted
    found = ShippedHost(place.by_key, scene, tmp_path / "by-key").pull()
    assert (found.status == 0) is must.taken, found.text
    assert found.status == 0 or is_refusal(found), found.text
