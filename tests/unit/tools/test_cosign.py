"""cosign's command lines: a cosign 3 that knows its flags takes them, and they mean what we promise."""

import dataclasses
import json

import pytest

from immutable_base.errors import CommandError, RemoteError, VerificationError
from immutable_base.process import Result
from immutable_base.tools import cosign
from immutable_base.verification.attestation import CYCLONEDX, PROVENANCE
from support.cosign3 import Cosign3, parse

DIGEST = "sha256:" + "1" * 64
PINNED = f"registry.example/os/base@{DIGEST}"
ROOTS = {
    "SIGSTORE_ROOT_FILE": "/trust/fulcio.pem",
    "SIGSTORE_REKOR_PUBLIC_KEY": "/trust/rekor.pub",
    "SIGSTORE_CT_LOG_PUBLIC_KEY_FILE": "/trust/ctlog.pub",
    "SSL_CERT_FILE": "/trust/ca.pem",
}
WITHOUT_CT_LOG = {k: v for k, v in ROOTS.items() if k != "SIGSTORE_CT_LOG_PUBLIC_KEY_FILE"}
PRIVATE = cosign.Sigstore(
    fulcio_url="https://fulcio.example", rekor_url="https://rekor.example", check_sct=True,
    environment=ROOTS,
)  # fmt: skip
NO_CT_LOG = cosign.Sigstore(
    fulcio_url="https://fulcio.example", rekor_url="https://rekor.example", check_sct=False,
    environment=WITHOUT_CT_LOG,
)  # fmt: skip
PUBLIC = cosign.Sigstore(
    fulcio_url="https://fulcio.sigstore.dev", rekor_url="https://rekor.sigstore.dev", check_sct=True
)
TOKEN = "head.body.tail"


class Registry:
    """cosign 3 behind a `Runner`; remembers the commands."""

    def __init__(self):
        self.commands = []
        self.cosign = Cosign3()

    def run(self, command):
        self.commands.append(command)
        self.cosign.run(command)
        return Result(status=0, stdout=b"", stderr_tail="")


@pytest.fixture
def registry():
    return Registry()


@pytest.fixture
def sbom(tmp_path):
    path = tmp_path / "sbom.json"
    path.write_text('{"bomFormat": "CycloneDX"}')
    return path


def publish(registry, sbom, sigstore=PRIVATE):
    cosign.sign(registry.run, PINNED, sigstore, TOKEN)
    cosign.attest(registry.run, PINNED, cosign.SBOM, sbom, sigstore, TOKEN)


@pytest.mark.parametrize("sigstore", [PRIVATE, NO_CT_LOG, PUBLIC], ids=["private", "no-ct", "public"])  # fmt: skip
def test_cosign_3_takes_every_flag(registry, sbom, sigstore):
    publish(registry, sbom, sigstore)
    assert len(registry.cosign.signatures[DIGEST]) == 1
    assert documents(registry) == [json.loads(sbom.read_text())]


def test_what_is_written_is_in_the_form_that_hosts_read(registry, sbom):
    publish(registry, sbom)
    [signature] = registry.cosign.signatures[DIGEST]
    [attestation] = registry.cosign.attestations[DIGEST]
    assert signature.legacy
    assert attestation.legacy, "cosign prefers any bundle that it finds to a legacy signature"


def documents(registry):
    return [stored.predicate for stored in registry.cosign.attestations[DIGEST]]


def options_of(command):
    verb, options, pinned = parse(command.argv)
    assert pinned == PINNED
    return verb, options


def test_the_format_switches_are_on_every_command_line(registry, sbom):
    publish(registry, sbom)
    verbs = []
    for command in registry.commands:
        verb, options = options_of(command)
        verbs.append(verb)
        assert options["new-bundle-format"] == "false", verb
        assert options.get("use-signing-config", "false") == "false", verb
        assert options["rekor-url"] == "https://rekor.example", verb
        assert options.get("fulcio-url", "https://fulcio.example") == "https://fulcio.example", verb
    assert verbs == ["sign", "attest"]


