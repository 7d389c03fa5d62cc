"""Booted hosts under the policy that their image ships: what they take, and what they refuse.

One host demands a key of the publisher's, the other its own admission program's word. Both fetch
with bootc's container stack, inside the machine; nothing on them is changed but the registry's CA.
"""

from __future__ import annotations

import pytest

from immutable_base.errors import (
    BrokenProofError,
    NotSignedError,
    OtherSignerError,
    VerificationError,
)
from immutable_base.process import Command, run
from immutable_base_lab import lab as lab_services
from immutable_base_lab.core.paths import LabPaths
from support.foreign_images import stranger_key
from support.publisher import Publisher
from support.scenario_runs import scenario_runs

pytestmark = pytest.mark.apart

VARIANT = "tiny"
STRANGER = "somebody/else"
ADMIT = "immutable-base-admission --timeout 240 admit"
"""Without KVM, Python takes its time."""


def stranger_token(tiny_lab):
    return lab_services.Lab(LabPaths(root=tiny_lab.state)).token(project=STRANGER)


def copied(published, publisher, kinds):
    """Copy an image with what lies beside it into another repository; return the copy's name."""
    other = published.repository.replace(f"/{VARIANT}", "/copied")
    beside = (f":{published.digest.replace(':', '-')}.{kind}" for kind in kinds)
    for suffix in (f"@{published.digest}", *beside):
        source, target = f"docker://{published.repository}{suffix}", f"docker://{other}{suffix}"
        argv = ("skopeo", "copy", "--quiet", "--preserve-digests", source, target)
        run(Command(argv=argv, timeout=300, env=publisher.tls))
    return f"{other}@{published.digest}"


def refused(host, reference, words):
    """Require that a host refuses an image, because of its policy."""
    found = host.upgrade(reference)
    assert found.status != 0, f"a host takes {reference}"
    assert words in found.text, found.text


@pytest.fixture(scope="module")
def key_publisher(tiny_lab, tmp_path_factory):
    folder = tmp_path_factory.mktemp("key-host")
    return Publisher.make(tiny_lab, VARIANT, tiny_lab.configuration, folder, "key-host")


@pytest.fixture(scope="module")
def key_host(key_publisher, tmp_path_factory):
    """A running host of last night's image, and tonight's image."""
    before = key_publisher.night()
    after = key_publisher.night()
    host = key_publisher.host(before, tmp_path_factory.mktemp("key") / "host")
    with host.up():
        assert host.booted() == before.digest
        yield host, after


NO_SIGNATURE = "A signature was required, but no signature exists"


def test_a_host_refuses_an_unsigned_image(key_host, key_publisher):
    host, after = key_host
    pinned = key_publisher.twin(after, "unsigned")
    refused(host, key_publisher.tag(pinned, "unsigned"), NO_SIGNATURE)


def test_a_host_refuses_what_another_pipeline_and_another_key_have_signed(
    key_host, key_publisher, tiny_lab, tmp_path
):
    host, after = key_host
    pinned = key_publisher.twin(after, "stranger")
    key_publisher.sign(pinned, stranger_token(tiny_lab))
    other = stranger_key(tiny_lab.state, tmp_path)
    key_publisher.sign_with_key(pinned, other, "stranger")
    refused(host, key_publisher.tag(pinned, "stranger"), "signature")


def test_a_host_refuses_a_copy_in_another_repository(key_host, key_publisher):
    """With all of its signatures, within the same scope of the policy."""
    host, after = key_host
    refused(host, copied(after, key_publisher, ("sig",)), "is not accepted")


def test_a_host_refuses_a_signed_image_under_a_tag_that_nobody_has_signed_for(
    key_host, key_publisher
):
    host, after = key_host
    refused(host, key_publisher.tag(after.pinned, "stable"), "is not accepted")


def test_a_host_refuses_what_its_policy_does_not_name(key_host):
    host, _ = key_host
    refused(host, f"{host.registry}/tiny-bootc:stream10", "rejected by policy")


def test_a_host_takes_the_image_of_the_next_night(key_host):
    host, after = key_host
    done = host.upgrade(after.latest)
    assert done.status == 0, done.text
    assert (
        after.digest.removeprefix("sha256:")
        in host.ask(
            "ostree admin status --json 2>/dev/null || ostree admin status; "
            "for d in /ostree/deploy/default/deploy/*.0; do "
            'ostree show --print-metadata-key=ostree.manifest-digest "$(basename "$d" .0)"; done'
        ).text
    )


# ------------------------------------------------------------------ the host that verifies by itself


