"""Each key of `[signing]` that says who may sign reaches hosts, and from there decides by itself."""

import dataclasses
import tomllib

import pytest

from immutable_base.config.trust import SigningTable
from immutable_base.public_trust import SHIPPED
from support.forge import CLAIMS, IDENTITY, Instance, pem_of, public_pem
from support.scene import BROKEN, OK, OTHERS

DEMANDED = {
    "project_id": CLAIMS["project_id"],
    "runner_environment": CLAIMS["runner_environment"],
    "build_triggers": [CLAIMS["build_trigger"]],
    "source_ref": CLAIMS["source_ref"],
}
"""What a configuration that says everything demands of the job; the certificates say it too."""
OTHER_SIGNER = f"signed by {IDENTITY}"
UNKNOWN_LOG = "the entry is in a log that is not trusted"
SHIPPED_TRUST = {
    "fulcio_root": None, "rekor_key": None, "ct_log_key": None, "trusted_root": str(SHIPPED),
}  # fmt: skip
WRONG = {
    "certificate_identity": ({"certificate_identity": IDENTITY.replace("main", "stable")}, OTHERS, OTHER_SIGNER),
    "certificate_identity, its project": ({"certificate_identity": IDENTITY.replace("immutable-base/", "a/", 1)}, OTHERS, OTHER_SIGNER),
    "certificate_identity, its file": ({"certificate_identity": IDENTITY.replace(".gitlab-ci.yml", "ci.yml")}, OTHERS, OTHER_SIGNER),
    "certificate_identity, a pattern": ({"certificate_identity": IDENTITY.replace("main", "*")}, OTHERS, OTHER_SIGNER),
    "certificate_oidc_issuer": ({"certificate_oidc_issuer": "https://gitlab.example"}, OTHERS, "for which https://gitlab.com vouches"),
    "project_id": ({"project_id": "1"}, OTHERS, "signed with project_id 58391042, not 1"),
    "runner_environment": ({"runner_environment": "self-hosted"}, OTHERS, "signed with runner_environment gitlab-hosted, not self-hosted"),
    "build_triggers": ({"build_triggers": ["push", "web"]}, OTHERS, "signed with build_trigger schedule, not push or web"),
    "source_ref": ({"source_ref": "refs/heads/stable"}, OTHERS, "signed with source_ref refs/heads/main, not refs/heads/stable"),
    "fulcio_root": ({"fulcio_root": "foreign-root.pem"}, BROKEN, "no trusted root vouches for the certificate"),
    "rekor_key": ({"rekor_key": "foreign-rekor.pem"}, BROKEN, UNKNOWN_LOG),
    "ct_log_key": ({"ct_log_key": "foreign-ct.pem"}, BROKEN, "no trusted CT log has signed for the certificate"),
    "trusted_root": (SHIPPED_TRUST, BROKEN, UNKNOWN_LOG),
}  # fmt: skip
"""What differs, the exit code, and words of the refusal; by the key, and what of it."""
WIDER = {"without_ct_log"}
"""Hosts take more with it: it has tests of its own."""
NOT_ON_HOSTS = {"rekor_url", "protected_ref"}
"""A host asks no log; a certificate does not say whether a ref is protected."""
NAMES = {"fulcio_url"}
"""Says how an instance is called, and decides nothing: its roots do."""


@pytest.fixture
def demanding(scene):
    """A configuration that demands everything, with what another Sigstore has beside it."""
    foreign = Instance()
    for file, content in {
        "foreign-root.pem": pem_of(foreign.root).encode(),
        "foreign-rekor.pem": public_pem(foreign.rekor_key),
        "foreign-ct.pem": public_pem(foreign.ct_key),
    }.items():
        (scene.folder / file).write_bytes(content)
    scene.signing = dict(DEMANDED)
    return scene


def written(host):
    """Return what the image build writes down for hosts: settings, and the files that they name."""
    folder = host.write_settings().parent
    table = tomllib.loads((folder / "admission.toml").read_text())
    files = {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix != ".toml"}
    return {key: files.get(value, value) if isinstance(value, str) else value for key, value in table.items()}  # fmt: skip


def test_the_image_is_admitted_with_everything_demanded(host, demanding):
    assert host.admit().code == OK
    assert host.pulls()


@pytest.mark.parametrize("name", WRONG)
def test_with_one_key_changed_the_same_image_is_refused_for_that(name, host, demanding):
    changes, code, words = WRONG[name]
    before = written(host)
    demanding.signing |= changes
    after = written(host)
    key = name.partition(",")[0]
    assert {it for it in {*before, *after} if before.get(it) != after.get(it)} == {key, *changes}
    outcome = host.admit()
    assert outcome.code == code, outcome.err
    assert words in outcome.err
    assert "Nothing was admitted" in outcome.err
    assert not host.pulls()


@pytest.mark.parametrize("name", DEMANDED)
def test_a_certificate_that_does_not_say_it_is_refused(name, host, demanding):
    claim = "build_trigger" if name == "build_triggers" else name
    less = {key: value for key, value in CLAIMS.items() if key != claim}
    demanding.set_sig(demanding.sig(leaf=demanding.leaf(claims=less)))
    outcome = host.admit()
    assert outcome.code == OTHERS
    assert f"signed with {claim} (none), not " in outcome.err


def test_without_a_ct_log_hosts_take_a_certificate_that_none_has_seen_and_never_otherwise(
    host, demanding
):
    leaf = demanding.leaf(ct_key=None)
    demanding.set_sig(demanding.sig(leaf=leaf))
    demanding.set_att(demanding.att(leaf=leaf))
    outcome = host.admit()
    assert outcome.code == BROKEN
    assert "the certificate has no SCT" in outcome.err
    demanding.signing |= {"ct_log_key": None, "without_ct_log": True}
    assert host.admit().code == OK


def test_no_key_of_the_table_is_left_out():
    keys = {item.name for item in dataclasses.fields(SigningTable)}
    decided = {name.partition(",")[0] for name in WRONG}
    assert decided | WIDER | NOT_ON_HOSTS | NAMES == keys
    assert not decided & (WIDER | NOT_ON_HOSTS | NAMES)
