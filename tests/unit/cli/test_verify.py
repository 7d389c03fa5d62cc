"""`immutable-base verify`: what the user means, and from where trust comes."""

import pytest

from immutable_base.cli.main import main
from immutable_base.config.load import load_settings
from immutable_base.trusted import roots_of
from support.paths import PRODUCT
from support.scene import write_config

IDENTITY = "https://gitlab.com/a/b//.gitlab-ci.yml@refs/heads/main"
SIGNER = ("--certificate-identity", IDENTITY, "--certificate-oidc-issuer", "https://gitlab.com")


class AskedError(Exception):
    """Verification got as far as the registry, with this trust."""


@pytest.fixture
def asked(monkeypatch, tmp_path):
    """What a verification would be made with; nothing is read from anywhere."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("IMMUTABLE_BASE_CONFIG", raising=False)
    found = []

    def verify(verifier, repository, *, tag=None, digest=None):
        found.append((verifier, repository, tag, digest))
        raise KeyboardInterrupt

    monkeypatch.setattr("immutable_base.verify.Verifier.verify_reference", verify)
    return found


def hostile(folder):
    """A configuration whose identity nobody asked for."""
    signing = load_settings(PRODUCT).signing
    return write_config(
        folder,
        {
            "certificate_identity": "https://evil.example/x",
            "certificate_oidc_issuer": "https://evil.example",
            "fulcio_url": signing.fulcio_url,
            "rekor_url": signing.rekor_url,
        },
        {"destination": "evil.example/x"},
    )


def test_whoever_names_the_signer_is_not_told_whom_to_trust_by_the_folder(asked, tmp_path):
    hostile(tmp_path).write_text("not even TOML = = ")
    assert main(["verify", "quay.io/a/b:c", *SIGNER]) == 130
    verifier, repository, tag, digest = asked[0]
    assert verifier.roots == roots_of(None, tmp_path)
    assert verifier.roots.instance == "https://fulcio.sigstore.dev"
    assert (verifier.signer.identity, verifier.signer.issuer) == (IDENTITY, "https://gitlab.com")
    assert (repository, tag, digest) == ("quay.io/a/b", "c", None)


def test_without_a_signer_it_is_the_configuration_in_the_folder(asked, tmp_path):
    hostile(tmp_path)
    assert main(["verify", "base"]) == 130
    assert asked[0][0].signer.identity == "https://evil.example/x"
    assert asked[0][1] == "evil.example/x/base"


def test_the_environment_names_a_configuration_as_the_option_does(asked, tmp_path, monkeypatch):
    folder = tmp_path / "x"
    folder.mkdir()
    monkeypatch.setenv("IMMUTABLE_BASE_CONFIG", str(hostile(folder)))
    assert main(["verify", "base", "--certificate-identity", IDENTITY]) == 130
    assert asked[0][0].signer.identity == IDENTITY
    assert asked[0][0].signer.issuer == "https://evil.example"


def test_without_configuration_and_signer_nothing_can_be_proven(asked, capsys):
    assert main(["verify", "quay.io/a/b:c"]) == 2
    assert "nobody says who must have signed" in capsys.readouterr().err
    assert main(["verify", "quay.io/a/b:c", *SIGNER[:2]]) == 2
    assert main(["verify", "quay.io/a/b:c", "--config", "none.toml", *SIGNER]) == 2
    assert asked == []


@pytest.mark.parametrize("text", ["", " ", "\n", IDENTITY + "\n", "\x1b[2J"])
@pytest.mark.parametrize("position", [1, 3])
def test_an_empty_or_odd_signer_is_refused_before_anything_is_asked(asked, text, position, capsys):
    arguments = list(SIGNER)
    arguments[position] = text
    assert main(["verify", "quay.io/a/b:c", *arguments]) == 2
    assert "\x1b" not in capsys.readouterr().err
    assert asked == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("--timeout", "0"), ("--timeout", "-1"), ("--timeout", "nan"), ("--timeout", "inf"), ("--timeout", "x"),
        ("--not-older-than", "7"), ("--not-older-than", "-1d"), ("--not-older-than", "1y"), ("--not-older-than", "0d"),
        ("--signed-after", "yesterday"), ("--signed-after", ""),
    ],
)  # fmt: skip
def test_limits_of_time_that_mean_nothing(asked, arguments, capsys):
    assert main(["verify", "quay.io/a/b:c", *SIGNER, *arguments]) == 2
    assert asked == []


def test_limits_of_time(asked):
    given = ("--timeout", "5", "--not-older-than", "2d", "--signed-after", "2099-01-01T00:00:00Z")
    assert main(["verify", "quay.io/a/b:c", *SIGNER, *given]) == 130
    assert asked[0][0].seconds == 5
    assert asked[0][0].not_before == 4070908800, "the later of the two"


def test_a_variant_may_be_named_with_a_digest(asked):
    digest = "sha256:" + "a" * 64
    for text, tag in ((f"base@{digest}", None), (f"base:x@{digest}", "x")):
        main(["verify", text, "--config", str(PRODUCT)])
        assert asked[-1][1:] == (load_settings(PRODUCT).repository_of("base"), tag, digest)


def test_a_variant_with_something_else_than_a_digest_is_refused(asked, capsys):
    assert main(["verify", "base@sha256:12", "--config", str(PRODUCT)]) == 2
    assert "is not the reference of an image" in capsys.readouterr().err
    assert not asked
