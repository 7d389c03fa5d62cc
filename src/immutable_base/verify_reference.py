"""`verify`, as a command and as a library: what the user means, and from where trust comes.

It stands apart from `api`, whose other half brings libsolv and much else that a verification does
not need.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

from immutable_base import process
from immutable_base.config.load import load_settings
from immutable_base.config.names import DEFAULT_TAG, find_reference
from immutable_base.config.schema import Settings
from immutable_base.errors import ConfigurationError
from immutable_base.model.reference import REPOSITORY
from immutable_base.model.verify import VerificationReport
from immutable_base.report.verify import verification_report
from immutable_base.sign import roots_of, signer_of, sigstore_of
from immutable_base.tools.cosign import PUBLIC
from immutable_base.verification.deadline import SECONDS
from immutable_base.verification.policy import Signer
from immutable_base.verify import Verifier, registry_reader


def verify(  # noqa: PLR0913  one question, and what narrows it
    reference: str,
    config: Path | str | None = None,
    *,
    identity: str | None = None,
    issuer: str | None = None,
    signed_as: str | None = None,
    not_before: int | None = None,
    timeout: float = SECONDS,
) -> VerificationReport:
    """Verify signature and SBOM attestation of an image, and return what was proven.

    `reference` is `registry/path:tag`, `registry/path@sha256:...` or a variant of the
    configuration. `identity` and `issuer` must have signed; they default to the configuration's,
    and without one both are needed. `signed_as` is the repository that the signature names, where
    `reference` is a copy elsewhere. An image that was signed before `not_before`, in seconds since
    1970, is refused. Nothing is written, no program is started, and nothing takes longer than
    `timeout` seconds.

    Raises VerificationError in the kind that says what is wrong, ConfigurationError if the
    arguments or the configuration cannot be used, RemoteError if nothing can be known.
    """
    path = Path(config).resolve() if config is not None else None
    settings = load_settings(path) if path else None
    signer = _signer(settings, identity, issuer)
    found = find_reference(reference, settings)
    if signed_as is not None and REPOSITORY.fullmatch(signed_as) is None:
        raise ConfigurationError(f"'{signed_as}' is not a repository")
    verifier = _verifier(settings, path.parent if path else Path(), signer)
    verifier = replace(verifier, signed_as=signed_as, not_before=not_before, seconds=timeout)
    tag = found.tag or (None if found.digest else DEFAULT_TAG)
    verified = verifier.verify_reference(found.repository, tag=tag, digest=found.digest)
    return verification_report(verified, configuration=path)


def _signer(settings: Settings | None, identity: str | None, issuer: str | None) -> Signer:
    """Return who must have signed; what a configuration demands beyond it goes with its identity.

    Raises ConfigurationError if nobody says who, or if it is nobody.
    """
    configured = signer_of(settings.signing) if settings else None
    if configured is not None:
        found = Signer(
            identity=configured.identity if identity is None else identity,
            issuer=configured.issuer if issuer is None else issuer,
            claims=configured.claims if identity in {None, configured.identity} else {},
        )
    elif identity is None or issuer is None:
        raise ConfigurationError(
            "without a configuration nobody says who must have signed",
            hint="name both, identity and issuer, or a configuration",
        )
    else:
        found = Signer(identity=identity, issuer=issuer)
    for name, text in (("identity", found.identity), ("issuer", found.issuer)):
        if not text.strip() or text != text.strip() or not text.isprintable():
            raise ConfigurationError(
                f"the {name} that must have signed is empty, or has characters that none has"
            )
    return found


def _verifier(settings: Settings | None, folder: Path, signer: Signer) -> Verifier:
    """Return who verifies: at the configured instance, at the public one without configuration."""
    if settings is None:
        return Verifier(
            run=process.run,
            sigstore=PUBLIC,
            signer=signer,
            roots=roots_of(None, folder),
            open_reader=partial(registry_reader, None),
        )
    authority = settings.authority(folder)
    return Verifier(
        run=process.run,
        sigstore=sigstore_of(settings.signing, folder, {}),
        signer=signer,
        roots=roots_of(settings.signing, folder),
        mirrors=settings.mirrors(),
        open_reader=partial(registry_reader, authority),
    )
