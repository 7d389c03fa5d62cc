"""The key that hosts demand, rotated as the how-to says, while two hosts follow.

One host has the image of before the rotation, the other that of after `announce`. After each step
both take the image of the next night, start it, and have its policy from then on.
"""

from __future__ import annotations

import os
import re

import pytest

from immutable_base.config.load import load_settings
from immutable_base.errors import VerificationError
from immutable_base.process import Command, run
from immutable_base.tools import cosign
from immutable_base.trusted_keys import signing_key_of
from immutable_base_lab.core import image_keys
from immutable_base_lab.core.paths import LabPaths
from support.publisher import Publisher

pytestmark = pytest.mark.long

VARIANT = "tiny"
NEXT_VARIABLE = "NEXT_SIGNING_KEY"


@pytest.fixture
def keys(tiny_lab):
    return LabPaths(root=tiny_lab.state).image_keys


@pytest.fixture
def third(keys, tiny_lab, tmp_path):
    """Public half of the key that comes after the next one."""
    environment = {"COSIGN_PASSWORD": "x", "PATH": tiny_lab.env["PATH"]}
    argv = ("cosign", "generate-key-pair", "--output-key-prefix=third")
    run(Command(argv=argv, timeout=60, cwd=tmp_path, env=environment))
    return tmp_path / "third.pub"


@pytest.fixture
def publisher(tiny_lab, keys, tmp_path):
    """A publisher whose hosts know one key so far."""
    only_one = (f', "{keys}/next.pub"', "")
    publisher = Publisher.make(
        tiny_lab, VARIANT, tiny_lab.configuration, tmp_path / "config", "rotation", only_one
    )
    following = image_keys.environment(LabPaths(root=tiny_lab.state), "next")
    publisher.environment[NEXT_VARIABLE] = following[image_keys.VARIABLE]
    return publisher


def rotate(publisher, *arguments):
    done = publisher.product("policy", "rotate", "--apply", *map(str, arguments))
    assert done.returncode == 0, done.stderr


def follow(host, published):
    """Let a host take an image, and start it."""
    with host.up():
        done = host.upgrade(published.latest)
        assert done.status == 0, done.text
    host.choose(0)


def by_one_key(publisher, published, key, words):
    """Return an image under `latest`'s name that only this key has signed."""
    pinned = publisher.twin(published, words)
    publisher.sign_with_key(pinned, key, words)
    return publisher.tag(pinned, words)


def test_two_hosts_follow_a_rotation_and_refuse_the_old_key_at_its_end(
    publisher, keys, third, tmp_path, tiny_lab
):
    environment = {**os.environ, **tiny_lab.env, **publisher.environment}
    settings = load_settings(publisher.configuration)
    old_key = signing_key_of(settings.signing, publisher.configuration.parent, environment)
    next_key = cosign.ImageKey(
        reference=f"env://{NEXT_VARIABLE}", public="",
        environment={
            NEXT_VARIABLE: publisher.environment[NEXT_VARIABLE],
            "COSIGN_PASSWORD": environment["COSIGN_PASSWORD"],
        },
    )  # fmt: skip
    first = publisher.night()
    one = publisher.host(first, tmp_path / "one")
    too_early = by_one_key(publisher, first, next_key, "too-early")
    with one.up():
        assert one.upgrade(too_early).status != 0, "its policy knows one key only"

    known = publisher.configuration.read_text()
    rotate(publisher, "--next", keys / "next.pub")
    rotate(publisher, "--key", f"env://{NEXT_VARIABLE}")
    leapt = publisher.try_night()
    assert leapt.returncode == VerificationError.exit_code, leapt.stderr
    (said,) = (line for line in leapt.stderr.splitlines() if "hosts on" in line)
    assert re.search(r"/tiny:latest.* would refuse this image and all later ones", said), said
    publisher.configuration.write_text(known)

    rotate(publisher, "--next", keys / "next.pub")
    announced = publisher.night()
    two = publisher.host(announced, tmp_path / "two")
    follow(one, announced)

    rotate(publisher, "--key", f"env://{NEXT_VARIABLE}")
    switched = publisher.night()
    for host in (one, two):
        follow(host, switched)

    rotate(publisher, "--next", third)
    retired = publisher.night()
    for host in (one, two):
        follow(host, retired)
    too_late = by_one_key(publisher, retired, old_key, "too-late")
    for host in (one, two):
        with host.up():
            assert host.booted() == retired.digest
            assert host.upgrade(too_late).status != 0, "its policy knows the old key no more"
            assert host.upgrade(retired.latest).status == 0
