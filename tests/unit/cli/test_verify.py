"""`immutable-base verify`: what the user means, and from where trust comes."""

import pytest

from immutable_base.cli.main import all_commands, build_parser
from immutable_base.cli.verify import run
from immutable_base.errors import ConfigurationError, VerificationError
from immutable_base.process import Result
from immutable_base.tools.cosign import PUBLIC

IDENTITY = "https://gitlab.com/a/b//.gitlab-ci.yml@refs/heads/main"


@pytest.fixture
def product(request):
    return request.config.rootpath / "immutable-base.toml"


def parse(*arguments):
    return build_parser(all_commands(), ["verify"]).parse_args(["verify", *map(str, arguments)])


def test_without_configuration_the_public_sigstore_is_asked(tmp_path, monkeypatch):
    started = []

    def answer(command):
        started.append(command)
        return Result(status=0, stdout=b"{}", stderr_tail="")

    monkeypatch.setattr("immutable_base.process.run", answer)
    with pytest.raises(VerificationError, match="not understood"):
        run(
            parse(
                "quay.io/a/b:c", "--config", tmp_path / "none.toml",
                "--certificate-identity", IDENTITY, "--certificate-oidc-issuer", "https://gitlab.com",
            )
        )  # fmt: skip
    resolve, verify = started[0], started[1]
    assert resolve.argv[:2] == ("skopeo", "inspect")
    assert verify.argv[-1].startswith("quay.io/a/b@sha256:")
    assert f"--rekor-url={PUBLIC.rekor_url}" in verify.argv
    assert f"--certificate-identity={IDENTITY}" in verify.argv
    assert not any(word.startswith("--insecure") for word in verify.argv)


def test_without_configuration_and_signer_nothing_can_be_proven(tmp_path):
    with pytest.raises(ConfigurationError, match="cannot read the configuration"):
        run(parse("quay.io/a/b:c", "--config", tmp_path / "none.toml"))
