"""One variant into the registry, in the one order that never shows a host an unsigned image."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from immutable_base.errors import ImmutableBaseError, RemoteError, VerificationError
from immutable_base.image.oci import require_manifest
from immutable_base.model.publish import Publication, PublicationStatus, Tag
from immutable_base.model.sbom import full_sbom_path
from immutable_base.publish.attested import (
    attest_provenance,
    attest_sbom,
    is_attested,
    require_attested,
    write_provenance,
)
from immutable_base.publish.followed import newest_signature, read_followed
from immutable_base.publish.full_sbom import attach_full_sbom
from immutable_base.publish.host_gate import ask_for_image, ask_for_unsigned_copy
from immutable_base.publish.key_signature import (
    require_known_key,
    require_signed_by_key,
    sign_by_key,
    unsigned_tags,
)
from immutable_base.publish.left_behind import refuse_to_leave_behind
from immutable_base.publish.overtaken import refuse_overtaken
from immutable_base.publish.patience import Patience
from immutable_base.publish.publisher import Publisher
from immutable_base.publish.request import PublishRequest, StepClock
from immutable_base.publish.tag_mover import TagMover
from immutable_base.tools import cosign, skopeo
from immutable_base.verification.verify_image import moment
from immutable_base.verify import NO_CT_LOG, VerifiedImage
from immutable_base.workspace import file_digest

log = logging.getLogger(__name__)
VERIFY = "verify signature, SBOM and provenance"


def publish_variant(publisher: Publisher, request: PublishRequest) -> Publication:
    """Push by digest, sign, attest, verify all of it, and only then move the tags.

    A host on the image is asked twice: whether it refuses an unsigned copy, before anything is
    signed, and whether it takes the image, before tags move.
    With a key it signs as well, for each tag. Nothing is written if all of that is so already,
    except a signature that `renew` asks for, or hosts on what tags name: theirs must not be newer.

    A service that is not to be had is waited for, a while; what is refused is not asked again.

    Raises CheckError if the layout does not hold the digest, ConfigurationError without a token,
    HostError if cosign is not one that is accepted, VerificationError if the signer is not the one
    that `publisher` demands, or if a host would refuse the image or take an unsigned one, be
    it on this image or on the one before,
    RemoteError if a service fails. In each case the tags stay where they were.
    """
    times, patience = StepClock(), Patience()
    publisher = replace(publisher, run=patience.runner(publisher.run))
    require_manifest(request.layout, request.digest)
    mover = TagMover(
        run=publisher.run,
        environment=publisher.sigstore.environment,
        repository=request.repository,
    )
    with times.step("read what is published"):
        before = mover.read(request.tags)
        followed = patience.ask(
            lambda: read_followed(publisher, request.repository, request.digest, before)
        )
        refuse_overtaken(request, followed)
        refuse_to_leave_behind(publisher, request, followed)
        verified = patience.ask(lambda: _verified_already(publisher, request))
    request = replace(request, renew=newest_signature(followed, request.renew))
    status = _status(verified, request, before)
    if verified is None:
        verified = _make_verified(publisher, request, times, patience)
    else:
        if unsigned_tags(publisher, *request.named):
            status = PublicationStatus.PUBLISHED
        if status is not PublicationStatus.UNCHANGED:
            verified = _complete(publisher, request, verified, times, patience)
    if status is not PublicationStatus.UNCHANGED:
        refuse_to_leave_behind(publisher, request, followed, verified.proof.signature.claims)
        ask_for_image(publisher, request, times, patience)
    with times.step("move the tags"):
        moved = mover.move(before, request.digest)
    return _publication(verified, request, times, status, moved)


def _publication(
    verified: VerifiedImage,
    request: PublishRequest,
    times: StepClock,
    status: PublicationStatus,
    moved: tuple[Tag, ...],
) -> Publication:
    write_provenance(request, verified.provenance.document)
    return Publication(
        rests_on=dict(request.rests_on),
        variant=request.variant,
        status=status,
        repository=request.repository,
        digest=request.digest,
        tags=moved,
        signer=verified.signer.identity,
        issuer=verified.signer.issuer,
        rekor_log_index=verified.log_index,
        sbom_sha256=file_digest(request.sbom),
        full_sbom_sha256=file_digest(full_sbom_path(request.sbom)),
        provenance_log_index=verified.provenance.log_index,
        notes=() if verified.sct_checked else (NO_CT_LOG,),
        steps=tuple(times.steps),
        seconds=round(time.monotonic() - times.started, 2),
    )


def _status(
    verified: VerifiedImage | None, request: PublishRequest, before: Mapping[str, str | None]
) -> PublicationStatus:
    if verified is None or set(before.values()) != {request.digest}:
        return PublicationStatus.PUBLISHED
    return PublicationStatus.RENEWED if _is_old(verified, request) else PublicationStatus.UNCHANGED


def _is_old(verified: VerifiedImage, request: PublishRequest) -> bool:
    return request.renew is not None and verified.proof.signature.signed_at <= request.renew


def sign_variant(publisher: Publisher, request: PublishRequest) -> str:
    """Push by digest and sign; return `repository@sha256:...`. No tag moves.

    Raises as `publish_variant`.
    """
    require_manifest(request.layout, request.digest)
    patience = Patience()
    publisher = replace(publisher, run=patience.runner(publisher.run))
    token = _ready_to_sign(publisher)
    _push(publisher, request)
    ask_for_unsigned_copy(request, StepClock(), patience)
    _sign(publisher, request, token)
    return request.pinned


def attest_variant(publisher: Publisher, request: PublishRequest) -> str:
    """Attest SBOM and provenance of what was pushed, and add the full SBOM. No tag moves.

    Returns `repository@sha256:...`. Raises as `publish_variant`, and RemoteError if the image was
    not pushed.
    """
    patience = Patience()
    publisher = replace(publisher, run=patience.runner(publisher.run))
    token = _ready_to_sign(publisher)
    environment = publisher.sigstore.environment
    if skopeo.manifest_digest(publisher.run, request.pinned, environment) is None:
        raise RemoteError(
            f"{request.pinned} is not in the registry", hint="`immutable-base sign` pushes it"
        )
    _attest(publisher, request, token, StepClock(), patience)
    return request.pinned


def _ready_to_sign(publisher: Publisher) -> str:
    """Return the job's token once nothing speaks against signing with it; nothing is written."""
    token = publisher.token()
    cosign.require_accepted(publisher.run)
    require_known_key(publisher)
    return token