def test_the_roots_and_the_ca_are_in_the_environment_of_every_command(registry, sbom):
    publish(registry, sbom)
    for command in registry.commands:
        assert ROOTS.items() <= command.env.items(), command.argv[1]
    signing = registry.commands
    assert [command.env["SIGSTORE_ID_TOKEN"] for command in signing] == [TOKEN, TOKEN]
    assert all(TOKEN not in str(command.argv) for command in registry.commands)
    assert all(command.secrets == (TOKEN,) for command in signing)


def test_signing_waives_nothing_and_the_image_is_no_option(registry, sbom):
    publish(registry, sbom)
    for command in registry.commands:
        _, options = options_of(command)
        assert options["tlog-upload"] == "true"
        assert options["insecure-skip-verify"] == "false"
        assert command.argv[-2:] == ("--", PINNED)


def test_only_the_sct_is_waived_where_there_is_no_ct_log(registry, sbom):
    publish(registry, sbom, NO_CT_LOG)
    insecure = [[w for w in c.argv if "insecure" in w] for c in registry.commands]
    assert insecure == [["--insecure-skip-verify=true"]] * 2


def test_a_trusted_root_is_cosigns_trust_too(registry, sbom, tmp_path):
    path = tmp_path / "trusted_root.json"
    publish(registry, sbom, dataclasses.replace(PRIVATE, trusted_root=path))
    assert [options_of(command)[1]["trusted-root"] for command in registry.commands] == [
        str(path)
    ] * 2


def test_a_second_sbom_takes_the_place_of_the_first(registry, sbom):
    publish(registry, sbom)
    sbom.write_text('{"bomFormat": "CycloneDX", "components": []}')
    cosign.attest(registry.run, PINNED, cosign.SBOM, sbom, PRIVATE, TOKEN)
    assert documents(registry) == [json.loads(sbom.read_text())]


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("--yes", "--no-such-flag=1"), "unknown flag: --no-such-flag"),
        (("--yes", "--fulcio-url=https://f"), "cannot specify service URLs and use signing config"),
        (("--yes", "--new-bundle-format=false"), "must provide --new-bundle-format"),
    ],
)
def test_the_stand_in_for_cosign_3_refuses_what_cosign_3_refuses(registry, argv, message):
    from immutable_base.process import Command

    command = Command(
        argv=("cosign", "sign", *argv, PINNED), timeout=1, env={"SIGSTORE_ID_TOKEN": "t"}
    )
    with pytest.raises(CommandError) as caught:
        registry.run(command)
    assert message in caught.value.details


def failing(output):
    def run(command):
        raise CommandError("`cosign` exited with status 1", details=output)

    return run


def test_a_provenance_takes_the_place_of_no_sbom_and_is_of_its_uri(registry, sbom):
    """Under cosign's own name for it some of its keys would be spelled otherwise."""
    publish(registry, sbom)
    cosign.attest(registry.run, PINNED, PROVENANCE, sbom, PRIVATE, TOKEN)
    assert [it.kind for it in registry.cosign.attestations[DIGEST]] == [CYCLONEDX, PROVENANCE]
    assert options_of(registry.commands[-1])[1]["type"] == "https://slsa.dev/provenance/v1"


def test_a_refused_token_is_told_from_a_service_that_is_down(sbom):
    refused = "Error: signing: There was an error processing the identity token"
    with pytest.raises(
        VerificationError, match="Fulcio refuses the job's identity token"
    ) as caught:
        cosign.sign(failing(refused), PINNED, PRIVATE, TOKEN)
    assert "has the token expired" in caught.value.hint
    for action in (
        lambda run: cosign.sign(run, PINNED, PRIVATE, TOKEN),
        lambda run: cosign.attest(run, PINNED, cosign.SBOM, sbom, PRIVATE, TOKEN),
    ):
        with pytest.raises(RemoteError) as caught:
            action(failing('Error: Post "https://rekor.example": connection refused'))
        assert "connection refused" in caught.value.details
        assert "https://rekor.example" in caught.value.hint
        assert "run again" in caught.value.hint
