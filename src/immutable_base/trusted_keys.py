"""From `[signing]` to the key that signs beside the keyless identity, and whom hosts trust.

Not in `trusted.py`: a verification needs none of it, and does without pydantic.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from immutable_base.config.schema import Settings
from immutable_base.config.signing import Signing
from immutable_base.policy.host_trust import HostTrust, instance_trust, variants_trust
from immutable_base.policy.public_key import canonical_pem
from immutable_base.tools import cosign
from immutable_base.tools.pkcs11 import MODULE_VARIABLES
from immutable_base.trusted import key_file

KEY_VARIABLES = {
    "env": ("COSIGN_PASSWORD",),
    "hashivault": (
        "VAULT_ADDR", "VAULT_TOKEN", "VAULT_NAMESPACE", "TRANSIT_SECRET_ENGINE_PATH",
        "VAULT_CACERT", "VAULT_CACERT_BYTES", "VAULT_CAPATH", "VAULT_CLIENT_CERT",
        "VAULT_CLIENT_KEY", "VAULT_TLS_SERVER_NAME", "VAULT_PROXY_ADDR",
    ),
    "awskms": (
        "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION",
        "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_CONFIG_FILE",
        "AWS_SHARED_CREDENTIALS_FILE", "AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME",
        "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "AWS_CA_BUNDLE", "AWS_EC2_METADATA_DISABLED",
        "AWS_USE_FIPS_ENDPOINT", "AWS_ENDPOINT_URL",
    ),
    "gcpkms": (
        "GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_CLOUD_QUOTA_PROJECT",
        "GOOGLE_CLOUD_UNIVERSE_DOMAIN", "GCE_METADATA_HOST",
    ),
    "pkcs11": (
        "COSIGN_PKCS11_MODULE_PATH", "COSIGN_PKCS11_PIN", "COSIGN_PKCS11_IGNORE_CERTIFICATE",
        *MODULE_VARIABLES,
    ),
}  # fmt: skip
"""What cosign reads for each kind of key; it gets nothing else of our environment, and nothing that
turns off the verification of a service. Sources: sigstore/cosign, pkg/cosign/env/env.go;
sigstore/sigstore, pkg/signature/kms; hashicorp/vault, api/client.go; aws/aws-sdk-go-v2,
config/env_config.go and its guide, "Container credential provider"; googleapis/google-cloud-go,
auth/internal and compute/metadata."""


def signing_key_of(
    signing: Signing, folder: Path, environment: Mapping[str, str] = os.environ
) -> cosign.ImageKey | None:
    """Return the key that signs beside the keyless identity, None if none is configured.

    The private key is not looked for here. Raises ConfigurationError if the public key's file is
    missing or is none.
    """
    keys = signing.keys
    if keys is None:
        return None
    kind, _, rest = keys.key.partition(":")
    names = (*KEY_VARIABLES[kind], *((rest.removeprefix("//"),) if kind == "env" else ()))
    return cosign.ImageKey(
        reference=keys.key,
        public=_public_key(keys.signing_path, folder),
        environment={name: environment[name] for name in names if name in environment},
    )


def host_trust_of(settings: Settings, folder: Path) -> HostTrust:
    """Return what the images of the product's variants say about whose images a host takes.

    Raises ConfigurationError if a public key's file is missing or is none.
    """
    return variants_trust(settings, public_keys(settings.signing, folder))


def instance_trust_of(name: str, repository: str, signing: Signing, folder: Path) -> HostTrust:
    """Return the same of an instance's image; raises as `host_trust_of`."""
    return instance_trust(name, repository, signing, public_keys(signing, folder))


def public_keys(signing: Signing, folder: Path) -> list[str]:
    """Return the texts of the public keys that hosts accept; raises as `host_trust_of`."""
    return [_public_key(path, folder) for path in signing.host_key_paths]


def _public_key(name: str, folder: Path) -> str:
    path = key_file(name, folder)
    return canonical_pem(path.read_bytes(), str(path))
