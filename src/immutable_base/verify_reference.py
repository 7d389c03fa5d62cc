"""`verify`: what the user means, and from where trust comes.

It stands apart from `api`, which brings libsolv, pydantic and much else that takes longer to import
than a verification takes.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

from immutable_base.config.references import DEFAULT_TAG, find_reference
from immutable_base.config.trust import TrustSettings, load_trust
from immutable_base.errors import ConfigurationError
from immutable_base.model.reference import REPOSITORY
from immutable_base.trusted import roots_of, signer_of
from immutable_base.verification.deadline import SECONDS
from immutable_base.verification.policy import Signer
from immutable_base.verify import VerifiedImage, Verifier, registry_reader


def prove(  # noqa: PLR0913  one question, and what narrows it
    reference: str,
    config: Path | None,
    *,
    identity: str | None = None,
    issuer: str | None = None,
    signed_as: str | None = None,
    not_before: int | None = None,
    timeout: float = SECONDS,
) -> VerifiedImage:
    """Verify as `api.verify` does, which explains the arguments; raises as it does."""
    settings = load_trust(config) if config else None
    signer = _signer(settings, identity, issuer)
    found = find_reference(reference, settings)
    if signed_as is not None and REPOSITORY.fullmatch(signed_as) is None:
        raise ConfigurationError(f"'{signed_as}' is not a repository")
    verifier = _verifier(settings, config.parent if config else Path(), signer)
    verifier = replace(verifier, signed_as=signed_as, not_before=not_before, seconds=timeout)
    tag = found.tag or (None if found.digest else DEFAULT_TAG)
    return verifier.verify_reference(found.repository, tag=tag, digest=found.digest)


def _signer(settings: TrustSettings | None, identity: str | None, issuer: str | None) -> Signer:
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


def _verifier(settings: TrustSettings | None, folder: Path, signer: Signer) -> Verifier:
    """Return who verifies: at the configured instance, at the public one without configuration."""
    if settings is None:
        return Verifier(
            signer=signer,
            roots=roots_of(None, folder),
            open_reader=partial(registry_reader, None),
        )
    authority = settings.authority(folder)
    return Verifier(
        signer=signer,
        roots=roots_of(settings.signing, folder),
        mirrors=settings.mirrored(),
        open_reader=partial(registry_reader, authority),
    )