@pytest.fixture(scope="module")
def admission(tiny_lab, tmp_path_factory):
    """The publisher of images with the admission program, and no key of its own."""
    with scenario_runs(tiny_lab.state) as runs:
        runs.set_up("admission")
        source = LabPaths(root=tiny_lab.state).scenario("admission") / "immutable-base.toml"
        folder = tmp_path_factory.mktemp("admission")
        yield Publisher.make(tiny_lab, VARIANT, source, folder, "admission-host")


@pytest.fixture(scope="module")
def admitting(admission, tmp_path_factory):
    """A running host of last night's image; last night's and tonight's image."""
    before = admission.night()
    host = admission.host(before, tmp_path_factory.mktemp("admitting") / "host")
    after = admission.night()
    with host.up():
        assert host.booted() == before.digest
        yield host, before, after


def not_admitted(host, reference, error):
    found = host.ask(f"{ADMIT} {reference}")
    assert found.status == error.exit_code, found.text
    assert "Nothing was admitted" in found.text
    refused(host, reference, NO_SIGNATURE)


def test_a_host_that_admits_refuses_the_right_image_until_it_has_verified_it(admitting):
    host, _, after = admitting
    refused(host, after.latest, NO_SIGNATURE)
    done = host.ask(f"{ADMIT} {after.latest}")
    assert done.status == 0, done.text
    assert after.digest in done.text
    done = host.upgrade(after.latest)
    assert done.status == 0, done.text


def test_a_host_that_admits_refuses_a_tag_that_has_moved_since(admitting, admission):
    host, _, after = admitting
    moved = admission.tag(admission.twin(after, "moved"), "latest")
    try:
        refused(host, moved, NO_SIGNATURE)
        not_admitted(host, moved, NotSignedError)
    finally:
        admission.tag(after.pinned, "latest")


def test_a_host_that_admits_refuses_what_another_pipeline_has_signed(
    admitting, admission, tiny_lab
):
    host, _, after = admitting
    pinned = admission.twin(after, "stranger")
    admission.sign(pinned, stranger_token(tiny_lab))
    not_admitted(host, admission.tag(pinned, "stranger"), OtherSignerError)


def test_a_host_that_admits_refuses_a_copy_in_another_repository(admitting, admission):
    """With its signature and its attestations, from which the program reads for which it was made."""
    host, _, after = admitting
    pinned = copied(after, admission, ("sig", "att"))
    not_admitted(host, admission.tag(pinned, "latest"), BrokenProofError)


def test_a_host_that_admits_refuses_an_older_image_of_ours(admitting, admission):
    """Signed by the right pipeline, and rolled back by whoever may write to the registry."""
    host, before, after = admitting
    assert host.ask(f"{ADMIT} {after.latest}").status == 0
    older = admission.tag(before.pinned, "latest")
    try:
        not_admitted(host, older, VerificationError)
    finally:
        admission.tag(after.pinned, "latest")


UPGRADE = "bootc-fetch-apply-updates.service"
"""Of bootc's package, which the lab's bases have not: it stands in /run, and does what bootc does."""


def follow(host, reference):
    """Let a host follow an image, as `bootc switch` does, and have the unit that upgrades it."""
    origin = f"[origin]\\ncontainer-image-reference=ostree-image-signed:docker://{reference}\\n"
    unit = "[Service]\\nType=oneshot\\nExecStart=/usr/bin/touch /run/upgraded\\n"
    write = (
        "mount -o remount,rw /sysroot; for it in /sysroot/ostree/deploy/default/deploy/*.origin; "
        f'do printf "{origin}" > $it; done'
    )
    done = host.ask(
        f"unshare --mount sh -ec '{write}' && mkdir -p /run/systemd/system && "
        f"printf '{unit}' > /run/systemd/system/{UPGRADE} && systemctl daemon-reload"
    )
    assert done.status == 0, done.text


def test_the_unit_of_upgrades_starts_only_after_the_host_has_admitted_what_it_follows(
    admitting, admission
):
    host, _, after = admitting
    follow(host, after.latest)
    moved = admission.tag(admission.twin(after, "before-an-upgrade"), "latest")
    try:
        found = host.ask(f"systemctl start {UPGRADE}")
        assert found.status != 0, "it starts, whatever is in the registry"
        journal = host.ask("journalctl --no-pager -u immutable-base-admission").text
        assert "Nothing was admitted" in journal, journal
        assert host.ask("test -e /run/upgraded").status != 0
        refused(host, moved, NO_SIGNATURE)
    finally:
        admission.tag(after.pinned, "latest")
    found = host.ask(f"systemctl start {UPGRADE}")
    assert found.status == 0, host.ask("journalctl --no-pager -n 30").text
    assert host.ask("test -e /run/upgraded").status == 0
    listed = host.ask("immutable-base-admission list").text
    assert after.digest in listed, listed