def _push(publisher: Publisher, request: PublishRequest) -> None:
    skopeo.push(publisher.run, request.layout, request.pinned, publisher.sigstore.environment)


def _sign(publisher: Publisher, request: PublishRequest, token: str) -> None:
    with _naming_what_is_in_the_way(publisher, request, "sig"):
        cosign.sign(publisher.run, request.pinned, publisher.sigstore, token)
        sign_by_key(publisher, *request.named)


def _attest(
    publisher: Publisher, request: PublishRequest, token: str, times: StepClock, patience: Patience
) -> None:
    """Attest SBOM and provenance, and put the full SBOM beside the image."""
    with _naming_what_is_in_the_way(publisher, request, "att"):
        with times.step("attest the SBOM"):
            attest_sbom(publisher, request, token)
        with times.step("attest the provenance"):
            attest_provenance(publisher, request, token)
    with times.step("attach the full SBOM"):
        patience.ask(lambda: attach_full_sbom(publisher, request))


def _verify(publisher: Publisher, request: PublishRequest) -> VerifiedImage:
    return publisher.verifier.verify(request.repository, request.digest)


def _verified_already(publisher: Publisher, request: PublishRequest) -> VerifiedImage | None:
    """Return the image as an earlier run published it, None if something is missing."""
    try:
        verified = _verify(publisher, request)
    except VerificationError as error:
        log.info("not published before: %s", error.message)
        return None
    return verified if is_attested(verified, request) else None


@contextmanager
def _naming_what_is_in_the_way(
    publisher: Publisher, request: PublishRequest, kind: str
) -> Iterator[None]:
    """Say who must clear it away if cosign fails and something broken lies where it writes.

    Nothing is cleared away here: it may be another team's.
    """
    try:
        yield
    except RemoteError as error:
        try:
            broken = publisher.verifier.count_broken(request.repository, request.digest, kind)
        except ImmutableBaseError:
            broken = 0
        if broken == 0:
            raise
        tag = f"{request.repository}:{request.digest.replace(':', '-')}.{kind}"
        raise RemoteError(
            error.message,
            details=error.details,
            hint=f"{broken} broken things under the tag {tag} may stand in cosign's way: whoever "
            "may delete in this registry must delete that tag; then run again",
        ) from error


def _make_verified(
    publisher: Publisher, request: PublishRequest, times: StepClock, patience: Patience
) -> VerifiedImage:
    # Before anything is written: a wrong token must not leave half a publication behind.
    token = _ready_to_sign(publisher)
    with times.step("push by digest"):
        _push(publisher, request)
    ask_for_unsigned_copy(request, times, patience)
    with times.step("sign"):
        _sign(publisher, request, token)
    _attest(publisher, request, token, times, patience)
    with times.step(VERIFY):
        verified = patience.ask(lambda: _verify(publisher, request))
        require_attested(verified, request)
        patience.ask(lambda: require_signed_by_key(publisher, *request.named))
    return verified


def _complete(
    publisher: Publisher,
    request: PublishRequest,
    verified: VerifiedImage,
    times: StepClock,
    patience: Patience,
) -> VerifiedImage:
    """Sign what is published already, as far as it needs that before tags move or hosts take it."""
    publisher.token()  # to move a tag is to publish, also where nothing is left to sign
    ask_for_unsigned_copy(request, times, patience)
    if _is_old(verified, request):
        verified = _sign_anew(publisher, request, times, patience)
    if unsigned_tags(publisher, *request.named):
        _add_key_signatures(publisher, request, times, patience)
    return verified


def _sign_anew(
    publisher: Publisher, request: PublishRequest, times: StepClock, patience: Patience
) -> VerifiedImage:
    """Sign what is published once more, and require that this is now the newest signature."""
    token = _ready_to_sign(publisher)
    with times.step("sign anew"):
        _sign(publisher, request, token)
    with times.step(VERIFY):
        verified = patience.ask(lambda: _verify(publisher, request))
        if _is_old(verified, request):
            raise VerificationError(
                f"{request.pinned} was signed anew, and its newest signature is still that of "
                f"{moment(verified.proof.signature.signed_at)}",
                hint="do the registry and the transparency log keep what is written?",
            )
    return verified


def _add_key_signatures(
    publisher: Publisher, request: PublishRequest, times: StepClock, patience: Patience
) -> None:
    """Let a key sign what is published already: it is new, or there are tags that are."""
    _ready_to_sign(publisher)
    with times.step("sign with the key"):
        with _naming_what_is_in_the_way(publisher, request, "sig"):
            sign_by_key(publisher, *request.named)
        patience.ask(lambda: require_signed_by_key(publisher, *request.named))
