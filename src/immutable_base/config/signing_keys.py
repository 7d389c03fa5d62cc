"""The table `[signing.keys]`: a key beside the keyless identity, which hosts can demand today."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from immutable_base.config.types import KeyPaths
from immutable_base.model.document import Frozen

KEY_REFERENCE = (
    r"^(env://[A-Z_][A-Z0-9_]*|(hashivault|awskms|gcpkms)://[A-Za-z0-9/][!-~]*|pkcs11:[!-~]+)$"
)
"""Where cosign finds a private key; source: sigstore/cosign, KMS.md, TOKENS.md, `sign --help`.
A path is none of them: a private key beside a configuration is soon in its repository."""


class SigningKeys(Frozen):
    """The key that signs beside the keyless identity, and the public keys that hosts accept."""

    key: Annotated[str, StringConstraints(pattern=KEY_REFERENCE)]
    """Private key to sign with, as cosign names it: `env://VARIABLE` (the variable holds the key,
    or names its file), `hashivault://`, `awskms://`, `gcpkms://` or `pkcs11:`."""
    key_paths: KeyPaths
    """PEM files of the public keys that hosts accept: the current one, and the next."""
    signing_with: Literal["current", "next"] = "current"
    """Which of `key_paths` belongs to `key`; `immutable-base policy rotate` changes it."""

    @property
    def signing_path(self) -> str:
        """The public key's file of `key`."""
        return self.key_paths[0 if self.signing_with == "current" else 1]

    @model_validator(mode="after")
    def _one_of_them_signs(self) -> SigningKeys:
        """Refuse what no host could ever accept."""
        if self.signing_with == "next" and len(self.key_paths) < 2:
            raise PydanticCustomError(
                "signing_with", "signing_with is 'next', but key_paths has no second file"
            )
        return self
