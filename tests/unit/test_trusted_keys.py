"""What reaches cosign for each kind of key: its own service's variables, and nobody else's."""

import pytest

from immutable_base.config.load import load_settings
from immutable_base.config.signing import Signing
from immutable_base.process import Result, run
from immutable_base.tools import cosign
from immutable_base.trusted_keys import KEY_VARIABLES, signing_key_of
from support.fake_programs import write_program
from support.paths import PRODUCT
from support.sound_image import PEM

OTHERS = ("SECRET", "CI_JOB_TOKEN", "SIGSTORE_ID_TOKEN", "AWS_TLS_INSECURE_SKIP_VERIFY", "VAULT_SKIP_VERIFY")  # fmt: skip
"""What a job may have besides; the last two would turn off the verification of a service."""
KINDS = {
    "env": ("env://SIGNING_KEY", {"SIGNING_KEY", "COSIGN_PASSWORD"}),
    "hashivault": (
        "hashivault://os",
        {
            "VAULT_ADDR", "VAULT_TOKEN", "VAULT_NAMESPACE", "TRANSIT_SECRET_ENGINE_PATH", "VAULT_CACERT",
            "VAULT_CACERT_BYTES", "VAULT_CAPATH", "VAULT_CLIENT_CERT", "VAULT_CLIENT_KEY",
            "VAULT_TLS_SERVER_NAME", "VAULT_PROXY_ADDR",
        },
    ),
    "awskms": (
        "awskms:///alias/os",
        {
            "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION", "AWS_DEFAULT_REGION",
            "AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE",
            "AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME", "AWS_WEB_IDENTITY_TOKEN_FILE",
            "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "AWS_CA_BUNDLE",
            "AWS_EC2_METADATA_DISABLED", "AWS_USE_FIPS_ENDPOINT", "AWS_ENDPOINT_URL",
        },
    ),
    "gcpkms": (
        "gcpkms://projects/x",
        {
            "GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_CLOUD_QUOTA_PROJECT", "GOOGLE_CLOUD_UNIVERSE_DOMAIN",
            "GCE_METADATA_HOST",
        },
    ),
    "pkcs11": (
        "pkcs11:token=night",
        {
            "COSIGN_PKCS11_MODULE_PATH", "COSIGN_PKCS11_PIN", "COSIGN_PKCS11_IGNORE_CERTIFICATE",
            "SOFTHSM2_CONF", "OPENSC_CONF", "YUBIHSM_PKCS11_CONF", "P11_KIT_SERVER_ADDRESS",
            "ChrystokiConfigurationPath", "CS_PKCS11_R3_CFG",
        },
    ),
}  # fmt: skip


@pytest.fixture
def reached(tmp_path, monkeypatch):
    """Return a function: the variables, of all that a job has, that cosign gets for a key."""
    (tmp_path / "current.pub").write_text(PEM)
    seen = tmp_path / "seen"
    write_program(tmp_path / "bin" / "cosign", f"env > {seen}")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    everything = {*OTHERS, *(name for _, names in KINDS.values() for name in names)}
    for name in everything:
        monkeypatch.setenv(name, f"value of {name}")

    def ask(reference):
        cosign.public_key(run, signing_key_of(signing(reference), tmp_path))
        lines = (line.partition("=") for line in seen.read_text().splitlines())
        return {name for name, _, value in lines if value == f"value of {name}"}

    return ask


def signing(reference):
    keys = {"key": reference, "key_paths": ["current.pub"]}
    return Signing.model_validate({**load_settings(PRODUCT).signing.model_dump(), "keys": keys})


@pytest.mark.parametrize(("reference", "names"), KINDS.values(), ids=KINDS)
def test_cosign_gets_what_its_kind_of_key_needs_and_nothing_else_of_a_job(
    reached, reference, names
):
    assert reached(reference) == names


def test_there_is_a_case_for_every_kind_of_key():
    assert set(KINDS) == set(KEY_VARIABLES)


@pytest.mark.parametrize("reference", [reference for reference, _ in KINDS.values()])
def test_without_its_services_variables_cosign_gets_an_empty_password_only(tmp_path, reference):
    (tmp_path / "current.pub").write_text(PEM)
    key = signing_key_of(signing(reference), tmp_path, environment={"SECRET": "x"})
    assert started(key).env == {"COSIGN_PASSWORD": ""}


@pytest.mark.parametrize(
    ("kind", "secrets"),
    [
        ("env", ["SIGNING_KEY", "COSIGN_PASSWORD"]),
        ("hashivault", ["VAULT_TOKEN"]),
        (
            "awskms",
            ["AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN"],
        ),
        ("pkcs11", ["COSIGN_PKCS11_PIN"]),
    ],
)
def test_what_is_a_secret_is_shown_nowhere(tmp_path, kind, secrets):
    (tmp_path / "current.pub").write_text(PEM)
    reference, names = KINDS[kind]
    environment = {name: f"<{name}>" for name in names}
    shown = started(signing_key_of(signing(reference), tmp_path, environment)).redact
    assert [shown(environment[name]) for name in secrets] == ["***"] * len(secrets)


def started(key):
    """Return the command that asks cosign for the public half of a key."""
    commands = []

    def runner(command):
        commands.append(command)
        return Result(status=0, stdout=b"", stderr_tail="")

    cosign.public_key(runner, key)
    return commands[0]
