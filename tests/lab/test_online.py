"""`doctor --online` names each fault that the first night would meet, planted once in the lab."""

import json
import shutil
import tomllib
from datetime import UTC, datetime, timedelta

import pytest
import tomlkit

from immutable_base.config.load import load_settings
from immutable_base.model.reference import Reference
from immutable_base.process import run
from immutable_base.tls import set_up_tls
from immutable_base.tools import skopeo
from immutable_base_lab.core.paths import LabPaths
from support.small_images import add_layer

CLOSED = "127.0.0.1:1"
"""Nothing listens there."""


def asked(lab, configuration, *arguments):
    done = lab.product(
        "doctor", "--online", "--format", "json", "--config", configuration, *arguments,
        workspace=lab.scratch / "online",
    )  # fmt: skip
    assert done.stdout, done.stderr
    found = {(it["kind"], it["name"]): it for it in json.loads(done.stdout)["online"]["findings"]}
    return done.returncode, found


def spoiled(lab, tmp_path, spoil):
    """Return the configuration of the tiny stream with a fault in it."""
    document = tomlkit.parse(lab.configuration.read_text())
    spoil(document)
    path = tmp_path / "immutable-base.toml"
    path.write_text(tomlkit.dumps(document))
    (tmp_path / "layers").symlink_to(lab.configuration.parent / "layers")
    return path


def test_where_nothing_is_wrong_everything_says_what_it_offers(tiny_lab, tiny_night):
    code, found = asked(tiny_lab, tiny_lab.configuration)
    assert code == 0
    # In the lab the first place of every key has moved; all the rest is in order.
    states = {(kind, item["state"]) for (kind, _), item in found.items()}
    assert states == {(kind, "warning" if kind == "key" else "ok") for kind, _ in found}, found
    kinds = [kind for kind, _ in found]
    assert {kind: kinds.count(kind) for kind in kinds} == {
        "key": 2, "base": 1, "repository": 3, "variant": 2, "registry": 1, "sigstore": 3,
    }  # fmt: skip
    assert "is signed by `tiny`" in found["repository", "tiny"]["message"]
    planned = tiny_night.variants["tiny-metronome"]
    assert planned["kernel"] in found["variant", "tiny-metronome"]["message"]


def test_the_table_says_what_was_not_tried(tiny_lab, tiny_night):
    done = tiny_lab.product("doctor", "--online", workspace=tiny_lab.scratch / "online")
    assert done.returncode == 0, done.stderr
    assert "What the first night would meet" in done.stdout
    assert "Not tried, because nothing is pushed or signed here" in done.stdout


def change(path, value):
    *tables, key = path.split("/")

    def spoil(document):
        for name in tables:
            document = document[name]
        if value is None:
            del document[key]
        else:
            document[key] = value

    return spoil


def with_signing(document, name, value):
    document["signing"][name] = value


TOGETHER = {
    "repositories and their keys": {
        "the key has moved": (
            change("keys/tiny-modules/places", [f"http://{CLOSED}/key.asc"]),
            ("key", "tiny-modules"), "fault", 6, "none of its 1 places answers",
        ),
        "a repository has moved": (
            change("repositories/tiny-devel/url", f"http://{CLOSED}/"),
            ("repository", "tiny-devel"), "fault", 6, "cannot be fetched",
        ),
        "metadata is old": (
            change("repositories/tiny/maximum_age_days", 1),
            ("repository", "tiny"), "fault", 12, "may be 1 days old at most",
        ),
    },
    "keys that are not what they were": {
        "the key is another one": (
            change("keys/tiny/fingerprint", "A" * 40),
            ("key", "tiny"), "fault", 12, f"the configuration pins {'A' * 40}",
        ),
        "the key is not pinned": (
            change("keys/tiny-modules/fingerprint", None),
            ("variant", "tiny-metronome"), "held", 0, "the key `tiny-modules` is not pinned",
        ),
    },
    "registry and Sigstore": {
        "the registry is down": (
            change("registry/destination", f"{CLOSED}/x"),
            ("registry", f"{CLOSED}/x"), "fault", 6, "cannot be asked",
        ),
        "the issuer is another one": (
            lambda document: with_signing(document, "certificate_oidc_issuer", other_name(document)),
            ("sigstore", "http://localhost:{issuer}"), "fault", 12, "tokens are of another issuer",
        ),
        "the log has another key": (
            lambda document: with_signing(document, "rekor_key", document["signing"]["ct_log_key"]),
            ("sigstore", "{rekor}"), "fault", 12, "signs with a key that is not trusted",
        ),
        "the authority has another root": (
            lambda document: with_signing(document, "fulcio_root", document["registry"]["ca_bundle"]),
            ("sigstore", "{fulcio}"), "fault", 12, "below roots that are not trusted",
        ),
    },
}  # fmt: skip
"""Faults that are in nobody's way are planted together: each is named all the same."""


