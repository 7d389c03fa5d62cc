"""From the table `[signing]` to who must sign, and whom to trust."""

from __future__ import annotations

from pathlib import Path

from immutable_base.config.trust import PUBLIC_FULCIO, SigningTable
from immutable_base.errors import ConfigurationError
from immutable_base.public_trust import public_trust
from immutable_base.verification.policy import Signer
from immutable_base.verification.roots import TrustRoots, private_roots, public_roots


def signer_of(signing: SigningTable) -> Signer:
    """Return who must sign, by configuration."""
    demanded = {
        "project_id": (signing.project_id,),
        "runner_environment": (signing.runner_environment,),
        "build_trigger": signing.build_triggers,
        "source_ref": (signing.source_ref,),
    }
    return Signer(
        identity=signing.certificate_identity,
        issuer=signing.certificate_oidc_issuer,
        claims={name: values for name, values in demanded.items() if any(values)},
    )


def roots_of(signing: SigningTable | None, folder: Path) -> TrustRoots:
    """Return all the trust in the configured instance, in the public one without configuration.

    Relative files begin at `folder`. Raises ConfigurationError if a file is missing, or does not
    hold what it should.
    """
    if signing is None or not (signing.fulcio_root or signing.trusted_root):
        return public_trust(PUBLIC_FULCIO)
    if signing.trusted_root:
        path = key_file(signing.trusted_root, folder)
        return public_roots(path.read_bytes(), instance=signing.fulcio_url, source=str(path))
    ct = signing.ct_log_key
    return private_roots(
        instance=signing.fulcio_url,
        fulcio=key_file(signing.fulcio_root, folder).read_bytes(),
        rekor=key_file(signing.rekor_key, folder).read_bytes(),
        ct=key_file(ct, folder).read_bytes() if ct else None,
    )


def key_file(name: str, folder: Path) -> Path:
    """Return a file that the configuration names; raises ConfigurationError if it is not there."""
    path = (folder / name).resolve()
    if not path.is_file():
        raise ConfigurationError(f"the configuration names {path}, which does not exist")
    return path
