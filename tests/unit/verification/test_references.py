"""What a reference may be, and what half a trust is: said before anything is asked."""

import pytest

from support.forge import IDENTITY
from support.scene import BROKEN, CONFIG, OK, OTHERS, command

# ------------------------------------------------------------------ references: S14

BAD_REFERENCES = [
    "--help/x@sha256:" + "0" * 64, "docker://--help/x@sha256:" + "0" * 64, "-h/x", "docker://-/x", "a-/x", "a.-b/x",
    "a/b", "a/b:c", "docker://a/b", "a..b/c", ".a/b", "a./b", "/x", "h.example/", "h.example//x", "h.example/x/",
    "h.example/" + "x" * 300, "h.example/X", "h.example/x y", "h.example/x:t t", "h.example/x:", "h.example/x:-t",
    "h.example/x@", "h.example/x@sha256:" + "A" * 64, "h.example/x@sha256:" + "0" * 63, "h.example/x@sha512:" + "0" * 128,
    "h.example/x@sha256:" + "0" * 64 + "@sha256:" + "0" * 64, "[::1]:5000/x", "u:p@h.example/x", "https://h.example/x",
    "h.example:port/x", "h.example:999999/x", "h.example/x\n", "h.example/x\x1b[2J", "h.example/../x", "h.example/x/..",
    "h.example/_x", "h.example/x_", "h.example/x___y", "", " ", "no-such-variant", "base:-x", "base-zfs:", "base-zfs:@sha256:" + "0" * 64, "base-zfs@",
]  # fmt: skip


@pytest.mark.parametrize("reference", BAD_REFERENCES)
def test_what_is_no_reference_is_said_before_anything_is_asked(reference, scene):
    scene.reference = reference
    scene.replies["*"] = lambda path: pytest.fail(f"asked for {path}")
    outcome = scene.verify()
    assert outcome.code == CONFIG, outcome.err
    assert "\x1b" not in outcome.err


# ------------------------------------------------------------------ half a trust: S6 and S8

HALF = {
    "fulcio over http (S6)": {"fulcio_url": "http://fulcio.example"},
    "rekor over http (S6)": {"rekor_url": "http://rekor.example"},
    "issuer over http (S6)": {"certificate_oidc_issuer": "http://gitlab.com"},
    "http to what only looks like loopback": {"fulcio_url": "http://127.0.0.1.evil.example"},
    "http to another host's port": {"fulcio_url": "http://localhost.evil.example:1"},
    "http to loopback as a user": {"fulcio_url": "http://127.0.0.1@evil.example"},
    "an address with a password": {"rekor_url": "https://u:p@rekor.example"},
    "an address with a space": {"rekor_url": "https://rekor.example/ x"},
    "an address with a line break": {"rekor_url": "https://rekor.example\n"},
    "no host": {"fulcio_url": "https://"},
    "another scheme": {"fulcio_url": "ftp://fulcio.example"},
    "no Rekor key (S8)": {"rekor_key": None},
    "no Fulcio root (S8)": {"fulcio_root": None},
    "only a CT key (S8)": {"fulcio_root": None, "rekor_key": None},
    "no CT key, not asked for (S8)": {"ct_log_key": None},
    "a CT key, and asked to be without": {"without_ct_log": True},
    "nothing, but without CT log": {"fulcio_root": None, "rekor_key": None, "ct_log_key": None, "without_ct_log": True},
    "nothing for a private Fulcio": {"fulcio_root": None, "rekor_key": None, "ct_log_key": None},
    "two trusts": {"trusted_root": "x.json"},
    "an empty identity (S8)": {"certificate_identity": ""},
    "a nonsense identity (S8)": {"certificate_identity": "nonsense"},
    "a pattern as identity (S8)": {"certificate_identity": ".*"},
    "an identity with a line break (S8)": {"certificate_identity": IDENTITY + "\n"},
    "an identity with a space": {"certificate_identity": IDENTITY + " "},
    "an identity with an escape": {"certificate_identity": IDENTITY + "\x1b[2J"},
    "an empty issuer": {"certificate_oidc_issuer": ""},
    "a root that is a key": {"fulcio_root": "rekor_key.pem"},
    "a key that is a root": {"rekor_key": "fulcio_root.pem"},
    "a root that is a folder": {"fulcio_root": "."},
    "a root that is not there": {"fulcio_root": "none.pem"},
    "a key that is empty": {"rekor_key": "/dev/null"},
    "a runner that there is not": {"runner_environment": "moon"},
}  # fmt: skip


@pytest.mark.parametrize("name", HALF)
def test_half_a_trust_is_an_error_before_anything_is_asked(name, scene):
    scene.signing = HALF[name]
    scene.replies["*"] = lambda path: pytest.fail(f"asked for {path}")
    outcome = scene.verify()
    assert outcome.code == CONFIG, outcome.err
    assert "\x1b" not in outcome.err


def test_a_private_instance_without_ct_log_is_asked_for_by_name_and_said(scene):
    scene.signing = {"ct_log_key": None, "without_ct_log": True}
    scene.set_sig(scene.sig(leaf=scene.leaf(ct_key=None)))
    outcome = scene.verify()
    assert outcome.code == OK, outcome.err
    assert "no SCT: this Sigstore instance has no CT log" in outcome.out


def as_a_mirror(scene, mirror):
    """Return the command that asks a mirror of origin.example/os."""
    scene.mirrors = (mirror,)
    path = scene.config()
    destination = f'destination = "{scene.host}/os"'
    path.write_text(path.read_text().replace(destination, 'destination = "origin.example/os"'))
    scene.site.next_reply = scene.reply
    return "verify", "--config", path, scene.reference


def test_a_mirror_is_no_beginning_of_a_word(scene):
    asked = as_a_mirror(scene, f"{scene.host}/o")
    scene.set_sig(scene.sig(scene.payload(repository="origin.example/oss/base-zfs")))
    assert command(asked).code == BROKEN


def test_a_declared_mirror_is_accepted_as_what_it_mirrors(scene):
    scene.set_sig(scene.sig(scene.payload(repository="origin.example/os/base-zfs")))
    asked = as_a_mirror(scene, f"{scene.host}/os")
    outcome = command(asked)
    assert outcome.code == OK, outcome.err
    assert "for origin.example/os/base-zfs" in outcome.out
    scene.set_sig(scene.sig(scene.payload(repository="origin.example/other/base-zfs")))
    assert command(asked).code == BROKEN


def test_what_the_configuration_demands_of_the_job_stays_when_the_same_signer_is_named(scene):
    scene.signing = {"project_id": "1"}
    assert scene.verify("--certificate-identity", IDENTITY).code == OTHERS
    assert scene.verify("--certificate-oidc-issuer", "https://gitlab.com").code == OTHERS


@pytest.mark.parametrize("text", ["", "x", "--help", "h.example/x:y", "h.example/x\n"])
def test_what_is_no_repository_was_not_signed_for(scene, text):
    scene.replies["*"] = lambda path: pytest.fail(f"asked for {path}")
    assert scene.verify(f"--signed-as={text}").code == CONFIG


def test_the_lists_are_long():
    assert len(BAD_REFERENCES) >= 40
    assert len(HALF) >= 30