def other_name(document):
    """Return the address of the lab's issuer by another name, under which it makes no tokens."""
    port = document["signing"]["certificate_oidc_issuer"].rpartition(":")[2]
    return f"http://localhost:{port}"


@pytest.mark.parametrize("faults", TOGETHER)
def test_each_fault_is_named(tiny_lab, tiny_night, tmp_path, faults):
    signing = tomlkit.parse(tiny_lab.configuration.read_text())["signing"]
    known = {
        "issuer": signing["certificate_oidc_issuer"].rpartition(":")[2],
        "rekor": signing["rekor_url"], "fulcio": signing["fulcio_url"],
    }  # fmt: skip

    def spoil(document):
        for plant, *_ in TOGETHER[faults].values():
            plant(document)

    exit_code, found = asked(tiny_lab, spoiled(tiny_lab, tmp_path, spoil))
    for fault, (_, (kind, name), state, code, words) in TOGETHER[faults].items():
        one = found[kind, name.format(**known)]
        assert (one["state"], one["exit_code"]) == (state, code), (fault, one)
        assert words in one["message"], fault
    assert exit_code == max(item["exit_code"] for item in found.values())


def test_a_repository_that_has_moved_to_its_archive_is_a_warning(tiny_lab, tmp_path):
    def move(document):
        repository = document["repositories"]["tiny-devel"]
        repository["archive"], repository["url"] = repository["url"], f"{repository['url']}gone/"

    code, found = asked(tiny_lab, spoiled(tiny_lab, tmp_path, move))
    assert code == 0
    one = found["repository", "tiny-devel"]
    assert one["state"] == "warning"
    assert "the archive gets no updates any more" in one["message"]
    assert "has left" in found["variant", "tiny-metronome"]["message"]


@pytest.fixture
def based_on(tiny_lab, tmp_path):
    """Return how to push the tiny base with another text in its os-release, and use that."""
    configuration = tiny_lab.configuration
    base = tomllib.loads(configuration.read_text())["streams"]["tiny"]["base"]
    trust = set_up_tls(
        load_settings(configuration).authority(configuration.parent), tmp_path / "tls"
    ).environment

    def make(text):
        layout = tmp_path / "layout"
        shutil.copytree(LabPaths(root=tiny_lab.state).tiny_base / "oci", layout)
        digest = add_layer(layout, "usr/lib/os-release", text)
        reference = Reference.parse(base).pinned(digest)
        skopeo.push(run, layout, reference, trust)
        tagged = f"{base.rpartition(':')[0]}:support"
        skopeo.move_tag(run, reference, tagged, trust)
        return tagged

    return make


@pytest.mark.parametrize(("days", "state"), [(0, "held"), (29, "warning")])
def test_the_end_of_a_bases_support_is_foreseen(tiny_lab, tmp_path, based_on, days, state):
    end = datetime.now(UTC).date() + timedelta(days=days)
    base = based_on(f'NAME="Tiny"\nID=tiny\nSUPPORT_END={end}\n')
    change_base = change("streams/tiny/base", base)
    code, found = asked(tiny_lab, spoiled(tiny_lab, tmp_path, change_base))
    assert code == 0
    assert found["base", base]["state"] == state
    assert str(end) in found["base", base]["message"]
    assert (found["variant", "tiny"]["state"] == "held") == (state == "held")
