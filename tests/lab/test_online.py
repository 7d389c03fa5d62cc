"""`doctor --online` names each fault that the first night would meet, planted once in the lab."""

import json

import pytest
import tomlkit

from support.scenario_runs import scenario_runs

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


FAULTS = {
    "the key has moved": (
        change("keys/tiny/places", [f"http://{CLOSED}/key.asc"]),
        ("key", "tiny"), "fault", 6, "none of its 1 places answers",
    ),
    "the key is another one": (
        change("keys/tiny/fingerprint", "A" * 40),
        ("key", "tiny"), "fault", 12, f"the configuration pins {'A' * 40}",
    ),
    "the key is not pinned": (
        change("keys/tiny/fingerprint", None),
        ("variant", "tiny"), "held", 0, "the key `tiny` is not pinned",
    ),
    "a repository has moved": (
        change("repositories/tiny-devel/url", f"http://{CLOSED}/"),
        ("repository", "tiny-devel"), "fault", 6, "cannot be fetched",
    ),
    "metadata is not signed": (
        change("repositories/tiny-devel/metadata_key", "tiny"),
        ("repository", "tiny-devel"), "fault", 6, "repomd.xml.asc",
    ),
    "metadata is old": (
        change("repositories/tiny/maximum_age_days", 1),
        ("repository", "tiny"), "fault", 12, "may be 1 days old at most",
    ),
    "the registry is down": (
        change("registry/destination", f"{CLOSED}/x"),
        ("registry", f"{CLOSED}/x"), "fault", 6, "cannot be asked",
    ),
    "the issuer is another one": (
        change("signing/certificate_oidc_issuer", "http://localhost:{issuer}"),
        ("sigstore", "http://localhost:{issuer}"), "fault", 12, "tokens are of another issuer",
    ),
    "the log has another key": (
        lambda document: change("signing/rekor_key", document["signing"]["ct_log_key"])(document),
        ("sigstore", "{rekor}"), "fault", 12, "signs with a key that is not trusted",
    ),
    "the authority has another root": (
        lambda document: change("signing/fulcio_root", document["registry"]["ca_bundle"])(document),
        ("sigstore", "{fulcio}"), "fault", 12, "below roots that are not trusted",
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_named_and_what_needs_it(tiny_lab, tiny_night, tmp_path, fault):
    spoil, row, state, code, words = FAULTS[fault]
    signing = tomlkit.parse(tiny_lab.configuration.read_text())["signing"]
    known = {
        "issuer": signing["certificate_oidc_issuer"].rpartition(":")[2],
        "rekor": signing["rekor_url"], "fulcio": signing["fulcio_url"],
    }  # fmt: skip
    if fault == "the issuer is another one":
        spoil = change("signing/certificate_oidc_issuer", f"http://localhost:{known['issuer']}")
    exit_code, found = asked(tiny_lab, spoiled(tiny_lab, tmp_path, spoil))
    one = found[row[0], row[1].format(**known)]
    assert (one["state"], one["exit_code"]) == (state, code), one
    assert words in one["message"]
    assert exit_code == max(item["exit_code"] for item in found.values())


def test_scenarios_of_the_first_night_are_foreseen(lab_state, tiny_lab):
    expected = {
        "repository-down": ("repository", "fault", "cannot be fetched"),
        "held": ("variant", "held", "held"),
        "key-not-pinned": ("key", "held", "is not pinned"),
        "base-newer-than-repositories": (
            "variant", "held", "the base image is newer than the repositories",
        ),
    }  # fmt: skip
    with scenario_runs(lab_state) as runs:
        for name, row in expected.items():
            foreseen(runs, name, *row)


@pytest.mark.alone
def test_a_transparency_log_that_is_down_is_foreseen(lab_state):
    with scenario_runs(lab_state) as runs:
        foreseen(runs, "transparency-log-down", "sigstore", "fault", "cannot be fetched")


def foreseen(runs, name, kind, state, words):
    runs.set_up(name)
    done = runs.product(name, "doctor", "--online", "--format", "json")
    findings = json.loads(done.stdout)["online"]["findings"]
    hits = [it for it in findings if (it["kind"], it["state"]) == (kind, state)]
    assert any(words in it["message"] for it in hits), (name, findings)
