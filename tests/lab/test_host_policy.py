"""The image's own skopeo under the policy that it ships: what a host of the tiny stream takes."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from immutable_base.build.admission_files import FOLDER, SETTINGS
from immutable_base.build.graph import image_tag
from immutable_base.build.host_files import write_host_trust
from immutable_base.config.load import load_settings
from immutable_base.errors import VerificationError
from immutable_base.policy.accepted import HOSTS_ACCEPT
from immutable_base.policy.host_trust import variants_trust
from immutable_base.process import Command, run
from immutable_base.publish import as_host
from immutable_base.publish.publisher import sigstore_of
from immutable_base.tls import set_up_tls
from immutable_base.tools import buildah, cosign, skopeo
from immutable_base.trusted_keys import signing_key_of
from immutable_base_lab.core import image_keys
from immutable_base_lab.core.paths import LabPaths
from support.foreign_images import push_twin, stranger_key

VARIANT = "tiny"
OTHER_REPOSITORY = "copied"
REJECTED = as_host.REJECTED


@dataclass(frozen=True)
class Place:
    """The published image, a host that runs it, and what signs."""

    host: as_host.AskedHost
    repository: str
    digest: str
    folder: Path
    environment: dict
    signing: object
    config: Path

    def twin(self, words: str) -> str:
        """Push another unsigned manifest of the same image and return its name."""
        twin = self.folder / words
        return push_twin(self.host.layout, twin, self.repository, self.environment)

    def sign(self, pinned: str, key, identity: str) -> None:
        sigstore = sigstore_of(self.signing.table(), self.config.parent, self.environment)
        cosign.sign_with_key(run, pinned, sigstore, key, identity=identity)


@pytest.fixture(scope="module")
def place(tiny_lab, tiny_night, tmp_path_factory):
    """The plain variant of the shared run, mounted as its hosts have it."""
    config = tiny_lab.configuration
    settings = load_settings(config)
    folder = tmp_path_factory.mktemp("as-host")
    environment = dict(set_up_tls(settings.authority(config.parent), folder).environment)
    layout = tiny_night.workspace / "tonight/oci" / VARIANT
    for name in ("IMMUTABLE_BASE_SIGNING_KEY", "COSIGN_PASSWORD", "PATH"):
        os.environ[name] = tiny_lab.env[name]
    storage = buildah.Storage(run, tiny_night.workspace / "storage")
    with as_host.open_host(storage, image_tag(VARIANT), layout, environment) as host:
        digest = tiny_night.variants[VARIANT]["reference"].partition("@")[2]
        yield Place(
            host,
            settings.repository_of(VARIANT),
            digest,
            folder,
            environment,
            settings.signing,
            config,
        )


@pytest.fixture(scope="module")
def key(place):
    return signing_key_of(place.signing, place.config.parent)


def test_a_label_says_which_keys_the_policy_of_the_image_takes(place):
    named = place.host.root / "usr/lib/pki/immutable-base"
    sums = [
        hashlib.sha256((named / f"immutable-base-{slot}.pub").read_bytes()).hexdigest()
        for slot in ("current", "next")
    ]
    pinned = f"{place.repository}@{place.digest}"
    labels = skopeo.published_labels(run, pinned, place.environment)
    keys, _, program = labels[HOSTS_ACCEPT].partition("; ")
    assert keys == ", ".join(f"key sha256:{it}" for it in sums)
    assert program.startswith("signer "), "before automatic upgrades its own program must admit"


def refused(place, reference, words=""):
    found = place.host.fetch(reference)
    assert found.status != 0, f"a host takes {reference}"
    assert REJECTED in found.text, found.text
    assert words in found.text, found.text


def test_the_published_image_is_taken_by_digest_and_by_each_of_its_tags(place, tiny_night):
    mine = tiny_night.variants[VARIANT]["tags"]
    assert "latest" in mine
    assert len(mine) > 1
    for reference in (
        f"{place.repository}@{place.digest}",
        *(f"{place.repository}:{t}" for t in mine),
    ):
        found = place.host.fetch(reference)
        assert found.status == 0, found.text


def test_an_unsigned_image_is_refused(place):
    refused(place, place.twin("unsigned"), "no signature exists")


def test_an_image_that_is_signed_keyless_alone_is_refused(place, tiny_lab):
    pinned = place.twin("keyless")
    sigstore = sigstore_of(place.signing.table(), place.config.parent, place.environment)
    cosign.sign(run, pinned, sigstore, tiny_lab.env["SIGSTORE_ID_TOKEN"])
    refused(place, pinned)


def test_an_image_that_another_key_has_signed_is_refused(place, tiny_lab, tmp_path):
    other = stranger_key(tiny_lab.state, tmp_path)
    pinned = place.twin("other-key")
    place.sign(pinned, other, f"{place.repository}:latest")
    refused(place, pinned)


def test_an_image_that_the_next_key_has_signed_is_taken(place, key, tiny_lab):
    """Else no rotation could ever switch."""
    pinned = place.twin("next-key")
    coming = replace(key, environment=image_keys.environment(LabPaths(root=tiny_lab.state), "next"))
    place.sign(pinned, coming, f"{place.repository}:latest")
    assert place.host.fetch(pinned).status == 0


def test_a_copy_in_another_repository_is_refused(place):
    """With all of its signatures, within the same scope."""
    copied = place.repository.replace(f"/{VARIANT}", f"/{OTHER_REPOSITORY}")
    for reference in (f"@{place.digest}", f":{place.digest.replace(':', '-')}.sig"):
        argv = ("skopeo", "copy", "--quiet", "--preserve-digests",
                f"docker://{place.repository}{reference}", f"docker://{copied}{reference}")  # fmt: skip
        run(Command(argv=argv, timeout=300, env=place.environment))
    refused(place, f"{copied}@{place.digest}", "is not accepted")


def test_a_signed_image_under_a_tag_that_nobody_has_signed_for_is_refused(place):
    skopeo.move_tag(
        run, f"{place.repository}@{place.digest}", f"{place.repository}:stable", place.environment
    )
    refused(place, f"{place.repository}:stable", "is not accepted")


def test_what_nobody_names_is_refused(place):
    registry = place.repository.partition("/")[0]
    refused(place, f"{registry}/tiny-bootc:stream10")


@contextmanager
def changed(place, text):
    path = place.host.root / "etc/containers/policy.json"
    before = path.read_text()
    path.write_text(text(before))
    try:
        yield
    finally:
        path.write_text(before)


def test_a_policy_that_takes_anything_is_noticed_by_the_unsigned_twin(place):
    anything = '{"default": [{"type": "insecureAcceptAnything"}]}'
    with (
        changed(place, lambda _text: anything),
        pytest.raises(VerificationError, match="would take an unsigned"),
    ):
        as_host.require_host_agrees(place.host, place.repository, place.digest, by_key=True)


def test_a_policy_with_another_key_is_noticed_by_the_image_itself(place):
    def other(text):
        document = json.loads(text)
        for demands in document["transports"]["docker"].values():
            for item in demands:
                item.pop("keyPaths", None)
                item["keyPath"] = "/usr/lib/pki/immutable-base/none.pub"
        return json.dumps(document)

    with changed(place, other), pytest.raises(VerificationError, match="would refuse"):
        as_host.require_host_agrees(place.host, place.repository, place.digest, by_key=True)


@contextmanager
def admitting(place, change):
    """The same image as it is where no key is configured; `change` changes whom it believes."""
    settings = load_settings(place.config)
    signing = settings.signing.model_copy(update={"keys": None})
    trust = variants_trust(settings.model_copy(update={"signing": signing}))
    root, table = place.host.root, place.host.root / FOLDER / SETTINGS
    before = {p: p.read_bytes() for p in (root / "etc/containers").rglob("*") if p.is_file()}
    before[table] = table.read_bytes()
    write_host_trust(root, trust)
    table.write_text(change(table.read_text()))
    try:
        yield
    finally:
        for path, raw in before.items():
            path.write_bytes(raw)
        shutil.rmtree(root / "var/lib/immutable-base")


def agree_without_a_key(place):
    as_host.require_host_agrees(place.host, place.repository, place.digest, by_key=False)


def test_without_a_key_a_host_refuses_admits_and_then_takes_what_is_published(place):
    with admitting(place, lambda text: text):
        agree_without_a_key(place)
        assert place.host.fetch(f"{place.repository}@{place.digest}").status == 0
        with pytest.raises(VerificationError, match="that its host has not admitted"):
            agree_without_a_key(place)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("refs/heads/main", "refs/heads/other", "signed by"),
        ('fulcio_root = "', 'fulcio_root = "no-', "cannot be read"),
        ("schema_version = 1", "schema_version = 1\nmaximum = 3", "there is no key maximum"),
    ],
)
def test_an_image_whose_program_would_not_admit_it_is_noticed(place, old, new, said):
    """Its hosts would refuse every upgrade to it, and a copy that is refused says nothing of that."""

    def change(text):
        assert old in text, text
        return text.replace(old, new)

    with (
        admitting(place, change),
        pytest.raises(VerificationError, match="would not admit") as caught,
    ):
        agree_without_a_key(place)
    assert said in caught.value.details, caught.value.details


@pytest.mark.parametrize("action", ["lint", "test"])
def test_the_commands_say_the_same(tiny_lab, tiny_night, action):
    done = tiny_lab.product("policy", action, "--variant", VARIANT, workspace=tiny_night.workspace)
    assert done.returncode == 0, done.stderr + done.stdout
    words = "nothing to object to" if action == "lint" else "refuses an unsigned copy"
    assert words in done.stdout


def test_verify_accepts_it_and_counts_the_key_s_signatures_for_what_they_are(tiny_lab, tiny_night):
    reference = tiny_night.variants[VARIANT]["reference"]
    found = json.loads(tiny_lab.product("verify", reference, "--format", "json").stdout)
    assert found["by_key"] >= 3
    assert found["skipped"] == 0


def test_verify_as_a_host_says_so_and_refuses_a_tag_that_nobody_has_signed_for(
    tiny_lab, place, tmp_path
):
    done = tiny_lab.product("verify", VARIANT, "--as-host", workspace=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "host      takes it, by its own policy"
    skopeo.move_tag(
        run, f"{place.repository}@{place.digest}", f"{place.repository}:testing", place.environment
    )
    moved = tiny_lab.product(
        "verify", f"{place.repository}:testing", "--as-host", workspace=tmp_path
    )
    assert (moved.returncode, moved.stdout) == (VerificationError.exit_code, "")
    assert "a host would refuse" in moved.stderr
